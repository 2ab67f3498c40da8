"""One chunk of rows, gathered by pattern of holes: read in order of pattern, a block at a time.

Rows of a pattern that has many are replaced on the way, so that nothing is held but what is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import require_no_infinity
from mvngrad.core.frame import AffineFrame
from mvngrad.core.kept import SAFE_PIVOT, Kept, same_moments
from mvngrad.core.kernels import loops
from mvngrad.core.ops import Array
from mvngrad.core.sorting import Index, Mask, in_order, keys_of

MANY = 24  # rows of a pattern that are worth replacing, by half of them at most
# Multiply-adds of an evaluation from which the compiled loops pay: NumPy takes 1 ms or more, a fit
# of some twenty and its certificate four times that of the loops. Loading these takes half a second
# once in a process.
KERNEL_WORK = 5e5
BLOCK = 2**16  # numbers that are centred and scaled while they are in cache

Rows = npt.NDArray[Any]


class Groups(NamedTuple):
    """Patterns (p, d), rows of each (p,), where their kept rows begin (p + 1,), and these."""

    observed: Mask
    counts: Index
    starts: Index
    kept: Kept


def grouped(
    X: Rows, w: Array | None, frame: AffineFrame, *, merged: bool, offset: int
) -> tuple[Groups, int]:
    """Rows of positive weight with something observed; and how many have nothing."""
    require_no_infinity(X, w, offset=offset)
    observed = ~np.isnan(X) if X.dtype.kind == "f" else np.ones(X.shape, bool)
    keys = keys_of(observed)
    whole = keys[:, 0] != 0 if keys.shape[1] == 1 else keys.any(axis=1)
    used = whole if w is None else whole & (w > 0.0)
    n_empty = int((~whole if w is None else ~whole & (w > 0.0)).sum())
    rows = None if used.all() else np.flatnonzero(used)
    order, begins = in_order(keys if rows is None else keys[rows])
    order = order if rows is None else rows[order]
    patterns, counts = observed[order[begins[:-1]]], np.diff(begins)
    del observed, keys  # what is kept is all that should be large
    sizes = kept_sizes(counts, patterns) if merged else counts
    kept = _gathered(X, w, frame, patterns, (order, begins), sizes)
    return Groups(patterns, counts, starts_of(sizes), kept), n_empty


def starts_of(sizes: npt.NDArray[Any]) -> Index:
    """0, and where each of the sizes ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def kept_sizes(sizes: Index, observed: Mask) -> Index:
    """Rows of each pattern that are kept: 1 + |o| where it has many more, else all."""
    least = 1 + observed.sum(axis=1)
    return np.where(sizes >= np.maximum(2 * least, MANY), least, sizes)


def _gathered(
    X: Rows, w: Array | None, frame: AffineFrame, observed: Mask, rows: tuple[Index, Index],
    sizes: Index,
) -> Kept:  # fmt: skip
    """Rows as they are, and in the place of many those that say the same."""
    (order, begins), total, d = rows, int(sizes.sum()), X.shape[1]
    kept = Kept(np.empty((total, d)), np.ones(total), np.ones(total))
    fewer, block = sizes < np.diff(begins), max(BLOCK // d, 1)
    pays = work(d, total, len(sizes)) >= KERNEL_WORK and _has_reciprocals(frame.root)
    if pays and (kernel := loops("merging")) is not None:
        fewer = _put_compiled(kernel, kept, X, w, frame, observed, rows, sizes)
    else:
        source, places = _split(order, np.diff(begins), sizes, ~fewer)
        for begin in range(0, len(source), block):
            part = slice(begin, begin + block)
            _put(kept, places[part], _read(X, w, frame, source[part]))
    if not fewer.any():
        return kept
    source, places = _split(order, np.diff(begins), sizes, fewer)
    starts, ends = starts_of(np.diff(begins)[fewer]), starts_of(sizes[fewer])
    for p, q in _some(starts, block):
        read = _read(X, w, frame, source[starts[p] : starts[q]])
        same = same_moments(read, starts[p : q + 1] - starts[p], observed[fewer][p:q])
        _put(kept, places[ends[p] : ends[q]], same)
    return kept


def _put_compiled(
    kernel: Any, kept: Kept, X: Rows, w: Array | None, frame: AffineFrame, observed: Mask,
    rows: tuple[Index, Index], sizes: Index,
) -> Mask:  # fmt: skip
    """All rows but those of patterns to be replaced by QR; which these are."""
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    weights = np.empty(0) if w is None else w.astype(np.float64, copy=False)
    reads = (weights, frame.origin, 1.0 / frame.root, *rows, starts_of(sizes), observed)
    compact = map(np.ascontiguousarray, reads)  # X, which is large, is read as it lies
    return np.asarray(kernel.put(*map(_frozen, (X, *compact)), SAFE_PIVOT, *kept))


def _has_reciprocals(root: Array) -> bool:
    """Whether the loop may multiply by the reciprocals of scales, without overflow."""
    return bool(((root > 1e-300) & (root < 1e300)).all())


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view, so that arrays that are and that are not share a compiled loop."""
    view = array.view()
    view.flags.writeable = False
    return view


def work(d: int, rows: int, patterns: int) -> float:
    """Multiply-adds of an evaluation of so many kept rows, about: a function of shape alone."""
    return float(d**2 * (rows + d * patterns))


def _split(order: Index, counts: Index, sizes: Index, chosen: Mask) -> tuple[Index, Index]:
    """Rows of the patterns chosen, and places of what is kept of them."""
    return order[np.repeat(chosen, counts)], np.flatnonzero(np.repeat(chosen, sizes))


def _some(starts: Index, rows: int) -> Iterator[tuple[int, int]]:
    """Patterns from … to …, with as many rows as that, or one alone."""
    begin, last = 0, len(starts) - 1
    while begin < last:
        end = int(np.searchsorted(starts, starts[begin] + rows, side="right")) - 1
        end = min(max(end, begin + 1), last)
        yield begin, end
        begin = end


def _read(X: Rows, w: Array | None, frame: AffineFrame, rows: Index) -> Kept:
    """Some rows in the frame, 0 where missing; a copy."""
    z = X[rows].astype(np.float64, copy=False)
    z -= frame.origin
    z /= frame.root
    np.copyto(z, 0.0, where=np.isnan(z))
    return Kept(z, np.ones(len(rows)) if w is None else w[rows], np.ones(len(rows)))


def _put(kept: Kept, places: Index, rows: Kept) -> None:
    for to, part in zip(kept, rows, strict=True):
        to[places] = part


def merged(groups: Groups) -> Groups:
    """The same with no pattern keeping many more rows than 1 + |o|. Overwrites what is kept."""
    observed, counts, starts, kept = groups
    sizes = kept_sizes(np.diff(starts), observed)
    fewer = np.flatnonzero(sizes < np.diff(starts))
    if not len(fewer):
        return groups
    stay = np.ones(len(kept.z), bool)
    for k in fewer:
        begin, end = starts[k], starts[k + 1]
        rows = Kept(*(part[begin:end] for part in kept))
        same = same_moments(rows, np.array([0, end - begin]), observed[k : k + 1])
        _put(kept, np.arange(begin, begin + sizes[k]), same)
        stay[begin + sizes[k] : end] = False
    return Groups(observed, counts, starts_of(sizes), Kept(*(part[stay] for part in kept)))
