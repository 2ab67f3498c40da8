"""Likelihood ratios of rows that are not normal: scaled to the mean that χ² has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import DataError
from mvngrad.fitting.grounds import estimate_of, grounds_of, rows_of, seen_from
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.goodness import GoodnessOfFit, Scaling, scaled
from mvngrad.inference.scaling import satorra_bentler, saturated, yuan_bentler

if TYPE_CHECKING:
    from mvngrad.fitting.estimates import Estimates


def scaled_test(
    fit: Estimates, plain: GoodnessOfFit, mean: Array, covariance: Array, scaling: Scaling
) -> GoodnessOfFit:
    """X²·df/tr(UΓ), mean and covariance those of the saturated model."""
    at, rows = estimate_of(fit), rows_of(fit)
    squared = fit.weights_kind == "sampling"
    if scaling == "yuan-bentler":
        trace = yuan_bentler(at, _at_saturated(fit, at, mean, covariance), rows, squared=squared)
    elif isinstance(fit.sample, Moments):
        trace = satorra_bentler(at, rows, squared=squared)
    else:
        raise DataError(
            "Satorra and Bentler's scaling is of complete data, and these have holes: use "
            "correction='yuan-bentler'."
        )
    test = scaled(plain.statistic, plain.df, trace)
    return GoodnessOfFit(test.statistic, test.df, test.pvalue, scaling)


def _at_saturated(fit: Estimates, at: Estimate, mean: Array, covariance: Array) -> Estimate:
    """The saturated model at its own estimate."""
    root = cholesky(covariance)
    data = seen_from(replace(grounds_of(fit), location=mean), root)
    return saturated(replace(at, data=data, location=mean, root=root))
