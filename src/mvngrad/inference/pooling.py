"""Estimates from m imputed data sets, pooled: Rubin's rules.

    Q̄ = Σ Q_k/m                                 the pooled estimate
    W = Σ U_k/m,  B = Σ (Q_k − Q̄)²/(m−1)        variance within and between
    T = W + (1 + 1/m) B                         its variance
    λ = (1 + 1/m) B/T,  r = λ/(1−λ)             share and relative increase due to missing values
    ν = (m−1)/λ²                                degrees of freedom      (Rubin 1987, §3.1)

and, where complete data would have had ν₀ degrees of freedom (Barnard & Rubin 1999),

    ν = 1/(λ²/(m−1) + 1/ν̂),   ν̂ = (1−λ) ν₀ (ν₀+1)/(ν₀+3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.checks import as_floats, as_number
from mvngrad.core.ops import Array
from mvngrad.errors import DataError


@dataclass(frozen=True, eq=False)
class Pooled:
    """What m imputed data sets say together, entry by entry.

    Attributes
    ----------
    estimate : array               Q̄
    variance : array               T = W + (1 + 1/m) B
    within, between : array        W and B
    df : array                     ν; inf where nothing differs between the data sets
    draws : int                    m
    """

    estimate: Array
    variance: Array
    within: Array
    between: Array
    df: Array
    draws: int

    @property
    def standard_error(self) -> Array:
        """√T."""
        return np.sqrt(self.variance)

    @property
    def relative_increase(self) -> Array:
        """r = (1 + 1/m) B/W, how much missing values add to the variance."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.between > 0.0, self._added / self.within, self.within * 0.0)

    @property
    def fraction_missing(self) -> Array:
        """(r + 2/(ν+3))/(r + 1), the share of the information that was missing; 0 if r is."""
        share = _share(self._added, self.variance)  # r/(1 + r), and 1/(1 + r) = 1 − share
        return np.where(share > 0.0, share + (1.0 - share) * 2.0 / (self.df + 3.0), share)

    def conf_int(self, level: float = 0.95) -> Array:
        """Q̄ ± t_ν √T: lower and upper ends, (…, 2).

        Raises
        ------
        DataError
            If ``level`` is not between 0 and 1.
        """
        level = as_number(level, "level")
        if not 0.0 < level < 1.0:
            raise DataError(f"level must be between 0 and 1, as 0.95; got {level}.")
        half = _student(self.df, 0.5 + 0.5 * level) * self.standard_error
        return np.stack([self.estimate - half, self.estimate + half], axis=-1)

    @property
    def _added(self) -> Array:
        return (1.0 + 1.0 / self.draws) * self.between


def pool(estimates: Any, variances: Any, df_complete: float | None = None) -> Pooled:
    """Q̄ = ΣQ_k/m and T = ΣU_k/m + (1 + 1/m) Σ(Q_k−Q̄)²/(m−1): Rubin's rules.

    Parameters
    ----------
    estimates : (m, …) array       Q_k, from each of m ≥ 2 imputed data sets
    variances : (m, …) array       U_k, their squared standard errors, in squared units of Q
    df_complete : float, optional  degrees of freedom ν₀ were nothing missing, for small samples

    Returns
    -------
    Pooled
        estimate, variance, standard_error, df, fraction_missing, conf_int(level) …, each entry of
        the estimates on its own. An entry whose variance is NaN has NaN errors.

    Raises
    ------
    DataError
        If m is 1, shapes differ, an estimate is not finite, a variance is negative or infinite.

    Notes
    -----
    The data sets must be drawn from the distribution of what is missing *and* of the parameters
    (``fit.impute(X, draws=m, proper=True)``): otherwise B is too small. Estimates should be about
    normal: pool log-variances or Fisher's z of correlations. (Rubin 1987, §3.1; Barnard & Rubin
    1999)

    Examples
    --------
    >>> import numpy as np
    >>> pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> pooled.estimate, np.isclose(pooled.variance, 0.5 + (1 + 1 / 3) * 1.0)
    (array(2.), np.True_)
    >>> np.isclose(pooled.df, (3 - 1) * (1 + 0.5 / (4 / 3)) ** 2)
    np.True_
    """
    Q, U = _as_estimates(estimates, variances)
    m = len(Q)
    within, between = np.asarray(U.mean(axis=0)), np.asarray(Q.var(axis=0, ddof=1))
    added = (1.0 + 1.0 / m) * between
    variance = np.asarray(within + added)
    df = _degrees_of_freedom(_share(added, variance), m, _as_df(df_complete))
    return Pooled(np.asarray(Q.mean(axis=0)), variance, within, between, np.asarray(df), m)


def _share(added: Array, variance: Array) -> Array:
    """λ, 0 where nothing was added, NaN where the variance is."""
    with np.errstate(invalid="ignore"):
        return np.where(added > 0.0, added / variance, variance * 0.0)


def _degrees_of_freedom(share: Array, m: int, complete: float) -> Array:
    with np.errstate(divide="ignore"):
        if np.isinf(complete):
            return (m - 1) / share**2
        observed = (1.0 - share) * complete * (complete + 1.0) / (complete + 3.0)
        return 1.0 / (share**2 / (m - 1) + 1.0 / observed)


def _student(df: Array, p: float) -> Array:
    """Quantile of Student's t, normal where df is infinite."""
    from scipy.special import ndtri, stdtrit

    finite = np.where(np.isinf(df), 1.0, df)
    return np.where(np.isinf(df), ndtri(p), stdtrit(finite, p))


def _as_estimates(estimates: Any, variances: Any) -> tuple[Array, Array]:
    Q, U = as_floats(estimates, "estimates"), as_floats(variances, "variances")
    if Q.ndim == 0 or len(Q) < 2:
        raise DataError(
            f"pooling needs estimates (m, …) of two or more imputed data sets; got {Q.shape}. "
            "One data set does not show what the missing values cost: impute with draws=20, say."
        )
    if U.shape != Q.shape:
        raise DataError(
            f"variances must have the shape of the estimates, {Q.shape}; got {U.shape}. They are "
            "squared standard errors, one for each estimate."
        )
    _require(np.isfinite(Q), Q, "estimates must be finite")
    _require(np.isnan(U) | ((U >= 0.0) & np.isfinite(U)), U, "variances must be 0 or more, finite")
    return Q, U


def _require(good: Any, values: Array, rule: str) -> None:
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        raise DataError(f"{rule}; got {values[index]} at index {index}, data set {index[0]}.")


def _as_df(df_complete: Any) -> float:
    df = np.inf if df_complete is None else as_number(df_complete, "df_complete")
    if not df > 0.0:
        raise DataError(f"df_complete must be positive, n − 1 for a mean, say; got {df_complete}.")
    return df
