"""N(μ, S) as a distribution: densities, draws, distances, marginals, conditionals, imputation.

NaN is an entry that was not observed: a row is judged by the entries it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_factor, as_generator, as_vector, require_no_infinity
from mvngrad.core.conditional import (
    Given,
    as_draws,
    as_entries,
    as_points,
    distances,
    filled,
    filled_at_random,
)
from mvngrad.core.frame import read_only
from mvngrad.core.likelihood import LOG_2PI
from mvngrad.core.ops import Array, log_diagonal, solve_lower, with_positive_diagonal
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
        """√((x_o−μ_o)ᵀS_oo⁻¹(x_o−μ_o)) of a point (d,) or of rows (n, d), o its observed entries.

        Squared, it is χ² under the model, with as many degrees of freedom as the row has observed
        entries (``degrees_of_freedom``): d where it is complete, and 0, at distance 0, where
        nothing is observed.

        Raises
        ------
        DataError
            If x has not d entries a row, or one is infinite.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 0.0], [[2.0, 0.0], [1.0, 1.0]])
        >>> np.isclose(N.mahalanobis([np.nan, 3.0]) ** 2, 3.0**2 / N.covariance[1, 1])
        np.True_
        """
        rows, single = as_points(x, len(self.mean))
        distance = np.sqrt(distances(rows, self.mean, self.root).square)
        return distance[0] if single else distance

    def degrees_of_freedom(self, x: Any) -> npt.NDArray[np.int64]:
        """|o|, the observed entries of a point (d,) or of rows (n, d): those of mahalanobis².

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 0.0], np.eye(2))
        >>> N.degrees_of_freedom([[1.0, 2.0], [np.nan, 2.0]])
        array([2, 1])
        """
        rows, single = as_points(x, len(self.mean))
        count = (~np.isnan(rows)).sum(axis=1)
        return count[0] if single else count

    def logpdf(self, x: Any) -> Array:
        """−½ [ |o| log 2π + log|S_oo| + (x_o−μ_o)ᵀS_oo⁻¹(x_o−μ_o) ] of (d,) or of rows (n, d).

        o are the entries a row has, all d or those that are not NaN: it is the log-density of what
        was observed, 0 where nothing was. Rows with different holes have densities in different
        units: compare ``mahalanobis`` with its degrees of freedom instead.

        Raises
        ------
        DataError
            If x has not d entries a row, or one is infinite.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 0.0], [[2.0, 0.0], [1.0, 1.0]])
        >>> first, second = N.logpdf([0.5, np.nan]), N.conditional([0.5, np.nan])
        >>> np.isclose(N.logpdf([0.5, 3.0]), first + second.logpdf([3.0]))
        np.True_
        """
        rows, single = as_points(x, len(self.mean))
        square, logdet, count = distances(rows, self.mean, self.root)
        value = 0.0 - 0.5 * (count * LOG_2PI + logdet + square)  # 0, not −0, of a row with nothing
        return value[0] if single else value

    def entropy(self) -> float:
        """½ [ d (1 + log 2π) + log|S| ], in nats."""
        return 0.5 * len(self.mean) * (1.0 + LOG_2PI) + log_diagonal(self.root)

    def kl(self, other: MultivariateNormal) -> float:
        """½ [ tr(S₂⁻¹S) − d + (μ₂−μ)ᵀS₂⁻¹(μ₂−μ) + log|S₂| − log|S| ], in nats.

        The Kullback–Leibler divergence of ``other``, N(μ₂, S₂), from this distribution: what is
        lost when data from this one are described by the other; 0 where both are the same.

        Notes
        -----
        From A = L₂⁻¹L, as ½ [ |z|² + Σ_{i>j} Aᵢⱼ² + Σ (eⱼ² + 2(eⱼ − log(1+eⱼ))) ], e = diag A − 1:
        terms that are small where the distributions are close. (Kullback 1959, ch. 9)

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([1.0, 0.0], [[2.0, 0.0], [1.0, 1.0]])
        >>> standard = mg.MultivariateNormal([0.0, 0.0], np.eye(2))
        >>> S = N.covariance
        >>> np.isclose(N.kl(standard), 0.5 * (S.trace() - 2 + 1.0 - np.log(np.linalg.det(S))))
        np.True_
        """
        self._require_alike(other)
        z = solve_lower(other.root, other.mean - self.mean)
        A = solve_lower(other.root, self.root)
        e = np.diagonal(A) - 1.0
        beside = np.tril(A, -1)
        return 0.5 * float(z @ z + (beside**2).sum() + (e**2 + 2.0 * (e - np.log1p(e))).sum())

    def rvs(self, size: int = 1, *, rng: Any = None) -> Array:
        """Draws μ + Lz, z standard normal: (size, d). ``rng``: a seed or numpy Generator."""
        z = as_generator(rng).standard_normal((size, len(self.mean)))
        return self.mean + z @ self.root.T

    def marginal(self, idx: Any) -> MultivariateNormal:
        """N(μ_i, Λ_iΛ_iᵀ) of the entries i, in the order asked for: their rows of Λ, no more.

        Parameters
        ----------
        idx : integers (m,), negative ones counted from the end, or a boolean mask (d,)

        Raises
        ------
        DataError
            If ``idx`` names no entry, one twice, or one that is not there.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 1.0, 2.0], np.tril(np.ones((3, 3))))
        >>> np.allclose(N.marginal([2, 0]).covariance, N.covariance[np.ix_([2, 0], [2, 0])])
        True
        """
        entries = as_entries(idx, len(self.mean))
        return MultivariateNormal(self.mean[entries], self.factor[entries])

    def conditional(self, x: Any) -> MultivariateNormal:
        """N(μ_m + S_moS_oo⁻¹(x_o−μ_o), S_mm − S_moS_oo⁻¹S_om) of the entries m that are NaN in x.

        Parameters
        ----------
        x : (d,) array      NaN where unknown

        Returns
        -------
        MultivariateNormal
            Of the unknown entries in their order; this distribution itself if all are.

        Raises
        ------
        DataError
            If x is not (d,), nothing in it is unknown, or an entry is infinite.

        Notes
        -----
        By QR of the rows o, then m, of L: nothing is squared, errors go with ε√cond(S).
        (Little & Rubin 2019, §11.2)

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 1.0], [[2.0, 0.0], [1.0, 1.0]])
        >>> given, S = N.conditional([4.0, np.nan]), N.covariance
        >>> np.allclose(given.mean, 1.0 + S[1, 0] / S[0, 0] * 4.0)
        True
        >>> np.allclose(given.covariance, S[1, 1] - S[1, 0] ** 2 / S[0, 0])
        True
        """
        row = self._point_with_holes(x)
        if np.isnan(row).all():
            return self
        given = Given.of(self.root, ~np.isnan(row[0]))
        root = with_positive_diagonal(given.conditional_root)
        return MultivariateNormal(given.expected(row, self.mean)[0], root)

    def impute(self, X: Any, *, draws: int | None = None, rng: Any = None) -> Array:
        """X with its holes filled: E[x_m | x_o] = μ_m + S_moS_oo⁻¹(x_o−μ_o), or draws of x_m | x_o.

        Parameters
        ----------
        X : (n, d) array, or one row (d,)       NaN where missing
        draws : int, optional                   how many data sets to draw; default: the means
        rng : seed or numpy Generator           for the draws

        Returns
        -------
        (n, d) array of float64, or (draws, n, d); without the n for a single row
            Observed entries are those of X, bit for bit.

        Raises
        ------
        DataError
            If X has not d entries a row, one is infinite, or draws is no positive whole number.

        Notes
        -----
        Means are the best guess of each entry, and too regular as data: variances and correlations
        of the filled rows come out wrong. Draws keep them, and several, each analysed and then
        pooled, show what the holes cost; they take μ and S as known. (Little & Rubin 2019, ch. 4)

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> N = mg.MultivariateNormal([0.0, 1.0], [[2.0, 0.0], [1.0, 1.0]])
        >>> X = np.array([[4.0, np.nan], [2.0, 5.0]])
        >>> N.impute(X)
        array([[4., 3.],
               [2., 5.]])
        >>> N.impute(X, draws=3, rng=0).shape
        (3, 2, 2)
        """
        rows, single = as_points(X, len(self.mean))
        if draws is None:
            out = filled(rows, self.mean, self.root)
        else:
            rng = as_generator(rng)
            out = filled_at_random(rows, self.mean, self.root, as_draws(draws), rng)
        return out[..., 0, :] if single else out

    def _point_with_holes(self, x: Any) -> Array:
        row, single = as_points(x, len(self.mean))
        if not single:
            raise DataError(f"x must be one point (d,), not rows; got shape {np.shape(x)}.")
        require_no_infinity(row)
        if not np.isnan(row).any():
            raise DataError(
                "nothing in x is unknown, so nothing is left to have a distribution. Put NaN where "
                "an entry is to be predicted from the others."
            )
        return row

    def _require_alike(self, other: Any) -> None:
        d = len(self.mean)
        if not isinstance(other, MultivariateNormal) or len(other.mean) != d:
            size = f" of {len(other.mean)}" if isinstance(other, MultivariateNormal) else ""
            raise DataError(
                f"other must be a MultivariateNormal of {d} entries; got a {type(other).__name__}"
                f"{size}. A fit has one as fit.distribution; marginal picks entries."
            )
