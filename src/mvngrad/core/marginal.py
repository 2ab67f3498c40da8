"""The marginal of N(μ, LLᵀ) on the entries o: the specification of everything about holes.

    L_oᵀ = QR        Q (d, |o|) with orthonormal columns, R upper-triangular, positive diagonal
    z = R⁻ᵀ(x_o − μ_o)                                 whitened residual of what is observed
    J = ½ [ |o| log 2π + 2 Σ log Rⱼⱼ + |z|² ]          minus the log-density of x_o

and in the coordinates whitened by L, given x_o, the residual L⁻¹(x − μ) has mean Qz and covariance
I − QQᵀ: what was not observed is known as far as Q reaches. Nothing is squared and no inverse is
taken, so errors go with ε√cond(S). Rows o of ∂J/∂L are R⁻¹(I − zzᵀ)Qᵀ, which is L⁻ᵀ[QQᵀ − QzzᵀQᵀ]
in rows o, and zero in all others: the same Score as for complete data.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import NamedTuple, final

import numpy as np

from mvngrad.core.kept import Kept
from mvngrad.core.ops import Array, solve_lower, with_positive_diagonal
from mvngrad.core.patterns import Patterns
from mvngrad.core.sorting import Mask


class Sums(NamedTuple):
    """Sums over rows, in the coordinates whitened by L, of what is expected given x_o.

    total    Σ w E z            (d,)
    scatter  Σ w (E z)(E z)ᵀ    (d, d)
    spread   Σ w cov(z)         (d, d)
    logdet   Σ w log|S_oo|
    """

    total: Array
    scatter: Array
    spread: Array
    logdet: float

    def __add__(self, other: Sums) -> Sums:  # type: ignore[override]
        (t, A, V, s), (total, scatter, spread, logdet) = self, other
        return Sums(t + total, A + scatter, V + spread, s + logdet)


@final
@dataclass(frozen=True, eq=False)
class Marginal:
    """N(μ_o, S_oo), S = LLᵀ, by QR of the rows o of L.

    Examples
    --------
    >>> import numpy as np
    >>> L = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, 0.3, 1.0]])
    >>> o = np.array([True, False, True])
    >>> marginal, y = Marginal.of(L, o), np.array([1.0, -1.0])
    >>> z = marginal.whiten(y)
    >>> np.isclose(z @ z, y @ np.linalg.solve((L @ L.T)[np.ix_(o, o)], y))
    np.True_
    """

    Q: Array
    root: Array

    @classmethod
    def of(cls, L: Array, observed: Mask) -> Marginal:
        """The marginal on the columns that are observed, at least one."""
        Q, R = np.linalg.qr(L[observed].T)
        signs = np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
        return cls(Q * signs, with_positive_diagonal(np.tril(R.T)))

    @property
    def logdet(self) -> float:
        """log|S_oo|."""
        return float(2.0 * np.log(np.diagonal(self.root)).sum())

    def whiten(self, y: Array) -> Array:
        """z = R⁻ᵀy of residuals y (|o|,) or (|o|, m)."""
        return solve_lower(self.root, y)

    def logpdf(self, y: Array) -> Array:
        """Log-density of residuals y (|o|, m)."""
        z = self.whiten(y)
        return -0.5 * (len(y) * log(2.0 * pi) + self.logdet + (z * z).sum(axis=0))


def marginal_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """The sums over all rows, pattern by pattern."""
    d = data.d
    sums = Sums(np.zeros(d), np.zeros((d, d)), np.zeros((d, d)), 0.0)
    for n, (observed, kept) in zip(data.pattern_weights, data.each, strict=True):
        sums += _of_pattern(Marginal.of(L, observed), observed, kept, mu, float(n))
    return sums


def _of_pattern(marginal: Marginal, observed: Mask, kept: Kept, mu: Array, n: float) -> Sums:
    y = kept.z[:, observed] - np.multiply.outer(kept.anchored, mu[observed])
    Q, z = marginal.Q, marginal.whiten(np.ascontiguousarray(y.T)).T
    expected = z @ Q.T
    return Sums(
        (kept.weights * kept.anchored) @ expected,
        (expected.T * kept.weights) @ expected,
        n * (np.eye(len(Q)) - Q @ Q.T),
        n * marginal.logdet,
    )
