"""One value and gradient: on rows beside automatic differentiation, and from moments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks import problems
from benchmarks.libraries import Gradient, collected, zeros
from benchmarks.problems import Floats, Size
from benchmarks.report import at_least, fastest, timings
from benchmarks.timing import interleaved

ON_ROWS = """\
## One value and gradient on rows

J, ∂J/∂μ and ∂J/∂L at a mean and a Cholesky factor that are not those of the data; float64. Every
candidate reads the rows at every call. Peers differentiate the Cholesky log-density, compiled where
they can.
"""
FROM_MOMENTS = """\
## One value and gradient from Moments

**Not like for like**: mvngrad has read the rows once, before the clock starts, and then pays O(d³)
whatever n; the peers read all rows again at every call. Who reduces the data by hand gains as much.
"""


def on_rows(rounds: int) -> list[str]:
    """A table a size, every candidate reading the rows at every call."""
    return [ON_ROWS, *_tables(problems.GRADIENTS, rounds, from_moments=False)]


def from_moments(rounds: int) -> list[str]:
    """The same from moments made beforehand."""
    return [FROM_MOMENTS, *_tables(problems.FROM_MOMENTS, rounds, from_moments=True)]


def _tables(sizes: Sequence[Size], rounds: int, *, from_moments: bool) -> list[str]:
    candidates, missing = collected(Gradient)
    chosen = [c for c in candidates if c.is_peer or c.rows is not from_moments]
    lines = missing
    for size in sizes:
        lines += _one_size(size, chosen, rounds)
    return lines


def _one_size(size: Size, candidates: list[Gradient], rounds: int) -> list[str]:
    X = problems.rows(size.n, size.d)
    mu, L = problems.parameters(size.d)
    calls = {c.name: c.prepare(X, mu, L) for c in candidates}
    agreement = _agreement(candidates, [c.read(calls[c.name]()) for c in candidates])
    samples = interleaved(calls, rounds)
    peers = [c.name for c in candidates if c.is_peer]
    lines = [f"### {size}", "", *timings(samples, peers, (zeros.NAME,))]
    best = fastest(samples, peers)
    own = next(c.name for c in candidates if c.name.startswith("mvngrad"))
    if best is not None:
        lines.append(f"* {at_least('Speed', best / samples[own].median, size.target)}")
    return [*lines, f"* Largest relative difference from a peer: {agreement:.1e}.", ""]


def _agreement(candidates: list[Gradient], results: list[tuple[float, Floats, Floats]]) -> float:
    """Largest difference from our J, ∂μ and ∂L, relative to the largest entry of each."""
    named = {c.name: r for c, r in zip(candidates, results, strict=True)}
    own = next(r for name, r in named.items() if name.startswith("mvngrad"))
    worst = 0.0
    for c in candidates:
        if c.is_peer:
            for ours, theirs in zip(own, named[c.name], strict=True):
                worst = max(worst, float(np.abs(theirs - ours).max() / np.abs(ours).max()))
    assert worst < 1e-9, f"the gradients disagree by {worst:.1e}"
    return worst
