"""The saturated model of a fit's data, and how well the fit does beside it and beside independence.

The saturated model, of any mean and covariance, has a closed form for complete data, and is a fit
of its own where there are holes. That of independent columns has a closed form in either case:

    ℓ = −½ Σⱼ nⱼ [ log 2π + log vⱼ + 1 ],   nⱼ, vⱼ weight and variance of what is observed
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import numpy as np

from mvngrad.core.likelihood import LOG_2PI
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import (
    ConvergenceWarning,
    DataError,
    NeedsRowsError,
    NotPositiveDefiniteError,
    warn,
)
from mvngrad.fitting.convergence import Status
from mvngrad.fitting.estimates import Estimates
from mvngrad.fitting.identified import never_together
from mvngrad.fitting.methods import DEFAULT_MAX_ITER, chosen
from mvngrad.fitting.observed import iterate_observed
from mvngrad.fitting.requirements import Requirements
from mvngrad.fitting.robust import scaled_test
from mvngrad.fitting.solve import Run
from mvngrad.fitting.start import Start
from mvngrad.inference.goodness import (
    Correction,
    GoodnessOfFit,
    Scaling,
    likelihood_ratio,
    saturated_loglik,
)
from mvngrad.inference.indices import Goodness, srmr
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.means import FixedMean, FreeMean, Mean
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure


class Saturated(NamedTuple):
    """The largest log-likelihood of any normal, how many parameters it took, and where it is."""

    loglik: float
    n_params: int
    mean: Array
    covariance: Array


def at_hand(
    sample: Moments | Patterns, structure: Structure, mean: Mean, penalty: Penalty | None
) -> float | None:
    """The log-likelihood to hold a structure against, where it costs no fit of its own."""
    plain = isinstance(mean, FreeMean) and penalty is None and not structure.saturated
    if not (plain and isinstance(sample, Moments)):
        return None
    try:
        return saturated_loglik(sample)
    except NotPositiveDefiniteError:  # too few rows: the saturated model has no maximum
        return None


def goodness_of(fit: Estimates, correction: Correction | Scaling) -> Goodness:
    """The likelihood ratio against the saturated model, and indices of it."""
    _require_testable(fit, correction)
    d, model = len(fit.columns), saturated_of(fit)
    loglik = fit.saturated if model is None else model.loglik
    n_params = _all(d) if model is None else model.n_params
    if loglik is None:
        raise NeedsRowsError(
            "rows with holes have a saturated likelihood by a fit of their own, and a fit that was "
            "loaded has no rows: fit again, and ask before saving."
        )
    plain = likelihood_ratio(fit.loglik, loglik, n_params - fit.n_params)
    return Goodness(
        _corrected(fit, plain, loglik, model, correction),
        plain,
        fit.weight,
        _baseline(fit, loglik, n_params),
        None if model is None else srmr(fit.covariance, model.covariance, fit.mean, model.mean),
        sampled=fit.weights_kind == "sampling",
    )


def saturated_of(fit: Estimates) -> Saturated | None:
    """The saturated model of the data of a fit; None where they are gone."""
    sample, d = fit.sample, len(fit.columns)
    if sample is None:
        return None
    if isinstance(sample, Moments):
        return Saturated(saturated_loglik(sample), _all(d), sample.mean, sample.cov)
    return _of_patterns(sample, fit)


def _of_patterns(patterns: Patterns, fit: Estimates) -> Saturated:
    structure, mean = Cholesky().sized(patterns.d), FreeMean()
    Requirements(structure, mean, fit.columns).require_observed(patterns)
    method = chosen("auto", structure, holes=True, conjugate=True)
    run = Run(method, 1e-10, DEFAULT_MAX_ITER, None)
    at = Start.of(None, patterns.d)
    found = iterate_observed(patterns, structure, mean, at, run, 1, None, fit.columns)
    if found.status is not Status.CONVERGED:
        warn(f"the saturated model: {found.status.message}", ConvergenceWarning)
    n_params = _all(patterns.d) - len(never_together(patterns, fit.columns))
    S = found.factor @ found.factor.T
    return Saturated(-found.nll, n_params, found.mean, S)


def independent_loglik(fit: Estimates) -> float | None:
    """ℓ of independent columns with a mean and a variance each; None of what cannot be told."""
    if fit.fingerprint is None:
        return None
    n, variance = fit.fingerprint.observed, fit.fingerprint.variance
    return -0.5 * float(n @ (LOG_2PI + np.log(variance) + 1.0))


def _baseline(fit: Estimates, saturated: float, n_params: int) -> GoodnessOfFit | None:
    independent = independent_loglik(fit)
    if independent is None:
        return None
    return likelihood_ratio(independent, saturated, n_params - 2 * len(fit.columns))


def _corrected(
    fit: Estimates,
    plain: GoodnessOfFit,
    loglik: float,
    model: Saturated | None,
    correction: Correction | Scaling,
) -> GoodnessOfFit:
    if correction == "none":
        return plain
    if correction == "bartlett":
        d, k = fit.factor.shape
        return likelihood_ratio(fit.loglik, loglik, plain.df, n=fit.weight, d=d, n_factors=k)
    if model is None:
        raise NeedsRowsError("a scaled statistic needs the rows of the data: fit them anew.")
    return scaled_test(fit, plain, model.mean, model.covariance, correction)


def _all(d: int) -> int:
    """Means and covariances of d columns."""
    return d + d * (d + 1) // 2


# What cannot be tested


def _require_testable(fit: Estimates, correction: Correction | Scaling) -> None:
    choices = (*get_args(Correction), *get_args(Scaling))
    if correction not in choices:
        named = ", ".join(map(repr, choices))
        raise DataError(f"correction must be one of {named}; got {correction!r:.60}.")
    if correction not in get_args(Scaling):
        fit.require_frequencies("a likelihood ratio that is not scaled")
    if correction == "bartlett" and fit.noise is None:
        raise DataError("Bartlett's correction is of factor models.")
    holes = _has_holes(fit)
    if correction == "bartlett" and holes:
        raise DataError("Bartlett's correction is for complete data; these have holes.")
    reason = _why_not(fit, holes)
    if reason is not None:
        raise DataError(reason)


def _has_holes(fit: Estimates) -> bool:
    if fit.fingerprint is not None:
        return bool((fit.fingerprint.observed != fit.fingerprint.weight).any())
    return fit.pattern_means is not None and not fit.pattern_means.observed.all()


def _why_not(fit: Estimates, holes: bool) -> str | None:
    """Why the structure cannot be held against the saturated model, and what to do."""
    if fit.structure.saturated:
        known = fit.grounds is not None and isinstance(fit.grounds.mean, FixedMean)
        mean = " A known mean is tested by fit.score_test(mean='free')." * known
        return (
            f"the covariance, {fit.structure!r}, is that of the saturated model itself: there is "
            f"nothing to test it by.{mean}"
        )
    if fit.prior:
        why = "a fit with a prior is no maximum of the likelihood, which the test is of"
        return f"{why}: fit without the prior."
    if not fit.has_free_mean:
        return (
            "the mean is not free, and the test is of the covariance under a free one: fit "
            "covariance='full' with the same mean to the same data, and mvngrad.compare the two."
        )
    if fit.saturated is None and not holes:
        n, d = fit.n_obs, len(fit.columns)
        why = "too few for one" if n <= d else "of columns that are collinear"
        return (
            f"{n} rows of {d} columns have no saturated likelihood: they are {why}. Give more "
            "rows, or leave a column out."
        )
    return None
