"""Holes filled by a fit: at its estimates, or under parameters that are drawn first."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mvngrad.core.grouping import Rows
from mvngrad.core.ops import Array
from mvngrad.distribution import MultivariateNormal
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.fitting.grounds import rows_named
from mvngrad.fitting.refit import refitted
from mvngrad.inference.proper import Imputer, impute_properly
from mvngrad.models.linear import Linear, predicted

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit


def impute(
    fit: Fit, X: Any, draws: int | None, *, design: Any, proper: bool, weights: Any, rng: Any
) -> Array:
    """``Fit.impute``."""
    rows = rows_named(fit, X)
    linear = _design_for(fit, design, rows)
    if not proper:
        return _imputer(fit, linear).impute(rows, draws=draws, rng=rng)
    if draws is None:
        raise DataError(
            "proper=True draws the parameters anew for every data set: say how many, draws=20."
        )
    if fit.prior and not fit.refit_priors:
        raise DataError(
            "proper=True refits the model with its prior, and a model file has only a description "
            f"of that, {' and '.join(fit.prior)}. Fit the data anew, or leave proper out."
        )
    try:
        beside = rows if linear is None else np.hstack([rows, linear.joint()])
        refit = partial(_refitted, fit, linear)
        return impute_properly(rows, draws, rng, refit, rows=beside, weights=weights)
    except NotPositiveDefiniteError as error:
        raise DataError(
            f"proper=True refits the model to bootstrap samples of the {len(rows)} rows given, and "
            f"they are too few for it ({error}). Give the data of the fit, or leave proper out."
        ) from error


def _design_for(fit: Fit, design: Any, rows: Rows) -> Linear | None:
    """The designs of the rows, where the fit has coefficients to use them with."""
    if fit.coefficients is None:
        if design is not None:
            raise DataError("this fit has one mean for all rows; leave design out.")
        return None
    if design is None:
        raise DataError(
            "the mean of this fit is linear in a design: pass design=Z, the designs of these rows."
        )
    linear = fit.as_linear(design)
    linear.require_shape(*rows.shape)
    return linear


class _AboutMeans:
    """Fills holes about a mean of its own for each row."""

    def __init__(self, root: Array, means: Array) -> None:
        self.residual, self.means = MultivariateNormal(np.zeros(len(root)), root), means

    def impute(self, X: Any, *, draws: int | None = None, rng: Any = None) -> Array:
        """Residuals filled; what is observed stays as it is."""
        rows = np.asarray(X, dtype=np.float64)
        filled = self.residual.impute(rows - self.means, draws=draws, rng=rng) + self.means
        return np.where(np.isnan(rows), filled, rows)


def _imputer(fit: Fit, linear: Linear | None) -> Imputer:
    if linear is None:
        return fit.distribution
    return _AboutMeans(fit.distribution.root, predicted(linear, fit.coefficients))


def _refitted(fit: Fit, linear: Linear | None, rows: Rows, weights: Array) -> Imputer:
    """The same model, fitted to other rows with designs beside them."""
    d = len(fit.columns)
    joint = None if linear is None else linear.with_joint(rows[:, d:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say was said of the fit itself
        again = refitted(fit, rows[:, :d], joint, weights)
    return _imputer(again, linear)
