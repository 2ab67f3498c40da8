"""Newton's method in μ and S themselves, behind a few steps of EM: for rows of few columns.

Where every mean and covariance is free no parameters are needed. Seen from the coordinates
whitened by L, S = LLᵀ, a step (δ, E) leads to

    μ + Lδ,   L(I + E + ⅔E²)Lᵀ          EM's own to μ + Lr, L(K − rrᵀ)Lᵀ

definite for every E. Of the curves I + E + cE² this one suits Newton's method best. Of complete
data, one column, about a known mean, J/n = ½(log s + k/s): along s = 1 + e + ce², at e = 0,

    J' = ½(1 − k)    J'' = ½(2k − 1) + c(1 − k)    s − k = (3c − 2)(k − 1)² + O(k − 1)³ after a step

so for c = ⅔ the error is of third order, and J'' = ⅙(1 + 2k) is positive whatever k. With holes H
is one small matrix, and H at two or three points leads to where rounding begins. What comes of it
is judged by the drivers as any other start is, and whatever does not fit is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from mvngrad.core.expected import FEW, evaluate_observed
from mvngrad.core.likelihood import Evaluation
from mvngrad.core.ops import Array, cholesky, definite_solver
from mvngrad.core.patterns import Patterns
from mvngrad.core.whole import symmetric, symmetric_cotangent, whole_at
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.fitting.convergence import Monitor, Stop
from mvngrad.models.data import Observed
from mvngrad.models.objective import Objective, Point

MOST = 40  # steps
BEND = 2.0 / 3.0
CLOSE = 0.02  # optimality from which Newton's step beats EM's
REACH = 0.5  # √(‖δ‖² + ½‖E‖²): longer steps are cut

Solver = Callable[[Array], Array]
Place = tuple[Array, Array]


class _At(NamedTuple):
    """A point, the evaluation there, seen from L, and per unit weight J, ∇ and ½‖∇‖²."""

    mu: Array
    L: Array
    e: Evaluation
    value: float
    slope: Array
    optimality: float

    @classmethod
    def of(cls, data: Patterns, mu: Array, L: Array) -> _At:
        return cls.seen(mu, L, evaluate_observed(data, mu, L))

    @classmethod
    def seen(cls, mu: Array, L: Array, e: Evaluation) -> _At:
        slope = np.concatenate([-e.residual, symmetric_cotangent(e.score.core) / e.weight])
        return cls(mu, L, e, e.nll / e.weight, slope, 0.5 * float(slope @ slope))

    def by_em(self) -> Place:
        r = self.e.residual
        return self.mu + self.L @ r, self.L @ cholesky(self.e.scatter - np.multiply.outer(r, r))

    def by(self, v: Array) -> Place:
        d = len(self.mu)
        E = symmetric(v[d:], d)
        S = np.eye(d) + E + BEND * (E @ E)
        return self.mu + self.L @ v[:d], self.L @ cholesky(S)


def serves(objective: Objective) -> bool:
    """Whether every mean and covariance is free, columns are few, and all pairs are seen."""
    data = objective.data
    if not (objective.structure.saturated and objective.mean_is_free):
        return False
    if not isinstance(data, Observed) or data.design is not None or data.patterns.d > FEW:
        return False
    return bool(data.patterns.coverage.all())


def led(monitor: Monitor, x: Array) -> Array:
    """Parameters that EM and Newton steps from x lead to, each an iteration of the monitor's.

    The monitor has seen the point at x, and then the one at them.
    """
    objective = monitor.objective
    at: _At | None = None
    assert isinstance(objective.data, Observed)
    try:
        with np.errstate(all="ignore"):
            for at in _steps(monitor, objective.data, x):  # noqa: B007 - the last counts
                pass
    except np.linalg.LinAlgError:
        pass  # S is not definite on the way: from the last point on it is for others
    except (KeyboardInterrupt, Stop):
        if at is not None:
            monitor.see(_point(objective, at))
        raise
    if at is None:
        return x
    point = _point(objective, at)
    monitor.see(point)
    return point.params


def warmed(objective: Objective, x: Array, steps: int) -> Place | None:
    """Where so many steps of EM lead from x; None if J has no value on the way.

    No step may be taken from where expected moments are singular: for iterations to find out.
    """
    assert isinstance(objective.data, Observed)
    place = _place(objective, x)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            try:
                at = _At.of(objective.data.patterns, *place)
            except np.linalg.LinAlgError:
                return None
            if not np.isfinite(at.value):
                return None
            try:
                place = at.by_em()
            except NotPositiveDefiniteError:
                break
    return place


def _steps(monitor: Monitor, data: Observed, x: Array) -> Iterator[_At]:
    """Points after x along which J falls, until the test is met or a step fails to gain."""
    patterns, solve = data.patterns, None
    place, e = _place(monitor.objective, x), monitor.point(x).evaluation
    at: _At | None = _At.seen(*place, e)
    for _ in range(MOST):
        if at is None or at.optimality <= monitor.tol:
            return
        before, size = at, float(np.linalg.norm(at.slope))
        solve = _solver(patterns, at) if solve is None and at.optimality <= CLOSE else solve
        at = None
        if solve is not None:
            v = -solve(before.slope)
            size = float(np.linalg.norm(v))
            at = _gained(monitor, before, before.by(v * min(1.0, REACH / size)))
            at = at if at is None or at.optimality < before.optimality else None
        if at is None:
            solve, at = None, _gained(monitor, before, before.by_em())
        if at is None:
            return
        yield at
        monitor.told(at.value, at.optimality, size)
        # H of the point before serves once more if at its last rate that will do.
        if at.optimality**2 > monitor.tol * before.optimality:
            solve = None


def _gained(monitor: Monitor, before: _At, place: Place) -> _At | None:
    """The point there, unless J is higher by more than rounding."""
    assert isinstance(monitor.objective.data, Observed)
    monitor.n_eval += 1
    at = _At.of(monitor.objective.data.patterns, *place)
    return at if at.value <= before.value + 1e-14 * (1.0 + abs(before.value)) else None


def _solver(patterns: Patterns, at: _At) -> Solver | None:
    """v ↦ H⁻¹v, H per unit weight; None where that is not positive definite."""
    of_S = whole_at(patterns, at.mu, at.L, at.e.made)
    if of_S is None:
        return None
    H = of_S.bent(at.e.score.core, BEND).matrix() / at.e.weight
    return definite_solver(H) if np.isfinite(H).all() else None


def _place(objective: Objective, x: Array) -> Place:
    """μ and L of (β, θ), in the frame of the patterns."""
    assert isinstance(objective.data, Observed)
    beta, theta = objective.split(x)
    inner = objective.data.inner
    root = objective.structure.operator(theta).root(objective.data.patterns.d)
    return inner.origin + inner.color(objective.mean.mean(beta)), inner.color(root)


def _point(objective: Objective, at: _At) -> Point:
    """And back, with the evaluation that was made there."""
    data = objective.data
    assert isinstance(data, Observed)
    beta = objective.mean.start(data.inner.whiten(at.mu - data.inner.origin))
    theta = objective.structure.start_at(np.tril(data.inner.whiten(at.L)))
    S = objective.structure.operator(theta)
    return objective.seen(np.concatenate([beta, theta]), data.framed(at.e, S))
