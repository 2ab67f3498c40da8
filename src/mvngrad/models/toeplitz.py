"""Stationary series: one variance, and one correlation for each lag."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance, read_only
from mvngrad.core.ops import Array
from mvngrad.models.through import ThroughWhitener

LARGEST = 0.99  # partial correlation that a start may have

# The whitener, with its derivatives. Row k of B is the filter that predicts column k from those
# before it, over the standard deviation of its error. By Durbin and Levinson, with the partial
# autocorrelations φₖ = tanh θₖ and 1/√(1−φₖ²) = cosh θₖ, it is a hyperbolic turn of row k − 1
# (JX is X backwards):
#
#     σB = Q      q₀ = (1)      qₖ = cosh θₖ·(0, qₖ₋₁) − sinh θₖ·(Jqₖ₋₁, 0)
#     dqₖ = vₖ[sinh θₖ·(0, q) − cosh θₖ·(Jq, 0)] + cosh θₖ·(0, dq) − sinh θₖ·(J dq, 0)
#
# and the adjoint runs the same steps backwards. Every real θ makes a positive definite S, and
# every positive definite Toeplitz matrix is made by one θ (Barndorff-Nielsen & Schou 1973).


@final
class Toeplitz(ThroughWhitener):
    """S with Sᵢⱼ = σ²r₍|i−j|₎: σ² = exp θ₀, and tanh θₖ the partial autocorrelation at lag k.

    Every positive definite Toeplitz S is reached, each by one θ (d,), through the recursion of
    Durbin and Levinson. Cost O(d²) beside one triangular inverse.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> S = mg.Toeplitz().sized(3).cov(np.array([np.log(4.0), np.arctanh(0.5), 0.0]))
    >>> np.allclose(S, [[4, 2, 1], [2, 4, 2], [1, 2, 4]])           # a Markov chain: r₂ = r₁²
    True
    """

    equivariance: ClassVar[Equivariance] = "scalar"

    @property
    def size(self) -> int:
        """d."""
        return self.columns

    def whitener(self, theta: Array) -> Array:
        """B = exp(−½θ₀)Q."""
        return np.exp(-0.5 * theta[0]) * _filters(theta)

    def whitener_push(self, theta: Array, v: Array) -> Array:
        """exp(−½θ₀)(dQ − ½v₀Q)."""
        Q = _filters(theta)
        return np.exp(-0.5 * theta[0]) * (_filters_tangent(theta, Q, v) - 0.5 * v[0] * Q)

    def whitener_pull(self, theta: Array, M: Array) -> Array:
        """exp(−½θ₀) times dQ*[M], and −½⟨M, Q⟩ for θ₀."""
        Q = _filters(theta)
        pulled, _ = _filters_cotangent(theta, Q, M)
        pulled[0] = -0.5 * np.vdot(M, Q)
        return np.exp(-0.5 * theta[0]) * pulled

    def whitener_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """−½v₀ times the above, and exp(−½θ₀) times the change of dQ*[M] and −½⟨M, dQ⟩."""
        Q = _filters(theta)
        dQ = _filters_tangent(theta, Q, v)
        change = _filters_second(theta, Q, dQ, M, v)
        change[0] = -0.5 * np.vdot(M, dQ)
        return np.exp(-0.5 * theta[0]) * change - 0.5 * v[0] * self.whitener_pull(theta, M)

    def start(self, S: Array) -> Array:
        """From the mean of each diagonal of S."""
        means = np.array([np.diagonal(S, k).mean() for k in range(len(S))])
        partial = np.clip(partial_autocorrelations(means / means[0]), -LARGEST, LARGEST)
        return np.concatenate([[np.log(means[0])], np.arctanh(partial)])

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ₀ + 2 log T, T (d,) with equal entries."""
        scaled = np.array(theta)
        scaled[0] += 2.0 * np.log(T[0])
        return scaled


def partial_autocorrelations(r: Array) -> Array:
    """φ₁, φ₂, … of autocorrelations r₀ = 1, r₁, …; 0 from where these are not those of a series."""
    a, error, phi = np.zeros(0), 1.0, np.zeros(len(r) - 1)
    for k in range(1, len(r)):
        value = (r[k] - a @ r[k - 1 : 0 : -1]) / error
        if not abs(value) < 1.0:
            phi[k - 1] = np.sign(value)
            break
        phi[k - 1] = value
        a, error = np.append(a - value * a[::-1], value), error * (1.0 - value**2)
    return phi


def _turns(theta: Array) -> tuple[Array, Array]:
    return np.cosh(theta), np.sinh(theta)


def _filters(theta: Array) -> Array:
    """Q (d, d), kept: a fit asks for many tangents at one θ."""
    return _filters_of(np.ascontiguousarray(theta).tobytes())


@lru_cache(maxsize=8)
def _filters_of(key: bytes) -> Array:
    theta = np.frombuffer(key)
    (c, s), d = _turns(theta), len(theta)
    Q = np.zeros((d, d))
    Q[0, 0] = 1.0
    for k in range(1, d):
        q = Q[k - 1, :k]
        Q[k, 1 : k + 1] = c[k] * q
        Q[k, :k] -= s[k] * q[::-1]
    return read_only(Q)


def _filters_tangent(theta: Array, Q: Array, v: Array) -> Array:
    """dQ along v."""
    c, s = _turns(theta)
    dQ = np.zeros_like(Q)
    for k in range(1, len(Q)):
        q, dq = Q[k - 1, :k], dQ[k - 1, :k]
        dQ[k, 1 : k + 1] = c[k] * dq + (v[k] * s[k]) * q
        dQ[k, :k] -= (s[k] * dq + (v[k] * c[k]) * q)[::-1]
    return dQ


def _filters_cotangent(theta: Array, Q: Array, M: Array) -> tuple[Array, Array]:
    """Cotangent of θ for a cotangent M of Q, and that of every row with all after it."""
    (c, s), g = _turns(theta), np.tril(M)
    pulled = np.zeros(len(Q))
    for k in range(len(Q) - 1, 0, -1):
        (ahead, back), q = _sides(g[k], k), Q[k - 1, :k]
        pulled[k] = s[k] * (ahead @ q) - c[k] * (back @ q)
        g[k - 1, :k] += c[k] * ahead - s[k] * back
    return pulled, g


def _filters_second(theta: Array, Q: Array, dQ: Array, M: Array, v: Array) -> Array:
    """The change of ``_filters_cotangent`` along v with M held."""
    c, s = _turns(theta)
    _, g = _filters_cotangent(theta, Q, M)
    dg, change = np.zeros_like(g), np.zeros(len(Q))
    for k in range(len(Q) - 1, 0, -1):
        (ahead, back), (more, less) = _sides(g[k], k), _sides(dg[k], k)
        q, dq = Q[k - 1, :k], dQ[k - 1, :k]
        change[k] = s[k] * (more @ q + ahead @ dq) - c[k] * (less @ q + back @ dq)
        change[k] += v[k] * (c[k] * (ahead @ q) - s[k] * (back @ q))
        dg[k - 1, :k] += c[k] * more - s[k] * less + v[k] * (s[k] * ahead - c[k] * back)
    return change


def _sides(g: Array, k: int) -> tuple[Array, Array]:
    """What meets q ahead, and what meets it backwards."""
    return g[1 : k + 1], g[:k][::-1]
