"""Moments and a model → estimates, in closed form or by a driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.likelihood import evaluate
from mvngrad.core.moments import Moments
from mvngrad.core.operators import DenseCovariance, IdentityCovariance
from mvngrad.core.ops import Array
from mvngrad.core.threads import single_blas
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

PROBES = 16
SMALL = 256


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


def closed_form(moments: Moments, structure: Structure, mean: Mean) -> Solution:
    """μ̂ = m (or as fixed) and S(θ̂) at A/n, certified by one evaluation."""
    if structure.saturated:
        return _saturated_closed_form(moments, structure, mean)
    objective = _objective(in_diagonal_frame(moments, structure), structure, mean)
    own = objective.moments
    beta = objective.mean.start(own.center)
    c = own.center - objective.mean.mean(beta)
    theta = structure.start(own.spread / own.weight + np.multiply.outer(c, c))
    point = objective.at(np.concatenate([beta, theta]))
    return Solution(
        nll=_total(objective, point.value),
        mean=_mean(objective, beta),
        factor=own.frame.color(structure.factor(theta)),
        params=structure.rescale(theta, own.frame.root),
        **_certificate(_total(objective, point.value), objective.optimality(point)),
    )


def _saturated_closed_form(moments: Moments, structure: Structure, mean: Mean) -> Solution:
    # In the frame of A itself S = I is the optimum: nothing is left to factor or to solve.
    scatter = scatter_about(moments, mean)
    own = in_own_frame(scatter, _known(mean))
    objective = _objective(own, structure, mean)
    beta = objective.mean.start(own.center)
    e = evaluate(own, objective.mean.mean(beta), IdentityCovariance())
    nll = _total(objective, e.nll / own.weight)
    return Solution(
        nll=nll,
        mean=_mean(objective, beta),
        factor=own.frame.root,
        params=None,
        **_certificate(nll, _probed_optimality(scatter)),
    )


def _probed_optimality(scatter: Moments) -> float:
    """¼‖I − K‖², K = L⁻¹AL⁻ᵀ/n measured anew: exactly for few columns, else by probes.

    For random signs v, E‖(I − K)v‖² = ‖I − K‖²: O(d²) where all of K would cost O(d³).
    """
    few = scatter.d <= PROBES
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (scatter.d, PROBES))
    V = np.eye(scatter.d) if few else signs
    S = DenseCovariance(scatter.root_and_pivots[0])
    error = V - S.whiten(scatter.spread @ S.unwhiten(V)) / scatter.weight
    return 0.25 * float((error**2).sum()) / (1 if few else PROBES)


def _certificate(nll: float, optimality: float) -> dict[str, Any]:
    norm = float(np.sqrt(2.0 * max(optimality, 0.0)))
    return {
        "status": Status.CONVERGED,
        "optimality": optimality,
        "curvature": 1.0,
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
    affine = structure.equivariance == "affine"
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
    return _reported(monitor, structure, status)


def _initial(objective: Objective, start: Start) -> Array:
    own, frame, structure = objective.moments, objective.moments.frame, objective.structure
    factor = frame.whiten(start.factor_for(own))
    if structure.saturated:
        factor = scaled_to_unit_variance(factor, own)
    at = own.center if start.mean is None else frame.whiten(start.mean - frame.origin)
    return np.concatenate([objective.mean.start(at), structure.start_at(factor)])


def _driven(monitor: Monitor, method: str, params: Array) -> Status:
    # On small matrices the threads of BLAS cost more than they do, several-fold on a busy machine.
    calm = single_blas() if monitor.objective.moments.d <= SMALL else nullcontext()
    try:
        with calm:
            DRIVERS[method](monitor, params)
    except Stop as stop:
        return stop.status
    except KeyboardInterrupt:
        if monitor.best is None:
            raise
        return Status.INTERRUPTED
    raise AssertionError("a driver ends by raising Stop")


def _reported(monitor: Monitor, structure: Structure, status: Status) -> Solution:
    objective, best = monitor.objective, monitor.best
    if best is None:
        raise NotPositiveDefiniteError(
            "the likelihood has no finite value at the start: it is too far from the data, or "
            "singular to rounding. Start from np.diag of standard deviations, or leave start out."
        )
    beta, theta = objective.split(best.params)
    frame = objective.moments.frame
    curvature = smallest_curvature(objective, best)
    if status is Status.CONVERGED and curvature < 0.0:
        status = Status.SADDLE
    if objective.structure is structure:
        factor = frame.color(structure.factor(theta))
        params = structure.rescale(theta, frame.root)
    else:
        factor = compose(frame, objective.structure.factor(theta))
        params = structure.start_at(factor)
    return Solution(
        nll=_total(objective, best.value),
        mean=_mean(objective, beta),
        factor=factor,
        params=params,
        status=status,
        optimality=objective.optimality(best),
        curvature=curvature,
        trace=Trace(tuple(monitor.steps)),
        n_eval=monitor.n_eval,
    )


def _known(mean: Mean) -> Array | None:
    return mean.value if isinstance(mean, FixedMean) else None


def _objective(moments: Moments, structure: Structure, mean: Mean) -> Objective:
    return Objective(moments, structure, mean.in_frame(moments.frame))


def _total(objective: Objective, value: float) -> float:
    """J in the units of the data from J/n in the frame."""
    return objective.moments.weight * (value + objective.moments.frame.logdet)


def _mean(objective: Objective, beta: Array) -> Array:
    frame = objective.moments.frame
    return frame.origin + frame.color(objective.mean.mean(beta))
