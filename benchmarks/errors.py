"""Standard errors of rows with holes: time beside that of the fit, and beside lavaan's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import mvngrad as mg
from benchmarks import problems
from benchmarks.problems import Floats, Holed
from benchmarks.report import at_most, duration, table, three_digits
from benchmarks.timing import Samples, interleaved

SCRIPT = Path(__file__).with_suffix(".R")
R_SECONDS = 300.0
MOST = 10.0  # times the fit
PROBLEMS = (Holed(2_000, 10, 0.15), Holed(100_000, 20, 0.15))
KINDS = ("observed", "sandwich")
INTRO = f"""\
Standard errors of all means and covariances of a full fit, from rows with holes on a float64 array
in memory: the information, its inverse, and for the sandwich what each row says. The target is
{MOST:g} times the fit itself. lavaan's is its observed information from statistics of the patterns
(lav_mvnorm_missing_information_observed_samplestats) and the inverse, at our estimate, with those
statistics made before the clock starts; it is stopped after {R_SECONDS:g} s.
"""


def section(rounds: int) -> list[str]:
    """A table a problem."""
    lines = ["## Standard errors", "", INTRO]
    for problem in PROBLEMS:
        lines += _one_problem(problem, rounds)
    return lines


def _one_problem(problem: Holed, rounds: int) -> list[str]:
    X = problems.holed(problem)
    fit = mg.fit(X)
    calls: dict[str, Callable[[], Any]] = {"fit": lambda: mg.fit(X)}
    calls |= {kind: lambda kind=kind: _errors(fit, kind) for kind in KINDS}
    samples = interleaved(calls, rounds)
    once = samples["fit"].median
    peer = _lavaan(X, fit)
    body = [_row(name, s.median, once, s) for name, s in samples.items()]
    body += [_row("lavaan, observed", peer[0], once, None)] if peer else []
    patterns = len(np.unique(np.isnan(X), axis=0))
    lines = [f"### {problem}", "", f"{patterns:,} patterns of holes.", ""]
    lines += table(["", "median", "times the fit", "samples (clean)"], body)
    for kind in KINDS:
        lines.append(f"* {at_most(f'{kind}, times the fit', samples[kind].median / once, MOST)}")
    lines.append(_beside(peer, fit, samples["observed"].median))
    return [*lines, ""]


def _row(name: str, seconds: float, once: float, samples: Samples | None) -> list[str]:
    return [
        name,
        duration(seconds),
        three_digits(seconds / once),
        samples.counts if samples else "1",
    ]


def _errors(fit: mg.Fit, kind: Any) -> Floats:
    """Of means, and of the lower triangle of S, column by column."""
    errors = fit.standard_errors(kind)
    return np.concatenate([errors.mean, errors.covariance[np.triu_indices(len(errors.mean))]])


def _lavaan(X: Floats, fit: mg.Fit) -> tuple[float, Floats] | None:
    """Seconds and standard errors; None where R or lavaan are not there or take too long."""
    n, d = X.shape
    with TemporaryDirectory() as folder:
        data, at, result = (Path(folder, name) for name in ("data", "at", "result"))
        X.T.tofile(data)
        np.append(fit.mean, fit.covariance).tofile(at)
        command = ["Rscript", str(SCRIPT), str(data), str(n), str(d), str(at), str(result)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=R_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return None
        values = np.fromfile(result)
    return float(values[0]), values[1:]


def _beside(peer: tuple[float, Floats] | None, fit: mg.Fit, own: float) -> str:
    if peer is None:
        return f"* lavaan: not installed, or stopped after {R_SECONDS:g} s."
    gap = np.abs(peer[1] / _errors(fit, "observed") - 1.0).max()
    return (
        f"* {three_digits(peer[0] / own)}× the speed of lavaan; largest relative difference of a "
        f"standard error: {gap:.1e}."
    )
