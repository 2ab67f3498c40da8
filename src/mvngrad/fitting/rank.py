"""How many factors: by information criteria of fits, or by Horn's parallel analysis.

AIC, BIC    the rank k whose fit has the smallest −2ℓ + 2p or −2ℓ + log(n) p, p its parameters
parallel    the number of leading eigenvalues of the correlation matrix of the data that exceed
the same ones of uncorrelated normal data of the same n and d, at a quantile
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from mvngrad.core.checks import as_generator, as_number
from mvngrad.core.moments import Moments
from mvngrad.errors import (
    DataError,
    DataWarning,
    MissingValuesError,
    NotIdentifiedWarning,
    NotPositiveDefiniteError,
)
from mvngrad.fitting.fit import fit
from mvngrad.fitting.parallel import correlation_eigenvalues, leading, noise_eigenvalues
from mvngrad.fitting.rank_selection import Criterion, RankRow, RankSelection
from mvngrad.fitting.result import Fit
from mvngrad.fitting.sample import sample_of
from mvngrad.inference.goodness import GoodnessOfFit, likelihood_ratio
from mvngrad.models.diagonal import Diagonal
from mvngrad.models.factor_analytic import FactorAnalytic

FitRank = Callable[..., Fit]

CRITERIA = ("bic", "aic", "parallel")
# Options of fits that are for the saturated one as well: others may be of factor models only.
SHARED = {"mean", "weights", "missing", "columns", "n_starts", "tol", "threads", "rng"}
OF_DATA = ("weights", "missing", "columns", "threads")  # those that parallel analysis has use for


def select_rank(
    data: Any,
    max_rank: int | None = None,
    criterion: Criterion = "bic",
    *,
    n_simulations: int = 100,
    quantile: float = 0.95,
    rng: Any = None,
    fit_rank: FitRank | None = None,
    **fit_options: Any,
) -> RankSelection:
    """The number of factors k: argmin −2ℓ_k + log(n) p_k, or by parallel analysis.

    parallel: max k with λⱼ > qⱼ for all j ≤ k, λⱼ the eigenvalues of the data's correlation matrix,
    qⱼ a quantile of those of n rows of N(0, I) in d columns

    Parameters
    ----------
    data : (n, d) array, dataframe, path of a CSV file, or Moments
    max_rank : int, optional
        The largest k tried. Default: d // 3, three columns a factor.
    criterion : "bic", "aic" or "parallel"
        Parallel analysis fits nothing; it looks at complete data, and of those at n and the
        correlation matrix only.
    n_simulations : int           data sets of noise (parallel)
    quantile : float              of their eigenvalues (parallel): 0.95 errs on the side of few
                                  factors, 0.5 is near Horn's mean
    rng : seed or numpy Generator, for the noise and for random starts of fits
    fit_rank : callable (data, k, **fit_options) → Fit, optional
        What a fit of rank k is. Default: ``mvngrad.fit(data, FactorAnalytic(k), **fit_options)``.
    **fit_options
        Passed on to ``mvngrad.fit``: weights, missing, columns, n_starts, tol, …

    Returns
    -------
    RankSelection
        rank, table, observed and reference eigenvalues, summary().

    Raises
    ------
    DataError
        If an argument cannot be used, or data with holes are asked for parallel analysis.

    Notes
    -----
    Ranks are tried from 0 up; of ranks that tie the smallest is taken. Noise is drawn as the
    triangular root of its scatter (Bartlett's decomposition), so that n costs nothing. Horn 1965;
    Glorfeld 1995; Bartlett 1933.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> f, e = rng.normal(size=(200, 1)), rng.normal(size=(200, 6))
    >>> chosen = mg.select_rank(f @ np.ones((1, 6)) + e, criterion="parallel", rng=1)
    >>> chosen.rank, bool(chosen.observed[0] > chosen.reference[0])
    (1, True)
    """
    if criterion not in CRITERIA:
        known = ", ".join(map(repr, CRITERIA))
        raise DataError(f"criterion must be one of {known}; got {criterion!r:.60}.")
    if "covariance" in fit_options:
        raise DataError("the covariance is what select_rank varies: give fit_rank instead.")
    if criterion == "parallel":
        if fit_rank is not None:
            fit_options["fit_rank"] = fit_rank
        return _parallel(data, max_rank, n_simulations, quantile, rng, fit_options)
    if rng is not None:
        fit_options["rng"] = rng
    return _by_fits(data, max_rank, criterion, fit_rank or _factor_analytic, fit_options)


# Information criteria


def _factor_analytic(data: Any, rank: int, **fit_options: Any) -> Fit:
    return fit(data, FactorAnalytic(rank), **fit_options)


def _by_fits(
    data: Any, max_rank: Any, criterion: Criterion, fit_rank: FitRank, options: dict[str, Any]
) -> RankSelection:
    data, options, d = _read_once(data, options)
    saturated = _saturated(data, options)
    ranks = range(_as_max_rank(max_rank, d) + 1)
    with warnings.catch_warnings():  # a fit of the rank that is chosen will say it again
        warnings.simplefilter("ignore", DataWarning)
        warnings.simplefilter("ignore", NotIdentifiedWarning)
        table = tuple(_row(k, fit_rank(data, k, **options), saturated) for k in ranks)
    best = min(table, key=lambda row: getattr(row, criterion))
    return RankSelection(best.rank, criterion, table)


def _read_once(data: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any], int]:
    """Complete data as Moments, with what has been used up of the options; others as they are.

    So are rows whose mean depends on a design, which belongs to the rows.
    """
    sample = _sample(data, options)
    if not isinstance(sample.data, Moments) or sample.regressed is not None:
        return data, options, sample.data.d
    used = {"weights", "missing", "columns"}
    kept = {name: value for name, value in options.items() if name not in used}
    return sample.data, {**kept, "columns": sample.columns}, sample.data.d


def _sample(data: Any, options: dict[str, Any]) -> Any:
    return sample_of(
        data,
        Diagonal(),
        options.get("mean", "free"),
        options.get("weights"),
        options.get("missing", "fiml"),
        options.get("columns"),
        options.get("threads"),
    )


def _saturated(data: Any, options: dict[str, Any]) -> Fit | None:
    """The fit of a full covariance; None where the data have none."""
    shared = {name: value for name, value in options.items() if name in SHARED}
    try:
        return fit(data, "full", **shared)
    except NotPositiveDefiniteError:
        return None


def _row(rank: int, fitted: Fit, saturated: Fit | None) -> RankRow:
    if saturated is None:
        test = GoodnessOfFit(np.nan, 0, np.nan)
    else:
        df = saturated.n_params - fitted.n_params
        test = likelihood_ratio(fitted.loglik, saturated.loglik, df)
    return RankRow(
        rank=rank,
        loglik=fitted.loglik,
        n_params=fitted.n_params,
        aic=fitted.aic,
        bic=fitted.bic,
        statistic=test.statistic,
        df=test.df,
        pvalue=test.pvalue,
        converged=fitted.converged,
    )


# Parallel analysis


def _parallel(
    data: Any, max_rank: Any, count: Any, quantile: Any, rng: Any, options: dict[str, Any]
) -> RankSelection:
    count, quantile, rng = _as_count(count), _as_quantile(quantile), as_generator(rng)
    unused = [name for name in options if name not in OF_DATA]
    if unused:
        raise DataError(
            f"parallel analysis fits nothing, so it has no use for {unused[0]!r}; of the options "
            f"of fits it takes {', '.join(OF_DATA)}."
        )
    moments = _sample(data, options).data
    if not isinstance(moments, Moments):
        raise MissingValuesError(
            "parallel analysis compares with complete noise, and the data have holes. Leave rows "
            "with holes out by missing='drop', or choose by criterion='bic', which uses them."
        )
    observed = correlation_eigenvalues(moments)
    noise = noise_eigenvalues(moments.weight, moments.d, count, rng)
    reference = np.quantile(noise, quantile, axis=0)
    rank = leading(observed, reference)
    if max_rank is not None:
        rank = min(rank, _as_max_rank(max_rank, moments.d))
    return RankSelection(rank, "parallel", (), observed, reference)


# Checks


def _as_max_rank(value: Any, d: int) -> int:
    if value is None:
        return d // 3
    if not _is_whole(value) or not 0 <= value < d:
        raise DataError(
            f"max_rank must be a whole number from 0 to {d - 1}, fewer than the {d} columns; got "
            f"{value!r:.60}."
        )
    return int(value)


def _as_count(value: Any) -> int:
    if not _is_whole(value) or value < 1:
        raise DataError(f"n_simulations must be a whole number, 1 or more; got {value!r:.60}.")
    return int(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _as_quantile(value: Any) -> float:
    quantile = as_number(value, "quantile")
    if not 0.0 < quantile < 1.0:
        raise DataError(f"quantile must be between 0 and 1, as 0.95; got {quantile}.")
    return quantile
