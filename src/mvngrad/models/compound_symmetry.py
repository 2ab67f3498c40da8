"""One variance and one correlation: columns that may change places."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.ops import Array
from mvngrad.models.through import ThroughFactor


@final
class CompoundSymmetry(ThroughFactor):
    """S = σ²[(1−ρ)I + ρ11ᵀ], −1/(d−1) < ρ < 1, by the logarithms of its two eigenvalues.

    With H = 11ᵀ/d:   S = exp(θ₀)H + exp(θ₁)(I − H)

    exp θ₀ = σ²(1 + (d−1)ρ) belongs to the sum of the columns, exp θ₁ = σ²(1 − ρ) to what is
    orthogonal to it. Of one column there is only θ₀. The estimate of complete data is in closed
    form: the mean variance and the mean covariance (Wilks 1946).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.CompoundSymmetry().sized(2).cov(np.log([7.0, 1.0]))      # σ² = 4, ρ = 3/4
    array([[4., 3.],
           [3., 4.]])
    """

    equivariance: ClassVar[Equivariance] = "scalar"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """2, or 1 of one column."""
        return min(self.columns, 2)

    def factor(self, theta: Array) -> Array:
        """exp(½θ₀)H + exp(½θ₁)(I − H), the symmetric root."""
        return self._mixed(np.exp(0.5 * theta))

    def cov(self, theta: Array) -> Array:
        """exp(θ₀)H + exp(θ₁)(I − H)."""
        return self._mixed(np.exp(theta))

    def factor_push(self, theta: Array, v: Array) -> Array:
        """½v₀exp(½θ₀)H + ½v₁exp(½θ₁)(I − H)."""
        return self._mixed(0.5 * v * np.exp(0.5 * theta))

    def factor_pull(self, theta: Array, M: Array) -> Array:
        """½exp(½θ₀)⟨M, H⟩, ½exp(½θ₁)⟨M, I − H⟩."""
        return 0.5 * np.exp(0.5 * theta) * self._parts(M)

    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """½v times the above."""
        return 0.5 * v * self.factor_pull(theta, M)

    def start(self, S: Array) -> Array:
        """log of ⟨S, H⟩ and ⟨S, I − H⟩/(d−1)."""
        return np.log(self._parts(S) / np.array([1.0, max(len(S) - 1, 1)])[: self.size])

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ + 2 log T, T (d,) with equal entries."""
        return theta + 2.0 * np.log(T[0])

    def _mixed(self, values: Array) -> Array:
        d = self.columns
        of_mean, of_rest = values[0], values[-1]  # of one column I − H is 0
        M = np.full((d, d), (of_mean - of_rest) / d)
        np.fill_diagonal(M, (of_mean + (d - 1) * of_rest) / d)
        return M

    def _parts(self, M: Array) -> Array:
        """⟨M, H⟩ and ⟨M, I − H⟩, the second by contrasts: nothing large cancels in it."""
        d = self.columns
        along = M.sum() / d
        centred = M - M.mean(axis=0)
        return np.array([along, centred.trace()])[: self.size]
