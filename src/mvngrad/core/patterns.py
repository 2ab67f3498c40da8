"""Rows with holes, sorted by pattern: which entries they have. A commutative monoid, like Moments.

Rows of one pattern o enter the likelihood only through their weight n, mean c and scatter C, so
where a pattern has many rows they are replaced by 1 + |o| rows that say the same: the *mean row*
c with weight n, and the rows of R, RᵀR = C, each with weight 1. For any μ

    Σ w (x−μ)(x−μ)ᵀ = n (c−μ)(c−μ)ᵀ + RᵀR

so a row carries, beside its weight, whether μ is taken from it (``anchored``: 1 for rows as they
are and for mean rows, 0 for rows of R). What works on rows never asks which kind it meets, a
pattern of few rows keeps them as they are, and no d×d matrix is kept for any pattern.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_rows, as_weights, require_no_infinity
from mvngrad.core.frame import AffineFrame, median_frame
from mvngrad.core.kept import Kept, PatternMoments, pattern_moments, same_moments
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.sorting import Mask, distinct_in_order
from mvngrad.core.threads import calm_blas, default_threads, map_reduce
from mvngrad.errors import DataError

CHUNK_ELEMENTS = 2**22  # 32 MB of float64: sorted, and merged with the next, as one
BLOCK_PATTERNS = 1024  # whose rows are centred at a time
MANY = 64  # rows of a pattern that are worth replacing

Rows = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Rows sorted by pattern, in a diagonal frame x = m₀ + L₀z.

    Parameters
    ----------
    frame : AffineFrame          diagonal: holes do not mix with other columns
    observed : (p, d) bool       the patterns, all different, none empty
    counts : (p,) int            rows of each, of positive weight
    starts : (p + 1,) int        the kept rows of pattern k are starts[k] : starts[k + 1]
    kept : Kept                  rows, weights, anchors
    n_empty : int                rows of positive weight with nothing observed: they say nothing

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [np.nan, 5.0], [3.0, 4.0], [np.nan, np.nan]])
    >>> data = Patterns.of(X)
    >>> data.observed.tolist(), data.counts.tolist(), data.n_empty
    ([[False, True], [True, True]], [1, 2], 1)
    """

    frame: AffineFrame
    observed: Mask
    counts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    kept: Kept
    n_empty: int = 0

    @classmethod
    def of(
        cls,
        X: Any,
        weights: Any = None,
        frame: AffineFrame | None = None,
        *,
        threads: int | None = None,
        merged: bool = True,
    ) -> Patterns:
        """Patterns of the rows of X (n, d), NaN where missing, or of an iterator of such arrays.

        ``merged=False`` keeps every row as it is, within one chunk.
        """
        if isinstance(X, Iterator):
            return _of_chunks(X, weights, frame, merged)
        X = as_rows(X)
        w = as_weights(weights, len(X))
        frame = median_frame(X) if frame is None else frame
        rows = max(CHUNK_ELEMENTS // X.shape[1], 1)
        bounds = itertools.pairwise([*range(0, len(X), rows), len(X)])

        def task(bound: tuple[int, int]) -> Patterns:
            part = slice(*bound)
            return _of_rows(X[part], None if w is None else w[part], frame, merged, bound[0])

        with calm_blas(X.shape[1]):
            return map_reduce(task, list(bounds), cls.__add__, threads or default_threads())

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.observed.shape[1])

    @property
    def n_obs(self) -> int:
        """Rows of positive weight with something observed."""
        return int(self.counts.sum())

    @cached_property
    def holes(self) -> npt.NDArray[np.uintp]:
        """The missing columns of every pattern, one pattern after the other."""
        return np.nonzero(~self.observed)[1].astype(np.uintp)

    @cached_property
    def hole_ends(self) -> npt.NDArray[np.int64]:
        """The holes of pattern k are holes[hole_ends[k] : hole_ends[k + 1]] (p + 1,)."""
        return _starts(self.d - self.observed.sum(axis=1))

    @cached_property
    def pattern_weights(self) -> Array:
        """Σw of the rows of each pattern (p,)."""
        if not len(self.counts):
            return np.zeros(0)
        return np.add.reduceat(self.kept.weights * self.kept.anchored, self.starts[:-1])

    @cached_property
    def weight(self) -> float:
        """n = Σw over rows with something observed."""
        return float(self.pattern_weights.sum())

    @cached_property
    def log_volume(self) -> float:
        """Σ w log|L₀| over observed entries: J in the data's units is this much above that in z."""
        return float(self.pattern_weights @ self.observed @ np.log(self.frame.root))

    @cached_property
    def coverage(self) -> Array:
        """Rows in which both columns are observed (d, d); on the diagonal, in which one is."""
        O = self.observed.astype(np.float64)
        with calm_blas(self.d):
            return (O.T * self.counts) @ O

    @property
    def each(self) -> Iterator[tuple[Mask, Kept]]:
        """Every pattern with its kept rows."""
        for observed, begin, end in zip(
            self.observed, self.starts[:-1], self.starts[1:], strict=True
        ):
            yield observed, Kept(*(part[begin:end] for part in self.kept))

    @cached_property
    def moments(self) -> PatternMoments:
        """Moments of all patterns."""
        return self.moments_of(slice(None))

    def moments_of(self, part: slice) -> PatternMoments:
        """Moments of some patterns, (p, d, d) of them."""
        begin, end, _ = part.indices(len(self.counts))
        starts = self.starts[begin : end + 1]
        rows = slice(starts[0], starts[-1])
        return pattern_moments(Kept(*(a[rows] for a in self.kept)), starts - starts[0])

    def means(self) -> Patterns:
        """One row for each pattern, the mean of its rows: what a report on holes needs."""
        z, w, a = self.kept
        n = self.pattern_weights
        means = np.add.reduceat((w * a)[:, None] * z, self.starts[:-1]) / n[:, None]
        kept = Kept(means, n, np.ones(len(n)))
        return replace(self, starts=np.arange(len(n) + 1), kept=kept)

    def available(self) -> tuple[Array, Array]:
        """Mean and variance of each column over the rows that have it, in the frame."""
        z, w, a = self.kept
        n = self.pattern_weights @ self.observed
        with np.errstate(invalid="ignore"):
            mean = (a * w) @ z / n
            square = np.zeros(self.d)
            for begin in range(0, len(self.counts), BLOCK_PATTERNS):
                part = slice(begin, min(begin + BLOCK_PATTERNS, len(self.counts)))
                rows = slice(self.starts[part.start], self.starts[part.stop])
                sizes = np.diff(self.starts[part.start : part.stop + 1])
                y = z[rows] - np.multiply.outer(a[rows], mean)
                y[~np.repeat(self.observed[part], sizes, axis=0)] = 0.0
                square += np.einsum("i,ij,ij->j", w[rows], y, y)
            return mean, square / n

    def __add__(self, other: Patterns) -> Patterns:
        """Both sets of rows together, in this one's frame."""
        if not isinstance(other, Patterns):
            return NotImplemented
        if other.d != self.d:
            raise DataError(f"cannot add patterns of {self.d} and of {other.d} columns.")
        parts = self, other.in_frame(self.frame)
        observed = np.concatenate([part.observed for part in parts])
        first, group = _distinct(observed)
        ids = group[np.repeat(np.arange(len(observed)), np.concatenate(_sizes(parts)))]
        kept = Kept(*map(np.concatenate, zip(*(part.kept for part in parts), strict=True)))
        counts = np.bincount(group, np.concatenate([p.counts for p in parts]), len(first))
        order = np.argsort(ids, kind="stable")
        return _merged(
            self.frame,
            observed[first],
            counts.astype(np.int64),
            _starts(np.bincount(ids, minlength=len(first))),
            Kept(*(part[order] for part in kept)),
            self.n_empty + other.n_empty,
        )

    def in_frame(self, frame: AffineFrame) -> Patterns:
        """The same rows in another diagonal frame."""
        if frame.equals(self.frame):
            return self
        shift = (self.frame.origin - frame.origin) / frame.root
        z = self.kept.z * (self.frame.root / frame.root)
        z += np.multiply.outer(self.kept.anchored, shift)
        z[~np.repeat(self.observed, np.diff(self.starts), axis=0)] = 0.0
        return replace(self, frame=frame, kept=self.kept._replace(z=z))


def of_complete(moments: Moments) -> Patterns:
    """Complete rows, of which no more than the mean is kept."""
    d, z = moments.d, moments.mean[None]
    kept = Kept(z, np.array([moments.weight]), np.ones(1))
    counts, starts = np.array([moments.n_obs]), np.array([0, 1])
    return Patterns(AffineFrame.identity(d), np.ones((1, d), bool), counts, starts, kept)


def _of_chunks(
    chunks: Iterator[Any], weights: Any, frame: AffineFrame | None, merged: bool
) -> Patterns:
    total: Patterns | None = None
    beside = itertools.repeat(None) if weights is None else iter(weights)
    for chunk, w in zip(chunks, beside, strict=False):
        at = frame if total is None else total.frame
        part = Patterns.of(chunk, w, at, merged=merged)
        total = part if total is None else total + part
    if total is None:
        raise DataError("the iterator of chunks is empty; need at least one array (n, d).")
    return total


def _of_rows(X: Rows, w: Array | None, frame: AffineFrame, merged: bool, offset: int) -> Patterns:
    """Patterns of one chunk, on the calling thread."""
    require_no_infinity(X, w, offset=offset)
    observed = ~np.isnan(X) if X.dtype.kind == "f" else np.ones(X.shape, bool)
    whole = observed.any(axis=1)
    used = whole if w is None else whole & (w > 0.0)
    n_empty = int((~whole if w is None else ~whole & (w > 0.0)).sum())
    if not used.all():
        X, observed = X[used], observed[used]
        w = None if w is None else w[used]
    first, ids, order = distinct_in_order(observed)
    patterns, counts = observed[first], np.bincount(ids, minlength=len(first))
    del observed, ids  # the copy of the rows is all that should be large
    z = X[order].astype(np.float64, copy=False)  # a copy already, worked on in place
    z -= frame.origin
    z /= frame.root
    np.copyto(z, 0.0, where=np.isnan(z))
    weights = np.ones(len(z)) if w is None else w[order]
    kept = Kept(z, weights, np.ones(len(z)))
    build = _merged if merged else Patterns
    return build(frame, patterns, counts.astype(np.int64), _starts(counts), kept, n_empty)


# Sorting


def _sizes(parts: tuple[Patterns, Patterns]) -> list[npt.NDArray[np.int64]]:
    return [np.diff(part.starts) for part in parts]


def _starts(sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _distinct(observed: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    first, ids, _ = distinct_in_order(observed)
    return first, ids


# Merging rows of a pattern


def _merged(
    frame: AffineFrame,
    observed: Mask,
    counts: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    kept: Kept,
    n_empty: int,
) -> Patterns:
    """Patterns in which none keeps many more rows than 1 + |o|. ``kept`` is overwritten."""
    sizes, widths = np.diff(starts), observed.sum(axis=1)
    many = np.flatnonzero(sizes >= np.maximum(4 * (widths + 1), MANY))
    if not len(many):
        return Patterns(frame, observed, counts, starts, kept, n_empty)
    stay, sizes = np.ones(len(kept.z), bool), sizes.copy()
    for k in many:
        begin, end, size = starts[k], starts[k + 1], widths[k] + 1
        rows = Kept(*(part[begin:end] for part in kept))
        for part, new in zip(kept, same_moments(rows, observed[k]), strict=True):
            part[begin : begin + size] = new
        stay[begin + size : end], sizes[k] = False, size
    return Patterns(
        frame, observed, counts, _starts(sizes), Kept(*(p[stay] for p in kept)), n_empty
    )
