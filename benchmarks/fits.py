"""Fits of complete data in memory: time, extra memory, and the machine's limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import limits, memory, problems
from benchmarks.libraries import Fit, collected, ours, zeros
from benchmarks.problems import Floats, Size
from benchmarks.report import at_least, at_most, duration, fastest, megabytes, timings
from benchmarks.timing import interleaved

LIMIT = "limit: reading the data once"
INTRO = """\
Whole calls on a float64 array in memory, from rows to mean and factor (of scikit-learn and SciPy:
mean and covariance). Extra memory: peak resident memory during the call less that before it, in a
fresh process with data and libraries loaded.

Multiply-adds: {peak:.0f} GFlop/s on all threads by NumPy's product of two 3000 × 3000 matrices at
its fastest, called the peak below.
"""


def section(rounds: int) -> list[str]:
    """A table a size."""
    fits, missing = collected(Fit)
    peak = limits.peak_flops(rounds)
    intro = INTRO.format(peak=peak / 1e9)
    lines = ["## Fit of complete data", "", intro, *missing]
    for size in problems.FITS:
        lines += _one_size(size, fits, rounds, peak)
    return lines


def _one_size(size: Size, fits: list[Fit], rounds: int, peak: float) -> list[str]:
    used = {fit.name: memory.extra_bytes(fit.name, size) for fit in fits}
    X = problems.rows(size.n, size.d)
    agreement = _agreement(fits, X)
    calls: dict[str, Callable[[], object]] = {fit.name: _call(fit, X) for fit in fits}
    calls[LIMIT] = limits.reading(X)
    samples = interleaved(calls, rounds)
    peers = [fit.name for fit in fits if fit.is_peer]
    best, own = fastest(samples, peers), samples[ours.NAME].median
    flops = limits.flops_of_scatter(size)
    lines = [f"### {size}", ""]
    extra_memory = {name: megabytes(size) for name, size in used.items()}
    lines += timings(samples, peers, (zeros.NAME, LIMIT), extra_memory)
    if best is not None:
        lines.append(f"* {at_least('Speed', best / own, size.target)}")
    if (extra := used[ours.NAME]) is not None:
        lines.append(f"* {at_most('Extra memory', extra / 1e6, size.memory_target / 1e6, ' MB')}")
    lines.append(
        f"* Limits: {duration(samples[LIMIT].median)} to read the data, {duration(flops / peak)} "
        f"for the {flops / 1e9:.3g} GFlop of the scatter; mvngrad.fit makes "
        f"{flops / own / 1e9:.0f} GFlop/s, {flops / own / peak:.0%} of the peak."
    )
    return [*lines, f"* Largest difference from a peer's covariance: {agreement:.1e}.", ""]


def _call(fit: Fit, X: Floats) -> Callable[[], object]:
    return lambda: fit.run(X)


def _agreement(fits: list[Fit], X: Floats) -> float:
    """Largest difference of our mean and covariance from a peer's, in standard deviations."""
    means, covariances = {}, {}
    for fit in fits:
        if fit.is_peer or fit.name == ours.NAME:
            means[fit.name], covariances[fit.name] = fit.read(fit.run(X))
    m, S = means.pop(ours.NAME), covariances.pop(ours.NAME)
    scale = np.sqrt(np.diagonal(S))
    differences = [np.abs((mean - m) / scale).max() for mean in means.values()]
    differences += [
        np.abs((other - S) / np.outer(scale, scale)).max() for other in covariances.values()
    ]
    worst = float(max(differences, default=0.0))
    assert worst < 1e-9, f"the fits disagree by {worst:.1e}"
    return worst
