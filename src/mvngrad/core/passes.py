"""The pass over rows: chunks → sums about a pilot → Moments, merged in one fixed tree.

A chunk is summed about the mean p of a few rows from all over it (first rows alone mislead in a
sorted file), then centred, C = Q − ttᵀ/n with t = Σw(x−p). That costs 1 + |p − m|²/variance times
the rounding of Q: nothing as a rule; where outliers or weights put p several deviations from m
the chunk is summed again about its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_rows, as_weights, require_finite_rows
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, add_outer
from mvngrad.core.scatter import Sums, added, chunk_bounds, chunk_sums
from mvngrad.core.threads import default_threads, map_reduce
from mvngrad.errors import DataError

PILOT_ROWS = 64
FRAME_ROWS = 4096
SCALE_ROWS = 256
HARMLESS_CANCELLATION = 4.0  # |p − m|² in variances
REPEATS = 3  # a pilot 1e30 deviations away is at the mean after two
# Products of two values keep clear of overflow while scales stay within these bounds.
TAME = 2.0**400

# Evaluations of J that its rows are likely to serve.
EVALUATIONS = 10

Rows = npt.NDArray[Any]
Part = TypeVar("Part", Moments, Sums)
Task = Callable[[Rows, Array | None], Part]
Merge = Callable[[Part, Part], Part]


class Job(NamedTuple):
    """What all chunks share: their frame, and the work that chooses the loop."""

    frame: AffineFrame
    work: float


def of_rows(
    X: Any, weights: Any, frame: AffineFrame | str | None = None, threads: int | None = None
) -> Moments:
    """Moments of an array (n, d)."""
    moments = _of_rows(X, weights, frame, threads)
    _require_weight(moments)
    return moments


def sums_about(X: Rows, mu: Array, weights: Any, root: Array | None = None) -> Sums:
    """Sums of root⁻¹(x − μ): for J at μ, which wants A about μ and no mean.

    J is evaluated many times where moments are taken once, so its rows count as many.
    """
    work = EVALUATIONS * float(X.shape[0]) * X.shape[1] ** 2

    def task(rows: Rows, w: Array | None) -> Sums:
        return chunk_sums(rows, mu, w, root, work=work)

    sums = _finite(X, as_weights(weights, len(X)), task, added, None)
    _require_weight(sums)
    return sums


def _of_rows(X: Any, weights: Any, frame: AffineFrame | str | None, threads: int | None) -> Moments:
    X = as_rows(X)
    w = as_weights(weights, len(X))
    job = Job(_frame_for(X, w, frame), float(X.shape[0]) * X.shape[1] ** 2)
    return _finite(X, w, partial(chunk_moments, job=job), Moments.__add__, threads)


def _finite(X: Rows, w: Array | None, task: Task[Part], merge: Merge[Part], threads: Any) -> Part:
    """What `task` finds in all rows; those of weight zero may hold anything."""
    part = _over_chunks(X, w, task, merge, threads)
    if w is not None and not _is_finite(part) and (w == 0.0).any():
        part = _over_chunks(X[w > 0.0], w[w > 0.0], task, merge, threads)
    if not _is_finite(part):
        _raise_not_finite(X, w)
    return part


def of_chunks(
    chunks: Iterator[Any],
    weights: Iterable[Any] | None,
    frame: AffineFrame | str | None = None,
    threads: int | None = None,
) -> Moments:
    """Moments of an iterator of arrays (nᵢ, d); the first one sets the frame."""
    total: Moments | None = None
    for chunk, w in _paired(chunks, weights):
        part = _of_rows(chunk, w, frame if total is None else total.frame, threads)
        total = part if total is None else total + part
    if total is None:
        raise DataError("the iterator of chunks is empty; need at least one array (n, d).")
    _require_weight(total)
    return total


def _paired(chunks: Iterator[Any], weights: Iterable[Any] | None) -> Iterator[tuple[Any, Any]]:
    if weights is None:
        yield from zip(chunks, repeat(None), strict=False)
        return
    try:
        yield from zip(chunks, weights, strict=True)
    except ValueError as error:
        raise DataError("there must be one array of weights for each chunk of rows.") from error


def frame_of(X: Rows, weights: Array | None = None, *, full: bool) -> AffineFrame:
    """A frame from some of the rows: their mean, and their scales or their root by QR."""
    some = _some_rows(X, weights, FRAME_ROWS if full else SCALE_ROWS)
    some = some[np.isfinite(some).all(axis=1)]
    if len(some) == 0:
        return AffineFrame.identity(X.shape[1])
    largest = power_of_two(np.abs(some).max(axis=0))
    origin = (some / largest).mean(axis=0) * largest
    residual = some - origin
    scales = power_of_two(np.abs(residual).max(axis=0))
    return AffineFrame(origin, _root(residual / scales, scales) if full else scales)


def _some_rows(X: Rows, w: Array | None, at_most: int) -> Array:
    """Rows evenly spaced among those of positive weight, in float64."""
    used = range(len(X)) if w is None else np.flatnonzero(w)
    step = max(-(-len(used) // at_most), 1)
    return np.asarray(X[::step] if w is None else X[used[::step]], dtype=np.float64)


def _root(Z: Array, scales: Array) -> Array:
    """L₀ by QR of centred rows; a direction they leave out gets its column's own scale."""
    d = Z.shape[1]
    R = np.zeros((d, d))
    R[: min(Z.shape)] = np.linalg.qr(Z, mode="r") / np.sqrt(len(Z))
    R *= np.where(np.diagonal(R) < 0.0, -1.0, 1.0)[:, None]
    norms = np.linalg.norm(R, axis=0)
    lost = np.diagonal(R) <= 8.0 * d * np.finfo(float).eps * norms
    R[lost] = 0.0
    R[lost, lost] = np.where(norms > 0.0, norms, 1.0)[lost]
    return np.tril((R * scales).T)


def _frame_for(X: Rows, w: Array | None, frame: AffineFrame | str | None) -> AffineFrame:
    if isinstance(frame, AffineFrame):
        if len(frame.origin) != X.shape[1]:
            raise DataError(f"the frame has {len(frame.origin)} columns, the data {X.shape[1]}.")
        return frame
    if frame not in (None, "diagonal", "full"):
        raise DataError(f"frame must be 'diagonal', 'full' or an AffineFrame; got {frame!r}.")
    return frame_of(X, w, full=frame == "full")


def _over_chunks(
    X: Rows, w: Array | None, task: Task[Part], merge: Merge[Part], threads: int | None
) -> Part:
    def of_chunk(bounds: tuple[int, int]) -> Part:
        rows = slice(*bounds)
        return task(X[rows], None if w is None else w[rows])

    bounds = chunk_bounds(*X.shape)
    if len(bounds) == 1:
        return task(X, w)
    return map_reduce(of_chunk, bounds, merge, threads or default_threads())


def chunk_moments(X: Rows, w: Array | None, job: Job) -> Moments:
    """Moments of one chunk, in the frame, on the calling thread."""
    with np.errstate(invalid="ignore", over="ignore"):
        some = _some_rows(X, w, PILOT_ROWS)
        pilot = some.mean(axis=0) if len(some) else job.frame.origin
        pilot = np.where(np.isfinite(pilot), pilot, job.frame.origin)
        moments, misplaced = _about(X, pilot, w, job)
        for _ in range(REPEATS):
            if not misplaced:
                break
            moments, misplaced = _about(X, moments.mean, w, job)
    return moments


def _about(X: Rows, pilot: Array, w: Array | None, job: Job) -> tuple[Moments, bool]:
    """Moments by sums about a pilot, and whether it was too far from the mean to be one."""
    frame = job.frame
    late = frame.is_diagonal and bool((frame.root < TAME).all() and (frame.root > 1 / TAME).all())
    n, t, Q = chunk_sums(X, pilot, w, None if late else frame.root, work=job.work)
    if late:
        # Scales of our own are powers of two: scaling the sums gives the bits of scaled rows.
        t /= frame.root
        Q /= frame.root
        Q /= frame.root[:, None]
    n_obs = len(X) if w is None else int(np.count_nonzero(w))
    center = frame.whiten(pilot - frame.origin)
    if n == 0.0:
        return Moments(0.0, 0, center, np.zeros_like(Q), frame), False
    u = t / np.sqrt(n)
    Q = add_outer(Q, u, -1.0)
    misplaced = bool((u * u > HARMLESS_CANCELLATION * np.diagonal(Q)).any())
    return Moments(n, n_obs, center + t / n, Q, frame), misplaced


def _is_finite(part: Moments | Sums) -> bool:
    """Whether the squares of every column have a sum: then so has all else."""
    scatter = part.spread if isinstance(part, Moments) else part.scatter
    return bool(np.isfinite(scatter.diagonal()).all())


def _raise_not_finite(X: Rows, w: Array | None) -> None:
    require_finite_rows(X, w)
    raise overflow(X)


def overflow(X: Rows) -> DataError:
    """The error for values whose squares float64 cannot hold."""
    return DataError(
        f"the spread of the data overflows: values reach {np.abs(X).max():.3g}. "
        "Rescale the columns, for example to units in which they are near 1."
    )


def _require_weight(part: Moments | Sums) -> None:
    if part.weight == 0.0:
        raise DataError("no row has a positive weight; need at least one.")
