"""Both ends of a profile of one quantity, and the edges of what it may be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import final

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.core.threads import calm_blas
from mvngrad.errors import ConvergenceWarning, warn
from mvngrad.inference.chart import Chart
from mvngrad.inference.constrained import Stationary, extreme, least
from mvngrad.inference.quantities import Quantity

STRIDE = 0.5  # of artanh ρ, on the way to an edge
NEXT_TO_ONE = 7.5  # artanh of a correlation that counts as 1: 1 − ρ = 6e-7

Back = Callable[[float], float]


@final
@dataclass(frozen=True, eq=False)
class Ends:
    """Ends at height h above Ĵ on a chart; ``edges`` says which of those found are edges."""

    chart: Chart
    h: float
    edges: list[str] = field(default_factory=list)

    def of(self, f: Quantity, name: str, back: Back = float) -> Array:
        """Lower and upper (2,), taken back from the scale of f; NaN with a warning if not found."""
        return np.array([self._end(f, name, back, sign) for sign in (-1.0, 1.0)])

    def of_signed(self, s: Quantity, name: str) -> Array:
        """Ends of s², of s whose sign does not matter: 0 where J there is low enough."""
        upper = self._end(s, name, _squared, 1.0)
        with self._calm:
            found = extreme(self.chart, s, -1.0, self.h, above=0.0)
        if found is not None and np.isfinite(found.tau):
            return np.array([s.value(found.place) ** 2, upper])
        at_zero = self._at(s, 0.0)
        if at_zero is None or at_zero.place.height > self.h:
            return np.array([self._lost(name, -1.0), upper])
        self.edges.append(f"{name} is 0 at its lower end")
        return np.array([0.0, upper])

    def of_bounded(self, z: Quantity, name: str) -> Array:
        """Ends of tanh z: ±1 where J there is low enough."""
        return np.array([self._bounded_end(z, name, sign) for sign in (-1.0, 1.0)])

    def _end(self, f: Quantity, name: str, back: Back, sign: float) -> float:
        with self._calm:
            found = extreme(self.chart, f, sign, self.h)
        if found is None:
            return self._lost(name, sign)
        if np.isinf(found.tau):
            self.edges.append(f"{name} is at an extreme of its own at its {_which(sign)} end")
        return float(back(f.value(found.place)))

    @property
    def _calm(self) -> AbstractContextManager[None]:
        """BLAS on one thread."""
        return calm_blas(len(self.chart.at.root))

    def _lost(self, name: str, sign: float) -> float:
        warn(
            f"the {_which(sign)} end of the profile interval of {name} was not found, and is NaN: "
            "the likelihood does not fall far enough on the way, or not regularly. Use "
            "method='bootstrap' for this one.",
            ConvergenceWarning,
        )
        return float("nan")

    def _at(self, f: Quantity, v: float) -> Stationary | None:
        """The point of least J where f = v, from the estimate."""
        origin, g = self.chart.origin, f.gradient(self.chart.origin)
        if not g @ g > 0.0:
            return None
        c = (v - f.value(origin)) / (g @ g) * g
        start = Stationary(type(origin)(self.chart, c), 0.0)
        return least(f, start, v, self.h)

    def _bounded_end(self, z: Quantity, name: str, sign: float) -> float:
        if not self._low_to_the_edge(z, sign):
            return self._end(z, name, np.tanh, sign)
        self.edges.append(f"{name} is {sign:+.0f} at its {_which(sign)} end")
        return sign

    def _low_to_the_edge(self, z: Quantity, sign: float) -> bool:
        """Whether J stays low enough all the way to ±1."""
        at = Stationary(self.chart.origin, 0.0)
        v = z.value(self.chart.origin)
        while sign * v < NEXT_TO_ONE:
            v += sign * STRIDE
            found = least(z, at, v, self.h)
            if found is None or found.place.height > self.h:
                return False
            at = found
        return True


def _which(sign: float) -> str:
    return "lower" if sign < 0.0 else "upper"


def _squared(s: float) -> float:
    return s * s
