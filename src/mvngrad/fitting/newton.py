"""Newton's method with a trust region: the closed-form curvature, through conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Monitor, Status, Stop
from mvngrad.fitting.first_order import Iterate, begin, evaluated, moved
from mvngrad.models.objective import Objective, Point

Product = Callable[[Array], Array]

WIDEST = 10.0
SHORTEST = 1e-12
MOST_PRODUCTS = 200
FLAT = 1e-14  # curvature, relative to the largest, that is rounding
BENT = 1e-4


def newton(monitor: Monitor, x: Array) -> None:
    """x ← x + Ds, s minimising the quadratic model within a radius (Conn, Gould & Toint 2000).

    D is what steps are measured in: 1, or as a structure has it.

    Products with the Hessian of the observed-data J only; directions of negative curvature are
    followed to the edge, so a maximum or a saddle of J holds nothing up.
    """
    at = begin(monitor, x)
    radius = 1.0
    while True:
        point = monitor.point(at.x)
        flat = _flat(at.g) if monitor.objective.is_singular else FLAT
        D = monitor.objective.lengths(at.x)
        step, gain = _step(monitor.objective, point, radius, flat, D)
        after = evaluated(monitor, at.x + D * step)
        rounding = 1e-14 * (1.0 + abs(at.f))
        ratio = (at.f - after.f + rounding) / (gain + rounding)
        if ratio > 0.75 and np.linalg.norm(step) > 0.8 * radius:
            radius = min(2.0 * radius, WIDEST)
        elif ratio < 0.25:
            radius = 0.25 * float(np.linalg.norm(step))
        # Where J is at rounding it tells nothing any more; the gradient still does.
        finer = gain <= rounding and np.linalg.norm(D * after.g) >= 0.5 * np.linalg.norm(D * at.g)
        if ratio > 0.1 and not finer:
            moved(monitor, at, after)
            at = _across(monitor, after)
        elif finer or radius < SHORTEST:
            raise Stop(Status.STALLED)


def _across(monitor: Monitor, at: Iterate) -> Iterate:
    """The lowest of the points across an edge of the family, where one is lower than x."""
    for other in monitor.objective.across(monitor.point(at.x)):
        after = evaluated(monitor, other)
        if after.f < at.f:
            moved(monitor, at, after)
            at = after
    return at


def _flat(g: Array) -> float:
    """What curvature is none, relative to the largest, where parameters are redundant.

    Along their orbits J is level, but an orbit that bends shows a curvature of the size of g.
    """
    return max(FLAT, min(BENT, float(np.linalg.norm(g))))


def _step(
    objective: Objective, at: Point, radius: float, flat: float, D: Array
) -> tuple[Array, float]:
    """The step, over D; none where the curvature has no value, as of a structure near its edge."""
    try:
        product = objective.hessian(at)
        step, gain = steihaug(lambda v: D * product(D * v), D * at.gradient, radius, flat)
    except np.linalg.LinAlgError as error:
        raise Stop(Status.STALLED) from error
    if not (np.isfinite(gain) and np.isfinite(step).all()):
        raise Stop(Status.STALLED)
    return step, gain


def steihaug(product: Product, g: Array, radius: float, flat: float = 0.0) -> tuple[Array, float]:
    """s within the radius, and by how much ⟨g, s⟩ + ½⟨s, Hs⟩ falls there (Steihaug 1983).

    It ends where all the curvature that is left is ``flat`` beside the largest.
    """
    s, r = np.zeros_like(g), g.copy()
    Hs = np.zeros_like(g)
    p, size = -r, float(np.linalg.norm(g))
    goal, top = min(0.1, size) * size, 0.0
    for _ in range(min(2 * len(g), MOST_PRODUCTS)):
        Hp = product(p)
        bend, rr = float(p @ Hp), float(r @ r)
        top = max(top, abs(bend) / float(p @ p))
        if abs(bend) <= flat * top * float(p @ p):
            break
        edge = _to_edge(s, p, radius)
        length = min(rr / bend, edge) if bend > 0.0 else edge
        s, Hs, r = s + length * p, Hs + length * Hp, r + length * Hp
        if length == edge or np.linalg.norm(r) <= goal:
            break
        p = -r + (float(r @ r) / rr) * p
    return s, -float(g @ s + 0.5 * s @ Hs)


def _to_edge(s: Array, p: Array, radius: float) -> float:
    """t ≥ 0 with |s + tp| = radius."""
    a, b, c = float(p @ p), float(s @ p), float(s @ s) - radius**2
    return (-b + np.sqrt(max(b * b - a * c, 0.0))) / a
