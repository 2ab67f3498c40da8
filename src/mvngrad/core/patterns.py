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

from mvngrad.core.checks import as_rows, as_weights
from mvngrad.core.frame import AffineFrame, median_frame, read_only
from mvngrad.core.grouping import Groups, grouped, merged, starts_of
from mvngrad.core.kept import Kept, PatternMoments, pattern_moments
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.sorting import Group, Mask, distinct_in_order, of_one_size
from mvngrad.core.threads import calm_blas, default_threads, map_reduce
from mvngrad.errors import DataError

CHUNK_ELEMENTS = 2**22  # 32 MB of float64: sorted, and merged with the next, as one
CHUNK = 2**17  # numbers in rows that are worked on together: they stay in a second-level cache
BLOCK_PATTERNS = 1024  # whose rows are centred at a time


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
            chunk, of_chunk = X[part], None if w is None else w[part]
            groups, n_empty = grouped(chunk, of_chunk, frame, merged=merged, offset=bound[0])
            return cls(frame, *groups, n_empty)

        with calm_blas(X.shape[1]):
            if len(X) <= rows:
                return task((0, len(X)))
            return map_reduce(task, bounds, cls.__add__, threads or default_threads())

    @cached_property
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
        return starts_of(self.d - self.observed.sum(axis=1))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Patterns of one size together, for sums that go by rows."""
        return of_one_size(self.observed, np.diff(self.starts))

    @cached_property
    def chunks(self) -> list[tuple[int, int]]:
        """Patterns from … to …, as many as have the rows of a chunk: the data alone decide."""
        rows = max(CHUNK // self.d, 256)
        ends = np.searchsorted(self.starts, np.arange(rows, len(self.kept.z), rows))
        edges = np.unique(np.concatenate([[0], ends, [len(self.counts)]]))
        return list(itertools.pairwise(edges.tolist()))

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
    def entries(self) -> float:
        """Σ w|o|: observed entries."""
        return float(self.pattern_weights @ self.observed.sum(axis=1))

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

    @cached_property
    def pairs(self) -> Mask:
        """Whether both columns are observed, of all patterns."""
        return self.pairs_of(slice(None))

    def pairs_of(self, part: slice) -> Mask:
        """Of some patterns, (p, d, d)."""
        return self.observed[part, :, None] & self.observed[part, None, :]

    def means(self) -> Patterns:
        """One row for each pattern, the mean of its rows: what a report on holes needs."""
        z, w, a = self.kept
        means = np.empty((len(self.counts), self.d))
        for part, rows in self._blocks():
            first = self.starts[part] - rows.start
            means[part] = np.add.reduceat((w[rows] * a[rows])[:, None] * z[rows], first)
        n = self.pattern_weights
        means /= n[:, None]
        kept = Kept(means, n, np.ones(len(n)))
        return replace(self, starts=np.arange(len(n) + 1), kept=kept)

    def available(self) -> tuple[Array, Array]:
        """Mean and variance of each column over the rows that have it, in the frame."""
        return self._available

    @cached_property
    def _available(self) -> tuple[Array, Array]:
        z, w, a = self.kept
        n = self.pattern_weights @ self.observed
        with np.errstate(invalid="ignore"):
            mean = (a * w) @ z / n
            square = np.zeros(self.d)
            for part, rows in self._blocks():
                y = z[rows] - np.multiply.outer(a[rows], mean)
                sizes = np.diff(self.starts[part.start : part.stop + 1])
                y *= np.repeat(self.observed[part], sizes, axis=0)
                square += w[rows] @ (y * y)
            return read_only(mean), read_only(square / n)

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        """Some patterns after the other, and their rows."""
        for begin in range(0, len(self.counts), BLOCK_PATTERNS):
            part = slice(begin, min(begin + BLOCK_PATTERNS, len(self.counts)))
            yield part, slice(self.starts[part.start], self.starts[part.stop])

    def __add__(self, other: Patterns) -> Patterns:
        """Both sets of rows together, in this one's frame."""
        if not isinstance(other, Patterns):
            return NotImplemented
        if other.d != self.d:
            raise DataError(f"cannot add patterns of {self.d} and of {other.d} columns.")
        parts = self, other.in_frame(self.frame)
        observed = np.concatenate([part.observed for part in parts])
        first, group, _ = distinct_in_order(observed)
        sizes = np.concatenate([np.diff(part.starts) for part in parts])
        ids = group[np.repeat(np.arange(len(observed)), sizes)]
        kept = Kept(*map(np.concatenate, zip(*(part.kept for part in parts), strict=True)))
        counts = np.bincount(group, np.concatenate([p.counts for p in parts]), len(first))
        order = np.argsort(ids, kind="stable")
        kept = Kept(*(part[order] for part in kept))
        starts = starts_of(np.bincount(ids, minlength=len(first)))
        groups = merged(Groups(observed[first], counts.astype(np.int64), starts, kept))
        return Patterns(self.frame, *groups, self.n_empty + other.n_empty)

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
