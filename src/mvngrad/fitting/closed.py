"""Estimates of complete data in closed form, certified by an evaluation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mvngrad.core.likelihood import value
from mvngrad.core.moments import Moments
from mvngrad.core.operators import DenseCovariance, IdentityCovariance
from mvngrad.core.roots import correlation_condition
from mvngrad.fitting.convergence import Status, Step, Trace
from mvngrad.fitting.prepare import in_diagonal_frame, in_own_frame
from mvngrad.fitting.requirements import EPS, scatter_about
from mvngrad.fitting.solution import Solution, factor_of, known, mean_of, params_of
from mvngrad.models.data import Complete
from mvngrad.models.means import Mean
from mvngrad.models.objective import Objective
from mvngrad.models.structure import Structure

EXACT = 64  # columns up to which the certificate of a closed form takes all of K
PROBES = 4
MOST_ROUNDING = 1e-3  # nats a row: what is further from the summit is no rounding


def closed_form(moments: Moments, structure: Structure, mean: Mean, tol: float) -> Solution:
    """μ̂ = m (or as fixed) and S(θ̂) at A/n, certified by one evaluation."""
    if structure.saturated and structure.equivariance == "affine" and structure.rescales:
        return _saturated_closed_form(moments, structure, mean, tol)
    tol = max(tol, 30.0 * moments.d * EPS)
    own = in_diagonal_frame(moments, structure)
    objective = Objective(Complete(own), structure, mean.in_frame(own.frame))
    point = objective.at(objective.best_for(own))
    beta, theta = objective.split(point.params)
    nll = objective.total(point.value)
    return Solution(
        nll=nll,
        mean=mean_of(objective, beta, mean),
        factor=factor_of(structure, theta, own.frame),
        params=params_of(structure, theta, own.frame),
        **_certificate(nll, objective.optimality(point), tol),
    )


def _saturated_closed_form(
    moments: Moments, structure: Structure, mean: Mean, tol: float
) -> Solution:
    # In the frame of A itself S = I is the optimum: nothing is left to factor or to solve.
    scatter = scatter_about(moments, mean)
    own = in_own_frame(scatter, known(mean))
    objective = Objective(Complete(own), structure, mean.in_frame(own.frame))
    beta = objective.mean.start(own.center)
    J = value(own, objective.mean.mean(beta), IdentityCovariance())
    nll, optimality = objective.total(J / own.weight), _probed_optimality(scatter)
    return Solution(
        nll=nll,
        mean=mean_of(objective, beta, mean),
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
