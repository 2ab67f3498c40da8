"""The model of a fit, fitted to other data as it was: structure, mean, prior, from where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.fitting.convergence import Status
from mvngrad.models.linear import Linear

if TYPE_CHECKING:
    from mvngrad.fitting.estimates import Estimates
    from mvngrad.fitting.result import Fit


def refitted(
    fit: Estimates,
    data: Any,
    linear: Linear | None = None,
    weights: Array | None = None,
    threads: int | None = None,
) -> Fit:
    """A fit to other rows, with their designs, or to moments; an error if it does not converge."""
    from mvngrad.fitting.fit import fit as fit_to

    mean: Any = "free" if fit.has_free_mean else fit.mean
    again = fit_to(
        data,
        fit.structure,
        mean if linear is None else linear,
        weights=weights,
        start=fit,
        columns=fit.columns,
        prior=fit.refit_priors,
        threads=threads,
    )
    if again.status is Status.INTERRUPTED:  # half a fit would be none
        raise KeyboardInterrupt
    if not again.converged:
        raise DataError(f"a refit has {again.message}.")
    return again
