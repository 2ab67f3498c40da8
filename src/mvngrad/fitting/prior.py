"""Priors meet data: the terms they mean, in the units of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mvngrad.core.grouping import Rows
from mvngrad.core.likelihood import LOG_2PI
from mvngrad.core.moments import Moments
from mvngrad.core.nll import nll
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import DataError
from mvngrad.fitting.convergence import Trace
from mvngrad.fitting.requirements import scatter_about
from mvngrad.fitting.sample import Sample
from mvngrad.fitting.solution import Solution
from mvngrad.fitting.solve import Run
from mvngrad.models.linear import predicted
from mvngrad.models.means import FixedMean, Mean
from mvngrad.models.penalty import Penalty
from mvngrad.models.priors import Facts, InverseWishart, NormalMean, Prior, Ridge, penalty_of
from mvngrad.models.structure import Structure


def keep_regular(priors: Sequence[Prior]) -> bool:
    """Whether S stays regular whatever the data."""
    return any(isinstance(prior, InverseWishart) for prior in priors)


def penalty_for(priors: Sequence[Prior], sample: Sample, structure: Structure) -> Penalty | None:
    """All terms together; None without priors."""
    if not priors:
        return None
    if any(isinstance(p, Ridge) for p in priors) and not structure.n_loadings:
        raise DataError(f"Ridge is for loadings of factor models, and {structure!r} has none.")
    if sample.regressed is not None and any(isinstance(p, NormalMean) for p in priors):
        raise DataError("NormalMean is for means, and here they are linear in a design.")
    data = sample.data
    complete = scatter_about(data, sample.mean) if isinstance(data, Moments) else None
    known = sample.mean.value if isinstance(sample.mean, FixedMean) else None
    deviations = _deviations(data if complete is None else complete, known)
    facts = Facts(deviations, data.weight, complete, *_rows_of(sample), known)
    return penalty_of(priors, facts)


# Conjugate terms are rows of data: those of complete data are fitted with them.


def with_terms(moments: Moments, mean: Mean, penalty: Penalty) -> Moments:
    """Moments with κ rows more, of scatter κT about the mean to be."""
    scatter = scatter_about(moments, mean)
    center = scatter.center
    if isinstance(mean, FixedMean):
        center = scatter.frame.whiten(mean.value - scatter.frame.origin)
    kappa, spread = penalty.weight, penalty.in_frame(scatter.frame).scatter
    return replace(
        scatter, weight=scatter.weight + kappa, center=center, spread=scatter.spread + spread
    )


def as_told(run: Run, moments: Moments, penalty: Penalty) -> Run:
    """The same, whose callback hears J and the terms without the constant that rows would have."""
    callback, constant = run.callback, _constant(moments, penalty)
    if callback is None:
        return run
    return run._replace(callback=lambda step: callback(step._replace(nll=step.nll - constant)))


def _constant(moments: Moments, penalty: Penalty) -> float:
    """½ κ d log 2π."""
    return 0.5 * penalty.weight * moments.d * LOG_2PI


def apart(solution: Solution, moments: Moments, penalty: Penalty) -> Solution:
    """What was found with the terms as rows: J of the data alone, and the terms."""
    constant = _constant(moments, penalty)
    root = DenseCovariance.of_factor(solution.factor)
    terms = penalty.of_covariance(root).nll
    steps = tuple(step._replace(nll=step.nll - constant) for step in solution.trace.steps)
    J = nll(moments, solution.mean, solution.factor)
    return replace(solution, nll=J, penalty=terms, trace=Trace(steps))


def _rows_of(sample: Sample) -> tuple[Rows | None, Array | None]:
    """The rows that complete data are of, or their residuals, with their weights."""
    rows, w, regressed = sample.rows, sample.weights, sample.regressed
    if rows is None or not isinstance(sample.data, Moments):
        return None, None
    used = ~np.isnan(rows).any(axis=1) if rows.dtype.kind == "f" else np.ones(len(rows), bool)
    used &= True if w is None else w > 0.0
    rows, w = (rows, w) if used.all() else (rows[used], None if w is None else w[used])
    if regressed is not None and regressed.found is not None:
        of = regressed.regression
        rows = rows - predicted(of.linear, of.coefficients(regressed.found))
    return rows, w


def _deviations(data: Moments | Patterns, known: Array | None) -> Array:
    """s of each column, over the rows that have it; about a mean that is known."""
    if isinstance(data, Moments):
        return np.sqrt(np.diagonal(data.cov))
    center, variances = data.available()
    about = center if known is None else data.frame.whiten(known - data.frame.origin)
    return np.sqrt(variances + (center - about) ** 2) * data.frame.root
