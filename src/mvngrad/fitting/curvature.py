"""Is it a summit? The smallest curvature of J in the metric of the information."""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import eigh

from mvngrad.core.ops import Array
from mvngrad.models.objective import Objective, Point

STEP = 1e-5
GAUGE = 1e-9


def smallest_curvature(objective: Objective, point: Point) -> float:
    """min vᵀHv / vᵀFv over v off the gauge directions, H the Hessian of J/n, F the information.

    Where S⁻¹ ranges over a linear space J is convex in it and H = F at its one stationary point:
    the answer is 1. Elsewhere H is taken from central differences of the gradient; NaN where those
    leave the domain.
    """
    if objective.structure.linear_precision or not len(point.params):
        return 1.0
    try:
        with np.errstate(all="ignore"):
            return _measured(objective, point)
    except (LinAlgError, ValueError):
        return float("nan")


def _measured(objective: Objective, point: Point) -> float:
    p = len(point.params)
    basis = np.eye(p)
    F = np.column_stack([objective.fisher_product(point, v) for v in basis])
    H = np.column_stack([_hessian_product(objective, point, v) for v in basis])
    values, vectors = eigh(0.5 * (F + F.T))
    seen = values > GAUGE * values[-1]
    scaled = vectors[:, seen] / np.sqrt(values[seen])
    return float(eigh(scaled.T @ (0.5 * (H + H.T)) @ scaled, eigvals_only=True)[0])


def _hessian_product(objective: Objective, point: Point, v: Array) -> Array:
    ahead = objective.at(point.params + STEP * v).gradient
    behind = objective.at(point.params - STEP * v).gradient
    return (ahead - behind) / (2.0 * STEP)
