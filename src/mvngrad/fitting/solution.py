"""Estimates in the units of the data, from a point in the frame of a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Monitor, Status, Trace
from mvngrad.fitting.curvature import NOISE
from mvngrad.fitting.prepare import compose
from mvngrad.models.means import FixedMean, Mean
from mvngrad.models.objective import Objective, Point
from mvngrad.models.structure import Structure

SAME = 1e-12  # of J, relative: summits of one height
STOPPED = {Status.INTERRUPTED, Status.CALLBACK}


@dataclass(frozen=True, eq=False)
class Solution:
    """Estimates in the units of the data, and how they were reached."""

    nll: float
    mean: Array
    factor: Array
    params: Array | None
    status: Status
    optimality: float
    curvature: float
    trace: Trace
    n_eval: int
    n_starts: int = 1
    closed: bool = False
    penalty: float = 0.0


def reported(
    monitor: Monitor,
    best: Point,
    structure: Structure,
    mean: Mean,
    status: Status,
    curvature: float,
) -> Solution:
    """The best point a monitor saw, for the structure as the caller named it."""
    objective = monitor.objective
    # With holes J lies above its summit by the complete-data measure over the smallest curvature;
    # along what the data do not tell it is flat, and no higher.
    share = min(curvature, 1.0) if curvature > NOISE else 1.0
    beta, theta = objective.split(best.params)
    frame = objective.data.frame
    if objective.structure is structure:
        factor, params = factor_of(structure, theta, frame), params_of(structure, theta, frame)
    else:
        factor = compose(frame, objective.structure.factor(theta))
        params = structure.start_at(factor)
    terms = objective.value_of_terms(best)
    return Solution(
        nll=objective.total(best.value) - terms,
        penalty=terms,
        mean=mean_of(objective, beta, mean),
        factor=factor,
        params=params,
        status=status,
        optimality=objective.optimality(best) / share,
        curvature=curvature,
        trace=Trace(tuple(monitor.steps)),
        n_eval=monitor.n_eval,
    )


def factor_of(structure: Structure, theta: Array, frame: AffineFrame) -> Array:
    """Λ̂ in the units of the data."""
    return structure.reported_factor(frame.color(structure.factor(theta)))


def params_of(structure: Structure, theta: Array, frame: AffineFrame) -> Array:
    """θ̂ in the units of the data."""
    return structure.rescale(theta, frame.root) if structure.rescales else theta


def mean_of(objective: Objective, beta: Array, mean: Mean) -> Array:
    """μ̂ in the units of the data; a known mean as it was given."""
    if isinstance(mean, FixedMean):
        return mean.value.copy()
    frame = objective.data.frame
    return np.asarray(frame.origin + frame.color(objective.mean.mean(beta)))


def known(mean: Mean) -> Array | None:
    """μ where it is fixed."""
    return mean.value if isinstance(mean, FixedMean) else None


def best_of_starts(
    n_starts: int,
    fit_from: Callable[[int], Solution | None],
    tolerated: tuple[type[Exception], ...] = (),
) -> Solution:
    """The best of fits from start 0, 1, …: to the last, to None, or to a stop by the user.

    An error that is tolerated counts only if all starts end in one.
    """
    found: list[Solution] = []
    failure = None
    for k in range(n_starts):
        try:
            solution = fit_from(k)
        except tolerated as error:
            failure = failure or error
            continue
        except KeyboardInterrupt:
            if not found:
                raise
            found[-1] = replace(found[-1], status=Status.INTERRUPTED)
            break
        if solution is None:
            break
        found.append(solution)
        if solution.status in STOPPED:
            break
    if failure is not None and not found:
        raise failure
    return replace(best_of(found), n_starts=len(found))


def best_of(found: Sequence[Solution]) -> Solution:
    """The lowest J, the most exact of those at one height; a stop by the user is not hidden."""
    converged = [s for s in found if s.status is Status.CONVERGED] or found
    lowest = min(s.nll + s.penalty for s in converged)
    level = lowest + SAME * (1.0 + abs(lowest))
    level_ones = (s for s in converged if s.nll + s.penalty <= level)
    best = min(level_ones, key=lambda s: s.optimality)
    last = found[-1].status
    return replace(best, status=last) if last in STOPPED else best
