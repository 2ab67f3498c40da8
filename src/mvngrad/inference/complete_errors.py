"""Standard errors of n complete rows with a covariance that is free, in closed form.

At the maximum K = I, so the information is nI in whitened coordinates and every direction E_ij of S
has variance 1/n, 2/n on the diagonal:

    var μ̂ⱼ = S_jj/n        var Ŝ_ij = (S_iiS_jj + S_ij²)/n        var r_ij = (1 − r_ij²)²/n
    var √Ŝ_jj = S_jj/2n    var L̂_ij = (Σ_{k>j} L_ik² + ½L_ij²)/n      dL = LΦ(E)

(Anderson 2003, §3.4). For many columns, of which the information would be too large a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.inference.standard_errors import ErrorKind


@final
@dataclass(frozen=True, eq=False)
class CompleteErrors:
    """What ``StandardErrors`` has, of the root L (d, d) of Ŝ, n, and whether the mean is free.

    Examples
    --------
    >>> import numpy as np
    >>> errors = CompleteErrors("observed", np.array([[3.0, 0.0], [0.0, 4.0]]), 50.0)
    >>> np.allclose(errors.mean, [3 / 50**0.5, 4 / 50**0.5])
    True
    >>> np.isclose(errors.correlation[0, 1], 1 / 50**0.5)
    np.True_
    """

    kind: ErrorKind
    root: Array = field(repr=False)
    weight: float
    mean_is_free: bool = True
    turned: tuple[int, ...] | None = None
    coefficients: Any = None
    loadings: None = None
    noise: None = None
    factor_correlation: None = None
    communalities: None = None
    boundary: tuple[str, ...] = ()

    @cached_property
    def _variances(self) -> Array:
        return np.asarray((self.root**2).sum(axis=1))

    @cached_property
    def mean(self) -> Array:
        """Of μ̂ (d,); 0 where it was known."""
        return np.sqrt(self._variances / self.weight) * self.mean_is_free

    @cached_property
    def covariance(self) -> Array:
        """Of Ŝ (d, d)."""
        S, v = self.root @ self.root.T, self._variances
        return np.sqrt((np.multiply.outer(v, v) + S**2) / self.weight)

    @cached_property
    def deviations(self) -> Array:
        """Of standard deviations (d,)."""
        return np.sqrt(self._variances / (2.0 * self.weight))

    @cached_property
    def correlation(self) -> Array:
        """Of correlations (d, d); 0 on the diagonal."""
        rows = self.root / np.sqrt(self._variances)[:, None]
        R = rows @ rows.T
        np.fill_diagonal(R, 1.0)
        return (1.0 - R**2) / np.sqrt(self.weight)

    @cached_property
    def factor(self) -> Array:
        """Of the lower-triangular root (d, d); NaN where any rotation of Λ does as well."""
        if self.turned is not None:
            return np.full(self.turned, np.nan)
        squares = self.root**2
        beyond = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1] - 0.5 * squares
        return np.sqrt(np.tril(beyond) / self.weight)
