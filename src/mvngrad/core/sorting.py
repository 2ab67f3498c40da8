"""Rows in order of their pattern of holes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


Index = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

EXACT = 53  # bits of a whole number that float64 holds
BLOCK = 2**15  # numbers at a time


def distinct_in_order(observed: Mask) -> tuple[Index, Index, Index]:
    """A row of each pattern, the number of each row's pattern, and rows in order of pattern."""
    order, begins = in_order(keys_of(observed))
    ids = np.empty(len(order), np.int64)
    ids[order] = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    return order[begins[:-1]], ids, order


def in_order(keys: Keys) -> tuple[Index, Index]:
    """Rows in order of their keys, and where in these each key begins, and the last one ends."""
    order = _order(keys)
    new = np.ones(len(order), bool)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    return order, np.append(np.flatnonzero(new), len(order))


def keys_of(observed: Mask) -> Keys:
    """Patterns as whole numbers of 64 bits (n, ⌈d/64⌉), first column first; 0 for nothing."""
    n, d = observed.shape
    if d > EXACT:
        return _packed(observed)
    powers, keys, rows = 2.0 ** np.arange(d - 1, -1, -1), np.empty(n), max(BLOCK // d, 1)
    for begin in range(0, n, rows):  # sums of powers of two, exact whatever their order
        keys[begin : begin + rows] = observed[begin : begin + rows].astype(np.float64) @ powers
    return (keys.astype(np.uint64) << np.uint64(64 - d))[:, None]


def _packed(observed: Mask) -> Keys:
    n, d = observed.shape
    bits = np.packbits(observed, axis=1)
    words = np.zeros((n, -(-d // 64) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    return words.view(">u8").astype(np.uint64)


def _order(keys: Keys) -> Index:
    """Rows in order of their keys, equal ones as they came."""
    n, words = keys.shape
    if words == 1 and not (keys & np.uint64(2**48 - 1)).any():
        # Of 16 columns at most: NumPy sorts numbers of 16 bits by counting, in linear time.
        return np.argsort((keys[:, 0] >> np.uint64(48)).astype(np.uint16), kind="stable")
    room = np.uint64(max(n - 1, 1).bit_length())
    if words == 1 and not (keys & ((np.uint64(1) << room) - np.uint64(1))).any():
        # The low bits of the keys are free for the row's number: one plain sort does it all.
        tagged = np.sort((keys[:, 0]) | np.arange(n, dtype=np.uint64))
        return (tagged & ((np.uint64(1) << room) - np.uint64(1))).astype(np.int64)
    return np.lexsort(keys.T[::-1])


class Group(NamedTuple):
    """Patterns that observe equally many entries, and their rows.

    patterns (p,)    which they are        entries (p, k)    what they observe
    rows     (m,)    their rows            which   (m,)      the pattern of each row, from 0 … p−1
    """

    patterns: Index
    entries: Index
    rows: Index
    which: Index


def of_one_size(observed: Mask, counts: Index) -> tuple[Group, ...]:
    """Patterns (p, d) with so many rows each, one after the other: those of one size together."""
    sizes = observed.sum(axis=1)
    row_patterns = np.repeat(np.arange(len(counts)), counts)
    found = []
    for k in np.unique(sizes):
        those = np.flatnonzero(sizes == k)
        rows = np.flatnonzero(sizes[row_patterns] == k)
        entries = np.nonzero(observed[those])[1].reshape(len(those), k)
        found.append(Group(those, entries, rows, np.searchsorted(those, row_patterns[rows])))
    return tuple(found)
