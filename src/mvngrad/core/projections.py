"""Rows with holes seen through what they observe, by QR, patterns of one size at a time.

    L_oᵀ = QR        W = QR⁻ᵀ = L_o⁺        Π = QQᵀ = I − NNᵀ

[Q N] orthogonal; products go by the thinner of the two.

As in ``marginal``, of which this is the form for sums that need every row: given x_o with residual
y, the residual whitened by L has mean Wy and covariance I − Π. Errors go with ε√cond(S).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from mvngrad.core.marginal import Sums
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.sorting import Group

BLOCK = 2**18  # numbers in the matrices of a block of rows: 2 MB


@final
@dataclass(frozen=True, eq=False)
class Projections:
    """Q (p, d, k), N (p, d, d − k), W (p, d, k), 2 Σ log|Rⱼⱼ| (p,) of groups, at one L (d, d)."""

    groups: tuple[Group, ...]
    Q: tuple[Array, ...]
    N: tuple[Array, ...]
    W: tuple[Array, ...]
    logdets: tuple[Array, ...]

    @classmethod
    def at(cls, L: Array, groups: tuple[Group, ...]) -> Projections:
        """Of every pattern, by batches of QR."""
        made = (triangularised(L[group.entries]) for group in groups)
        return cls(groups, *zip(*made, strict=True))

    def expected(self, y: Array) -> Array:
        """Wy of all rows (r, d), of residuals that are 0 where nothing is observed."""
        out = np.empty_like(y)
        for group, W in zip(self.groups, self.W, strict=True):
            for rows, which in _blocks(group, W):
                seen = np.take_along_axis(y[rows], group.entries[which], axis=1)
                out[rows] = each_times(W[which], seen)
        return out

    def projected(self, u: Array) -> Array:
        """Πu of all rows (r, d)."""
        out = np.empty_like(u)
        for group, B, seen in self._thin:
            for rows, which in _blocks(group, B):
                part = B[which]
                along = each_times(part, each_times(part.transpose(0, 2, 1), u[rows]))
                out[rows] = along if seen else u[rows] - along
        return out

    @property
    def _thin(self) -> Iterator[tuple[Group, Array, bool]]:
        """Of every group Q, or N if that has fewer columns; and whether it is Q."""
        for group, Q, N in zip(self.groups, self.Q, self.N, strict=True):
            seen = Q.shape[2] <= N.shape[2]
            yield group, Q if seen else N, seen

    def spread(self, n: Array) -> Array:
        """Σ n (I − Π) over patterns of weights n."""
        seen = sum(
            _outer(Q * n[g.patterns, None, None], Q)
            for g, Q in zip(self.groups, self.Q, strict=True)
        )
        return n.sum() * np.eye(self.Q[0].shape[1]) - seen

    def sandwich(self, n: Array, E: Array) -> Array:
        """Σ n ΠEΠ over patterns of weights n, E symmetric."""
        out = np.zeros_like(E)
        for g, B, seen in self._thin:
            m = n[g.patterns]
            weighted = B * m[:, None, None]
            out += _outer(weighted @ (B.transpose(0, 2, 1) @ (E @ B)), B)
            if not seen:
                RE = _outer(weighted, B) @ E
                out += m.sum() * E - RE - RE.T
        return out

    def logdet(self, n: Array) -> float:
        """Σ n log|S_oo|."""
        return float(
            sum(n[g.patterns] @ part for g, part in zip(self.groups, self.logdets, strict=True))
        )


def triangularised(rows: Array) -> tuple[Array, Array, Array, Array]:
    """Q (p, d, k), N beside it, W (p, d, k) and 2 Σ log|Rⱼⱼ| (p,) for rows o of L (p, k, d)."""
    k = rows.shape[1]
    both, R = np.linalg.qr(rows.transpose(0, 2, 1), mode="complete")
    Q, N, R = np.ascontiguousarray(both[:, :, :k]), both[:, :, k:].copy(), R[:, :k]
    W = np.linalg.solve(R, Q.transpose(0, 2, 1)).transpose(0, 2, 1)
    return Q, N, W, 2.0 * np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))).sum(axis=1)


def _blocks(group: Group, matrices: Array) -> Iterator[tuple[Any, Any]]:
    """Some rows at a time, with the pattern of each."""
    size = BLOCK // max(matrices.shape[1] * matrices.shape[2], 1) + 1
    for begin in range(0, len(group.rows), size):
        part = slice(begin, begin + size)
        yield group.rows[part], group.which[part]


def each_times(A: Array, x: Array) -> Array:
    """Aᵢxᵢ of (m, a, b) and (m, b)."""
    return np.matmul(A, x[:, :, None])[:, :, 0]


def _outer(A: Array, B: Array) -> Array:
    """Σ_p A_p B_pᵀ of (p, d, k), as one product."""
    return np.tensordot(A, B, axes=([0, 2], [0, 2]))


def projected_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """What ``marginal_sums`` says, patterns of one size at a time."""
    at, z, n = Projections.at(L, data.groups), residuals(data, mu), data.pattern_weights
    z = at.expected(z)
    _, w, a = data.kept
    return Sums((w * a) @ z, (z.T * w) @ z, at.spread(n), at.logdet(n))


def residuals(data: Patterns, mu: Array) -> Array:
    """x − μ of the kept rows (r, d), 0 where missing."""
    y = data.kept.z - np.multiply.outer(data.kept.anchored, mu)
    y[~np.repeat(data.observed, np.diff(data.starts), axis=0)] = 0.0
    return y
