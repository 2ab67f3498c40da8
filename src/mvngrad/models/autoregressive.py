"""Equally spaced times: one variance, and a correlation that decays by a factor a step."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance, read_only
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array, cholesky
from mvngrad.models.through import ThroughFactor


@final
class AR1(ThroughFactor):
    """S = σ²ρ^|i−j|, σ² = exp θ₀, ρ = tanh θ₁: a stationary first-order autoregression.

    S = σ²WWᵀ, W lower-triangular in closed form, with s = √(1−ρ²) = 1/cosh θ₁:

        W₍ᵢ₀₎ = ρⁱ        Wᵢⱼ = sρ^(i−j), j ≥ 1        ρ′ = s²    s′ = −sρ

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.AR1().sized(3).cov(np.array([np.log(4.0), np.arctanh(0.5)]))
    array([[4., 2., 1.],
           [2., 4., 2.],
           [1., 2., 4.]])
    """

    equivariance: ClassVar[Equivariance] = "scalar"

    @property
    def size(self) -> int:
        """2, or 1 of one column."""
        return min(self.columns, 2)

    def factor(self, theta: Array) -> Array:
        """σW."""
        return np.exp(0.5 * theta[0]) * self._roots(theta)[0]

    def operator(self, theta: Array) -> DenseCovariance:
        """The factor is triangular."""
        return DenseCovariance(self.factor(theta))

    def factor_push(self, theta: Array, v: Array) -> Array:
        """σ(½v₀W + v₁W′)."""
        W, first, _ = self._roots(theta)
        return np.exp(0.5 * theta[0]) * (0.5 * v[0] * W + v[-1] * first)

    def factor_pull(self, theta: Array, M: Array) -> Array:
        """σ(½⟨M, W⟩, ⟨M, W′⟩)."""
        W, first, _ = self._roots(theta)
        return np.exp(0.5 * theta[0]) * self._pair(0.5 * np.vdot(M, W), np.vdot(M, first))

    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """½v₀ times the above, and v₁σ(½⟨M, W′⟩, ⟨M, W″⟩)."""
        _, first, second = self._roots(theta)
        change = self._pair(0.5 * np.vdot(M, first), np.vdot(M, second))
        by_scale = 0.5 * v[0] * self.factor_pull(theta, M)
        return by_scale + v[-1] * np.exp(0.5 * theta[0]) * change

    def start(self, S: Array) -> Array:
        """As from a root of S."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """The log of the mean variance; (1+ρ)/(1−ρ) from sums and differences of neighbours."""
        variance = (factor**2).sum() / len(factor)
        if len(factor) == 1:
            return self._pair(np.log(variance), 0.0)
        sums, differences = factor[1:] + factor[:-1], factor[1:] - factor[:-1]
        above, below = (sums**2).sum(), (differences**2).sum()
        return self._pair(np.log(variance), 0.5 * np.log(above / below))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ₀ + 2 log T, T (d,) with equal entries."""
        return theta + self._pair(2.0 * np.log(T[0]), 0.0)

    def _pair(self, of_scale: Any, of_rho: Any) -> Array:
        return np.array([of_scale, of_rho])[: self.size]

    def _roots(self, theta: Array) -> tuple[Array, Array, Array]:
        """W, W′ and W″; of one column 1, 0, 0."""
        return _roots_at(self.columns, float(theta[1]) if self.columns > 1 else 0.0)


@lru_cache(maxsize=2)
def _roots_at(d: int, angle: float) -> tuple[Array, Array, Array]:
    """At θ₁; kept, since factor, push and pull ask for them at one θ after the other."""
    rho, s = np.tanh(angle), 1.0 / np.cosh(angle)
    lag = np.subtract.outer(np.arange(d), np.arange(d))
    k = np.maximum(lag, 0)
    # f = ρᵏ and its derivatives in θ₁; then the columns after the first are s·f.
    f = rho**k
    of_one, of_two = k * rho ** np.maximum(k - 1, 0), k * (k - 1) * rho ** np.maximum(k - 2, 0)
    f1 = of_one * s**2
    f2 = of_two * s**4 - 2.0 * rho * of_one * s**2
    s1, s2 = -s * rho, s * rho**2 - s**3
    later = np.stack([s * f, s1 * f + s * f1, s2 * f + 2.0 * s1 * f1 + s * f2])
    later[:, :, 0] = np.stack([f, f1, f2])[:, :, 0]
    W, first, second = later * (lag >= 0)
    return read_only(W), read_only(first), read_only(second)
