"""Probabilistic principal components: S = ΛΛᵀ + ψI, the noise the same in all columns."""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, Mask
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.models.factor_information import FactorInformation
from mvngrad.models.loadings import as_rank, principal
from mvngrad.models.low_rank import LowRank, Moved
from mvngrad.models.structure import Loaded

NOTHING = 1e-13  # of the largest eigenvalue: noise that is rounding


@final
class PPCA(LowRank):
    """S = ΛΛᵀ + ψI, θ = (Λ (d, k) row by row, ½ log ψ): probabilistic principal components.

    push = VΛᵀ + ΛVᵀ + 2ψv I        pull(G) = (2GΛ, 2ψ tr G)

    In closed form: with S = VEVᵀ, ψ the mean of the d − k smallest eigenvalues and
    Λ = V_k(E_k − ψ)^½ (Tipping & Bishop 1999, eq. 7).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.PPCA(1).sized(3)
    >>> theta = family.start(np.diag([5.0, 1.0, 3.0]))
    >>> np.round(family.cov(theta), 12)
    array([[5., 0., 0.],
           [0., 2., 0.],
           [0., 0., 2.]])
    """

    equivariance: ClassVar[Equivariance] = "scalar"
    start_is_optimum: ClassVar[bool] = True

    def __init__(self, rank: int) -> None:
        self.rank = as_rank(rank)

    def sized(self, d: int) -> PPCA:
        """This structure for d columns."""
        if self.rank >= d:
            raise DataError(
                f"PPCA({self.rank}) needs more than {self.rank} columns: its noise is what is left "
                f"beside the components; got {d}. Use a smaller rank, or covariance='full'."
            )
        return super().sized(d)

    @property
    def size(self) -> int:
        """dk + 1."""
        return self.columns * self.rank + 1

    @property
    def n_params(self) -> int:
        """dk + 1 − k(k−1)/2."""
        return self.size - self.rank * (self.rank - 1) // 2

    @property
    def least_rows(self) -> int:
        """k + 1: else nothing is left beside the components."""
        return self.rank + 1

    @property
    def n_loadings(self) -> int:
        """dk."""
        return self.columns * self.rank

    def common(self, theta: Array) -> Array:
        """Λ (d, k)."""
        return theta[:-1].reshape(self.columns, self.rank)

    def noise(self, theta: Array) -> Array:
        """ψ in all entries (d,)."""
        return np.full(self.columns, np.exp(2.0 * theta[-1]))

    def factor(self, theta: Array) -> Array:
        """[Λ ψ^½I] (d, k + d)."""
        return np.hstack([self.common(theta), np.exp(theta[-1]) * np.eye(self.columns)])

    def cov(self, theta: Array) -> Array:
        """ΛΛᵀ + ψI."""
        Lambda = self.common(theta)
        return Lambda @ Lambda.T + np.diag(self.noise(theta))

    def operator(self, theta: Array) -> Covariance:
        """Whitening in O(dk) a column."""
        return LowRankCovariance.of(self.common(theta), self.noise(theta))

    def moved(self, theta: Array, v: Array) -> Moved:
        """V, Λ and 2ψv."""
        return Moved(self.common(v), self.common(theta), 2.0 * v[-1] * self.noise(theta))

    def pull(self, theta: Array, score: Score) -> Array:
        """(2GΛ, 2ψ tr G)."""
        of_noise = 2.0 * np.exp(2.0 * theta[-1]) * score.diagonal().sum()
        return np.append((2.0 * (score @ self.common(theta))).ravel(), of_noise)

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """(2GV, 4ψ tr G v)."""
        of_noise = 4.0 * np.exp(2.0 * theta[-1]) * score.diagonal().sum() * v[-1]
        return np.append((2.0 * (score @ self.common(v))).ravel(), of_noise)

    def solve_information(
        self,
        theta: Array,
        S: Covariance,
        g: Array,
        free: Mask,  # noqa: ARG002 - all are
    ) -> Array:
        """F⁺g for the information F of one observation, in closed form."""
        F = FactorInformation.of(self.common(theta), self.noise(theta), S)
        twice = 2.0 * np.exp(2.0 * theta[-1])
        V, w = F.solve_spherical(self.common(g), g[-1] / twice)
        return np.append(V.ravel(), w / twice)

    def loaded(self, theta: Array) -> Loaded:
        """ΛᵀΛ diagonal and decreasing, column sums ≥ 0."""
        Lambda = principal(self.common(theta), self.operator(theta))
        params = np.append(Lambda.ravel(), theta[-1])
        return Loaded(params, Lambda, np.eye(self.rank), self.noise(theta))

    def start(self, S: Array) -> Array:
        """Principal components beside the mean of the other eigenvalues."""
        E, V = np.linalg.eigh(S)
        k = self.rank
        psi = float(E[: len(E) - k].mean())
        if not psi > NOTHING * E[-1]:
            raise NotPositiveDefiniteError(
                f"{k} principal components leave no noise: the likelihood of {self!r} is "
                "unbounded. Use a smaller rank, or give more rows."
            )
        Lambda = V[:, ::-1][:, :k] * np.sqrt(np.maximum(E[::-1][:k] - psi, 0.0))
        return np.append(Lambda.ravel(), 0.5 * np.log(psi))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ of tΛ, t²ψ, T (d,) with equal entries t."""
        return np.append(T[0] * theta[:-1], theta[-1] + np.log(T[0]))

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"rank": self.rank}
