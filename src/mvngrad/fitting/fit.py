"""fit: data and a model in, a Fit out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mvngrad.core.checks import as_weights, require_finite_rows
from mvngrad.core.moments import Moments
from mvngrad.core.roots import correlation_condition
from mvngrad.errors import ConvergenceWarning, DataError, IllConditionedWarning, warn
from mvngrad.fitting import prepare
from mvngrad.fitting.convergence import Status, Step
from mvngrad.fitting.methods import DEFAULT_MAX_ITER, Method, chosen
from mvngrad.fitting.requirements import Requirements
from mvngrad.fitting.result import Fit
from mvngrad.fitting.solve import Solution, closed_form, iterate
from mvngrad.fitting.start import Start
from mvngrad.io.data import as_table
from mvngrad.io.missing import Missing, complete_rows, require_missing
from mvngrad.io.table import as_names, default_names
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.means import FixedMean, FreeMean, Mean, as_mean
from mvngrad.models.structure import Structure

NAMED: dict[str, type[Structure]] = {
    "full": Cholesky,
    "cholesky": Cholesky,
    "diagonal": Diagonal,
    "spherical": Spherical,
}
ILL_CONDITIONED = 1e12


def fit(
    data: Any,
    covariance: str | Structure = "full",
    mean: Any = "free",
    *,
    weights: Any = None,
    missing: Missing = "fiml",
    method: Method = "auto",
    columns: Sequence[Any] | None = None,
    start: Any = None,
    tol: float = 1e-10,
    max_iter: int = DEFAULT_MAX_ITER,
    threads: int | None = None,
    callback: Callable[[Step], object] | None = None,
) -> Fit:
    """Fit N(μ, S) to data by maximum likelihood.

    (μ̂, θ̂) = argmin J(μ, S(θ)),   J = ½ [ n d log 2π + n log|S| + tr(S⁻¹A) ]

    Parameters
    ----------
    data : (n, d) array, dataframe, path of a CSV file, or Moments
        ``Moments.from_covariance(S, n)`` makes data of a covariance matrix.
    covariance : "full", "diagonal", "spherical", or a Structure such as ``Factor()``
    mean : "free", or a vector (d,) at which μ is known
    weights : (n,) array
        Frequencies; fractions allowed.
    missing : "fiml", "drop" or "raise"
        What to do with rows that have a NaN or null. "drop" leaves them out; the others refuse
        them (the observed-data likelihood, "fiml", does not stand yet).
    method : str
        "auto" (closed form where there is one, else "l-bfgs"), "closed-form", "gradient-descent",
        "momentum", "nesterov", "barzilai-borwein", "cg", "bfgs", "l-bfgs", "natural-gradient".
    columns : sequence of str or int
        The columns to fit, or names for the columns of an array.
    start : (d, k) array Λ₀, pair (μ₀, Λ₀), or a Fit
        Where iterations begin, columns of Λ₀ first scaled to the data; default: the standard
        deviations. The closed form has no use for it, nor for tol, max_iter and callback.
    tol : float
        Bound on ``fit.optimality``, ½ the squared Newton decrement per unit weight.
    max_iter : int
    threads : int
        Default: the cores this process may use. The result does not depend on it.
    callback : callable
        Called with each iteration's ``Step``; return True to stop.

    Returns
    -------
    Fit

    Raises
    ------
    NotPositiveDefiniteError
        If the likelihood has no maximum: constant or collinear columns, too few rows.
    MissingValuesError, DataError
        If the data or an argument cannot be used; the message says what to do.

    Notes
    -----
    Data are read once, or again if columns are nearly collinear; an iteration then costs O(d³)
    whatever n. A fit is solved in the frame of the data itself as far as the structure is closed
    under it: for a full covariance neither units nor conditioning matter. Rennie 2006.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> fit = mg.fit(X)
    >>> np.allclose(fit.covariance, np.cov(X.T, ddof=0)), fit.converged
    (True, True)
    """
    began = time.perf_counter()
    _require_options(tol, max_iter, threads, callback)
    structure = _structure(covariance)
    method = chosen(method, structure)
    moments, mean, names = _moments(data, structure, mean, weights, missing, columns, threads)
    d = moments.d
    at = Start.of(start, d)
    structure = structure.sized(d)
    structure = structure if at.factor is None else structure.widened(at.factor)
    if method == "closed-form":
        solution = closed_form(moments, structure, mean, tol)
    else:
        solution = iterate(
            moments,
            structure,
            mean,
            at,
            method=method,
            tol=tol,
            max_iter=max_iter,
            callback=callback,
        )
    said = _said(solution)
    return Fit(
        mean=solution.mean,
        factor=solution.factor,
        given_params=solution.params,
        structure=structure,
        columns=names,
        nll=solution.nll,
        weight=moments.weight,
        n_obs=moments.n_obs,
        n_params=structure.n_params + (d if isinstance(mean, FreeMean) else 0),
        status=solution.status,
        optimality=solution.optimality,
        curvature=solution.curvature,
        trace=solution.trace,
        n_eval=solution.n_eval,
        method=method,
        seconds=time.perf_counter() - began,
        warnings=said,
    )


def _structure(covariance: str | Structure) -> Structure:
    if isinstance(covariance, Structure):
        return covariance
    if not isinstance(covariance, str) or covariance not in NAMED:
        raise DataError(
            f"covariance must be one of {', '.join(map(repr, NAMED))}, or a Structure such as "
            f"mvngrad.Factor(); got {covariance!r:.80}."
        )
    return NAMED[covariance]()


def _require_options(tol: Any, max_iter: Any, threads: Any, callback: Any) -> None:
    if not (isinstance(tol, float | int | np.number) and np.isfinite(tol) and tol > 0.0):
        raise DataError(f"tol must be a positive number; got {tol!r}.")
    for name, value, least in (
        ("max_iter", max_iter, 0),
        ("threads", 1 if threads is None else threads, 1),
    ):
        if not (isinstance(value, int | np.integer) and value >= least):
            raise DataError(f"{name} must be a whole number, {least} or more; got {value!r}.")
    if callback is not None and not callable(callback):
        raise DataError(f"callback must be called with a Step; got {callback!r}.")


def _moments(
    data: Any,
    structure: Structure,
    mean: Any,
    weights: Any,
    missing: Missing,
    columns: Sequence[Any] | None,
    threads: int | None,
) -> tuple[Moments, Mean, tuple[str, ...]]:
    if isinstance(data, Moments):
        require_missing(missing)
        return _checked(data, structure, mean, weights, columns)
    rows, names = as_table(data, columns)
    mean = as_mean(mean, len(names))
    rows, w = complete_rows(rows, as_weights(weights, len(rows)), missing, names)
    job = Requirements(structure, mean, names)
    try:
        return prepare.moments_of_rows(rows, w, job, threads), mean, names
    except DataError:
        require_finite_rows(rows, w, names)  # the same complaint, with the columns' names
        raise


def _checked(
    moments: Moments, structure: Structure, mean: Any, weights: Any, columns: Sequence[Any] | None
) -> tuple[Moments, Mean, tuple[str, ...]]:
    if weights is not None:
        raise DataError("Moments carry their weights already; pass weights to Moments.of.")
    names = default_names(moments.d) if columns is None else as_names(columns)
    if len(names) != moments.d:
        raise DataError(f"columns names {len(names)} columns, the moments have {moments.d}.")
    mean = as_mean(mean, moments.d)
    if isinstance(mean, FixedMean) and not moments.mean_known:
        raise DataError(
            "these moments came from a covariance without its mean, so a known mean cannot be held "
            "against them. Pass mean=… to Moments.from_covariance, or leave the mean free."
        )
    Requirements(structure, mean, names).check(moments)
    return moments, mean, names


def _said(solution: Solution) -> tuple[str, ...]:
    """Warnings in words, each also issued as a Python warning."""
    said: list[tuple[str, type[Warning]]] = []
    if solution.status is not Status.CONVERGED:
        text = f"{solution.status.message} (optimality {solution.optimality:.3g})"
        said.append((text, ConvergenceWarning))
    condition = correlation_condition(solution.factor)
    if condition > ILL_CONDITIONED:
        text = (
            f"the correlation matrix has condition number {condition:.1e}: columns are nearly "
            "collinear, and what depends on its inverse has few digits"
        )
        said.append((text, IllConditionedWarning))
    for text, category in said:
        warn(text, category)
    return tuple(text for text, _ in said)
