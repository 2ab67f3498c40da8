"""N(μ, S) as a distribution: densities, draws, distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.checks import as_factor, as_rows, as_vector
from mvngrad.core.frame import read_only
from mvngrad.core.likelihood import LOG_2PI
from mvngrad.core.ops import Array, solve_lower
from mvngrad.core.roots import full_rank_root
from mvngrad.errors import DataError


@dataclass(frozen=True, eq=False, init=False)
class MultivariateNormal:
    """N(μ, S) with S = ΛΛᵀ.

    Parameters
    ----------
    mean : (d,) array         μ
    factor : (d, k) array     Λ, k ≥ d, of full row rank

    Raises
    ------
    NotPositiveDefiniteError
        If ΛΛᵀ is singular.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> N = mg.MultivariateNormal([0.0, 0.0], [[2.0, 0.0], [1.0, 1.0]])
    >>> S = N.factor @ N.factor.T
    >>> x = np.array([1.0, -1.0])
    >>> np.isclose(N.mahalanobis(x) ** 2, x @ np.linalg.inv(S) @ x)
    np.True_
    """

    mean: Array
    factor: Array
    root: Array

    def __init__(self, mean: Any, factor: Any) -> None:
        mu = np.atleast_1d(np.asarray(mean, dtype=np.float64))
        object.__setattr__(self, "mean", read_only(as_vector(mu, "mean", len(mu)).copy()))
        object.__setattr__(self, "factor", read_only(as_factor(factor, len(mu)).copy()))
        object.__setattr__(self, "root", full_rank_root(self.factor))

    @property
    def covariance(self) -> Array:
        """S (d, d)."""
        return self.factor @ self.factor.T

    def mahalanobis(self, x: Any) -> Array:
        """√((x−μ)ᵀS⁻¹(x−μ)) of a point (d,) or of rows (n, d).

        Squared, it is χ² with d degrees of freedom under the model.
        """
        rows, single = self._rows(x)
        z = solve_lower(self.root, np.ascontiguousarray((rows - self.mean).T))
        distance = np.sqrt(np.einsum("ji,ji->i", z, z))
        return distance[0] if single else distance

    def logpdf(self, x: Any) -> Array:
        """−½ [ d log 2π + log|S| + (x−μ)ᵀS⁻¹(x−μ) ] of a point (d,) or of rows (n, d)."""
        return -0.5 * (len(self.mean) * LOG_2PI + self._logdet + self.mahalanobis(x) ** 2)

    def entropy(self) -> float:
        """½ [ d (1 + log 2π) + log|S| ], in nats."""
        return 0.5 * (len(self.mean) * (1.0 + LOG_2PI) + self._logdet)

    def rvs(self, size: int = 1, *, rng: Any = None) -> Array:
        """Draws μ + Lz, z standard normal: (size, d). ``rng``: a seed or numpy Generator."""
        z = np.random.default_rng(rng).standard_normal((size, len(self.mean)))
        return self.mean + z @ self.root.T

    @property
    def _logdet(self) -> float:
        return float(2.0 * np.log(np.diagonal(self.root)).sum())

    def _rows(self, x: Any) -> tuple[Array, bool]:
        x = np.asarray(x)
        rows = as_rows(x[None, :] if x.ndim == 1 else x).astype(np.float64)
        if rows.shape[1] != len(self.mean):
            raise DataError(
                f"x must have {len(self.mean)} entries a row, as many as the mean; got {x.shape}."
            )
        return rows, x.ndim == 1
