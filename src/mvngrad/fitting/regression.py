"""Rows with designs → what a fit is made of: moments of residuals, or patterns with their designs.

Of complete rows with one design for all columns the best coefficients are those of least squares,
whatever the covariance: from [Z X] = QR, one pass over the rows,

    R = [R_z R_zx; 0 R_x]      B = R_z⁻¹R_zx      residual scatter R_xᵀR_x

and the covariance is fitted to residuals of known mean 0. Everything else is for iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import require_finite_rows, require_no_infinity
from mvngrad.core.design import RANK, Design, orthonormal
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.kept import Kept
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.scatter import chunk_bounds
from mvngrad.core.threads import default_threads, map_reduce, single_blas
from mvngrad.errors import DataError, NotPositiveDefiniteError, listed
from mvngrad.fitting.requirements import EPS, Requirements, counted
from mvngrad.models.linear import Coefficients, Linear
from mvngrad.models.means import FixedMean, FreeMean, LinearMean, Mean
from mvngrad.models.structure import Structure

Rows = npt.NDArray[Any]


class Regression(NamedTuple):
    """How M̂ in the frame of a fit is reported: the design, R of it, and the average of ζ."""

    linear: Linear
    basis: Array
    average: Array

    def coefficients(self, M: Array) -> Coefficients:
        """In the designs as they were given."""
        return self.linear.coefficients(M, self.basis)

    def mean(self, M: Array) -> Array:
        """At the weighted average design (d,)."""
        return np.asarray(M @ self.average)


class Regressed(NamedTuple):
    """Data to fit, with a mean structure in their frame; M̂ itself where it is known already."""

    data: Moments | Patterns
    mean: Mean
    design: Design | None
    regression: Regression
    found: Array | None
    observed: Patterns
    n_empty: int


class Job(NamedTuple):
    """Rows, weights, their designs, and the model with the names of its columns."""

    rows: Rows
    weights: Array | None
    linear: Linear
    structure: Structure
    columns: Sequence[str]
    regular: bool = False

    def take(self, used: Any) -> Job:
        """Some of the rows."""
        w = None if self.weights is None else self.weights[used]
        return self._replace(rows=self.rows[used], weights=w, linear=self.linear.take(used))


def regressed(job: Job, missing: str, threads: int | None) -> Regressed:
    """Moments of residuals where coefficients have a closed form, else patterns with designs."""
    job.linear.require_shape(*job.rows.shape)
    if job.weights is not None and not job.weights.all():
        if not job.weights.any():
            raise DataError("no row has a positive weight and an observed value; need some.")
        job = job.take(job.weights > 0.0)
    require_no_infinity(job.rows, job.weights, job.columns)
    there = ~np.isnan(job.rows) if job.rows.dtype.kind == "f" else np.ones(job.rows.shape, bool)
    if missing == "raise":
        require_finite_rows(job.rows, job.weights, job.columns)
    used = there.all(axis=1) if missing == "drop" else there.any(axis=1)
    if not there.any(axis=0).all():
        empty = [job.columns[j] for j in np.flatnonzero(~there.any(axis=0)).tolist()]
        raise DataError(
            f"{listed(empty)} {'has' if len(empty) == 1 else 'have'} no observed value in "
            f"{counted(len(there), 'row')}. Choose other columns (columns=…)."
        )
    if not used.any():
        raise DataError("no row is left to fit; need some with a value and a positive weight.")
    n_empty = 0 if missing == "drop" else int((~used).sum())
    if not used.all():
        job, there = job.take(used), there[used]
    shared = not (job.linear.general or job.linear.per_column)
    make = _closed if shared and there.all() else _designed
    return make(job, threads)._replace(n_empty=n_empty)


# Least squares


def _closed(job: Job, threads: int | None) -> Regressed:
    """Coefficients by least squares, and moments of the residuals, about 0."""
    (n, d), p = job.rows.shape, job.linear.size
    R = _joint_root(job, threads)
    _require_rank([R[:p, :p]], job)
    if n < d + p and Requirements(job.structure, FreeMean(), job.columns, job.regular).full:
        raise _too_few(n, d, p, job.columns)
    weight = float(n if job.weights is None else job.weights.sum())
    basis = R[:p, :p] / np.sqrt(weight)
    M = R[:p, p:].T / np.sqrt(weight)
    Z = job.linear.joint()
    average = (Z.mean(axis=0) if job.weights is None else job.weights @ Z / weight) @ np.linalg.inv(
        basis
    )
    return Regressed(
        _residual_moments(R[p:, p:], M, job, weight),
        FixedMean(np.zeros(d)),
        None,
        Regression(job.linear, basis, average),
        M,
        Patterns.of(job.rows, job.weights, threads=threads),
        0,
    )


def _joint_root(job: Job, threads: int | None) -> Array:
    """R of [Z X], rows weighted by √w: chunk by chunk, merged in one fixed tree."""
    Z, X, w = job.linear.joint(), job.rows, job.weights
    width = Z.shape[1] + X.shape[1]

    def task(bounds: tuple[int, int]) -> Array:
        rows = slice(*bounds)
        part = np.hstack([Z[rows], X[rows]])
        return _root(part if w is None else part * np.sqrt(w[rows])[:, None], width)

    def merge(a: Array, b: Array) -> Array:
        return _root(np.vstack([a, b]), width)

    with single_blas():
        bounds = chunk_bounds(len(X), width)
        return map_reduce(task, bounds, merge, threads or default_threads())


def _root(rows: Array, width: int) -> Array:
    """R (width, width) with positive diagonal; rows of zeros where there are too few."""
    R = np.zeros((width, width))
    R[: min(rows.shape)] = np.linalg.qr(rows, mode="r")
    return R * np.where(np.diagonal(R) < 0.0, -1.0, 1.0)[:, None]


def _residual_moments(R: Array, M: Array, job: Job, weight: float) -> Moments:
    """Residuals with scatter RᵀR about 0, in the frame of R itself where that is what is fitted."""
    n, d = job.rows.shape
    sizes = np.linalg.norm(R, axis=0)
    _require_residuals(sizes, np.sqrt(sizes**2 + weight * (M**2).sum(axis=1)), job.columns)
    scales = power_of_two(sizes / np.sqrt(weight))
    needs = Requirements(job.structure, FixedMean(np.zeros(d)), job.columns, job.regular)
    scaled = R / scales
    plain = Moments(weight, n, np.zeros(d), scaled.T @ scaled, AffineFrame(np.zeros(d), scales))
    needs.check(plain)
    if not needs.full:
        return plain
    own = AffineFrame(np.zeros(d), np.tril(R.T) / np.sqrt(weight))
    return Moments(weight, n, np.zeros(d), weight * np.eye(d), own)


# Patterns with designs


def _designed(job: Job, threads: int | None) -> Regressed:
    """Residuals about a first estimate, scaled; ζ of each kept row."""
    d, Z = job.rows.shape[1], job.linear.joint()
    both = Patterns.of(np.hstack([job.rows, Z]), job.weights, threads=threads)
    z, weights, anchored = both.kept
    values = z * both.frame.root + np.multiply.outer(anchored, both.frame.origin)
    observed = np.repeat(both.observed[:, :d], np.diff(both.starts), axis=0)
    n = both.weight
    zeta, basis = orthonormal(values[:, d:], weights, n)
    _require_rank(job.linear.designs_of(basis, d), job)
    rows = Patterns(
        AffineFrame(np.zeros((d, len(basis))), np.ones(d)),
        both.observed[:, :d],
        both.counts,
        both.starts,
        Kept(np.where(observed, values[:, :d], 0.0), weights, anchored),
    )
    mean = job.linear.structure(basis, d)
    patterns = _about_a_first_estimate(Design(rows, zeta, basis), mean, job)
    return Regressed(
        patterns,
        mean,
        Design(patterns, zeta, basis),
        Regression(job.linear, basis, (weights * anchored) @ zeta / n),
        None,
        Patterns.of(job.rows, job.weights, threads=threads),
        0,
    )


def _about_a_first_estimate(design: Design, mean: FreeMean | LinearMean, job: Job) -> Patterns:
    """The rows as residuals about M₀, by least squares over what each column has, and scaled."""
    rows = design.patterns
    M = mean.mean(_least_squares(design, mean, job))
    y, w = design.residuals(M), rows.kept.weights
    counts = rows.pattern_weights @ rows.observed
    sizes = np.sqrt(w @ y**2 / counts)
    _require_residuals(sizes, np.sqrt(w @ rows.kept.z**2 / counts), job.columns)
    scales = power_of_two(sizes)
    kept = rows.kept._replace(z=y / scales)
    return Patterns(AffineFrame(M, scales), rows.observed, rows.counts, rows.starts, kept)


def _least_squares(design: Design, mean: FreeMean | LinearMean, job: Job) -> Array:
    """β of each column's own rows; an error where these do not determine it."""
    # By QR of the rows: normal equations would square what the design is conditioned like.
    rows, root = design.patterns.kept.z, np.sqrt(design.patterns.kept.weights)[:, None]
    factors = [np.linalg.qr((root * design.zeta)[seen]) for seen in design.seen.T]
    targets = [
        Q.T @ (root[:, 0] * z)[s]
        for (Q, _), z, s in zip(factors, rows.T, design.seen.T, strict=True)
    ]
    size = len(mean.start(np.zeros((len(factors), design.zeta.shape[1]))))
    tangents = [mean.push(v) for v in np.eye(size)]
    A = np.column_stack(
        [np.concatenate([R @ v for (_, R), v in zip(factors, V, strict=True)]) for V in tangents]
    )
    U, values, Vt = np.linalg.svd(A, full_matrices=len(A) < size)
    if len(values) < size or values[-1] <= RANK * np.sqrt(design.patterns.weight):
        vectors = Vt[::-1].T
        M = mean.push(vectors[:, 0])
        j = int(np.argmax((M**2).sum(axis=1)))
        raise DataError(
            f"the rows that have {job.columns[j]} do not determine its coefficients: in them the "
            "design is rank deficient. Leave out a column of the design, or give more rows."
        )
    return np.asarray(Vt.T @ ((U[:, : len(values)].T @ np.concatenate(targets)) / values))


# What is refused


def _require_rank(designs: Sequence[Array], job: Job) -> None:
    """Refuse designs with a column that is a combination of those before it."""
    for k, design in enumerate(designs):
        names = job.linear.names[k]
        sizes = np.linalg.norm(design, axis=0)
        pivots = np.abs(np.diagonal(_root(design, design.shape[1])))
        lost = pivots <= RANK * np.where(sizes > 0.0, sizes, 1.0)
        if lost.any():
            which = f" of {job.columns[k]}" if job.linear.per_column else ""
            raise DataError(
                f"the design{which} is rank deficient: {names[int(np.argmax(lost))]} is zero or a "
                f"linear combination of the columns before it. Leave one of {listed(names)} out."
            )


def _require_residuals(sizes: Array, values: Array, columns: Sequence[str]) -> None:
    """Refuse columns that the design explains to rounding."""
    exact = sizes <= 16.0 * EPS * values
    if exact.any():
        names = [columns[j] for j in np.flatnonzero(exact).tolist()]
        raise NotPositiveDefiniteError(
            f"{listed(names)} {'is' if len(names) == 1 else 'are'} a linear function of the "
            "design, to rounding: no variance is left, and the likelihood is unbounded. Leave the "
            "column out (columns=…), or what determines it out of the design.",
            smallest_eigenvalue=0.0,
            columns=names,
        )


def _too_few(n: int, d: int, p: int, columns: Sequence[str]) -> NotPositiveDefiniteError:
    return NotPositiveDefiniteError(
        f"{counted(n, 'row')} cannot determine {counted(p, 'coefficient')} a column and a full "
        f"covariance of {counted(d, 'column')}: its likelihood is unbounded. Give at least {d + p} "
        "rows, fewer columns (columns=…), or a smaller model such as covariance='diagonal'.",
        smallest_eigenvalue=0.0,
        columns=tuple(columns),
    )
