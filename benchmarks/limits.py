"""The machine's own limits: reading the array once, and multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from benchmarks.machine import usable_cores
from benchmarks.problems import Floats, Size
from benchmarks.timing import interleaved

SIDE = 3000


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"})
def _sum(x: Any) -> float:
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


def reading(X: Floats) -> Callable[[], float]:
    """The call that reads the array once, a part a thread."""
    parts = np.array_split(X.reshape(-1), usable_cores())
    pool = ThreadPoolExecutor(len(parts))
    return lambda: sum(pool.map(_sum, parts))


def peak_flops(rounds: int) -> float:
    """Multiplications and additions a second of a large dgemm, at its fastest.

    A product of large square matrices is as near to the peak of the hardware as libraries come.
    """
    A = np.ones((SIDE, SIDE))
    return 2.0 * SIDE**3 / interleaved({"dgemm": lambda: A @ A}, rounds)["dgemm"].minimum


def flops_of_scatter(size: Size) -> float:
    """Multiplications and additions of the lower triangle of the scatter: n d (d + 1)."""
    return float(size.n) * size.d * (size.d + 1)
