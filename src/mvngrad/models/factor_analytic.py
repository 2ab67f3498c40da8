"""Factor analysis: S = ΛΛᵀ + diag ψ, exploratory or by a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, Mask
from mvngrad.errors import DataError
from mvngrad.models import correlations, profile
from mvngrad.models.factor_information import FactorInformation, solve_densely
from mvngrad.models.loadings import FreeLoadings, Loadings, as_rank, check_rank, principal
from mvngrad.models.low_rank import LowRank, Moved
from mvngrad.models.pattern import Pattern
from mvngrad.models.rank import generic_rank
from mvngrad.models.spectrum import best_loadings
from mvngrad.models.structure import Loaded

AT_EDGE = 1e-6  # ψ_j/S_jj below which ψ_j > 0 may be as good as 0


@final
class FactorAnalytic(LowRank):
    """S = WWᵀ + diag ψ, W (d, k) loadings on independent factors, ψ_j = s_j² ≥ 0.

    θ = (η, s): W = Λ = η row by row (exploratory), or W = ΛR with Λ by ``pattern`` and RRᵀ = Φ.

    push = dW Wᵀ + W dWᵀ + diag(2s∘ds)        pull(G) = (dWᵀ[2GW], 2s∘diag G)

    As a function of s the edge of the family, ψ_j = 0, is a point like any other: J is even in
    s_j, and 2 ∂J/∂ψ_j is its curvature there.

    Parameters
    ----------
    rank : int
        k < d: exploratory, all loadings free. Λ and ΛQ, Q orthogonal, are the same S.
    pattern : (d, k) array
        Confirmatory: NaN, None or "free" where a loading is free, a number where it is fixed. Any
        other text is a label, and loadings with one label are equal.
    correlated : bool
        Whether the correlations Φ of the factors are free; else they are 0.
    scale : "variance" | "marker"
        Factor variances are 1, or free, where a loading of each factor is fixed.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.FactorAnalytic(1).sized(3)
    >>> family.cov(np.array([1.0, 2.0, 3.0, 1.0, 1.0, 2.0]))          # Λ, s
    array([[ 2.,  2.,  3.],
           [ 2.,  5.,  6.],
           [ 3.,  6., 13.]])
    """

    equivariance: Equivariance = "diagonal"  # type: ignore[misc]
    start_is_optimum: bool = True  # type: ignore[misc]
    by_profile: bool = True  # type: ignore[misc]
    preferred: str = "profile"  # type: ignore[misc]

    def __init__(
        self,
        rank: int | None = None,
        *,
        pattern: Any = None,
        correlated: bool = False,
        scale: Literal["variance", "marker"] = "variance",
    ) -> None:
        if (rank is None) == (pattern is None):
            raise DataError(
                "FactorAnalytic takes a rank, as in FactorAnalytic(2), or a pattern=…; "
                f"got rank={rank!r} and {'a' if pattern is not None else 'no'} pattern."
            )
        self.pattern = None if pattern is None else Pattern.of(pattern, correlated, scale)
        self.rank = as_rank(rank) if self.pattern is None else self.pattern.rank
        if self.pattern is not None:
            self.start_is_optimum = self.by_profile = False
            self.equivariance = self.pattern.equivariance
            self.preferred = "newton"

    @property
    def own_columns(self) -> int | None:
        """Rows of the pattern."""
        return self.d if self.pattern is None else self.pattern.d

    def sized(self, d: int) -> FactorAnalytic:
        """This structure for d columns."""
        if self.pattern is None:
            check_rank(self.rank, d)
        else:
            self.pattern.check_columns(d)
        sized = super().sized(d)
        sized.__dict__.pop("loadings", None)
        return sized

    @cached_property
    def loadings(self) -> Loadings:
        """The map from η to W."""
        return FreeLoadings(self.columns, self.rank) if self.pattern is None else self.pattern.map

    @property
    def size(self) -> int:
        """Entries of η, and d."""
        return self.loadings.size + self.columns

    @cached_property
    def n_params(self) -> int:
        """dk + d − k(k−1)/2, or d(d+1)/2 if that is less; with a pattern, the rank of push."""
        if self.pattern is not None:
            return generic_rank(self)
        d, k = self.columns, self.rank
        return min(d * k + d - k * (k - 1) // 2, d * (d + 1) // 2)

    @property
    def excess(self) -> int:
        """dk + d − k(k−1)/2 − d(d+1)/2 if positive; with a pattern, entries of θ above the rank."""
        if self.pattern is not None:
            return self.size - self.n_params
        return max(self.size - self.rank * (self.rank - 1) // 2 - self.n_params, 0)

    @property
    def least_rows(self) -> int:
        """k + 1: else the factors alone could hold all rows, without noise."""
        return 0 if self.pattern is not None else self.rank + 1

    def split(self, theta: Array) -> tuple[Array, Array]:
        """(η, s)."""
        return theta[: -self.columns], theta[-self.columns :]

    @property
    def n_loadings(self) -> int:
        """Entries of η."""
        return self.loadings.size

    def common(self, theta: Array) -> Array:
        """W (d, k)."""
        return self.loadings.at(self.split(theta)[0])

    def noise(self, theta: Array) -> Array:
        """ψ (d,)."""
        return np.asarray(self.split(theta)[1] ** 2)

    def factor(self, theta: Array) -> Array:
        """[W diag s] (d, k + d)."""
        return np.hstack([self.common(theta), np.diag(self.split(theta)[1])])

    def cov(self, theta: Array) -> Array:
        """WWᵀ + diag s²."""
        W = self.common(theta)
        return W @ W.T + np.diag(self.noise(theta))

    def times(self, theta: Array, B: Array) -> Array:
        """W(WᵀB) + diag(s²)B, in O(dk) a column."""
        W = self.common(theta)
        return np.asarray(W @ (W.T @ B) + self.noise(theta)[:, None] * B)

    def operator(self, theta: Array) -> Covariance:
        """Whitening in O(dk) a column."""
        return LowRankCovariance.of(self.common(theta), self.noise(theta))

    def moved(self, theta: Array, v: Array) -> Moved:
        """dW, W and 2s∘ds."""
        (eta, s), (d_eta, ds) = self.split(theta), self.split(v)
        return Moved(self.loadings.tangent(eta, d_eta), self.loadings.at(eta), 2.0 * s * ds)

    def pull(self, theta: Array, score: Score) -> Array:
        """(dWᵀ[2GW], 2s∘diag G)."""
        eta, s = self.split(theta)
        of_W = 2.0 * (score @ self.loadings.at(eta))
        return np.concatenate([self.loadings.cotangent(eta, of_W), 2.0 * s * score.diagonal()])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """(dWᵀ[2G dW] and the bend of the map at 2GW, 2ds∘diag G)."""
        eta, (d_eta, ds) = self.split(theta)[0], self.split(v)
        W, dW = self.loadings.at(eta), self.loadings.tangent(eta, d_eta)
        of_W, of_dW = np.hsplit(2.0 * (score @ np.hstack([W, dW])), 2)
        of_eta = self.loadings.cotangent(eta, of_dW) + self.loadings.bend(eta, of_W, d_eta)
        return np.concatenate([of_eta, 2.0 * ds * score.diagonal()])

    def at_edge(self, theta: Array, score: Score) -> Mask | None:
        """Where ψ_j is next to 0, or a factor next to others, and J falls as it goes there."""
        s, W = self.split(theta)[1], self.common(theta)
        near = s**2 <= AT_EDGE * ((W**2).sum(axis=1) + s**2)
        held = np.zeros(len(theta), dtype=bool)
        held[-len(s) :] = near & (score.diagonal() >= 0.0) if near.any() else False
        if self.pattern is not None:
            held[: -len(s)] = correlations.held(self.pattern.map, theta, self.pull, score)
        return held

    def above_edge(self, theta: Array, gradient: Array, held: Mask) -> float:
        """½⟨s, ∇⟩ of the noise held, and −½⟨u_f, ∇⟩ of factors next to others."""
        (eta, s), (of_eta, of_s) = self.split(theta), self.split(gradient)
        of_noise = 0.5 * float((s * of_s)[held[-len(s) :]].sum())
        if self.pattern is None:
            return of_noise
        return of_noise + correlations.above(self.pattern.map, eta, of_eta)

    def combined(self, theta: Array) -> list[tuple[int, list[int]]]:
        """Factors that are combinations of others: each, and which."""
        eta = self.split(theta)[0]
        return [] if self.pattern is None else correlations.combined(self.pattern.map, eta)

    def lengths(self, theta: Array) -> Array:
        """1, but for correlations near ±1."""
        found = np.ones(len(theta))
        if self.pattern is not None:
            found[: self.n_loadings] = self.pattern.map.lengths(self.split(theta)[0])
        return found

    def across(self, theta: Array, gradient: Array) -> Iterator[Array]:
        """Where factors are perfectly correlated, if J falls towards it; or back from there."""
        if self.pattern is not None:
            (eta, s), (of_eta, _) = self.split(theta), self.split(gradient)
            for other in correlations.across(self.pattern.map, eta, of_eta):
                yield np.concatenate([other, s])

    def solve_information(self, theta: Array, S: Covariance, g: Array, free: Mask) -> Array | None:
        """F⁺g for the information F of one observation, in closed form where there is one."""
        s = self.split(theta)[1]
        free_eta, free = free[: -len(s)], free[-len(s) :] & (s != 0.0)
        if self.pattern is not None:
            return solve_densely(self, theta, S, g, np.concatenate([free_eta, free]))
        F = FactorInformation.of(self.common(theta), s**2, S)
        g_eta, g_s = self.split(g)
        h = np.where(free, g_s / np.where(free, 2.0 * s, 1.0), 0.0)
        V, w = F.solve(self.loadings.at(g_eta), h, free)
        return np.concatenate([V.ravel(), np.where(free, w / np.where(free, 2.0 * s, 1.0), 0.0)])

    def loaded(self, theta: Array) -> Loaded:
        """ΛᵀS⁻¹Λ diagonal and decreasing, as then ΛᵀΨ⁻¹Λ is; column sums ≥ 0.

        By a pattern, the first free loading of a factor is not negative, if none is fixed.
        """
        eta, psi = self.split(theta)[0], self.noise(theta)
        if self.pattern is not None:
            Lambda, Phi, eta = self.pattern.turned(eta)
            return Loaded(np.concatenate([eta, np.sqrt(psi)]), Lambda, Phi, psi)
        Lambda = principal(self.common(theta), self.operator(theta))
        return Loaded(self.theta(Lambda, psi), Lambda, np.eye(self.rank), psi)

    def scattered(self, S: Array, rng: np.random.Generator) -> Array:
        """Noise drawn between nothing and all of each variance; by a pattern, loadings too."""
        psi = np.diagonal(S) * rng.uniform(0.02, 0.98, len(S))
        if self.pattern is None:
            return self.theta(best_loadings(S, psi, self.rank), psi)
        Lambda, Phi, _ = self.pattern.near(S)
        moved = Lambda * rng.uniform(-0.5, 1.5, Lambda.shape)
        return np.concatenate([self.pattern.map.eta(moved, Phi), np.sqrt(psi)])

    def theta(self, Lambda: Array, psi: Array) -> Array:
        """θ of Λ (d, k), as rotated, and ψ."""
        return np.concatenate([Lambda.ravel(), np.sqrt(psi)])

    def start(self, S: Array) -> Array:
        """Exploratory: a maximum of the likelihood of complete data. By pattern: near S."""
        if self.pattern is not None:
            Lambda, Phi, psi = self.pattern.near(S)
            return np.concatenate([self.pattern.map.eta(Lambda, Phi), np.sqrt(psi)])
        return self.theta(*profile.solution(S, self.rank))

    def best(self, S: Array, theta: Array) -> Array:
        """Near the maximum for complete data with covariance S, from θ: a thousandth of the way."""
        if self.pattern is not None:
            return self.start(S)
        return self.theta(*profile.solution(S, self.rank, self.noise(theta), profile.NEARER))

    def guess(self, S: Array) -> Array:
        """Λ of principal components of S beside half of what the columns do not share."""
        if self.pattern is not None:
            return self.start(S)
        psi = profile.first_noise(S, self.rank)
        return self.theta(best_loadings(S, psi, self.rank), psi)

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ of TW, T²ψ."""
        eta, s = self.split(theta)
        if self.pattern is not None:
            return np.concatenate([self.pattern.rescaled(eta, T), T * s])
        return np.concatenate([(self.loadings.at(eta) * T[:, None]).ravel(), T * s])

    @property
    def rescales(self) -> bool:
        """Unless numbers in the pattern stand for loadings in one unit only."""
        return self.pattern is None or self.pattern.rescales

    def __repr__(self) -> str:
        if self.pattern is None:
            return super().__repr__()
        return f"FactorAnalytic({self.pattern})"

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"rank": self.rank} if self.pattern is None else self.pattern.describe()
