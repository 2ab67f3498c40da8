"""Patterns of holes in the coordinates whitened by L: Π, and moments of z = ΠL⁻¹(x − μ).

From S and S⁻¹, with errors ε·cond(S) like those of ``expected.plain_sums``; or by QR and row by
row, ε√cond(S), as ``marginal`` has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mvngrad.core.expected import BLOCK, SAFE, Block, blocks_of
from mvngrad.core.kept import Kept, pattern_moments
from mvngrad.core.ops import Array, condition_estimate
from mvngrad.core.patterns import Patterns
from mvngrad.core.projections import Projections, groups_of


class Seen(NamedTuple):
    """Of some patterns, whitened: n (p,), Π, z of the mean row (p, d) and Πscatter (p, d, d)."""

    weights: Array
    Pi: Array
    z: Array
    second: Array

    @classmethod
    def of(cls, block: Block, mu: Array, L: Array) -> Seen:
        """With Π = LᵀΩL, Ω = S_oo⁻¹ widened with zeros."""
        (n, c, C), Omega, _ = block
        half = Omega @ L  # z = halfᵀ(x − μ)
        z = np.matmul((c - mu)[:, None, :], half)[:, 0, :]
        return cls(n, L.T @ half, z, half.transpose(0, 2, 1) @ C @ half)


def is_plain(data: Patterns, L: Array) -> bool:
    """Whether cond(L) is so small that S and S⁻¹ keep the digits."""
    return condition_estimate(L) <= SAFE * data.d


def seen(data: Patterns, mu: Array, L: Array, *, plain: bool) -> Iterator[Seen]:
    """All patterns, a block of them at a time."""
    if plain:
        return (Seen.of(block, mu, L) for block in blocks_of(data, L))
    return _by_rows(data, mu, L)


def _by_rows(data: Patterns, mu: Array, L: Array) -> Iterator[Seen]:
    """Π = QQᵀ, and moments of rows that are whitened one by one."""
    at, size = Projections.at(L, groups_of(data)), max(BLOCK // data.d**2, 1)
    z, (_, weights, anchored) = at.expected(residuals(data, mu)), data.kept
    for group, Q in zip(at.groups, at.Q, strict=True):
        starts = np.searchsorted(group.which, np.arange(len(Q) + 1))
        for begin in range(0, len(Q), size):
            ends = starts[begin : begin + size + 1]
            rows, part = group.rows[ends[0] : ends[-1]], Q[begin : begin + size]
            kept = Kept(z[rows], weights[rows], anchored[rows])
            n, c, C = pattern_moments(kept, ends - ends[0])
            yield Seen(n, part @ part.transpose(0, 2, 1), c, C)


def residuals(data: Patterns, mu: Array) -> Array:
    """x − μ of the kept rows (r, d), 0 where missing."""
    y = data.kept.z - np.multiply.outer(data.kept.anchored, mu)
    y[~np.repeat(data.observed, np.diff(data.starts), axis=0)] = 0.0
    return y
