"""Moments and a model → estimates, in closed form or by a driver."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import evaluate
from mvngrad.core.moments import Moments
from mvngrad.core.operators import DenseCovariance, IdentityCovariance
from mvngrad.core.ops import Array
from mvngrad.core.roots import correlation_condition
from mvngrad.core.threads import calm_blas
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.fitting.convergence import Monitor, Status, Step, Stop, Trace
from mvngrad.fitting.curvature import smallest_curvature
from mvngrad.fitting.methods import DRIVERS
from mvngrad.fitting.prepare import compose, in_diagonal_frame, in_own_frame
from mvngrad.fitting.requirements import EPS, scatter_about
from mvngrad.fitting.start import Start, scaled_to_unit_variance
from mvngrad.models.means import FixedMean, Mean
from mvngrad.models.objective import Objective
from mvngrad.models.structure import Structure

EXACT = 64  # columns up to which the certificate of a closed form takes all of K
PROBES = 4
MOST_ROUNDING = 1e-3  # nats a row: what is further from the summit is no rounding
NOISE = 1e-6  # of a curvature from differences


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


def closed_form(moments: Moments, structure: Structure, mean: Mean, tol: float) -> Solution:
    """μ̂ = m (or as fixed) and S(θ̂) at A/n, certified by one evaluation."""
    if structure.saturated and structure.equivariance == "affine" and structure.rescales:
        return _saturated_closed_form(moments, structure, mean, tol)
    tol = max(tol, 30.0 * moments.d * EPS)
    objective = _objective(in_diagonal_frame(moments, structure), structure, mean)
    own = objective.moments
    beta = objective.mean.start(own.center)
    theta = structure.start(objective.scatter / own.weight)
    point = objective.at(np.concatenate([beta, theta]))
    return Solution(
        nll=_total(objective, point.value),
        mean=_mean(objective, beta, mean),
        factor=own.frame.color(structure.factor(theta)),
        params=_params(structure, theta, own.frame),
        **_certificate(_total(objective, point.value), objective.optimality(point), tol),
    )


def _saturated_closed_form(
    moments: Moments, structure: Structure, mean: Mean, tol: float
) -> Solution:
    # In the frame of A itself S = I is the optimum: nothing is left to factor or to solve.
    scatter = scatter_about(moments, mean)
    own = in_own_frame(scatter, _known(mean))
    objective = _objective(own, structure, mean)
    beta = objective.mean.start(own.center)
    e = evaluate(own, objective.mean.mean(beta), IdentityCovariance())
    nll, optimality = _total(objective, e.nll / own.weight), _probed_optimality(scatter)
    return Solution(
        nll=nll,
        mean=_mean(objective, beta, mean),
        factor=own.frame.root,
        params=None,
        **_certificate(nll, optimality, tol if optimality <= tol else _rounding(scatter)),
    )


def _probed_optimality(scatter: Moments) -> float:
    """¼‖I − K‖², K = L⁻¹AL⁻ᵀ/n measured anew: exactly for few columns, else by probes.

    For random signs v, E‖(I − K)v‖² = ‖I − K‖²: O(d²) where all of K would cost O(d³).
    """
    few = scatter.d <= EXACT
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (scatter.d, PROBES))
    V = np.eye(scatter.d) if few else signs
    S = DenseCovariance(scatter.root_and_pivots[0])
    error = V - S.whiten(scatter.spread @ S.unwhiten(V)) / scatter.weight
    return 0.25 * float((error**2).sum()) / (1 if few else PROBES)


def _rounding(scatter: Moments) -> float:
    """30 d ε·cond of the scatter in its frame, within reason: what rounding makes of optimality."""
    rounding = 30.0 * scatter.d * EPS * correlation_condition(scatter.root_and_pivots[0])
    return min(rounding, MOST_ROUNDING)


def _certificate(nll: float, optimality: float, tol: float) -> dict[str, Any]:
    norm = float(np.sqrt(2.0 * max(optimality, 0.0)))
    optimal = math.isfinite(nll) and optimality <= tol
    return {
        "status": Status.CONVERGED if optimal else Status.STALLED,
        "optimality": optimality,
        "curvature": 1.0 if optimal else math.nan,
        "trace": Trace((Step(0, nll, norm, 0.0, 1, 0.0),)),
        "n_eval": 1,
    }


def iterate(
    moments: Moments,
    structure: Structure,
    mean: Mean,
    start: Start,
    *,
    method: str,
    tol: float,
    max_iter: int,
    callback: Callable[[Step], object] | None,
) -> Solution:
    """Run a driver from the start, in the data's own frame, and keep the best point it saw."""
    affine = structure.equivariance == "affine" and structure.rescales
    own = (
        in_own_frame(scatter_about(moments, mean), _known(mean))
        if affine
        else in_diagonal_frame(moments, structure)
    )
    working = structure.working()
    objective = _objective(own, working, mean)
    monitor = Monitor(
        objective,
        tol=max(tol, 30.0 * own.d * EPS),
        max_iter=max_iter,
        offset=_total(objective, 0.0),
        callback=callback,
    )
    status = _driven(monitor, method, _initial(objective, start))
    return _reported(monitor, structure, mean, status)


def _initial(objective: Objective, start: Start) -> Array:
    own, frame, structure = objective.moments, objective.moments.frame, objective.structure
    factor = start.factor_in(objective)
    if structure.saturated:
        factor = scaled_to_unit_variance(factor, objective.scatter / own.weight)
    at = own.center if start.mean is None else frame.whiten(start.mean - frame.origin)
    return np.concatenate([objective.mean.start(at), structure.start_at(factor)])


def _driven(monitor: Monitor, method: str, params: Array) -> Status:
    try:
        with calm_blas(monitor.objective.moments.d):
            DRIVERS[method](monitor, params)
    except Stop as stop:
        return stop.status
    except KeyboardInterrupt:
        if monitor.best is None:
            raise
        return Status.INTERRUPTED
    raise AssertionError("a driver ends by raising Stop")


def _reported(monitor: Monitor, structure: Structure, mean: Mean, status: Status) -> Solution:
    objective, best = monitor.objective, monitor.best
    if best is None:
        raise NotPositiveDefiniteError(
            "the likelihood has no finite value at the start: it is too far from the data, or "
            "singular to rounding. Start from np.diag of standard deviations, or leave start out."
        )
    beta, theta = objective.split(best.params)
    frame = objective.moments.frame
    optimality = objective.optimality(best)
    # The best point may come from a trial step, judged by no one yet.
    if status in {Status.STALLED, Status.MAX_ITER} and optimality <= monitor.tol:
        status = Status.CONVERGED
    curvature = math.nan
    if status is Status.CONVERGED:
        curvature = smallest_curvature(objective, best)
        status = Status.SADDLE if curvature < -NOISE else status
    if objective.structure is structure:
        factor = frame.color(structure.factor(theta))
        params = _params(structure, theta, frame)
    else:
        factor = compose(frame, objective.structure.factor(theta))
        params = structure.start_at(factor)
    return Solution(
        nll=_total(objective, best.value),
        mean=_mean(objective, beta, mean),
        factor=factor,
        params=params,
        status=status,
        optimality=optimality,
        curvature=curvature,
        trace=Trace(tuple(monitor.steps)),
        n_eval=monitor.n_eval,
    )


def _params(structure: Structure, theta: Array, frame: AffineFrame) -> Array:
    """θ̂ in the units of the data."""
    return structure.rescale(theta, frame.root) if structure.rescales else theta


def _known(mean: Mean) -> Array | None:
    return mean.value if isinstance(mean, FixedMean) else None


def _objective(moments: Moments, structure: Structure, mean: Mean) -> Objective:
    return Objective(moments, structure, mean.in_frame(moments.frame))


def _total(objective: Objective, value: float) -> float:
    """J in the units of the data from J/n in the frame."""
    return objective.moments.weight * (value + objective.moments.frame.logdet)


def _mean(objective: Objective, beta: Array, mean: Mean) -> Array:
    """μ̂ in the units of the data; a known mean as it was given."""
    if isinstance(mean, FixedMean):
        return mean.value.copy()
    frame = objective.moments.frame
    return frame.origin + frame.color(objective.mean.mean(beta))
