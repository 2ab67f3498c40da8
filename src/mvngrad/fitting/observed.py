"""Fits of rows with holes: J of the observed entries, to the best of some certified summits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mvngrad.core.checks import as_generator
from mvngrad.core.design import Design
from mvngrad.core.ops import condition_estimate
from mvngrad.core.patterns import Patterns
from mvngrad.core.roots import correlation_condition
from mvngrad.core.threads import calm_blas
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.fitting.convergence import Monitor, Status
from mvngrad.fitting.curvature import NOISE
from mvngrad.fitting.placing import begin, framed_at, moves_freely, random_start
from mvngrad.fitting.requirements import EPS
from mvngrad.fitting.solution import Solution, best_of_starts, reported
from mvngrad.fitting.solve import Run, to_summit
from mvngrad.fitting.start import Start
from mvngrad.fitting.unbounded import FLAT, HOPELESS, SUSPECT, require_bounded, unbounded_at
from mvngrad.models.means import Mean
from mvngrad.models.objective import Objective, Point
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure

# With holes J may lie above its summit by optimality over the smallest curvature, so optimality
# must be smaller by this: at the default tol it asks for a whitened gradient of 5e-9 a row.
TIGHTER = 1e-7
WANDERING = 300  # iterations of a quick method from a random start that lead nowhere
FAR = 30.0  # cond(L) in the frame of a fit at which a frame nearer by is taken


def iterate_observed(
    patterns: Patterns,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    n_starts: int,
    rng: Any,
    columns: Sequence[str],
    design: Design | None = None,
    penalty: Penalty | None = None,
) -> Solution:
    """The best local maximum from the given start and from random ones.

    A start that runs into an unbounded likelihood counts only if all do, and one at random that
    wanders is given up.
    """
    generator = as_generator(rng) if n_starts > 1 or rng is not None else None

    def fit_from(k: int) -> Solution:
        at = start if k == 0 or generator is None else random_start(patterns, generator)
        ask = run if k == 0 else _wary(run)
        return _from(patterns, structure, mean, at, ask, columns, design, penalty)

    with calm_blas(patterns.d):
        return best_of_starts(n_starts, fit_from, tolerated=(NotPositiveDefiniteError,))


def _wary(run: Run) -> Run:
    """For a start at random, which may wander: few iterations of methods that need few."""
    quick = run.method in {"newton", "bfgs", "l-bfgs"}
    return run._replace(max_iter=min(run.max_iter, WANDERING)) if quick else run


def _from(
    patterns: Patterns,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    columns: Sequence[str],
    design: Design | None,
    penalty: Penalty | None,
) -> Solution:
    """The local maximum that a start leads to, in frames that follow the estimate."""
    objective, params, closed = begin(patterns, structure, mean, start, design, penalty)
    monitor = Monitor(
        objective,
        tol=run.tol * TIGHTER,
        max_iter=run.max_iter,
        callback=run.callback,
        rounding=partial(_rounding, objective),
    )
    while True:
        monitor.guard = _Guard(monitor.objective, structure, columns)
        try:
            status, curvature = to_summit(monitor, run.method, params)
            break
        except _Far as far:
            objective, params = framed_at(monitor.objective, far.point.params, structure, mean)
            monitor.move_to(objective)
            monitor.rounding = partial(_rounding, objective)
        except NotPositiveDefiniteError as error:
            raise _named(error, monitor, columns) from error
    assert monitor.best is not None
    if curvature <= NOISE or status in {Status.STALLED, Status.SADDLE}:
        floor = FLAT if curvature <= NOISE else SUSPECT
        require_bounded(monitor.best.covariance, monitor.objective, columns, floor)
    solution = reported(monitor, monitor.best, structure, mean, status, curvature)
    return replace(solution, closed=closed and len(monitor.steps) == 1)


def _named(
    error: NotPositiveDefiniteError, monitor: Monitor, columns: Sequence[str]
) -> NotPositiveDefiniteError:
    """The error itself if it names columns, else what expected moments say that are singular."""
    best, objective = monitor.best, monitor.objective
    if error.columns or best is None:
        return error
    mu = objective.mean.mean(objective.split(best.params)[0])
    return unbounded_at(objective.data.expected(best.evaluation, mu), columns)


class _Far(Exception):  # noqa: N818 - not an error: the way out of a driver to a nearer frame
    """S has come far from I in the frame of the fit."""

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point


class _Guard:
    """Looks at every accepted point: is a summit still ahead, and is it seen from near enough?"""

    def __init__(self, objective: Objective, structure: Structure, columns: Sequence[str]) -> None:
        self.objective, self.columns = objective, columns
        self.movable = moves_freely(structure)

    def __call__(self, point: Point) -> None:
        require_bounded(point.covariance, self.objective, self.columns, HOPELESS)
        if self.movable and condition_estimate(point.covariance.root(len(self.columns))) > FAR:
            raise _Far(point)


def _rounding(objective: Objective, point: Point) -> float:
    """½(30 d ε √cond)²: what rounding makes of an optimality of zero."""
    d = len(objective.data.center)
    root = math.sqrt(correlation_condition(objective.data.frame.color(point.covariance.root(d))))
    return 0.5 * (30.0 * d * EPS * root) ** 2
