"""Factor analysis from rows: time beside the log-likelihood reached."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

import mvngrad as mg
from benchmarks.problems import Floats
from benchmarks.report import at_least, duration, table, three_digits
from benchmarks.timing import interleaved

SCRIPT = Path(__file__).with_suffix(".R")
GAP = 1e-6
OURS = "mvngrad.fit, FactorAnalytic"
MOST_IN_R = 200  # columns; beyond, factanal takes many minutes
R_SECONDS = 300.0
MOST_IN_STATSMODELS = 100  # columns; beyond, a call takes minutes
INTRO = f"""\
Whole calls on a float64 array in memory, from rows to loadings and noise. The gap is how far the
log-likelihood at a candidate's estimate lies below the best of its table, computed by mvngrad.nll
for all alike; up to {GAP:.0e} counts as the same, and targets are about the fastest peer that comes
as close. R's factanal has a process of its own, with the data in place, and times itself.
"""


class Problem(NamedTuple):
    """Rows, columns, factors, and how much faster than the fastest peer is wanted."""

    n: int
    d: int
    k: int
    target: float

    def rows(self) -> Floats:
        """Draws from a factor model with noise of 0.5 to 2 in each column."""
        rng = np.random.default_rng(0)
        Lambda, sd = rng.standard_normal((self.d, self.k)), rng.uniform(0.5, 2.0, self.d)
        common = rng.standard_normal((self.n, self.k)) @ Lambda.T
        return common + rng.standard_normal((self.n, self.d)) * sd


PROBLEMS = (
    Problem(10_000, 50, 5, 5.0),
    Problem(10_000, 200, 10, 5.0),
    Problem(10_000, 1000, 20, 4.0),
)
Estimate = tuple[Floats, Floats]  # Λ (d, k), ψ (d,)


def section(rounds: int) -> list[str]:
    """A table a problem."""
    lines = ["## Factor analysis", "", INTRO]
    for problem in PROBLEMS:
        lines += _one_problem(problem, rounds)
    return lines


def _one_problem(problem: Problem, rounds: int) -> list[str]:
    X = problem.rows()
    calls = _candidates(X, problem.k)
    reached = {name: _loglik(X, call()) for name, call in calls.items()}
    seconds = {name: s.median for name, s in interleaved(calls, rounds).items()}
    of_r = _factanal(X, problem.k) if problem.d <= MOST_IN_R else None
    if of_r is not None:
        seconds["R factanal"], reached["R factanal"] = of_r[0], _loglik(X, of_r[1])
    best = max(reached.values())
    level = [name for name in seconds if name != OURS and best - reached[name] <= GAP]
    peers = level or [name for name in seconds if name != OURS]
    body = [
        [name, duration(s), three_digits(s / seconds[OURS]), f"{best - reached[name]:.1e}"]
        for name, s in sorted(seconds.items(), key=lambda item: item[1])
    ]
    lines = [f"### {problem.n} × {problem.d}, {problem.k} factors", ""]
    lines += table(["candidate", "median", "ratio", "gap"], body)
    if peers:
        fastest = min(seconds[name] for name in peers)
        lines.append(f"* {at_least('Speed', fastest / seconds[OURS], problem.target)}")
    return [*lines, ""]


def _candidates(X: Floats, k: int) -> dict[str, Callable[[], Estimate]]:
    calls: dict[str, Callable[[], Estimate]] = {OURS: lambda: _ours(X, k)}
    if find_spec("sklearn"):
        for svd in ("lapack", "randomized"):
            calls[f"sklearn FactorAnalysis, {svd}, tol=1e-8"] = lambda svd=svd: _sklearn(X, k, svd)
    if find_spec("statsmodels") and X.shape[1] <= MOST_IN_STATSMODELS:
        calls["statsmodels Factor, ml"] = lambda: _statsmodels(X, k)
    return calls


def _ours(X: Floats, k: int) -> Estimate:
    fit = mg.fit(X, mg.FactorAnalytic(k))
    assert fit.noise is not None
    return fit.factor, fit.noise


def _sklearn(X: Floats, k: int, svd: str) -> Estimate:
    from sklearn.decomposition import FactorAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fa = FactorAnalysis(k, tol=1e-8, max_iter=5000, svd_method=svd, random_state=0).fit(X)
    return fa.components_.T, fa.noise_variance_


def _statsmodels(X: Floats, k: int) -> Estimate:
    from statsmodels.multivariate.factor import Factor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Factor(X, n_factor=k, method="ml").fit(maxiter=5000)
    sd = X.std(axis=0)
    return found.loadings * sd[:, None], found.uniqueness * sd**2


def _factanal(X: Floats, k: int) -> tuple[float, Estimate] | None:
    """Seconds and the estimate; None where R is not there or takes too long."""
    n, d = X.shape
    with TemporaryDirectory() as folder:
        data, result = Path(folder, "data"), Path(folder, "result")
        X.T.tofile(data)
        command = ["Rscript", str(SCRIPT), str(data), str(n), str(d), str(k), str(result)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=R_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return None
        values = np.fromfile(result)
    return float(values[0]), (values[1 : 1 + d * k].reshape(k, d).T, values[1 + d * k :])


def _loglik(X: Floats, estimate: Estimate) -> float:
    return -mg.nll(mg.Moments.of(X), X.mean(axis=0), estimate[0], noise=estimate[1])
