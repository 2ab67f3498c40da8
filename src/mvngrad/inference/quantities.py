"""Functions of a model of which intervals are asked: values, gradients and curvature along a chart.

    mean, coefficients           linear in β
    entries of S                 lᵢᵀSlⱼ, l rows of L̂ and S seen from there; log √ of the diagonal
    correlations                 artanh Sᵢⱼ/√(SᵢᵢSⱼⱼ)
    the triangular root          lᵢᵀLeⱼ
    loadings, noise, Φ           of θ, by differences along the few entries that they are made of

Each is on the scale on which it is nearest to normal; ends of a profile do not depend on that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from mvngrad.core.likelihood import Score
from mvngrad.core.ops import Array
from mvngrad.inference.chart import Chart, Place
from mvngrad.inference.uncertainty import difference

WIDE = 0.02  # of a standard error: differences of fourth order


class Quantity(ABC):
    """f at places of a chart."""

    @abstractmethod
    def value(self, place: Place) -> float:
        """f."""

    @abstractmethod
    def gradient(self, place: Place) -> Array:
        """∂f/∂c (r,)."""

    def core(self, place: Place) -> Array | float:  # noqa: ARG002
        """LᵀGL (d, d) of its cotangent G of S, if it is a function of S; else 0."""
        return 0.0

    @abstractmethod
    def second(self, place: Place) -> Array:
        """∂²f/∂c² (r, r), but for ⟨G, ∂²S⟩: what f bends by itself."""


@final
@dataclass(frozen=True, eq=False)
class Linear(Quantity):
    """f̂ + ⟨g, (β, θ) − (β̂, θ̂)⟩."""

    estimate: float
    slope: Array

    @classmethod
    def of(cls, chart: Chart, estimate: float, entries: Array) -> Linear:
        """From its derivatives in β or (β, θ), 0 where none are given."""
        return cls(estimate, chart.moves[: len(entries)].T @ entries)

    def value(self, place: Place) -> float:
        """f."""
        return self.estimate + float(self.slope @ place.c)

    def gradient(self, place: Place) -> Array:  # noqa: ARG002 - the same everywhere
        """g."""
        return self.slope

    def second(self, place: Place) -> Array:
        """0."""
        return np.zeros((len(place.c), len(place.c)))


def of_entry(chart: Chart, k: int) -> Linear:
    """|θₖ| near the estimate, as a function that goes on beyond 0."""
    theta = float(chart.at.theta[k])
    return Linear(abs(theta), (-1.0 if theta < 0.0 else 1.0) * chart.of_theta[k])


class _OfCovariance(Quantity):
    """f(S), by its value and the core LᵀGL of its cotangent G = ∂f/∂S.

    Along S = L(I + E)Lᵀ, a straight line, it bends by ``bend``.
    """

    @abstractmethod
    def value_of(self, L: Array) -> float:
        """f at S = LLᵀ."""

    @abstractmethod
    def core_of(self, L: Array) -> Array:
        """LᵀGL, symmetric."""

    @abstractmethod
    def bend(self, L: Array, E: Array) -> Array:
        """∂²f (r, r) along tangents E (r, d, d)."""

    def value(self, place: Place) -> float:
        """f."""
        return self.value_of(place.root)

    def core(self, place: Place) -> Array:
        """LᵀGL."""
        return self.core_of(place.root)

    def gradient(self, place: Place) -> Array:
        """Through the structure's adjoint."""
        score = Score(self.core(place), place.covariance)
        return place.chart.of_theta.T @ place.chart.at.structure.pull(place.theta, score)

    def second(self, place: Place) -> Array:
        """Along the tangents of the model."""
        return self.bend(place.root, place.tangents_of_covariance)


def _symmetric(u: Array, v: Array) -> Array:
    """½(uvᵀ + vuᵀ)."""
    half = np.multiply.outer(u, v)
    return 0.5 * (half + half.T)


@final
@dataclass(frozen=True, eq=False)
class Product(_OfCovariance):
    """aᵀSb: an entry of S."""

    a: Array
    b: Array

    def value_of(self, L: Array) -> float:
        """f."""
        return float((L.T @ self.a) @ (L.T @ self.b))

    def core_of(self, L: Array) -> Array:
        """Of ½(abᵀ + baᵀ)."""
        return _symmetric(L.T @ self.a, L.T @ self.b)

    def bend(self, L: Array, E: Array) -> Array:  # noqa: ARG002 - linear in S
        """0."""
        return np.zeros((len(E), len(E)))


@final
@dataclass(frozen=True, eq=False)
class LogDeviation(_OfCovariance):
    """½ log aᵀSa."""

    a: Array

    def value_of(self, L: Array) -> float:
        """f."""
        return float(np.log(np.linalg.norm(L.T @ self.a)))

    def core_of(self, L: Array) -> Array:
        """½ uuᵀ, u = Lᵀa brought to length 1."""
        u = _unit(L.T @ self.a)
        return 0.5 * np.multiply.outer(u, u)

    def bend(self, L: Array, E: Array) -> Array:
        """−½ (uᵀEu)²."""
        u = _unit(L.T @ self.a)
        own = E @ u @ u
        return -0.5 * np.multiply.outer(own, own)


def _unit(u: Array) -> Array:
    return u / np.linalg.norm(u)


@final
@dataclass(frozen=True, eq=False)
class FisherZ(_OfCovariance):
    """artanh of the correlation r of aᵀx and bᵀx.

    With p = uᵀEv, a = uᵀEu, b = vᵀEv along E, u and v = Lᵀa and Lᵀb brought to length 1,

        r(E) = (r + p)/√((1 + a)(1 + b)),   dr = p − ½r(a + b)
        d²r = r(¾a² + ¾b² + ½ab) − p(a + b)
    """

    a: Array
    b: Array

    def value_of(self, L: Array) -> float:
        """By log (|u + v|/|u − v|)."""
        u, v = self._units(L)
        return float(np.log(np.linalg.norm(u + v) / np.linalg.norm(u - v)))

    def core_of(self, L: Array) -> Array:
        """[sym uvᵀ − ½r(uuᵀ + vvᵀ)]/(1 − r²)."""
        u, v = self._units(L)
        r = float(u @ v)
        own = np.multiply.outer(u, u) + np.multiply.outer(v, v)
        return (_symmetric(u, v) - 0.5 * r * own) / ((1.0 - r) * (1.0 + r))

    def bend(self, L: Array, E: Array) -> Array:
        """d²r/(1 − r²) + 2r dr²/(1 − r²)²."""
        u, v = self._units(L)
        r, Eu, Ev = float(u @ v), E @ u, E @ v
        p, a, b = Eu @ v, Eu @ u, Ev @ v
        dr, rest = p - 0.5 * r * (a + b), (1.0 - r) * (1.0 + r)
        squares = 0.75 * (np.multiply.outer(a, a) + np.multiply.outer(b, b))
        ddr = r * (squares + 0.5 * _symmetric(a, b)) - _symmetric(p, a + b)
        return ddr / rest + 2.0 * r / rest**2 * np.multiply.outer(dr, dr)

    def _units(self, L: Array) -> tuple[Array, Array]:
        return _unit(L.T @ self.a), _unit(L.T @ self.b)


@final
@dataclass(frozen=True, eq=False)
class RootEntry(_OfCovariance):
    """aᵀLeⱼ, L the triangular root: of I + E it is I + Φ − Φ(ΦΦᵀ) + …, Φ(E) the lower half."""

    a: Array
    j: int

    def value_of(self, L: Array) -> float:
        """f."""
        return float(self.a @ L[:, self.j])

    def core_of(self, L: Array) -> Array:
        """½(teⱼᵀ + eⱼtᵀ) of t = Lᵀa from entry j on, half of that at it."""
        t = L.T @ self.a
        t[: self.j] = 0.0
        t[self.j] *= 0.5
        unit = np.zeros(len(t))
        unit[self.j] = 1.0
        return _symmetric(t, unit)

    def bend(self, L: Array, E: Array) -> Array:
        """−2⟨core, Φ(E)Φ(E)ᵀ⟩."""
        half = np.tril(E) - 0.5 * E * np.eye(len(L))
        weighed = np.matmul(self.core_of(L), half)
        return -2.0 * np.tensordot(weighed, half, axes=([1, 2], [1, 2]))


@final
@dataclass(frozen=True, eq=False)
class OfTheta(Quantity):
    """f(θ), by differences along the entries of θ that it depends on."""

    f: Callable[[Array], float]
    entries: npt.NDArray[np.intp]
    steps: Array

    @classmethod
    def of(cls, chart: Chart, f: Callable[[Array], float]) -> OfTheta:
        """The entries that f depends on are found by moving each by a standard error."""
        theta = chart.at.theta
        errors = np.linalg.norm(chart.of_theta, axis=1)
        here = f(theta)
        moved = [f(theta + e * v) != here for e, v in zip(errors, np.eye(len(theta)), strict=True)]
        entries = np.flatnonzero(np.array(moved, dtype=bool))
        return cls(f, entries, WIDE * errors[entries])

    def value(self, place: Place) -> float:
        """f."""
        return self.f(place.theta)

    def gradient(self, place: Place) -> Array:
        """Error of fourth order."""
        return self._pulled(self._slope(place.theta), place)

    def _slope(self, theta: Array) -> Array:
        def along(k: int, step: float) -> float:
            def at(t: float) -> tuple[Array, ...]:
                moved = theta.copy()
                moved[k] += t
                return (np.asarray(self.f(moved)),)

            return float(difference(at, step)[0])

        pairs = zip(self.entries.tolist(), self.steps.tolist(), strict=True)
        return np.array([along(k, step) for k, step in pairs])

    def _pulled(self, slope: Array, place: Place) -> Array:
        return place.chart.of_theta[self.entries].T @ slope

    def second(self, place: Place) -> Array:
        """By differences along the same entries: it steers, and decides nothing."""
        T = place.chart.of_theta[self.entries]
        columns = []
        for k, step in zip(self.entries.tolist(), self.steps.tolist(), strict=True):
            v = np.zeros(len(place.theta))
            v[k] = step
            columns.append(
                (self._slope(place.theta + v) - self._slope(place.theta - v)) / (2 * step)
            )
        H = np.array(columns).reshape(len(self.entries), len(self.entries))
        return T.T @ (0.5 * (H + H.T)) @ T
