"""What every method shares: the count of evaluations, the trace, the one convergence test.

SciPy's own verdicts are not used: its L-BFGS-B reports success at a wrong point once an objective
has returned inf, and its tolerances have units. A point is optimal when ½ the squared Newton
decrement per unit weight is below ``tol``, or when rounding hides anything better.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.models.objective import Objective, Point

WALL = 1e3


class Status(Enum):
    """How a fit ended; the value is the message."""

    CONVERGED = "converged: the optimality test is met"
    MAX_ITER = "stopped at max_iter; raise it, loosen tol, or try method='auto'"
    STALLED = "stopped: no step lowers J any further, yet the optimality test is not met"
    SADDLE = "stopped at a saddle: the gradient is zero, yet J falls along some direction"
    INTERRUPTED = "interrupted (Ctrl-C): the best point so far is returned"
    CALLBACK = "stopped by the callback: the best point so far is returned"

    @property
    def message(self) -> str:
        """The status in words."""
        return str(self.value)


class Stop(Exception):  # noqa: N818 - not an error: the way out of any driver, SciPy's included
    """Raised through a driver to end it."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


def nothing_at_start() -> NotPositiveDefiniteError:
    """The error for a start from which nothing can be evaluated."""
    return NotPositiveDefiniteError(
        "the likelihood has no finite value at the start: it is too far from the data, or "
        "singular to rounding. Start from np.diag of standard deviations, or leave start out."
    )


class Step(NamedTuple):
    """One iteration: what a callback is given and a trace is made of."""

    iteration: int
    nll: float
    gradient_norm: float
    step: float
    n_eval: int
    seconds: float


@dataclass(frozen=True)
class Trace:
    """The iterations of a fit, a row each.

    ``nll`` J, a total in the data's units; ``gradient_norm`` the whitened gradient norm,
    √(∇ᵀF⁺∇/n), unit-free; ``step`` length of the step in the fit's coordinates; ``n_eval``
    evaluations so far; ``seconds`` since the start.
    """

    steps: tuple[Step, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def to_dict(self) -> dict[str, list[float]]:
        """Columns by name, for a dataframe or a file."""
        return {name: [step[j] for step in self.steps] for j, name in enumerate(Step._fields)}

    def to_csv(self) -> str:
        """A header and a line an iteration."""
        lines = [",".join(Step._fields), *(",".join(map(repr, step)) for step in self.steps)]
        return "\n".join(lines) + "\n"

    def as_table(self) -> Array:
        """All of it as numbers (iterations, 6)."""
        return np.array(self.steps, dtype=np.float64).reshape(len(self), len(Step._fields))

    @classmethod
    def of_table(cls, table: Array) -> Trace:
        """What ``as_table`` made; iterations and evaluations must be whole numbers."""
        whole = [name in {"iteration", "n_eval"} for name in Step._fields]
        counts = table[:, whole]
        if not (np.abs(counts) < 2.0**53).all() or (counts != np.floor(counts)).any():
            raise DataError("its trace counts iterations and evaluations in fractions.")
        columns = [
            [int(x) for x in column] if is_whole else column
            for is_whole, column in zip(whole, table.T.tolist(), strict=True)
        ]
        return cls(tuple(map(Step._make, zip(*columns, strict=True))))


@dataclass(eq=False)
class Monitor:
    """Stands between an objective and a driver.

    Parameters
    ----------
    objective : Objective
    tol : float                  bound on the optimality
    max_iter : int
    callback : called with each Step; True stops the fit
    guard : called with each accepted Point; it may raise where no maximum can be ahead
    rounding : of a Point, the optimality at which a stall is as good as convergence
    """

    objective: Objective
    tol: float
    max_iter: int
    callback: Callable[[Step], object] | None = None
    guard: Callable[[Point], None] | None = None
    rounding: Callable[[Point], float] | None = None
    n_eval: int = 0
    steps: list[Step] = field(default_factory=list)
    best: Point | None = None
    _latest: Point | None = None
    _moved: bool = False
    _started: float = field(default_factory=time.perf_counter)

    def evaluate(self, params: Array) -> tuple[float, Array]:
        """J/n and its gradient; a wall where they have no value, so that no driver sees inf."""
        if self._latest is not None and np.array_equal(self._latest.params, params):
            return self._latest.value, self._latest.gradient
        self.n_eval += 1
        point = self._valued(params)
        if point is None:
            return self._wall(params)
        self.see(point)
        return point.value, point.gradient

    def see(self, point: Point) -> None:
        """Keep a point for whoever asks next for the objective there; and if it is the best yet."""
        self._latest = point
        if self.best is None or point.value < self.best.value:
            self.best = point

    def _valued(self, params: Array) -> Point | None:
        """The objective where it has a finite value."""
        with np.errstate(all="ignore"):
            try:
                point = self.objective.at(np.array(params))
            except np.linalg.LinAlgError:  # S(θ) is not positive definite to rounding
                return None
        finite = np.isfinite(point.value) and np.isfinite(point.gradient).all()
        return point if finite else None

    def _wall(self, params: Array) -> tuple[float, Array]:
        """A height that any line search turns back from, rising away from the best point."""
        if self.best is None:
            raise Stop(Status.STALLED)
        height = WALL * (1.0 + abs(self.best.value))
        back = params - self.best.params
        distance = float(np.linalg.norm(back)) if np.isfinite(back).all() else np.inf
        slope = back / distance * (2.0 * height / distance) if distance < np.inf else 0.0 * params
        return self.best.value + height, np.nan_to_num(slope)

    def accept(self, params: Array, step: float) -> None:
        """An iteration has ended at these parameters: record it, and stop if it is time to."""
        point = self.point(params)
        optimality = self.objective.optimality(point)
        if self.best is None or point.value <= self.best.value or optimality <= self.tol:
            self.best = point
        moved, self._moved = self._moved, False  # seen from another frame, it is recorded already
        if not moved:
            self._record(point.value, optimality, step)
        if optimality <= self.tol:
            raise Stop(Status.CONVERGED)
        if not moved and self.callback is not None and self.callback(self.steps[-1]) is True:
            raise Stop(Status.CALLBACK)
        if len(self.steps) > self.max_iter:
            raise Stop(Status.MAX_ITER)
        if self.guard is not None:
            self.guard(point)

    def move_to(self, objective: Objective) -> None:
        """Go on with the same likelihood in another frame: the trace continues."""
        self.objective, self.best, self._latest, self._moved = objective, None, None, True

    def point(self, params: Array) -> Point:
        """The objective at these parameters, kept from the last evaluation where it can be."""
        for point in (self._latest, self.best):
            if point is not None and np.array_equal(point.params, params):
                return point
        return self.objective.at(np.array(params))

    def told(self, value: float, optimality: float, step: float) -> None:
        """An iteration without parameters has ended: record it, and stop if the caller wants to.

        The point that iterations end at is then accepted with its parameters, and not recorded.
        """
        self._record(value, optimality, step)
        self._moved = True
        if self.callback is not None and self.callback(self.steps[-1]) is True:
            raise Stop(Status.CALLBACK)
        if len(self.steps) > self.max_iter:
            raise Stop(Status.MAX_ITER)

    def _record(self, value: float, optimality: float, step: float) -> None:
        nll = self.objective.total(value)
        norm = float(np.sqrt(2.0 * max(optimality, 0.0)))
        seconds = time.perf_counter() - self._started
        self.steps.append(Step(len(self.steps), nll, norm, step, self.n_eval, seconds))
