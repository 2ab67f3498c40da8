"""Rows in order of their pattern of holes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def distinct_in_order(observed: Mask) -> tuple[npt.NDArray[np.int64], ...]:
    """A row of each pattern, the number of each row's pattern, and rows in order of pattern."""
    keys = _keys(observed)
    order = _order(keys)
    new = np.ones(len(order), bool)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    ids = np.empty(len(order), np.int64)
    ids[order] = np.cumsum(new) - 1
    return order[new], ids, order


def _keys(observed: Mask) -> npt.NDArray[np.uint64]:
    """Patterns as whole numbers of 64 bits (n, ⌈d/64⌉), first column first."""
    n, d = observed.shape
    bits = np.packbits(observed, axis=1)
    words = np.zeros((n, -(-d // 64) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    return words.view(">u8").astype(np.uint64)


def _order(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Rows in order of their keys, equal ones as they came."""
    n, words = keys.shape
    room = np.uint64(max(n - 1, 1).bit_length())
    if words == 1 and not (keys & ((np.uint64(1) << room) - np.uint64(1))).any():
        # The low bits of the keys are free for the row's number: one plain sort does it all.
        tagged = np.sort((keys[:, 0]) | np.arange(n, dtype=np.uint64))
        return (tagged & ((np.uint64(1) << room) - np.uint64(1))).astype(np.int64)
    return np.lexsort(keys.T[::-1])
