"""Extremes of f where J has a given height, and least J where f has a given value.

Both are stationary points of one Lagrangian, and one Newton's method finds them: in c and τ

    ∇J − τ∇f = 0     and     J − Ĵ = h     (an end of the profile of f at height h)
                     or      f = v         (a point of the profile at v)

    [ ∇²J − τ∇²f   −∇f ] [dc]     [ ∇J − τ∇f ]
    [ ∇J or ∇f       0 ] [dτ] = − [   gap    ]

damped until the residual falls. Where it does not, h is approached in steps, each begun where the
last one ended. (Venzon & Moolgavkar 1988)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from mvngrad.core.ops import Array
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.inference.chart import Chart, Place
from mvngrad.inference.quantities import Quantity

ITERATIONS = 40
HALVINGS = 12
FAR = 1e6  # standard errors: a step so long is along what the data do not tell
FLAT = 1e-10
FINEST = 1e-11  # residual, of the height, at which to stop
GOOD = 1e-6  # residual, of the height, at which a point is one
SERVES = 0.3  # of the residual before, at most, after a step by a matrix that serves
BENT = 1e-6  # curvature across f, of that at the estimate, that is none
LEVEL = 1e-5  # slope of f, of that at the estimate, that is none
NOWHERE = 1e10  # heights by which a place without a value is too high
LEGS = (1, 4, 16)
SEED = 0.5  # standard errors off an edge


class Stationary(NamedTuple):
    """Where ∇J = τ∇f."""

    place: Place
    tau: float


class Height(NamedTuple):
    """J − Ĵ = h."""

    h: float

    def gap(self, f: Quantity, place: Place) -> tuple[float, Array]:  # noqa: ARG002
        """Over √2h, which is a distance."""
        unit = np.sqrt(2.0 * self.h)
        return (place.height - self.h) / unit, place.gradient / unit


class Value(NamedTuple):
    """f = v; ``unit`` is what a standard error makes of f."""

    v: float
    unit: float

    def gap(self, f: Quantity, place: Place) -> tuple[float, Array]:
        """In standard errors."""
        return (f.value(place) - self.v) / self.unit, f.gradient(place) / self.unit


class Residual(NamedTuple):
    """∇J − τ∇f, the gap, and its derivative."""

    slope: Array
    gap: float
    row: Array
    of_f: Array

    @property
    def vector(self) -> Array:
        """Slope and gap (r + 1,)."""
        return np.append(self.slope, self.gap)

    @property
    def size(self) -> float:
        """In standard errors."""
        return float(np.sqrt(self.slope @ self.slope + self.gap**2))


def _residual(f: Quantity, at: Stationary, target: Height | Value) -> Residual | None:
    """None where J has no value."""
    try:
        with np.errstate(all="ignore"):
            of_f = f.gradient(at.place)
            found = Residual(at.place.gradient - at.tau * of_f, *target.gap(f, at.place), of_f)
    except (NotPositiveDefiniteError, np.linalg.LinAlgError):
        return None
    return found if np.isfinite(found.size) else None


def newton(f: Quantity, at: Stationary, target: Height | Value, h: float) -> Stationary | None:
    """From there to a point as asked for, to rounding; None if it does not get there.

    The matrix is made anew where it did not serve; else Broyden's update of rank 1 keeps it.
    """
    found, K = _residual(f, at, target), None
    unit = np.sqrt(2.0 * h)
    for _ in range(ITERATIONS):
        if found is None or found.size <= FINEST * unit:
            break
        fresh = K is None
        K = _matrix(f, at, found) if K is None else K
        step = None if K is None else _solved(K, -found.vector)
        after = None if step is None else _damped(f, at, step, target, found.size)
        if after is not None and step is not None and K is not None:
            serves = after[1].size <= SERVES * found.size and not after[2]
            K = K + np.multiply.outer(after[1].vector, step) / (step @ step) if serves else None
            at, found = after[:2]
        elif fresh:
            break
        else:
            K = None
    if found is None or not found.size <= GOOD * unit:
        return None
    return at if _is_least(f, at, found.of_f) else None


def _lagrangian(f: Quantity, at: Stationary) -> Array:
    """∇²J − τ∇²f."""
    place = at.place
    H = place.curvature(place.along, place.chart.moves, -at.tau * f.core(place))
    return H - at.tau * f.second(place)


def _matrix(f: Quantity, at: Stationary, found: Residual) -> Array | None:
    r = len(found.slope)
    K = np.zeros((r + 1, r + 1))
    try:
        K[:r, :r] = _lagrangian(f, at)
    except (NotPositiveDefiniteError, np.linalg.LinAlgError):
        return None
    K[:r, r], K[r, :r] = -found.of_f, found.row
    return K if np.isfinite(K).all() else None


def _solved(K: Array, b: Array) -> Array | None:
    """K⁻¹b; the shortest where J is flat along something."""
    step = np.full(len(b), np.inf)
    with suppress(np.linalg.LinAlgError):
        step = np.linalg.solve(K, b)
    if not np.linalg.norm(step) <= FAR:
        with suppress(np.linalg.LinAlgError):
            step = np.asarray(np.linalg.lstsq(K, b, rcond=FLAT)[0], dtype=np.float64)
    return step if np.isfinite(step).all() and step.any() else None


def _damped(
    f: Quantity, at: Stationary, step: Array, target: Height | Value, size: float
) -> tuple[Stationary, Residual, bool] | None:
    """Where the step, or a half of a half … of it, leads lower; and whether it was halved."""
    for k in range(HALVINGS):
        part = 0.5**k * step
        after = Stationary(replace(at.place, c=at.place.c + part[:-1]), at.tau + float(part[-1]))
        found = _residual(f, after, target)
        if found is not None and found.size < (1.0 - 1e-4 * 0.5**k) * size:
            return after, found, k > 0
    return None


def _is_least(f: Quantity, at: Stationary, of_f: Array) -> bool:
    """Whether J is least where f is what it is: its Lagrangian's curvature across ∇f is."""
    across = np.linalg.svd(of_f[None])[2][1:]
    H = across @ _lagrangian(f, at) @ across.T
    try:
        np.linalg.cholesky(0.5 * (H + H.T) + BENT * np.eye(len(H)))
    except np.linalg.LinAlgError:
        return False
    return True


def extreme(
    chart: Chart, f: Quantity, sign: float, h: float, above: float | None = None
) -> Stationary | None:
    """The largest f, or for sign −1 the smallest, where J − Ĵ ≤ h; None if none was found.

    Nor where f is not ``above`` a bound: it is then followed no further.
    """
    if above is not None:
        return _followed(chart, f, sign, h, above)
    return _followed(chart, f, sign, h) or _searched(chart, f, sign, h)


def _followed(
    chart: Chart, f: Quantity, sign: float, h: float, above: float = -np.inf
) -> Stationary | None:
    """At height h, by Newton's method from the estimate, in one leg or in some."""
    for legs, start in _attempts(chart, f, sign):
        at: Stationary | None = start
        for k in range(1, legs + 1):
            assert at is not None
            share = k / legs
            grown = np.sqrt(2.0 * h) * share if k == 1 else k / (k - 1)
            begin = Stationary(replace(at.place, c=grown * at.place.c), grown * at.tau)
            at = newton(f, begin, Height(h * share**2), h)
            if at is None or f.value(at.place) <= above:
                at = None
                break
        if at is not None and sign * at.tau > 0.0:
            return at
    return None


def _attempts(chart: Chart, f: Quantity, sign: float) -> Iterator[tuple[int, Stationary]]:
    """One standard error from the estimate, c = τ∇f; off edges too, where there are any."""
    g = f.gradient(chart.origin)
    length = float(np.linalg.norm(g))
    if not length > 0.0:
        return
    for legs in LEGS:
        for seed in [np.zeros(chart.size), _off_edges(chart)][: 1 + bool(chart.edges)]:
            place = replace(chart.origin, c=sign * g / length + seed)
            yield legs, Stationary(place, sign / length)


def _off_edges(chart: Chart) -> Array:
    """A move of every entry that stands at an edge: J is even there, and no slope leads off."""
    off = np.zeros(chart.size)
    off[chart.size - chart.edges :] = SEED
    return off


def _searched(chart: Chart, f: Quantity, sign: float, h: float) -> Stationary | None:
    """By sequential quadratic programming, to height h or to where ∇f = 0 (τ = ∞) below it."""
    g = f.gradient(chart.origin)
    length = float(np.linalg.norm(g))
    if not length > 0.0:
        return None

    def place(c: Array) -> Place:
        return replace(chart.origin, c=c)

    def room(c: Array) -> float:
        try:
            height = place(c).height
        except (NotPositiveDefiniteError, np.linalg.LinAlgError):
            return -NOWHERE
        return 1.0 - height / h if np.isfinite(height) else -NOWHERE

    with np.errstate(all="ignore"):
        try:
            found = minimize(
                lambda c: -sign * f.value(place(c)) / length,
                0.5 * np.sqrt(2.0 * h) * sign * g / length + _off_edges(chart),
                jac=lambda c: -sign * f.gradient(place(c)) / length,
                constraints={
                    "type": "ineq",
                    "fun": room,
                    "jac": lambda c: -place(c).gradient / h,
                },
                method="SLSQP",
                options={"ftol": 1e-14, "maxiter": 200},
            )
            at, of_f = place(found.x), f.gradient(place(found.x))
        except (NotPositiveDefiniteError, np.linalg.LinAlgError, ValueError):
            return None
    if np.linalg.norm(of_f) <= LEVEL * length and 0.0 <= at.height < h:
        return Stationary(at, np.inf)
    tau = float(at.gradient @ of_f / (of_f @ of_f))
    end = newton(f, Stationary(at, tau), Height(h), h) if np.isfinite(tau) else None
    return end if end is not None and sign * end.tau > 0.0 else None


def least(f: Quantity, at: Stationary, v: float, h: float) -> Stationary | None:
    """The point of least J where f = v, from one nearby."""
    unit = float(np.linalg.norm(f.gradient(at.place)))
    return newton(f, at, Value(v, unit), h) if unit > 0.0 else None
