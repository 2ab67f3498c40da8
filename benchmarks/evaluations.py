"""How many evaluations L-BFGS needs: whatever the start, the conditioning and the units."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

import mvngrad as mg
from benchmarks import problems
from benchmarks.problems import COLUMNS, CONDITIONS, STARTS, Floats
from benchmarks.report import at_most, table

ROWS = 1_000
SORTED_ROWS = 50_000  # the first few thousand, from which a frame could be taken, mislead
INTRO = f"""\
## Evaluations of L-BFGS

`fit.n_eval` of `method='l-bfgs'` to the default tolerance, from {STARTS} random starts with G
standard normal, median and in brackets the largest: in the full frame of the data (Λ₀ = L̂G, the
starts the target is about), and in the units of the columns (Λ₀ = diag(sd)·G), where the start
itself is as far from the data as these are ill-conditioned. And from the default Λ₀ = diag(sd),
which at condition 1 is the answer already; its growth is relative to random starts at condition 1.
"""

Start = Callable[[Floats, Floats], Floats]


def _full_frame(X: Floats, G: Floats) -> Floats:
    return np.linalg.cholesky(np.cov(X.T)) @ G


def _in_units(X: Floats, G: Floats) -> Floats:
    return X.std(axis=0)[:, None] * G


STARTING: dict[str, Start | None] = {
    "full frame, L̂G": _full_frame,
    "units, diag(sd)·G": _in_units,
    "diag(sd)": None,
}


def section(_: int) -> list[str]:
    """Counts, which need no clock and no rounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # data are ill-conditioned on purpose
        return [INTRO, *_full(), *_units(), *_sorted_file(), *_factor()]


def _counts(X: Floats, start: Start | None, covariance: str | mg.Structure = "full") -> list[int]:
    """Evaluations from each start; a fit that does not converge stops the run."""
    counts = []
    for Lambda in _starts(X, start):
        fit = mg.fit(X, covariance, method="l-bfgs", start=Lambda)
        assert fit.converged, fit.message
        counts.append(fit.n_eval)
    return counts


def _starts(X: Floats, start: Start | None) -> Iterator[Floats | None]:
    if start is None:
        yield None
        return
    d = X.shape[1]
    for seed in range(STARTS):
        yield start(X, np.random.default_rng(100 + seed).standard_normal((d, d)))


def _shown(counts: list[int]) -> str:
    return f"{median(counts):g} ({max(counts)})" if len(counts) > 1 else str(counts[0])


def _by_condition(covariance: str | mg.Structure) -> tuple[list[str], dict[str, float]]:
    """The table, and for each kind of start the largest growth over its columns."""
    body, growth = [], dict.fromkeys(STARTING, 0.0)
    for d in COLUMNS:
        data = [problems.conditioned(ROWS, d, condition) for condition in CONDITIONS]
        reference = median(_counts(data[0], _full_frame, covariance))
        for name, start in STARTING.items():
            counts = [_counts(X, start, covariance) for X in data]
            grown = median(counts[-1]) / reference
            growth[name] = max(growth[name], grown)
            body.append([f"d = {d}, {name}", *map(_shown, counts), f"{grown:.2f}×"])
    head = ["start", *(f"cond {c:.0e}" for c in CONDITIONS), "growth"]
    return table(head, body), growth


def _full() -> list[str]:
    lines, growth = _by_condition("full")
    verdicts = [f"* {at_most(f'Growth, {n}', g, problems.GROWTH, '×')}" for n, g in growth.items()]
    return ["### Conditioning, covariance='full'", "", *lines, *verdicts, ""]


def _factor() -> list[str]:
    lines, growth = _by_condition(mg.Factor())
    stated = ", ".join(f"{g:.3g}× from {name}" for name, g in growth.items())
    title = "### Conditioning, covariance=Factor(), every entry of Λ free"
    return [title, "", *lines, f"* Growth, no target: {stated}.", ""]


def _units() -> list[str]:
    """The same data and starts with columns in other units."""
    d, condition = 20, 1e4
    X = problems.conditioned(ROWS, d, condition)
    rng = np.random.default_rng(5)
    units = {
        "as they are": np.ones(d),
        "columns times powers of two, 2⁻³⁰ … 2³⁰": 2.0 ** rng.integers(-30, 31, d),
        "columns times random factors, 10⁻⁹ … 10⁹": 10.0 ** rng.uniform(-9.0, 9.0, d),
    }
    counts = {
        name: [_counts(X * scale, start) for start in STARTING.values()]
        for name, scale in units.items()
    }
    plain, binary, other = ([n for c in found for n in c] for found in counts.values())
    far = max(abs(a - b) for a, b in zip(plain, other, strict=True))
    same = "the same, start by start" if plain == binary else "not the same: **falls short**"
    return [
        f"### Units, d = {d}, cond {condition:.0e}",
        "",
        *table(["units", *STARTING], [[name, *map(_shown, c)] for name, c in counts.items()]),
        f"* Counts under powers of two: {same}.",
        f"* Counts under random factors differ by {far} at most, start by start.",
        "",
    ]


def _sorted_file() -> list[str]:
    """Rows sorted by the first column, so that the first rows tell little of the rest."""
    body, most = [], 0
    for d in COLUMNS:
        X = problems.conditioned(SORTED_ROWS, d, 1e4)
        X = X[np.argsort(X[:, 0])]
        counts = [_counts(X, start) for start in STARTING.values()]
        most = max(most, *map(max, counts))
        body.append([f"d = {d}", *map(_shown, counts)])
    lines = [f"### A file sorted by its first column, {SORTED_ROWS:,} rows, cond 1e4", ""]
    lines += table(["columns", *STARTING], body)
    return [*lines, f"* {at_most('Most evaluations', most, problems.MISLED)}", ""]
