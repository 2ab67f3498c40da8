"""Fits of rows with holes: time beside the log-likelihood reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

import mvngrad as mg
from benchmarks import problems, scale, turns
from benchmarks.libraries import Incomplete, collected, missing_r, missing_torch
from benchmarks.libraries.missing_ours import NAME
from benchmarks.observed import loglik
from benchmarks.problems import GAP, Floats, Holed
from benchmarks.report import at_least, at_most, duration, megabytes, table, three_digits
from benchmarks.timing import Samples, interleaved
from benchmarks.turns import Sitting

INTRO = f"""\
Whole calls on a float64 array in memory, from rows to mean and covariance. The gap is how far the
log-likelihood at a candidate's estimate lies below the best of its table, computed here for all of
them alike, a pattern of holes at a time by slogdet and solve. Up to {GAP:.0e} counts as the
same, and targets are about a peer's fastest way of coming as close. Ratios are a candidate's median
over mvngrad's.

R's packages cannot sit in this process: each has one of its own in the same run, takes its turns
with the others, and times its calls inside R, after a warm-up on a hundred rows. Their data are in
place before the clock starts. R is stopped after {missing_r.LIMIT_SECONDS:g} s; PyTorch stops
itself after {missing_torch.CAP_SECONDS:g} s with what it has. What takes more than
{turns.ONCE_SECONDS:g} s runs once, and has one sample.

Amelia imputes besides, once, and is told to leave the bootstrap out. IterativeImputer is no maximum
likelihood: its gap shows what the moments of its completed rows are worth.
"""
AGREEMENT = 1e-3  # standard deviations; 1e-6 of a log-likelihood is 1.4e-3 standard errors


@dataclass
class Found:
    """What one problem's candidates have reached."""

    X: Floats
    samples: dict[str, Samples] = field(default_factory=dict)
    estimates: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def gaps(self) -> dict[str, float]:
        """Log-likelihoods below the best."""
        reached = {name: loglik(self.X, *found) for name, found in self.estimates.items()}
        best = np.nanmax(list(reached.values()), initial=-np.inf)
        return {name: float(best - value) for name, value in reached.items()}


def section(rounds: int) -> list[str]:
    """A table a problem, then mvngrad alone on large ones."""
    candidates, notes = collected(Incomplete)
    lines = ["## Fit of rows with holes", "", INTRO, *notes, *_of_r(candidates)]
    for problem in problems.HOLED:
        lines += _one_problem(problem, candidates, rounds)
    return [*lines, *scale.lines()]


def _of_r(candidates: list[Incomplete]) -> list[str]:
    """Versions in R, and what is not there."""
    versions = ", ".join(map(" ".join, missing_r.versions().items()))
    lacking = sorted({candidate.lacks() for candidate in candidates} - {""})
    notes = [f"* {what} not installed: skipped." for what in lacking]
    return [*([f"{versions}.", ""] if versions else []), *notes, ""]


def _one_problem(problem: Holed, candidates: list[Incomplete], rounds: int) -> list[str]:
    found = _run(problem, candidates, rounds)
    gaps = found.gaps()
    patterns = len(np.unique(np.isnan(found.X), axis=0))
    return [
        f"### {problem}",
        "",
        f"{patterns:,} patterns of holes.",
        "",
        *_table(found.samples, gaps),
        *(f"* {note}" for note in found.notes),
        *_verdicts(problem, found, gaps),
        *_own(problem, found, rounds),
        "",
    ]


def _run(problem: Holed, candidates: list[Incomplete], rounds: int) -> Found:
    """First a call each, then turns of those that are quick; what fails is noted."""
    found = Found(problems.holed(problem))
    sitting: dict[str, Sitting] = {}
    for candidate in candidates:
        if not candidate.lacks():
            _first(candidate, found, sitting)
    found.samples = turns.taken(found.samples, sitting, rounds)
    for one in sitting.values():
        one.close()
    return found


def _first(candidate: Incomplete, found: Found, sitting: dict[str, Sitting]) -> None:
    name, most, d = candidate.name, candidate.most_columns, found.X.shape[1]
    if most is not None and d > most:
        found.notes.append(f"{name}: not run, beyond {most} columns.")
        return
    try:
        sitting[name] = candidate.open(found.X)
        found.samples[name] = turns.first(sitting[name])
        found.estimates[name] = sitting[name].estimate()
    except Exception as error:  # a peer's failure is a result too
        found.samples.pop(name, None)
        found.notes.append(f"**{name}**: {str(error)[:300]}")


def _table(samples: Mapping[str, Samples], gaps: Mapping[str, float]) -> list[str]:
    """Fastest first; those that stop short of the best by more than the gap allowed are marked."""
    own = samples[NAME].median if NAME in samples else None
    body = []
    for name, s in sorted(samples.items(), key=lambda item: item[1].median):
        gap = f"{gaps[name]:.1e}" + (" **short**" if not gaps[name] <= GAP else "")
        ratio = three_digits(s.median / own) if own else "–"
        body.append([name, duration(s.median), duration(s.minimum), ratio, gap, s.counts])
    return table(["candidate", "median", "fastest", "ratio", "gap", "samples (clean)"], body)


def _verdicts(problem: Holed, found: Found, gaps: Mapping[str, float]) -> list[str]:
    """Targets, and whether we agree; nothing where there is no fit of ours."""
    if NAME not in found.samples:
        return []
    lines = [f"* {at_most(f'Gap of {NAME}', gaps[NAME], GAP)}"]
    for family, target in problem.targets.items():
        lines += _speed(family, target, found.samples, gaps)
    return [*lines, _agreement(found, gaps)]


def _speed(
    family: str, target: float, samples: Mapping[str, Samples], gaps: Mapping[str, float]
) -> list[str]:
    """Beside the fastest of a peer's ways that ends as near the best; else of all its ways."""
    peers = [name for name in samples if name.startswith(family)]
    level = [name for name in peers if gaps[name] <= GAP]
    if not peers:
        return []
    best = min(samples[name].median for name in level or peers)
    verdict = at_least(f"Speed beside {family}", best / samples[NAME].median, target)
    return [f"* {verdict}" + ("" if level else f" None of it ends within {GAP:.0e}.")]


def _agreement(found: Found, gaps: Mapping[str, float]) -> str:
    """Largest difference from a peer with the same log-likelihood, in standard deviations."""
    own = found.estimates[NAME]
    level = [name for name in gaps if name != NAME and gaps[name] <= GAP]
    worst = max((_difference(own, found.estimates[name]) for name in level), default=np.nan)
    verdict = "" if not worst > AGREEMENT else " **They disagree.**"
    return f"* Largest difference from a peer with the same log-likelihood: {worst:.1e}.{verdict}"


def _difference(own: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> float:
    (m, S), (mean, covariance) = own, other
    sd = np.sqrt(np.diagonal(S))
    entries = np.abs(covariance - S) / np.outer(sd, sd)
    return float(max(entries.max(), (np.abs(mean - m) / sd).max()))


def _own(problem: Holed, found: Found, rounds: int) -> list[str]:
    """One evaluation, and the memory of a fit."""
    if NAME not in found.estimates:
        return []
    mu, S = found.estimates[NAME]
    L = np.linalg.cholesky(S)
    calls = {"evaluation": lambda: mg.nll_and_grad(found.X, mu, L)}
    once = interleaved(calls, rounds)["evaluation"].median
    alone = scale.measured(problem)
    extra = megabytes(alone.bytes if alone else None)
    return [
        f"* One call of mvngrad.nll_and_grad: {duration(once)}.",
        f"* Extra memory of {NAME}: {extra}, data {megabytes(found.X.nbytes)}.",
    ]
