"""fit: data and a model in, a Fit out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.threads import at_most
from mvngrad.errors import DataError
from mvngrad.fitting.closed import closed_form
from mvngrad.fitting.convergence import Step
from mvngrad.fitting.factors import loaded, said_of_factors
from mvngrad.fitting.grounds import Grounds, Source, WeightsKind, require_weights_kind
from mvngrad.fitting.identified import never_together
from mvngrad.fitting.methods import DEFAULT_MAX_ITER, Method, chosen, require_method
from mvngrad.fitting.observed import iterate_observed
from mvngrad.fitting.prior import apart, as_told, keep_regular, penalty_for, with_terms
from mvngrad.fitting.regression import Regressed
from mvngrad.fitting.result import Fit
from mvngrad.fitting.said import said_of
from mvngrad.fitting.sample import sample_of
from mvngrad.fitting.saturated import at_hand
from mvngrad.fitting.solution import Solution
from mvngrad.fitting.solve import Run, iterate
from mvngrad.fitting.start import Start
from mvngrad.io.missing import Missing
from mvngrad.models.linear import Coefficients
from mvngrad.models.means import FreeMean, Mean
from mvngrad.models.named import structure_named
from mvngrad.models.penalty import Penalty
from mvngrad.models.priors import as_priors
from mvngrad.models.structure import Structure


def fit(
    data: Any,
    covariance: str | Structure = "full",
    mean: Any = "free",
    *,
    weights: Any = None,
    weights_kind: WeightsKind = "frequency",
    missing: Missing = "fiml",
    method: Method = "auto",
    columns: Sequence[Any] | None = None,
    prior: Any = None,
    start: Any = None,
    n_starts: int = 1,
    tol: float = 1e-10,
    max_iter: int = DEFAULT_MAX_ITER,
    threads: int | None = None,
    callback: Callable[[Step], object] | None = None,
    rng: Any = None,
) -> Fit:
    """Fit N(μ, S) to data by maximum likelihood.

    (μ̂, θ̂) = argmin J(μ, S(θ)),   J = ½ [ n d log 2π + n log|S| + tr(S⁻¹A) ]

    Parameters
    ----------
    data : (n, d) array, dataframe, path of a CSV file, or Moments
        ``Moments.from_covariance(S, n)`` makes data of a covariance matrix.
    covariance : "full", "diagonal", "spherical", "compound-symmetry", "ar1", "toeplitz", …
        Or a Structure such as ``Factor()`` or ``RandomEffects(Z) + Spherical()``.
    mean : "free", a vector (d,) at which μ is known, ``Linear(Z)``, or a formula "~ a + b"
        Linear in a design: see ``Linear``. A formula makes one from columns of a dataframe or file;
        the others are what is fitted.
    weights : (n,) array
        Frequencies; fractions allowed.
    weights_kind : "frequency" or "sampling"
        Whether weights count rows that are alike, or make up for unequal chances of being sampled:
        then standard errors are those of the sandwich, and AIC, BIC and likelihood ratios refuse.
    missing : "fiml", "drop" or "raise"
        What to do with rows that have a NaN or null: use what is observed in them (full
        information maximum likelihood), leave them out, or refuse them.
    method : str
        "auto" (closed form where there is one, else "l-bfgs"), "closed-form", "gradient-descent",
        "momentum", "nesterov", "barzilai-borwein", "cg", "bfgs", "l-bfgs", "natural-gradient",
        "newton", "em", "accelerated-em", and "profile" for ``FactorAnalytic(rank)``, whose "auto"
        it is. With holes "auto" is accelerated EM, and Newton's method
        where that would take long.
    columns : sequence of str or int
        The columns to fit, or names for the columns of an array.
    prior : InverseWishart, NormalMean, Ridge, or a list of them
        Terms added to J, in units of the columns' standard deviations: what is minimised is the
        sum, ``fit.nll`` is J, ``fit.penalty`` the terms.
    start : (d, k) array Λ₀, pair (μ₀, Λ₀), or a Fit
        Where iterations begin; default: the standard deviations. Of complete data the columns of
        Λ₀ are first scaled to the data; with holes two steps of EM come first. The closed form has
        no use for it, nor for tol, max_iter and callback.
    n_starts : int
        With holes, and for factor models, the likelihood may have several maxima: the best of
        this many starts, the first as above, the others at random (``rng``: a seed or Generator).
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
    _require_options(tol, max_iter, threads, callback, n_starts)
    structure = _structure(covariance)
    require_method(method)
    require_weights_kind(weights_kind)
    priors = as_priors(prior)
    found = sample_of(
        data, structure, mean, weights, missing, columns, threads, regular=keep_regular(priors)
    )
    given_mean = mean
    sample, mean, names, n_empty, regressed, *_ = found
    holes = isinstance(sample, Patterns)
    d, at = sample.d, Start.of(start, sample.d)
    structure = structure.sized(d)
    structure = structure if at.factor is None else structure.widened(at.factor)
    penalty = penalty_for(priors, found, structure)
    conjugate = penalty is None or penalty.is_conjugate
    run = Run(chosen(method, structure, holes=holes, conjugate=conjugate), tol, max_iter, callback)
    if isinstance(sample, Patterns):
        with at_most(threads):
            design = regressed.design if regressed else None
            solution = iterate_observed(
                sample, structure, mean, at, run, n_starts, rng, names, design, penalty
            )
    else:
        solution = _of_moments(sample, structure, mean, at, run, n_starts, rng, penalty)
    open_pairs = structure.saturated and not keep_regular(priors)
    together = never_together(sample, names) if open_pairs else ()
    form = loaded(structure, solution, names)
    of_factors = said_of_factors(structure, solution, form, names)
    said = said_of(solution, together, of_factors, holes=holes)
    means = _means_of(solution.mean, mean, regressed)
    return Fit(
        mean=means.mean,
        **form,
        structure=structure,
        columns=names,
        nll=solution.nll,
        penalty=solution.penalty,
        saturated=at_hand(sample, structure, mean, penalty),
        prior=tuple(map(repr, priors)),
        refit_priors=priors,
        weight=sample.weight,
        n_obs=sample.n_obs,
        n_empty=n_empty,
        n_params=structure.n_params + means.n_free - len(together),
        coefficients=means.coefficients,
        design_names=regressed.regression.linear.names if regressed else (),
        status=solution.status,
        optimality=solution.optimality,
        curvature=solution.curvature,
        trace=solution.trace,
        n_eval=solution.n_eval,
        method="closed-form" if solution.closed else run.method,
        n_starts=solution.n_starts,
        not_identified=together,
        weights_kind=weights_kind,
        grounds=Grounds(
            sample,
            mean,
            solution.mean if regressed is None or regressed.found is None else regressed.found,
            regressed,
            penalty,
            Source(data, given_mean, weights, missing, columns),
        ),
        seconds=time.perf_counter() - began,
        warnings=said,
    )


def _of_moments(
    moments: Moments,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    n_starts: int,
    rng: Any,
    penalty: Penalty | None,
) -> Solution:
    """Complete data in closed form or by iterations; conjugate priors as more of them."""
    if penalty is not None and penalty.is_conjugate:
        both = with_terms(moments, mean, penalty)
        told = as_told(run, moments, penalty)
        solution = _of_moments(both, structure, mean, start, told, n_starts, rng, None)
        return apart(solution, moments, penalty)
    if run.method == "closed-form":
        return closed_form(moments, structure, mean, run.tol)
    return iterate(moments, structure, mean, start, run, penalty, n_starts, rng)


def _structure(covariance: str | Structure) -> Structure:
    if isinstance(covariance, Structure):
        return covariance
    return structure_named(covariance)


def _require_options(tol: Any, max_iter: Any, threads: Any, callback: Any, n_starts: Any) -> None:
    if not (isinstance(tol, float | int | np.number) and np.isfinite(tol) and tol > 0.0):
        raise DataError(f"tol must be a positive number; got {tol!r}.")
    for name, value, least in (
        ("max_iter", max_iter, 0),
        ("threads", 1 if threads is None else threads, 1),
        ("n_starts", n_starts, 1),
    ):
        if not (isinstance(value, int | np.integer) and value >= least):
            raise DataError(f"{name} must be a whole number, {least} or more; got {value!r}.")
    if callback is not None and not callable(callback):
        raise DataError(f"callback must be called with a Step; got {callback!r}.")


class Means(NamedTuple):
    """μ̂, the coefficients it is made of where there is a design, and how many were estimated."""

    mean: Array
    coefficients: Coefficients | None
    n_free: int


def _means_of(mu: Array, mean: Mean, regressed: Regressed | None) -> Means:
    if regressed is None:
        return Means(mu, None, len(mu) if isinstance(mean, FreeMean) else 0)
    regression, M = regressed.regression, mu if regressed.found is None else regressed.found
    coefficients = regression.coefficients(M)
    return Means(regression.mean(M), coefficients, sum(map(np.size, coefficients)))
