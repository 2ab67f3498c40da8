"""The likelihood and its gradients to more than fifty digits, summed over the rows as defined.

    J = Σᵢ wᵢ ½ [ d log 2π + log|S| + (xᵢ−μ)ᵀS⁻¹(xᵢ−μ) ],   S = ΛΛᵀ + diag ψ

The inputs are float64 and exact; matrices are NumPy arrays of ``mpmath.mpf``, whose exponents
have no bounds. Nothing here is shared with the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from mpmath import MPContext

Array = np.ndarray[Any, Any]
EPS = float(np.finfo(float).eps)

TINY, HUGE = 1e-290, 1e308  # below and above, float64 has fewer digits or none

mp = MPContext()  # of our own: its precision is nobody else's
mp.dps = 100  # cond(S) = 1e14 takes 14 of them, a noise near zero 30 more


def exact(values: Any) -> Array:
    """The same numbers, as mpf."""
    return np.vectorize(mp.mpf, otypes=[object])(np.asarray(values))


def cholesky(S: Array) -> Array:
    """L lower-triangular, LLᵀ = S."""
    L = S * mp.zero
    for j in range(len(S)):
        L[j, j] = mp.sqrt(S[j, j] - L[j, :j] @ L[j, :j])
        L[j + 1 :, j] = (S[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    return L


def inverse_lower(L: Array) -> Array:
    """L⁻¹ by forward substitution."""
    W = exact(np.eye(len(L)))
    for i in range(len(L)):
        W[i] = (W[i] - L[i, :i] @ W[:i]) / L[i, i]
    return W


def log_diagonal(L: Array) -> Array:
    """log Lⱼⱼ (d,)."""
    return np.array([mp.log(x) for x in np.diagonal(L)])


@dataclass(frozen=True)
class Truth:
    """J, ∂J/∂μ, ∂J/∂Λ, ∂J/∂ψ, and how large the terms of each are before they cancel."""

    nll: Any
    mean: Array
    factor: Array
    noise: Array
    nll_size: float  # ½ n d log 2π + n Σ|log Lⱼⱼ| + ½ Σ w z²
    w: Array
    Z: Array  # rows whitened, zᵢ = L⁻¹(xᵢ − μ)
    L: Array  # LLᵀ = S
    W: Array  # L⁻¹

    @cached_property
    def mean_size(self) -> float:
        """‖L⁻ᵀ‖ Σ w‖z‖."""
        lengths = np.array([mp.sqrt(z @ z) for z in self.Z])
        return largest(self.W) * float(self.w @ lengths)

    @cached_property
    def factor_size(self) -> float:
        """n‖Λ⁻ᵀ‖(1 + ‖K‖); ‖Λ⁻ᵀ‖ = ‖L⁻ᵀ‖ for every root Λ of S."""
        return largest(self.W) * (float(self.w.sum()) + largest((self.Z.T * self.w) @ self.Z))

    @cached_property
    def noise_size(self) -> float:
        """½ n‖S⁻¹‖(1 + ‖K‖)."""
        return 0.5 * largest(self.W) * self.factor_size

    @cached_property
    def condition(self) -> float:
        """cond(S)."""
        return (largest(self.W) * largest(self.L)) ** 2

    @property
    def bound(self) -> float:
        """30 d ε √cond(S), what is promised for rows."""
        return 30 * len(self.L) * EPS * self.condition**0.5


def covariance(Lambda: Any, psi: Any = None) -> Array:
    """S = ΛΛᵀ + diag ψ."""
    Lambda = exact(Lambda)
    S = Lambda @ Lambda.T if Lambda.size else exact(np.zeros((len(Lambda),) * 2))
    return S if psi is None else S + np.diag(exact(psi))


def truth(X: Any, mu: Any, Lambda: Any, psi: Any = None, weights: Any = None) -> Truth:
    """J and its gradients at float64 inputs, and their sizes."""
    R = exact(X) - exact(mu)
    n, d = R.shape
    w = exact(np.ones(n) if weights is None else weights)
    L = cholesky(covariance(Lambda, psi))
    W = inverse_lower(L)
    Z = R @ W.T
    P, PRw = W.T @ W, W.T @ (Z.T * w)
    N, PAP = w.sum(), PRw @ (Z @ W)
    logs, squares = log_diagonal(L), (w @ (Z * Z)).sum() / 2
    constant = N * d * mp.log(2 * mp.pi) / 2
    G = (N * P - PAP) / 2
    return Truth(
        nll=constant + N * logs.sum() + squares,
        mean=-PRw.sum(axis=1),
        factor=2 * (G @ exact(Lambda)),
        noise=np.diagonal(G),
        nll_size=float(constant + N * abs(logs).sum() + squares),
        w=w,
        Z=Z,
        L=L,
        W=W,
    )


def largest(M: Array) -> float:
    """Spectral norm, to the digits of float64; of anything float64 can hold."""
    return float(np.linalg.norm(M.astype(float), 2))


def error(value: Any, true: Any) -> float:
    """Euclidean (Frobenius) distance of floats from the truth."""
    difference = exact(value) - true
    return float(mp.sqrt(sum(x * x for x in np.ravel(difference))))


def relative_errors(J: float, gradient: Any, true: Truth) -> dict[str, float]:
    """Errors of J, ∂J/∂μ, ∂J/∂Λ and ∂J/∂ψ, each relative to the size of its terms."""
    errors = {
        "nll": error(J, true.nll) / true.nll_size,
        "mean": error(gradient.mean, true.mean) / true.mean_size,
        "factor": error(gradient.factor, true.factor) / true.factor_size,
    }
    if gradient.noise is not None:
        errors["noise"] = error(gradient.noise, true.noise) / true.noise_size
    return errors


def entrywise_error(value: Any, true: Any) -> float:
    """Largest relative error of an entry, leaving out those that float64 cannot hold in full."""
    pairs = zip(np.ravel(exact(value)), np.ravel(true), strict=True)
    return max((float(abs((v - t) / t)) for v, t in pairs if TINY < abs(t) < HUGE), default=0.0)


@dataclass(frozen=True)
class Estimates:
    """m = Σwx/n, S = Σw(x−m)(x−m)ᵀ/n = LLᵀ, W = L⁻¹, and the log-likelihood there."""

    mean: Array
    covariance: Array
    L: Array
    W: Array
    loglik: Any
    loglik_size: float

    @property
    def deviations(self) -> Array:
        """√Sⱼⱼ."""
        return np.sqrt(np.diagonal(self.covariance).astype(float))

    @property
    def condition(self) -> float:
        """cond(S)."""
        return (largest(self.W) * largest(self.L)) ** 2


def estimates(X: Any, weights: Any = None) -> Estimates:
    """The maximum-likelihood estimates for float64 rows."""
    X = exact(X)
    n, d = X.shape
    w = exact(np.ones(n) if weights is None else weights)
    N = w.sum()
    m = (w @ X) / N
    S = (((X - m).T * w) @ (X - m)) / N
    L = cholesky(S)
    logs, constant = log_diagonal(L), N * d * (mp.log(2 * mp.pi) + 1) / 2
    size = float(constant + N * abs(logs).sum())
    return Estimates(m, S, L, inverse_lower(L), -constant - N * logs.sum(), size)
