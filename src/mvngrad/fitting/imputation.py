"""Holes filled by a fit: at its estimates, or under parameters that are drawn first."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from mvngrad.core.grouping import Rows
from mvngrad.core.ops import Array
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.fitting.convergence import Status
from mvngrad.inference.proper import impute_properly
from mvngrad.io.data import as_table

if TYPE_CHECKING:
    from mvngrad.distribution import MultivariateNormal
    from mvngrad.fitting.result import Fit


def impute(fit: Fit, X: Any, draws: int | None, *, proper: bool, weights: Any, rng: Any) -> Array:
    """``Fit.impute``."""
    rows = _rows_for(fit, X)
    if not proper:
        return fit.distribution.impute(rows, draws=draws, rng=rng)
    if draws is None:
        raise DataError(
            "proper=True draws the parameters anew for every data set: say how many, draws=20."
        )
    try:
        return impute_properly(rows, draws, rng, partial(_refitted, fit), weights=weights)
    except NotPositiveDefiniteError as error:
        raise DataError(
            f"proper=True refits the model to bootstrap samples of the {len(rows)} rows given, and "
            f"they are too few for it ({error}). Give the data of the fit, or leave proper out."
        ) from error


def _rows_for(fit: Fit, X: Any) -> Rows:
    """The columns of the fit, by name where the data have names."""
    if hasattr(X, "columns") or isinstance(X, str) or hasattr(X, "__fspath__"):
        return as_table(X, fit.columns).rows
    return as_table(X).rows


def _refitted(fit: Fit, rows: Rows, weights: Array) -> MultivariateNormal:
    """The same model, fitted to other rows, from where the fit is."""
    from mvngrad.fitting.fit import fit as fit_to

    free = fit.n_params + len(fit.not_identified) - fit.structure.n_params
    mean = "free" if free else fit.mean
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say was said of the fit itself
        again = fit_to(rows, fit.structure, mean, weights=weights, start=fit, columns=fit.columns)
    if again.status is Status.INTERRUPTED:  # a draw from half a fit would be none
        raise KeyboardInterrupt
    if not again.converged:
        raise DataError(f"a refit to a bootstrap sample has {again.message}.")
    return again.distribution
