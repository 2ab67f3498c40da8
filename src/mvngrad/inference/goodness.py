"""How well a structure fits: its likelihood against that of the saturated model.

    X² = 2 (ℓ_saturated − ℓ_structure)        df = parameters of the one − parameters of the other

and for complete data with a free mean

    X² = n F,   F = log|S| − log|C/n| + tr(S⁻¹C/n) − d

asymptotically χ² with df degrees of freedom if the structure is right. For k factors Bartlett
(1951) corrects its mean to smaller order in 1/n, by another multiplier than n:

    X² = (n − 1 − (2d + 5)/6 − 2k/3) F
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from mvngrad.core.checks import as_number
from mvngrad.core.likelihood import LOG_2PI
from mvngrad.core.moments import Moments
from mvngrad.core.nll import nll
from mvngrad.core.ops import log_diagonal
from mvngrad.errors import DataError, NotPositiveDefiniteError

Correction = Literal["none", "bartlett"]
Scaling = Literal["satorra-bentler", "yuan-bentler"]

ROUNDING = 1e-8  # of a log-likelihood: what a fit that has converged may lack of its maximum


class GoodnessOfFit(NamedTuple):
    """X², its degrees of freedom, the χ² probability of as much or more; and which X² it is."""

    statistic: float
    df: int
    pvalue: float
    correction: Correction | Scaling = "none"


def likelihood_ratio(
    loglik: float,
    saturated: float,
    df: int,
    *,
    n: float | None = None,
    d: int | None = None,
    n_factors: int | None = None,
) -> GoodnessOfFit:
    """X² = 2 (ℓ_saturated − ℓ); with n, d and k, Bartlett's (n − 1 − (2d+5)/6 − 2k/3)/n of it.

    Parameters
    ----------
    loglik, saturated : float     ℓ of the structure and of the saturated model, of the same data
    df : int                      how many parameters the saturated model has more
    n, d, n_factors : optional    weight Σw, columns and factors k: for Bartlett's correction, which
                                  is of factor models and complete data; all of them or none

    Returns
    -------
    GoodnessOfFit
        With df = 0 there is nothing to test: 0, 0, 1.

    Raises
    ------
    DataError
        If the structure has the larger likelihood, beyond rounding, or n is too small to correct.

    Notes
    -----
    The χ² law asks for parameters inside their bounds: a ψⱼ at 0 makes p too large. (Bartlett 1951;
    Lawley & Maxwell 1971, §4.4)

    Examples
    --------
    >>> test = likelihood_ratio(-110.0, -100.0, 10)
    >>> test.statistic, test.correction
    (20.0, 'none')
    >>> corrected = likelihood_ratio(-110.0, -100.0, 10, n=50, d=6, n_factors=1)
    >>> corrected.statistic == 20.0 * (50 - 1 - (2 * 6 + 5) / 6 - 2 / 3) / 50
    True
    """
    loglik, saturated = as_number(loglik, "loglik"), as_number(saturated, "saturated")
    df = _as_df(df)
    gain = 2.0 * (saturated - loglik)
    if not gain >= -2.0 * ROUNDING * max(abs(saturated), 1.0):
        raise DataError(
            f"the saturated model cannot be less likely than the structure; got {saturated} and "
            f"{loglik}. Both must be fitted to the same rows, and have converged."
        )
    multiplier = _bartlett_multiplier(n, d, n_factors)
    statistic = max(gain, 0.0) * (1.0 if multiplier is None else multiplier) if df else 0.0
    return GoodnessOfFit(
        statistic, df, chi_square_tail(df, statistic), "none" if multiplier is None else "bartlett"
    )


def goodness_of_fit(
    moments: Moments,
    mean: Any,
    factor: Any,
    n_params: int,
    *,
    noise: Any = None,
    n_factors: int | None = None,
) -> GoodnessOfFit:
    """X² = n [ log|S| − log|C/n| + tr(S⁻¹A/n) − d ] of N(μ, S), S = ΛΛᵀ + diag ψ.

    Parameters
    ----------
    moments : Moments
    mean : (d,) array                μ; A/n = C/n + (m−μ)(m−μ)ᵀ
    factor, noise : (d, k), (d,)     Λ and ψ; of correlated factors ΛR with Φ = RRᵀ
    n_params : int                   free parameters, means included: df = d + d(d+1)/2 − n_params
    n_factors : int, optional        k, for Bartlett's correction

    Returns
    -------
    GoodnessOfFit

    Raises
    ------
    NotPositiveDefiniteError
        If C is singular, as with n ≤ d rows: the saturated model has no likelihood to compare with.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> C = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> data = mg.Moments.from_covariance(C, 100)
    >>> independent = goodness_of_fit(data, np.zeros(2), np.diag(np.sqrt([4.0, 2.0])), 4)
    >>> np.isclose(independent.statistic, 100 * (np.log(8.0) - np.log(7.0))), independent.df
    (np.True_, 1)
    """
    d = moments.d
    loglik = -nll(moments, mean, factor, noise=noise)
    df = d + d * (d + 1) // 2 - _as_df(n_params)
    n = moments.weight if n_factors is not None else None
    columns = d if n_factors is not None else None
    return likelihood_ratio(
        loglik, saturated_loglik(moments), df, n=n, d=columns, n_factors=n_factors
    )


def saturated_loglik(moments: Moments) -> float:
    """−½ n [ d log 2π + log|C/n| + d ], the largest log-likelihood of any normal.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> data = mg.Moments.from_covariance(np.eye(2), 10)
    >>> np.isclose(saturated_loglik(data), -0.5 * 10 * (2 * np.log(2 * np.pi) + 2))
    np.True_
    """
    d, logdet = moments.d, log_generalized_variance(moments)
    return -0.5 * moments.weight * (d * LOG_2PI + logdet + d)


def log_generalized_variance(moments: Moments) -> float:
    """log|C/n|.

    Raises
    ------
    NotPositiveDefiniteError
        If C is singular.
    """
    root, pivots = moments.root_and_pivots
    if not (pivots > 16.0 * len(pivots) * np.finfo(float).eps).all():  # as a full fit asks
        raise NotPositiveDefiniteError(
            "the scatter of the data is singular, so the saturated model has no largest "
            f"likelihood: {moments.n_obs} rows of {moments.d} columns. A likelihood ratio against "
            "it needs more rows than columns, and no column a combination of the others."
        )
    return float(2.0 * (log_diagonal(root) + moments.frame.logdet))


class Scaled(NamedTuple):
    """X²/c, its degrees of freedom and χ² probability, and c."""

    statistic: float
    df: int
    pvalue: float
    factor: float


def scaled(statistic: float, df: int, trace: float) -> Scaled:
    """X²/c, c = tr(UΓ)/df: a statistic with the mean of χ² when the data are not normal.

    Parameters
    ----------
    statistic, df     the likelihood ratio against the saturated model
    trace             tr(UΓ), U = W − WΔ(ΔᵀWΔ)⁻¹ΔᵀW, with Δ the derivative of mean and covariance by
                      the parameters, W the information of one row about them, and Γ the covariance
                      of their estimates by the saturated model, times n. Of normal data it is df

    Returns
    -------
    Scaled

    Notes
    -----
    Complete data: Satorra & Bentler 1994. With holes, W and Γ those of what is observed:
    Yuan & Bentler 2000.

    Examples
    --------
    >>> test = scaled(30.0, 10, 15.0)
    >>> test.statistic, test.factor
    (20.0, 1.5)
    """
    statistic, trace = as_number(statistic, "statistic"), as_number(trace, "trace")
    df = _as_df(df)
    if not (statistic >= 0.0 and (trace > 0.0 or not df)):
        raise DataError(f"X² and tr(UΓ) must be positive; got {statistic} and {trace}.")
    c = trace / df if df else 1.0
    statistic = statistic / c if df else 0.0
    return Scaled(statistic, df, chi_square_tail(df, statistic), c)


def chi_square_tail(df: int, statistic: float) -> float:
    """P(χ²(df) ≥ x); 1 where df is 0."""
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic)) if df else 1.0


def _bartlett_multiplier(n: Any, d: Any, k: Any) -> float | None:
    """(n − 1 − (2d+5)/6 − 2k/3)/n; None where no correction is asked for."""
    if n is None and d is None and k is None:
        return None
    if n is None or d is None or k is None:
        raise DataError("Bartlett's correction needs n, d and n_factors, all three of them.")
    n, d, k = as_number(n, "n"), as_number(d, "d"), as_number(k, "n_factors")
    multiplier = n - 1.0 - (2.0 * d + 5.0) / 6.0 - 2.0 * k / 3.0
    if not multiplier > 0.0:
        raise DataError(
            f"n = {n:g} is too small for Bartlett's correction with {d:g} columns and {k:g} "
            f"factors: n − 1 − (2d+5)/6 − 2k/3 = {multiplier:.3g}. Leave n_factors out."
        )
    return multiplier / n


def _as_df(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise DataError(
            "degrees of freedom and numbers of parameters must be whole numbers, 0 or more; got "
            f"{value!r:.60}. A structure has no more parameters than the saturated model."
        )
    return int(value)
