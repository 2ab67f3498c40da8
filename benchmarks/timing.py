"""Interleaved timing: candidates take turns, and samples that others disturbed are set aside."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.machine import usable_cores

Call = Callable[[], object]

SAMPLE_SECONDS = 0.2  # at least, so that the share of other processes can be told
PAUSE_SECONDS = 0.1  # lets the spinning threads of the candidate before fall asleep
PAUSES = 10  # at most, while others are busy
DISTURBED = 0.12  # share of the machine used by others
PATIENCE = 2  # times the rounds asked for, while some candidate has too few clean samples


@dataclass
class Samples:
    """Seconds a call, and whether others left the machine alone meanwhile."""

    seconds: list[float] = field(default_factory=list)
    clean: list[bool] = field(default_factory=list)

    @property
    def used(self) -> list[float]:
        """The clean samples; all of them where none is."""
        kept = [s for s, clean in zip(self.seconds, self.clean, strict=True) if clean]
        return kept or self.seconds

    @property
    def median(self) -> float:
        """Median of the samples used."""
        return median(self.used)

    @property
    def minimum(self) -> float:
        """Fastest sample of all."""
        return min(self.seconds)

    @property
    def counts(self) -> str:
        """Samples, and how many of them are clean."""
        return f"{len(self.seconds)} ({sum(self.clean)})"


def interleaved(calls: Mapping[str, Call], rounds: int) -> dict[str, Samples]:
    """Samples of every call, taken in turns until each has ``rounds`` clean ones or patience ends.

    A candidate that has its clean samples goes on while others still lack theirs, so all of them
    see the same machine.
    """
    repeats = {name: _warmed(call) for name, call in calls.items()}
    samples = {name: Samples() for name in calls}
    for _ in range(PATIENCE * rounds):
        for name, call in calls.items():
            seconds, others = _sample(call, repeats[name])
            samples[name].seconds.append(seconds)
            samples[name].clean.append(others <= DISTURBED)
        if all(sum(s.clean) >= rounds for s in samples.values()):
            break
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return samples


def _warmed(call: Call) -> int:
    """Calls that fill a sample, after two to warm up."""
    call()
    began = time.perf_counter()
    call()
    once = time.perf_counter() - began
    if once >= SAMPLE_SECONDS:
        return 1
    began = time.perf_counter()
    trial = max(1, int(0.25 * SAMPLE_SECONDS / once))
    for _ in range(trial):
        call()
    return max(1, round(SAMPLE_SECONDS * trial / (time.perf_counter() - began)))


def _sample(call: Call, repeats: int) -> tuple[float, float]:
    """Seconds a call, and the share of the machine that others used meanwhile."""
    _wait_for_others()
    busy, own = _busy(), _own()
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    wall = time.perf_counter() - began
    others = (_busy() - busy) - (_own() - own)
    return wall / repeats, others / (wall * usable_cores())


def _wait_for_others() -> None:
    """A pause, and more of them while others use the machine, but not for ever."""
    for _ in range(PAUSES):
        busy, own = _busy(), _own()
        time.sleep(PAUSE_SECONDS)
        others = (_busy() - busy) - (_own() - own)
        if others <= DISTURBED * PAUSE_SECONDS * usable_cores():
            return


def _own() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _busy() -> float:
    """Processor seconds spent by everyone since boot, those the host took away included."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return _own()  # not Linux: nothing is known of others
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / 100.0
