"""The machine's own limits: reading the array once, and multiply-adds in registers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import perf_counter
from typing import Any

import numba
import numpy as np

from benchmarks.machine import usable_cores
from benchmarks.problems import Floats, Size

CHAINS = 16  # independent vectors in flight, enough to hide the latency of a multiply-add
LANES = 8


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"})
def _sum(x: Any) -> float:
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@numba.njit(nogil=True, fastmath={"contract"})
def _multiply_add(x: Any, steps: int) -> None:
    """x ← ax + b in place, eight steps a visit; x stays in the first-level cache."""
    for _ in range(steps):
        for i in range(x.size):
            y = x[i]
            y = y * 0.99 + 0.01
            y = y * 0.98 + 0.02
            y = y * 0.97 + 0.03
            y = y * 0.96 + 0.04
            y = y * 0.95 + 0.05
            y = y * 0.94 + 0.06
            y = y * 0.93 + 0.07
            y = y * 0.92 + 0.08
            x[i] = y


def reading(X: Floats) -> Callable[[], float]:
    """The call that reads the array once, a part a thread."""
    parts = np.array_split(X.reshape(-1), usable_cores())
    pool = ThreadPoolExecutor(len(parts))
    return lambda: sum(pool.map(_sum, parts))


@cache
def peak_flops() -> tuple[float, float]:
    """Multiplications and additions a second on all threads: (loop in registers, dgemm)."""
    threads = usable_cores()
    steps, size = 20_000, CHAINS * LANES * 4
    arrays = [np.ones(size) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        loop = _fastest(lambda: list(pool.map(lambda x: _multiply_add(x, steps), arrays)))
    A = np.ones((3000, 3000))
    return 16.0 * steps * size * threads / loop, 2.0 * 3000**3 / _fastest(lambda: A @ A)


def _fastest(call: Callable[[], object], times: int = 7) -> float:
    seconds = []
    for _ in range(times + 1):
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return min(seconds[1:])


def flops_of_scatter(size: Size) -> float:
    """Multiplications and additions of the lower triangle of the scatter: n d (d + 1)."""
    return float(size.n) * size.d * (size.d + 1)
