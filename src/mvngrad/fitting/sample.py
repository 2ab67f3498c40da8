"""What is given as data → moments, or patterns of rows with holes, to fit a model to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.checks import as_weights, require_finite_rows, require_no_infinity
from mvngrad.core.grouping import Rows
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.threads import calm_blas
from mvngrad.errors import DataError, MissingValuesError, NeedsRowsError
from mvngrad.fitting import prepare
from mvngrad.fitting.regression import Job, Regressed, regressed
from mvngrad.fitting.requirements import Requirements
from mvngrad.io.data import as_table
from mvngrad.io.formula import designed, is_formula
from mvngrad.io.missing import Missing, complete_rows, require_missing
from mvngrad.io.table import as_names, default_names
from mvngrad.models.linear import Linear
from mvngrad.models.means import FixedMean, Mean, as_mean
from mvngrad.models.structure import Structure

FIRST_LOOK = 2**21  # entries among which a hole is looked for before anything is summed


class Sample(NamedTuple):
    """Moments or Patterns, the mean as a structure, names of columns, rows with nothing in them.

    ``regressed`` says more where the mean is linear in a design; complete rows come along.
    """

    data: Moments | Patterns
    mean: Mean
    columns: tuple[str, ...]
    n_empty: int = 0
    regressed: Regressed | None = None
    rows: Rows | None = None
    weights: Array | None = None


def sample_of(
    data: Any,
    structure: Structure,
    mean: Any,
    weights: Any,
    missing: Missing,
    columns: Sequence[Any] | None,
    threads: int | None,
    *,
    regular: bool = False,
) -> Sample:
    """Moments of complete rows; patterns where there are holes and ``missing`` is "fiml"."""
    require_missing(missing)
    if isinstance(data, Moments):
        if isinstance(mean, Linear) or is_formula(mean):
            raise NeedsRowsError("a mean that is linear in a design needs the rows of the data.")
        return _checked(data, structure, mean, weights, columns, regular)
    if isinstance(mean, str) and is_formula(mean):
        (rows, names), design, of = designed(data, mean, columns)
        mean = Linear(design, of)
    else:
        rows, names = as_table(data, columns)
    if isinstance(mean, Linear):
        w = as_weights(weights, len(rows))
        found = regressed(Job(rows, w, mean, structure, names, regular), missing, threads)
        return Sample(found.data, found.mean, names, found.n_empty, found, rows, w)
    mean = as_mean(mean, len(names))
    rows, w = complete_rows(rows, as_weights(weights, len(rows)), missing, names)
    job = Requirements(structure, mean, names, regular)
    try:
        if missing == "fiml" and _shows_holes(rows, w):
            return _with_holes(rows, w, job, threads)
        return Sample(_moments(rows, w, job, threads), mean, names, rows=rows, weights=w)
    except MissingValuesError:
        if missing != "fiml":
            raise
        return _with_holes(rows, w, job, threads)


def _shows_holes(rows: Rows, w: Array | None) -> bool:
    """Whether the first rows have one: then no pass over all of them has to find out."""
    few = max(FIRST_LOOK // rows.shape[1], 1)
    first = rows[:few] if w is None else rows[:few][w[:few] > 0.0]
    return rows.dtype.kind == "f" and bool(np.isnan(first.sum()))


def _moments(rows: Rows, w: Array | None, job: Requirements, threads: int | None) -> Moments:
    try:
        return prepare.moments_of_rows(rows, w, job, threads)
    except DataError:
        require_finite_rows(rows, w, job.columns)  # the same complaint, with the columns' names
        raise


def _with_holes(rows: Rows, w: Array | None, job: Requirements, threads: int | None) -> Sample:
    """Patterns; or moments, if all that is missing are whole rows."""
    patterns, names = _patterns(rows, w, job, threads), tuple(job.columns)
    if not patterns.observed.all():
        return Sample(patterns, job.mean, names, patterns.n_empty)
    there = ~np.isnan(rows).all(axis=1)
    moments = _moments(rows[there], None if w is None else w[there], job, threads)
    return Sample(moments, job.mean, names, patterns.n_empty, None, rows, w)


def _patterns(rows: Rows, w: Array | None, job: Requirements, threads: int | None) -> Patterns:
    with calm_blas(rows.shape[1]):
        try:
            patterns = Patterns.of(rows, w, threads=threads)
        except DataError:
            require_no_infinity(rows, w, job.columns)  # the same complaint, with columns' names
            raise
        job.require_observed(patterns)
    return patterns


def _checked(
    moments: Moments,
    structure: Structure,
    mean: Any,
    weights: Any,
    columns: Sequence[Any] | None,
    regular: bool,
) -> Sample:
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
    Requirements(structure, mean, names, regular).check(moments)
    return Sample(moments, mean, names)
