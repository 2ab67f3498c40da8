"""S = LLᵀ with L triangular, positive diagonal by its logarithm; and the same family by L⁻¹."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array, cholesky, lower_root, solve_lower
from mvngrad.models.structure import Structure, times
from mvngrad.models.through import ThroughFactor, ThroughWhitener


@final
class Cholesky(ThroughFactor):
    """S = LLᵀ, L lower-triangular with Lⱼⱼ = exp(θ): one θ for each positive definite S.

    θ runs over the lower triangle of L row by row, diagonal entries by their logarithm.

    dL = V below the diagonal, Lⱼⱼvⱼⱼ on it;   push = dL Lᵀ + L dLᵀ,   pull(G) = tril(2GL), its
    diagonal times Lⱼⱼ. Every real θ is legal.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Cholesky().sized(2)
    >>> family.cov(np.array([0.0, 2.0, np.log(3.0)]))       # L = [[1, 0], [2, 3]]
    array([[ 1.,  2.],
           [ 2., 13.]])
    """

    equivariance: ClassVar[Equivariance] = "affine"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True
    saturated: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """d(d+1)/2."""
        return self.columns * (self.columns + 1) // 2

    def factor(self, theta: Array) -> Array:
        """L."""
        return triangle(self.columns, theta)

    def operator(self, theta: Array) -> DenseCovariance:
        """L is its own root."""
        return DenseCovariance(self.factor(theta))

    def factor_push(self, theta: Array, v: Array) -> Array:
        """dL."""
        return triangle_tangent(self.factor(theta), v)

    def factor_pull(self, theta: Array, M: Array) -> Array:
        """tril M, the diagonal times Lⱼⱼ."""
        return triangle_cotangent(self.factor(theta), M)

    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """dLⱼⱼMⱼⱼ on the diagonal, for the logarithm."""
        return triangle_second(self.factor_push(theta, v), M)

    def start(self, S: Array) -> Array:
        """θ of the Cholesky factor of S."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """θ of the triangular root of ΛΛᵀ."""
        return triangle_entries(lower_root(factor))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ of TL."""
        return self.start_at(times(T, self.factor(theta)))

    def working(self) -> Structure:
        """Iterations run on B = L⁻¹: see ``InverseCholesky``."""
        return InverseCholesky().sized(self.columns)


@final
class InverseCholesky(ThroughWhitener):
    """S = B⁻¹B⁻ᵀ, B lower-triangular with Bⱼⱼ = exp(θ): the whitening matrix z = Bx as parameter.

    dB = V below the diagonal, Bⱼⱼvⱼⱼ on it;   with L = B⁻¹, dL = −L dB L,
    push = dL Lᵀ + L dLᵀ,   pull(G) = −tril(2LᵀGLLᵀ), its diagonal times Bⱼⱼ.

    In L the likelihood is far from convex and a bad start costs hundreds of evaluations; in B it
    is ½ tr(BABᵀ) − n log|B|, convex, with Hessian near the identity in the frame of the data; the
    logarithm of the diagonal keeps every θ legal. So ``Cholesky`` iterates in these coordinates
    and reports its own.
    """

    equivariance: ClassVar[Equivariance] = "affine"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True
    saturated: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """d(d+1)/2."""
        return self.columns * (self.columns + 1) // 2

    def whitener(self, theta: Array) -> Array:
        """B."""
        return triangle(self.columns, theta)

    def whitener_push(self, theta: Array, v: Array) -> Array:
        """dB."""
        return triangle_tangent(self.whitener(theta), v)

    def whitener_pull(self, theta: Array, M: Array) -> Array:
        """tril M, the diagonal times Bⱼⱼ."""
        return triangle_cotangent(self.whitener(theta), M)

    def whitener_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """dBⱼⱼMⱼⱼ on the diagonal, for the logarithm."""
        return triangle_second(self.whitener_push(theta, v), M)

    def start(self, S: Array) -> Array:
        """θ of the inverse of the Cholesky factor of S."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """θ of the inverse of the triangular root of ΛΛᵀ."""
        L = lower_root(factor)
        return triangle_entries(solve_lower(L, np.eye(len(L))))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ of (TL)⁻¹."""
        return self.start_at(times(T, self.factor(theta)))


# A triangle with positive diagonal as a vector: row by row, diagonal entries by their logarithm.


@lru_cache(maxsize=8)
def _lower(d: int) -> tuple[Any, Any]:
    """Where the lower triangle is, row by row, and where in that its diagonal."""
    rows, columns = np.tril_indices(d)
    return rows * d + columns, np.flatnonzero(rows == columns)


def _entries(T: Array) -> Array:
    """The lower triangle, row by row."""
    return T.ravel()[_lower(len(T))[0]]


def triangle(d: int, theta: Array) -> Array:
    """The triangle T (d, d) of θ (d(d+1)/2,)."""
    T = np.zeros(d * d)
    T[_lower(d)[0]] = theta
    T[:: d + 1] = np.exp(T[:: d + 1])
    return T.reshape(d, d)


def triangle_entries(T: Array) -> Array:
    """θ of a triangle."""
    theta = _entries(T)
    theta[_lower(len(T))[1]] = np.log(T.diagonal())
    return theta


def triangle_tangent(T: Array, v: Array) -> Array:
    """dT along v."""
    d = len(T)
    dT = np.zeros(d * d)
    dT[_lower(d)[0]] = v
    dT[:: d + 1] *= T.diagonal()
    return dT.reshape(d, d)


def triangle_cotangent(T: Array, cotangent: Array) -> Array:
    """Cotangent of θ for a cotangent of T, of which the upper triangle does not count."""
    entries = _entries(cotangent)
    entries[_lower(len(T))[1]] *= T.diagonal()
    return entries


def triangle_second(dT: Array, cotangent: Array) -> Array:
    """The change of ``triangle_cotangent`` as T changes and the cotangent does not."""
    return _entries(np.diag(np.diagonal(cotangent) * np.diagonal(dT)))
