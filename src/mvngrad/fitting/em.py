"""EM and accelerated EM: maximise the likelihood of complete data as expected, and again.

J never rises along EM (Dempster, Laird & Rubin 1977); it converges at the rate of the largest
fraction of missing information.
"""

from __future__ import annotations

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Monitor, Status, Stop
from mvngrad.fitting.first_order import Iterate, begin, evaluated, moved
from mvngrad.fitting.newton import newton
from mvngrad.fitting.whitened import led, serves

MEMORY = 8
LOOK_BACK = 12  # iterations over which the rate is measured
PATIENCE = 30  # iterations before it is judged
SLOW = 150  # more iterations of accelerated EM than this are given to Newton's method
IDLE = 12  # iterations without a better gradient, with J at rounding


def em(monitor: Monitor, x: Array) -> None:
    """x ← M-step at what the E-step expects."""
    at = begin(monitor, x)
    watch = _Watch(monitor)
    while True:
        after = evaluated(monitor, monitor.objective.em_step(monitor.point(at.x)))
        watch.require_progress(at, after)
        moved(monitor, at, after)
        at = after


def accelerated_em(monitor: Monitor, x: Array) -> None:
    """Anderson's mixing of the last EM steps, dropped for a plain one where J would rise.

    x ← Σ αᵢ M(xᵢ), Σ αᵢ = 1, with |Σ αᵢ (M(xᵢ) − xᵢ)| least (Walker & Ni 2011).
    """
    _accelerated(monitor, x, hand_over=False)


def em_then_newton(monitor: Monitor, x: Array) -> None:
    """Accelerated EM, handed over to Newton's method where it would take long.

    With few columns, and all free, both go without parameters as far as that leads.
    """
    if serves(monitor.objective):
        begin(monitor, x)
        x = led(monitor, x)
    newton(monitor, _accelerated(monitor, x, hand_over=True))


def _accelerated(monitor: Monitor, x: Array, *, hand_over: bool) -> Array:
    at = begin(monitor, x)
    watch = _Watch(monitor)
    xs: list[Array] = []
    images: list[Array] = []
    while not (hand_over and watch.is_slow()):
        image = monitor.objective.em_step(monitor.point(at.x))
        xs, images = [*xs[-MEMORY:], at.x], [*images[-MEMORY:], image]
        after = evaluated(monitor, _mixed(xs, images))
        if not after.f <= at.f + watch.rounding(at):
            after, xs, images = evaluated(monitor, image), [], []
        watch.require_progress(at, after)
        moved(monitor, at, after)
        at = after
    return at.x


def _mixed(xs: list[Array], images: list[Array]) -> Array:
    """Σ αᵢ M(xᵢ), α by least squares on the differences of steps."""
    if len(xs) == 1:
        return images[0]
    steps = np.array(images) - np.array(xs)
    share, *_ = np.linalg.lstsq(np.diff(steps, axis=0).T, steps[-1], rcond=1e-10)
    return np.asarray(images[-1] - share @ np.diff(np.array(images), axis=0))


class _Watch:
    """What the trace says about progress."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor, self.first, self.idle, self.least = monitor, len(monitor.steps), 0, np.inf

    @staticmethod
    def rounding(at: Iterate) -> float:
        """By how much J/n may seem to rise."""
        return 1e-14 * (1.0 + abs(at.f))

    def require_progress(self, at: Iterate, after: Iterate) -> None:
        """End where J stays as it is and the gradient is not getting smaller."""
        norm = self.monitor.steps[-1].gradient_norm
        if at.f - after.f > self.rounding(at) or norm < 0.9 * self.least:
            self.least, self.idle = min(self.least, norm), 0
            return
        self.idle += 1
        if self.idle >= IDLE:
            raise Stop(Status.STALLED)

    def is_slow(self) -> bool:
        """Whether at the rate of the last iterations many more would be needed."""
        norms = [step.gradient_norm for step in self.monitor.steps[self.first :]]
        if len(norms) <= PATIENCE or norms[-1] == 0.0:
            return False
        rate = (norms[-1] / norms[-1 - LOOK_BACK]) ** (1.0 / LOOK_BACK)
        goal = np.sqrt(2.0 * self.monitor.tol) / norms[-1]
        return bool(rate >= 1.0 or np.log(goal) / np.log(rate) > SLOW)
