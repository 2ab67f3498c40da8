"""The gradient family of the note's footnote: methods that use gradients, current and past, only.

Each driver is a loop over ``evaluate(x) → J/n, ∇`` and reports every iterate to
``accept(x, step)``, which ends the loop by raising. A step is taken only if J falls enough
(Armijo 1966), so from any start J decreases, in Barzilai–Borwein over ten steps rather than at
each; what differs is the direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Monitor, Status, Stop

SUFFICIENT = 1e-4
MOMENTUM = 0.9
BB_MEMORY = 10
SHORTEST = 1e-16


class Iterate(NamedTuple):
    """x, J(x)/n, ∇J(x)/n."""

    x: Array
    f: float
    g: Array


def evaluated(monitor: Monitor, x: Array) -> Iterate:
    """The objective there."""
    return Iterate(x, *monitor.evaluate(x))


def begin(monitor: Monitor, x: Array) -> Iterate:
    """The start, recorded as iteration 0."""
    start = evaluated(monitor, x)
    monitor.accept(start.x, 0.0)
    return start


def backtrack(
    monitor: Monitor, at: Iterate, direction: Array, length: float, bound: float | None = None
) -> tuple[Iterate, float]:
    """The first of length, length/2, length/4 … with J ≤ bound + c·length·⟨∇, direction⟩."""
    slope = float(at.g @ direction)
    bound = at.f if bound is None else bound
    while length > SHORTEST:
        trial = evaluated(monitor, at.x + length * direction)
        if trial.f <= bound + SUFFICIENT * length * slope:
            return trial, length
        length *= 0.5
    raise Stop(Status.STALLED)


def _unit_length(at: Iterate) -> float:
    return min(1.0, 1.0 / float(np.linalg.norm(at.g)))


def moved(monitor: Monitor, before: Iterate, after: Iterate) -> None:
    """Record an iteration that led from one point to another."""
    monitor.accept(after.x, float(np.linalg.norm(after.x - before.x)))


def gradient_descent(monitor: Monitor, x: Array) -> None:
    """x ← x − t∇, t doubled after each success and halved until J falls enough."""
    at = begin(monitor, x)
    length = _unit_length(at)
    while True:
        after, length = backtrack(monitor, at, -at.g, length)
        moved(monitor, at, after)
        at, length = after, 2.0 * length


def momentum(monitor: Monitor, x: Array) -> None:
    """Heavy ball: v ← 0.9v − t∇, x ← x + v (Polyak 1964); v is dropped where J would rise."""
    at = begin(monitor, x)
    length, velocity = _unit_length(at), np.zeros_like(x)
    while True:
        direction = MOMENTUM * velocity - length * at.g
        after = evaluated(monitor, at.x + direction)
        if after.f > at.f + SUFFICIENT * min(float(at.g @ direction), 0.0):
            after, length = backtrack(monitor, at, -at.g, length)
            direction = -length * at.g
        else:
            length *= 1.1
        moved(monitor, at, after)
        at, velocity = after, direction


def nesterov(monitor: Monitor, x: Array) -> None:
    """Nesterov's accelerated gradient (1983), restarted where J rises (O'Donoghue, Candès 2015)."""
    at = begin(monitor, x)
    length, ahead, age = _unit_length(at), at, 0
    while True:
        after, length = backtrack(monitor, ahead, -ahead.g, length)
        if after.f > at.f:
            if age == 0:
                raise Stop(Status.STALLED)
            ahead, age = at, 0
            continue
        moved(monitor, at, after)
        age += 1
        ahead = evaluated(monitor, after.x + age / (age + 3.0) * (after.x - at.x))
        at, length = after, 1.5 * length


def barzilai_borwein(monitor: Monitor, x: Array) -> None:
    """x ← x − t∇, t = ⟨s,s⟩/⟨s,y⟩ from the last step (Barzilai & Borwein 1988).

    J may rise for a while, but stays below its largest value of ten iterations (Raydan 1997).
    """
    at = begin(monitor, x)
    length, recent = _unit_length(at), [at.f]
    while True:
        after, length = backtrack(monitor, at, -at.g, length, max(recent))
        moved(monitor, at, after)
        s, y = after.x - at.x, after.g - at.g
        curvature = float(s @ y)
        length = float(s @ s) / curvature if curvature > 0.0 else 2.0 * length
        at, recent = after, [*recent[1 - BB_MEMORY :], after.f]


def natural_gradient(monitor: Monitor, x: Array) -> None:
    """x ← x − tF⁻¹∇, F the Fisher information (Amari 1998; Fisher scoring with a line search)."""
    at = begin(monitor, x)
    while True:
        point = monitor.point(at.x)
        after, _ = backtrack(monitor, at, monitor.objective.natural_direction(point), 1.0)
        moved(monitor, at, after)
        at = after


Driver = Callable[[Monitor, Array], None]
