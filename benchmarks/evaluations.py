"""How many evaluations L-BFGS needs: whatever the start, the conditioning and the units."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

import mvngrad as mg
from benchmarks import problems
from benchmarks.problems import CONDITIONS, STARTS, Floats
from benchmarks.report import at_most, table

ROWS = 1_000
SORTED_ROWS = 50_000

Starts = Callable[[Floats, Floats], list[Floats | None]]


def section(_: int) -> list[str]:
    """Counts, which need no clock and no rounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # conditioning is the point here
        lines = [
            "## Evaluations of L-BFGS",
            "",
            f"`fit.n_eval` of `method='l-bfgs'`, {STARTS} random starts G with standard normal "
            "entries: in the whitened frame of the data (Λ₀ = L̂G), in the units of the columns "
            "(Λ₀ = diag(sd)·G), and the default Λ₀ = diag(sd). Median, largest in brackets.",
            "",
        ]
        lines += _by_condition("full")
        lines += _by_units()
        lines += _misled()
        lines += _by_condition("factor")
    return lines


def _whitened(X: Floats, G: Floats) -> Floats:
    return np.linalg.cholesky(np.cov(X.T)) @ G


def _in_units(X: Floats, G: Floats) -> Floats:
    return X.std(axis=0)[:, None] * G


STARTING = {
    "whitened frame, L̂G": _whitened,
    "units of the columns, diag(sd)·G": _in_units,
    "diag(sd)": None,
}


def _counts(X: Floats, start: Callable[[Floats, Floats], Floats] | None, model: str) -> list[int]:
    """Evaluations from each start; a fit that does not converge is an error."""
    counts = []
    for Lambda in _starts(X, start):
        covariance = mg.Factor() if model == "factor" else "full"
        fit = mg.fit(X, covariance, method="l-bfgs", start=Lambda)
        assert fit.converged, fit.message
        counts.append(fit.n_eval)
    return counts


def _starts(X: Floats, start: Callable[[Floats, Floats], Floats] | None) -> Iterator[Floats | None]:
    if start is None:
        yield None
        return
    d = X.shape[1]
    for seed in range(STARTS):
        yield start(X, np.random.default_rng(100 + seed).standard_normal((d, d)))


def _shown(counts: list[int]) -> str:
    return f"{median(counts):g} ({max(counts)})" if len(counts) > 1 else str(counts[0])


def _by_condition(model: str) -> list[str]:
    title = {"full": "covariance='full'", "factor": "covariance=Factor(), every entry of Λ free"}
    lines = [f"### Conditioning, {title[model]}", ""]
    body, growth = [], {}
    for d in problems.COLUMNS:
        for name, start in STARTING.items():
            data = [problems.conditioned(ROWS, d, condition) for condition in CONDITIONS]
            counts = [_counts(X, start, model) for X in data]
            growth[d, name] = median(counts[-1]) / median(counts[0])
            body.append([f"d = {d}, {name}", *map(_shown, counts), f"{growth[d, name]:.2f}"])
    lines += table(["start", *(f"cond {c:.0e}" for c in CONDITIONS), "growth"], body)
    worst = max(growth.values())
    if model == "full":
        return [*lines, f"* {at_most('Largest growth', worst, problems.GROWTH, '×')}", ""]
    return [*lines, f"* Largest growth: {worst:.2f}× (no target).", ""]


def _by_units() -> list[str]:
    """The same data and starts with columns in other units."""
    d, condition = 20, 1e4
    X = problems.conditioned(ROWS, d, condition)
    rng = np.random.default_rng(5)
    units = {
        "as they are": np.ones(d),
        "columns times powers of two, 2⁻³⁰ … 2³⁰": 2.0 ** rng.integers(-30, 31, d),
        "columns times random factors, 10⁻⁹ … 10⁹": 10.0 ** rng.uniform(-9.0, 9.0, d),
    }
    body, seen = [], []
    for name, scale in units.items():
        counts = [_counts(X * scale, start, "full") for start in (_in_units, None)]
        seen.append(counts)
        body.append([name, *map(_shown, counts)])
    lines = [f"### Units, d = {d}, cond {condition:.0e}", ""]
    lines += table(["units", "diag(sd)·G", "diag(sd)"], body)
    lines.append(
        f"* Powers of two: {'the same counts, start by start' if seen[0] == seen[1] else 'other counts: **falls short**'}."
    )
    far = max(
        abs(a - b) for x, y in zip(seen[0], seen[2], strict=True) for a, b in zip(x, y, strict=True)
    )
    return [*lines, f"* Random factors: counts differ by {far} at most, start by start.", ""]


def _misled() -> list[str]:
    """Rows sorted by the first column, so that the first rows tell little of the rest."""
    lines = [f"### A sorted file, {SORTED_ROWS:,} rows", ""]
    body, worst = [], 0
    for d in problems.COLUMNS:
        X = problems.conditioned(SORTED_ROWS, d, 1e4)
        X = X[np.argsort(X[:, 0])]
        counts = [_counts(X, start, "full") for start in STARTING.values()]
        worst = max(worst, *(max(c) for c in counts))
        body.append([f"d = {d}", *map(_shown, counts)])
    lines += table(["columns", *STARTING], body)
    return [*lines, f"* {at_most('Most evaluations', worst, problems.MISLED)}", ""]
