"""How far estimates vary: T with TTᵀ the covariance of a model's coordinates, and what follows.

Of any smooth f(μ, S) or f(θ), with ∂f along the columns of UT,

    var f = Σₘ (∂ₘf)²                                               (the delta method)

so no covariance matrix of all parameters is formed, and each f costs what its derivative costs.
Where ∂f along a direction that the data do not tell is not 0, there is no error: NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, final

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.inference.directions import Block, Directions, covariance_tangents
from mvngrad.inference.estimate import Estimate
from mvngrad.models.structure import Loaded

STEP = 1e-3  # of a whitened coordinate: differences of fourth order are then good to 1e-11
SEEN = 1e-6  # of its natural size: by how much f must move along an untold direction
TIED = 1e-6  # of the larger: eigenvalues too near to tell their vectors apart


class Moves(NamedTuple):
    """Tangents along some columns: δ and E whitened, and of the parameters of mean and S."""

    delta: Array
    E: Array
    of_mean: Array
    of_theta: Array


@final
@dataclass(frozen=True, eq=False)
class Uncertainty:
    """A root T (r, m) of the covariance of coordinates, and directions (r, b) not told."""

    directions: Directions
    root: Array
    blind: Array

    @property
    def estimate(self) -> Estimate:
        """Where."""
        return self.directions.estimate

    def along(self, c: Array) -> Moves:
        """Tangents along columns of c (r, m)."""
        q = self.directions.sizes[0]
        delta, E = self.directions.tangents(c)
        blocks = self.directions.of_mean, self.directions.of_covariance
        return Moves(delta, E, (blocks[0].moves @ c[:q]).T, (blocks[1].moves @ c[q:]).T)

    @cached_property
    def spread(self) -> Moves:
        """Along T: squares sum to variances."""
        return self.along(self.root)

    @cached_property
    def untold(self) -> Moves:
        """Along what is not told."""
        return self.along(self.blind)

    def errors(self, push: Callable[[Moves], Array], sizes: Array) -> Array:
        """√Σ (∂f)² of f, its derivatives by ``push`` (m, …); NaN where f is not told."""
        found = np.sqrt((push(self.spread) ** 2).sum(axis=0))
        if not self.blind.shape[1]:
            return found
        lost = np.abs(push(self.untold)).max(axis=0) > SEEN * sizes
        return np.where(lost, np.nan, found)

    @cached_property
    def of_params(self) -> Array:
        """Covariance of (β̂, θ̂) (q, q); NaN where rotations, an edge or the data leave it open."""
        at, (q, r) = self.estimate, self.directions.sizes
        block = self.directions.of_covariance
        free = np.flatnonzero(~at.held)
        found = Block.of(covariance_tangents(at, free))
        moves = np.zeros((len(at.theta), r))
        moves[free] = found.along(block.basis)
        everything = np.zeros((at.n_mean + len(at.theta), q + r))
        everything[: at.n_mean, :q], everything[at.n_mean :, q:] = (
            self.directions.of_mean.moves,
            moves,
        )
        J = everything @ self.root
        V = J @ J.T
        lost = np.zeros(len(V), dtype=bool)
        lost[at.n_mean :] = at.held
        lost[at.n_mean + free] |= found.loose
        sizes = np.abs(everything).max(axis=1)
        lost |= np.abs(everything @ self.blind).max(axis=1, initial=0.0) > SEEN * sizes
        V[lost] = V[:, lost] = np.nan
        return V

    # Derivatives of what a fit reports

    @cached_property
    def deviations(self) -> Array:
        """√Ŝⱼⱼ (d,)."""
        return np.sqrt((self.estimate.root**2).sum(axis=1))

    @cached_property
    def correlation(self) -> Array:
        """Ŝ at unit diagonal."""
        rows = self.estimate.root / self.deviations[:, None]
        return rows @ rows.T

    def of_mean(self, moves: Moves) -> Array:
        """μ, or M at the average design (m, d)."""
        at = self.estimate
        dM = np.tensordot(moves.delta, at.root, axes=([1], [1]))  # (m, d) or (m, P, d)
        return dM if at.average is None else np.tensordot(dM, at.average, axes=([1], [0]))

    def of_covariance(self, moves: Moves) -> Array:
        """S: L E Lᵀ (m, d, d)."""
        L = self.estimate.root
        return L @ moves.E @ L.T

    def of_root(self, moves: Moves) -> Array:
        """The lower-triangular root: LΦ(E), Φ the lower half with half the diagonal (m, d, d)."""
        d = len(self.estimate.root)
        half = np.tril(moves.E)
        half[:, np.arange(d), np.arange(d)] *= 0.5
        return self.estimate.root @ half

    def of_deviations(self, moves: Moves) -> Array:
        """dS_jj / 2s_j (m, d)."""
        variances = np.diagonal(self.of_covariance(moves), axis1=1, axis2=2)
        return variances / (2.0 * self.deviations)

    def of_correlation(self, moves: Moves) -> Array:
        """dS_ij/s_is_j − ½R_ij (dS_ii/S_ii + dS_jj/S_jj) (m, d, d)."""
        s, R = self.deviations, self.correlation
        relative = self.of_covariance(moves) / np.multiply.outer(s, s)
        return _of_scaled(relative, R)

    def of_communalities(self, moves: Moves) -> Array:
        """1 − ψ_j/S_jj (m, d)."""
        noise = loaded_at(self.estimate, 0.0)[1]
        variances = self.deviations**2
        dS = np.diagonal(self.of_covariance(moves), axis1=1, axis2=2)
        return (noise / variances * dS - self.of_loaded(moves)[1]) / variances

    def of_loaded(self, moves: Moves) -> tuple[Array, Array, Array, Array]:
        """Λ, ψ, the correlations of factors, and Λ at unit variances, as reported (m, …)."""
        c = self.root if moves is self.spread else self.blind
        return tuple(np.tensordot(c.T, part, axes=1) for part in self._loaded)  # type: ignore[return-value]

    @cached_property
    def _loaded(self) -> tuple[Array, ...]:
        """The same along every coordinate (r, …)."""
        return _loaded_along(self.estimate, self.along(np.eye(len(self.root))).of_theta)

    @cached_property
    def loose(self) -> tuple[Array, ...]:
        """How the same move though S does not: 0 along rotations (…)."""
        along = _loaded_along(self.estimate, self.directions.of_covariance.null.T)
        return tuple(np.abs(part).max(axis=0, initial=0.0) for part in along)


def _loaded_along(at: Estimate, moves: Array) -> tuple[Array, ...]:
    """Derivatives of ``loaded_at`` along moves of θ (m, p), by differences."""
    here = loaded_at(at, 0.0)
    size = float(np.abs(at.theta).max())

    def along(v: Array) -> tuple[Array, ...]:
        t = STEP / max(1.0, float(np.abs(v).max()) / size)
        return difference(lambda x: loaded_at(at, x * v, here[0]), t)

    found = [along(v) for v in moves]
    return tuple(
        np.array([part[k] for part in found]).reshape(len(found), *here[k].shape)
        for k in range(len(here))
    )


def _of_scaled(relative: Array, R: Array) -> Array:
    squares = 0.5 * np.diagonal(relative, axis1=1, axis2=2)
    found = relative - R * (squares[:, :, None] + squares[:, None, :])
    j = np.arange(R.shape[0])
    found[:, j, j] = 0.0
    return found


def loaded_at(at: Estimate, v: Array | float, like: Array | None = None) -> tuple[Array, ...]:
    """Λ, ψ, Φ at unit diagonal and Λ at unit variances, at θ + v; signs of Λ as in ``like``."""
    loaded: Loaded | None = at.structure.loaded(at.theta + v)
    assert loaded is not None
    Lambda, Phi = loaded.factor, loaded.factor_covariance
    scales = np.sqrt(np.diagonal(Phi))
    if like is not None:
        scales = np.where((Lambda * like).sum(axis=0) < 0.0, -scales, scales)
        Lambda = Lambda * np.sign(scales)
    correlation = Phi / np.multiply.outer(scales, scales)
    scaled = Lambda * np.abs(scales)
    variances = ((scaled @ correlation) * scaled).sum(axis=1) + loaded.noise
    return Lambda, loaded.noise, correlation, scaled / np.sqrt(variances)[:, None]


def difference(f: Callable[[float], tuple[Array, ...]], t: float) -> tuple[Array, ...]:
    """f′(0) by (8 [f(t) − f(−t)] − [f(2t) − f(−2t)]) / 12t, error O(t⁴)."""
    ahead, behind, far, back = f(t), f(-t), f(2.0 * t), f(-2.0 * t)
    return tuple(
        (8.0 * (a - b) - (c - d)) / (12.0 * t)
        for a, b, c, d in zip(ahead, behind, far, back, strict=True)
    )
