"""Horn's parallel analysis: eigenvalues of a correlation matrix beside those of pure noise.

The scatter of n rows of N(0, I) about their mean is Wishart with ν = n − 1 degrees of freedom, so
it is drawn as TTᵀ and not from rows (Bartlett's decomposition):

    T (d, m) lower trapezoidal, m = min(d, ν)
    Tⱼⱼ² ~ χ²(ν − j), j = 0, 1, …;   Tᵢⱼ ~ N(0, 1), i > j

and its correlation matrix has the squared singular values of T with rows of length 1 as its
eigenvalues. (Horn 1965; Bartlett 1933)
"""

from __future__ import annotations

from math import ceil

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.threads import single_blas
from mvngrad.errors import DataError


def correlation_eigenvalues(moments: Moments) -> Array:
    """Eigenvalues λ (d,) of the correlation matrix, largest first; they sum to d.

    Examples
    --------
    >>> import mvngrad as mg
    >>> correlation_eigenvalues(mg.Moments.from_covariance([[4.0, 1.0], [1.0, 1.0]], 10))
    array([1.5, 0.5])
    """
    C = moments.scatter if not moments.frame.is_diagonal else moments.spread
    scales = np.sqrt(np.diagonal(C))
    with single_blas():
        return _descending(C / np.multiply.outer(scales, scales))


def noise_eigenvalues(n: float, d: int, count: int, rng: np.random.Generator) -> Array:
    """Eigenvalues (count, d) of correlation matrices of n rows of N(0, I), largest first."""
    if not n > 1.0:
        raise DataError(f"a correlation matrix needs rows of weight 2 or more; got n = {n:g}.")
    with single_blas():  # the same bits whatever the number of threads
        return np.stack([_of_one_draw(n - 1.0, d, rng) for _ in range(count)])


def _of_one_draw(nu: float, d: int, rng: np.random.Generator) -> Array:
    m = min(d, ceil(nu))
    T = np.tril(rng.standard_normal((d, m)), -1)
    T[np.arange(m), np.arange(m)] = np.sqrt(rng.chisquare(nu - np.arange(m)))
    T /= np.linalg.norm(T, axis=1, keepdims=True)
    return _descending(T @ T.T)


def _descending(correlation: Array) -> Array:
    """Eigenvalues, largest first."""
    return np.asarray(np.linalg.eigvalsh(correlation)[::-1])


def leading(observed: Array, reference: Array) -> int:
    """The largest k such that λⱼ > qⱼ for all j ≤ k."""
    exceeds = observed > reference
    return len(exceeds) if exceeds.all() else int(np.argmin(exceeds))
