"""Run a driver on an objective to a certified local maximum of the likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.checks import as_generator
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.threads import calm_blas, single_blas
from mvngrad.fitting.convergence import Monitor, Status, Step, Stop, nothing_at_start
from mvngrad.fitting.curvature import NOISE, Curvature, smallest_curvature
from mvngrad.fitting.methods import BY_GRADIENT, driver
from mvngrad.fitting.prepare import in_diagonal_frame, in_own_frame
from mvngrad.fitting.requirements import EPS, scatter_about
from mvngrad.fitting.solution import Solution, best_of_starts, known, reported
from mvngrad.fitting.start import Start, near, scaled_to_unit_variance
from mvngrad.models.data import Complete
from mvngrad.models.means import Mean
from mvngrad.models.objective import Objective
from mvngrad.models.penalised import penalised
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure

SADDLES = 8  # left at most
POLISHED = 1e-5  # optimality from which Newton's method needs a few steps
SEEN_BY_VALUE = 1e-13
HALVINGS = 24


class Run(NamedTuple):
    """How iterations are run."""

    method: str
    tol: float
    max_iter: int
    callback: Callable[[Step], object] | None


def iterate(
    moments: Moments,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    penalty: Penalty | None = None,
    n_starts: int = 1,
    rng: Any = None,
) -> Solution:
    """Fit complete data from the start, in the data's own frame; the best of some, if it varies."""
    affine = structure.equivariance == "affine" and structure.rescales
    own = _in_own_frame(moments, mean, penalty) if affine else in_diagonal_frame(moments, structure)
    data = penalised(Complete(own), penalty)
    objective = Objective(data, structure.working(), mean.in_frame(own.frame))
    generator = as_generator(rng)

    def fit_from(k: int) -> Solution | None:
        params = _scattered(objective, own, generator) if k else _initial(objective, own, start)
        return None if params is None else _from(objective, params, structure, mean, run)

    with _blas(structure, own.d):
        return best_of_starts(n_starts, fit_from)


def _blas(structure: Structure, d: int) -> AbstractContextManager[None]:
    """BLAS on one thread where its threads gain little: on small matrices, and thin blocks.

    Of a factor model all is products with thin blocks, so its bits depend on no number of threads.
    """
    return single_blas() if structure.by_profile else calm_blas(d)


def _from(
    objective: Objective, params: Array, structure: Structure, mean: Mean, run: Run
) -> Solution:
    tol = max(run.tol, 30.0 * len(objective.data.center) * EPS)
    monitor = Monitor(objective, tol=tol, max_iter=run.max_iter, callback=run.callback)
    status, curvature = to_summit(monitor, run.method, params)
    assert monitor.best is not None
    return reported(monitor, monitor.best, structure, mean, status, curvature)


def _in_own_frame(moments: Moments, mean: Mean, penalty: Penalty | None) -> Moments:
    """The frame of the data; with a prior in S that of both, since theirs may be singular."""
    scatter = scatter_about(moments, mean)
    if penalty is None or not penalty.weight:
        return in_own_frame(scatter, known(mean))
    kappa, prior = penalty.weight, penalty.in_frame(moments.frame).scatter
    both = replace(scatter, weight=scatter.weight + kappa, spread=scatter.spread + prior)
    return moments.in_frame(in_own_frame(both, known(mean)).frame)


def _initial(objective: Objective, own: Moments, start: Start) -> Array:
    frame, structure = own.frame, objective.structure
    _, scatter = objective.covariance_of(own)
    at = own.center if start.mean is None else frame.whiten(start.mean - frame.origin)
    theta = start.params_in(frame, structure)
    if theta is None and start.factor is None:
        theta = near(structure, scatter)
    if theta is None:
        factor = start.factor_in(frame, np.diagonal(frame.color(frame.color(scatter).T)))
        if structure.saturated:
            factor = scaled_to_unit_variance(factor, scatter)
        theta = structure.start_at(factor)
    return np.concatenate([objective.mean.start(at), theta])


def _scattered(objective: Objective, own: Moments, rng: np.random.Generator) -> Array | None:
    """A start at random, where the structure has several maxima to look for."""
    beta, scatter = objective.covariance_of(own)
    theta = objective.structure.scattered(scatter, rng)
    return None if theta is None else np.concatenate([beta, theta])


def to_summit(monitor: Monitor, method: str, params: Array) -> tuple[Status, float]:
    """Drive, look at the curvature, leave a saddle along its descent, and drive on."""
    with calm_blas(len(monitor.objective.data.center)):
        return _to_summit(monitor, method, params)


def _to_summit(monitor: Monitor, method: str, params: Array) -> tuple[Status, float]:
    status = _finished(monitor, method, params)
    for _ in range(SADDLES):
        if status is not Status.CONVERGED:
            return status, math.nan
        assert monitor.best is not None
        curvature = smallest_curvature(monitor.objective, monitor.best)
        if not curvature.value < -NOISE:
            return status, curvature.value
        beyond = _beyond(monitor, curvature)
        if beyond is None:
            break
        status = _finished(monitor, method, beyond)
    return Status.SADDLE, curvature.value


def _finished(monitor: Monitor, method: str, params: Array) -> Status:
    """Drive as far as values of J can tell, and the rest by Newton's method, which reads gradients.

    J/n is known to 1e-16, so a line search cannot see past a gradient of 1e-8 and would wander.
    """
    tol = monitor.tol
    monitor.tol = tol if method in BY_GRADIENT else max(tol, SEEN_BY_VALUE)
    try:
        status = _driven(monitor, method, params)
        near = monitor.best is not None and _is_near(monitor.objective.optimality(monitor.best))
    finally:
        finer, monitor.tol = tol < monitor.tol, tol
    if (finer and status is Status.CONVERGED) or (near and status is Status.STALLED):
        assert monitor.best is not None
        return _driven(monitor, "newton", monitor.best.params)
    return status


def _is_near(optimality: float) -> bool:
    """Whether Newton's method should look: inf is where the information is blind to a slope.

    So it is beside a variance of 0, where J falls with its square.
    """
    return optimality <= POLISHED or optimality == math.inf


def _driven(monitor: Monitor, method: str, params: Array) -> Status:
    try:
        driver(method)(monitor, params)
    except Stop as stop:
        status = stop.status
    except KeyboardInterrupt:
        if monitor.best is None:
            raise
        return Status.INTERRUPTED
    else:
        raise AssertionError("a driver ends by raising Stop")
    if monitor.best is None:
        raise nothing_at_start()
    # The best point may come from a trial step, judged by no one yet.
    if status not in {Status.STALLED, Status.MAX_ITER}:
        return status
    optimality = monitor.objective.optimality(monitor.best)
    rounding = 0.0 if monitor.rounding is None else monitor.rounding(monitor.best)
    at_rounding = status is Status.STALLED and optimality <= rounding
    return Status.CONVERGED if optimality <= monitor.tol or at_rounding else status


def _beyond(monitor: Monitor, curvature: Curvature) -> Array | None:
    """Parameters on the way down from a saddle, the nearer of two halvings that go lower."""
    assert monitor.best is not None
    height, lowest = monitor.best.value, monitor.best
    for k in range(HALVINGS):
        for t in (0.5**k, -(0.5**k)):
            params = curvature.path(t)
            value, _ = monitor.evaluate(params)
            if value < height and value <= lowest.value:
                lowest = monitor.point(params)
        if lowest.value < height:
            return lowest.params
    return None
