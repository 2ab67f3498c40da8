"""Turns of candidates that may sit in other processes, each timing its own calls.

As in ``timing``, but the processor time of another process counts as the candidate's, not as that
of others, and what takes long runs once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Protocol

from benchmarks import timing
from benchmarks.machine import usable_cores
from benchmarks.problems import Floats
from benchmarks.timing import Samples

ONCE_SECONDS = 10.0  # what takes longer runs once
WARM_UP_ROWS = 1_000  # enough for an estimate to exist, whatever the holes


class Sitting(Protocol):
    """A candidate with its data in place."""

    def calls(self, repeats: int) -> tuple[float, float]:
        """Seconds a call, and processor seconds of all of them in another process than this."""

    def estimate(self) -> tuple[Floats, Floats]:
        """Mean and covariance, of the last call."""

    def close(self) -> None:
        """No more calls will come."""


class Here:
    """A fit in this process, and how to read mean and covariance from what it returns."""

    def __init__(
        self,
        fit: Callable[[Floats], Any],
        read: Callable[[Any], tuple[Floats, Floats]],
        X: Floats,
    ):
        self._fit, self._read, self._X = fit, read, X
        self._result: Any = fit(X[:WARM_UP_ROWS])

    def calls(self, repeats: int) -> tuple[float, float]:
        """Timed by the wall clock; nothing runs elsewhere."""
        began = time.perf_counter()
        for _ in range(repeats):
            self._result = self._fit(self._X)
        return (time.perf_counter() - began) / repeats, 0.0

    def estimate(self) -> tuple[Floats, Floats]:
        """Mean and covariance, of the last call."""
        return self._read(self._result)

    def close(self) -> None:
        """Nothing to end."""


def first(sitting: Sitting) -> Samples:
    """The first call on the data: the only one where it takes long, else left out of the rest."""
    seconds, clean = _sample(sitting, 1)
    return Samples([seconds], [clean])


def taken(
    firsts: Mapping[str, Samples], at: Mapping[str, Sitting], rounds: int
) -> dict[str, Samples]:
    """Samples of those that are quick, in turns, and the one sample of those that are not."""
    repeats = {
        name: ceil(timing.SAMPLE_SECONDS / max(once.minimum, 1e-6))
        for name, once in firsts.items()
        if once.minimum <= ONCE_SECONDS
    }
    samples = {name: Samples() if name in repeats else once for name, once in firsts.items()}
    for _ in range(timing.PATIENCE * rounds):
        for name, count in repeats.items():
            seconds, clean = _sample(at[name], count)
            samples[name].seconds.append(seconds)
            samples[name].clean.append(clean)
        if all(sum(samples[name].clean) >= rounds for name in repeats):
            break
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return samples


def _sample(sitting: Sitting, repeats: int) -> tuple[float, bool]:
    """Seconds a call, and whether others left the machine alone meanwhile."""
    timing._wait_for_others()
    busy, own = timing._busy(), timing._own()
    began = time.perf_counter()
    seconds, elsewhere = sitting.calls(repeats)
    wall = time.perf_counter() - began
    others = (timing._busy() - busy) - (timing._own() - own) - elsewhere
    return seconds, others <= timing.DISTURBED * wall * usable_cores()
