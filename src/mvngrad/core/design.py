"""Rows with a mean of their own each, μᵢ = Mζᵢ: J of what they observe, its gradient and curvature.

ζ are the design's rows made orthonormal, Σ w ζζᵀ = nI, so M (d, P) takes the place of a common μ
and all else stays as it is: with E z the expected residual of a row whitened by L,

    r = Σ w E z ζᵀ/n  (d, P)        K = Σ w [ (E z)(E z)ᵀ + cov z ]/n
    ∂J/∂M = −n L⁻ᵀr                 dG, d(∂J/∂M) with u = Π(Ez + δζ) for u of a common mean

and of complete data K = L⁻¹CL⁻ᵀ/n + rrᵀ, the formula's own, r a matrix. For P = 1, ζ = 1 it is the
common mean. A pattern's rows may be merged (``Patterns``): the rows of R bring designs of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
from scipy.linalg import qr

from mvngrad.core.curvature import product_of_rows
from mvngrad.core.likelihood import LOG_2PI, Evaluation, evaluate_about
from mvngrad.core.operators import IdentityCovariance
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.projections import Group, Projections, groups_of
from mvngrad.core.sorting import Mask
from mvngrad.core.whole import Product

RANK = 1e-10  # a pivot of the design, relative to its largest, that counts


@final
@dataclass(eq=False)
class Design:
    """The designs of the kept rows of some patterns.

    Parameters
    ----------
    patterns : Patterns      the rows x, their residuals about an origin M₀
    zeta : (r, P) array      ζ of each kept row, Σ w ζζᵀ = nI
    basis : (P, p) array     z = ζR: the design as it was given
    """

    patterns: Patterns
    zeta: Array
    basis: Array
    _latest: tuple[Array, Projections] | None = field(default=None, repr=False)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Patterns of one size together."""
        return groups_of(self.patterns)

    def projections(self, L: Array) -> Projections:
        """At L: kept from the last call, since curvature is asked for where J was."""
        if self._latest is None or not np.array_equal(self._latest[0], L):
            self._latest = L.copy(), Projections.at(L, self.groups)
        return self._latest[1]

    def evaluate(self, M: Array, L: Array) -> Evaluation:
        """J at M (d, P) and S = LLᵀ in the patterns' frame; gradients seen from x = Mζ + Lz."""
        z, n, at = self.expected(M, L), self.patterns.pattern_weights, self.projections(L)
        w = self.patterns.kept.weights[:, None]
        scatter = (w * z).T @ z
        e = evaluate_about(
            self.patterns.weight,
            (w * z).T @ self.zeta,
            scatter + at.spread(n),
            IdentityCovariance(),
        )
        entries = float(n @ self.patterns.observed.sum(axis=1))
        J = 0.5 * (entries * LOG_2PI + at.logdet(n) + scatter.trace())
        return e._replace(nll=float(J))

    def expected(self, M: Array, L: Array) -> Array:
        """E z of the kept rows (r, d)."""
        return self.projections(L).expected(self.residuals(M))

    def residuals(self, M: Array) -> Array:
        """x − Mζ of the kept rows (r, d), 0 where missing."""
        y = self.patterns.kept.z - self.zeta @ M.T
        y[~self.seen] = 0.0
        return y

    @cached_property
    def seen(self) -> Mask:
        """What the kept rows observe (r, d)."""
        return np.repeat(self.patterns.observed, np.diff(self.patterns.starts), axis=0)

    def curvature(self, M: Array, L: Array) -> Product:
        """d(∂J/∂M) (d, P) and dG (d, d) of tangents δ (d, P) and E (d, d), all whitened."""
        at, z = self.projections(L), self.expected(M, L)
        return product_of_rows(self.patterns, at, z, self.zeta)

    def expected_curvature(self, L: Array) -> Product:
        """The same as expected given the holes: Σ w Πδζζᵀ and ½ Σ n ΠEΠ."""
        at, w, n = self.projections(L), self.patterns.kept.weights, self.patterns.pattern_weights

        def product(delta: Array, E: Array) -> tuple[Array, Array]:
            u = at.projected(self.zeta @ delta.T) * w[:, None]
            return u.T @ self.zeta, 0.5 * at.sandwich(n, E)

        return product


def orthonormal(Z: Array, weights: Array, n: float) -> tuple[Array, Array]:
    """ζ (r, P) and R (P, p) with Z = ζR, Σ w ζζᵀ = nI, P the rank of Z, by QR with pivoting."""
    root = np.sqrt(weights)[:, None]
    sizes = np.linalg.norm(root * Z, axis=0)
    sizes[sizes == 0.0] = 1.0
    Q, R, order = qr(root * Z / sizes, mode="economic", pivoting=True)
    rank = int(np.count_nonzero(np.abs(np.diagonal(R)) > RANK * max(abs(R[0, 0]), 1e-300)))
    basis = np.empty((rank, Z.shape[1]))
    basis[:, order] = R[:rank]
    return Q[:, :rank] / root * np.sqrt(n), basis * sizes / np.sqrt(n)
