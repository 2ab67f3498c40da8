"""Gradient projection: the rotation T of loadings A at which a criterion q of them is smallest.

    orthogonal   L = AT,     TᵀT = I              ∂q/∂T = AᵀQ          tangent: G − T sym(TᵀG)
    oblique      L = AT⁻ᵀ,   columns of length 1  ∂q/∂T = −(LᵀQT⁻¹)ᵀ    tangent: G − T diag(TᵀG)

with Q = ∂q/∂L and G = ∂q/∂T. A step goes downhill in the tangent space and back to the family: by
the polar factor where T is orthogonal, by scaling columns to length 1 where it is oblique, so that
Φ = TᵀT is a correlation matrix and LΦLᵀ = AAᵀ throughout.

    oblique:  dL = −A T⁻ᵀ dTᵀ T⁻ᵀ = −L dTᵀ T⁻ᵀ,   ⟨Q, dL⟩ = −⟨LᵀQT⁻¹, dTᵀ⟩

(Jennrich 2001, 2002; Bernaards & Jennrich 2005, who go along the gradient. Here directions are
those of limited-memory BFGS in the tangent space, which needs many times fewer steps where
loadings are nearly dependent.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, final

import numpy as np

from mvngrad.core.ops import Array

Criterion = Callable[[Array], tuple[float, Array]]

ROUNDING = 1e-14  # of the criterion, for loadings of mean communality 1, a row
SUFFICIENT = 1e-4  # share of the decrease foretold that a step must bring
HALVINGS = 50
EPS = float(np.finfo(float).eps)
MEMORY = 25  # steps that tell of the curvature
FALLS = -1e8  # of q a row: loadings of a hundred times the length of A's, of factors become one
CONVEX = 1e-8  # cosine of s and y above which they do


class Family(ABC):
    """The rotations of loadings A (d, k) among which the best is looked for."""

    def __init__(self, A: Array) -> None:
        self.A = A

    @abstractmethod
    def loadings(self, T: Array) -> Array:
        """L (d, k)."""

    @abstractmethod
    def pull(self, T: Array, L: Array, Q: Array) -> Array:
        """∂q/∂T for Q = ∂q/∂L."""

    @abstractmethod
    def tangent(self, T: Array, G: Array) -> Array:
        """The part of G along the family, at T."""

    @abstractmethod
    def back(self, X: Array) -> Array:
        """A member of the family near X."""


@final
class Orthogonal(Family):
    """L = AT, TᵀT = I.

    Examples
    --------
    >>> import numpy as np
    >>> A, T = np.eye(3)[:, :2], np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> np.allclose(Orthogonal(A).loadings(T) @ Orthogonal(A).loadings(T).T, A @ A.T)
    True
    """

    def loadings(self, T: Array) -> Array:
        """AT."""
        return self.A @ T

    def pull(self, T: Array, L: Array, Q: Array) -> Array:  # noqa: ARG002 - one signature
        """AᵀQ."""
        return self.A.T @ Q

    def tangent(self, T: Array, G: Array) -> Array:
        """G − T sym(TᵀG)."""
        M = T.T @ G
        return G - 0.5 * T @ (M + M.T)

    def back(self, X: Array) -> Array:
        """UVᵀ of X = U s Vᵀ, the nearest orthogonal matrix."""
        U, _, Vt = np.linalg.svd(X)
        return U @ Vt


@final
class Oblique(Family):
    """L = AT⁻ᵀ with columns of T of length 1: factors may be correlated, Φ = TᵀT.

    Examples
    --------
    >>> import numpy as np
    >>> A, T = np.eye(3)[:, :2], np.array([[1.0, 0.6], [0.0, 0.8]])
    >>> L = Oblique(A).loadings(T)
    >>> np.allclose(L @ (T.T @ T) @ L.T, A @ A.T)
    True
    """

    def loadings(self, T: Array) -> Array:
        """AT⁻ᵀ."""
        return np.asarray(np.linalg.solve(T, self.A.T).T)

    def pull(self, T: Array, L: Array, Q: Array) -> Array:
        """−(LᵀQT⁻¹)ᵀ."""
        return np.asarray(-np.linalg.solve(T.T, Q.T @ L))

    def tangent(self, T: Array, G: Array) -> Array:
        """G − T diag(TᵀG)."""
        return G - T * (T * G).sum(axis=0)

    def back(self, X: Array) -> Array:
        """Columns of X scaled to length 1."""
        return X / np.linalg.norm(X, axis=0)


class Pair(NamedTuple):
    """A step s, the change y of the gradient along it, and ⟨s, y⟩ > 0."""

    step: Array
    change: Array
    bend: float


class Point(NamedTuple):
    """A rotation T, q there, and the tangent part of ∂q/∂T."""

    T: Array
    value: float
    tangent: Array

    @property
    def slope(self) -> float:
        """Length of the tangent gradient; 0 where q is stationary."""
        return float(np.linalg.norm(self.tangent))


def at(family: Family, criterion: Criterion, T: Array) -> Point:
    """q and its gradient along the family at T; q is inf where T is singular."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            L = family.loadings(T)
            value, Q = criterion(L)
            tangent = family.tangent(T, family.pull(T, L, Q))
    except np.linalg.LinAlgError:
        return Point(T, np.inf, np.zeros_like(T))
    return Point(T, value if np.isfinite(tangent).all() else np.inf, tangent)


def descend(
    family: Family, criterion: Criterion, T: Array, tol: float, max_iter: int
) -> tuple[Point, bool]:
    """From T downhill until the slope is at most ``tol`` · d; and whether it came to that.

    Or to rounding, where T is so near a singular matrix that this is more. A is to have mean
    communality 1, so that q and its curvature are of the order of d.
    """
    d = len(family.A)
    point, pairs = at(family, criterion, T), deque[Pair](maxlen=MEMORY)
    for _ in range(max_iter):
        if point.slope <= tol * d or point.value < FALLS * d:
            break
        new = _along(family, criterion, point, _direction(family, point, pairs))
        if new is None and pairs:  # what was learnt on the way is of no use here
            pairs.clear()
            continue
        if new is None:
            break
        _remember(pairs, family, point, new)
        point = new
    return point, point.slope <= max(tol * d, _rounding(family, criterion, point))


def _rounding(family: Family, criterion: Criterion, point: Point) -> float:
    """What of the slope is rounding: 30 ε ‖L‖ ‖Q‖ ‖T⁻¹‖."""
    L = family.loadings(point.T)
    size = float(np.linalg.norm(L) * np.linalg.norm(criterion(L)[1]))
    return 30.0 * EPS * size / float(np.linalg.svd(point.T, compute_uv=False)[-1])


def _direction(family: Family, point: Point, pairs: deque[Pair]) -> Array:
    """−H g, H the inverse curvature that the pairs of steps and gradient changes tell of.

    Without pairs H = I/d. (Nocedal & Wright 2006, algorithm 7.4)
    """
    if not pairs:
        return -point.tangent / len(family.A)
    v, shares = point.tangent, []
    for s, y, bend in reversed(pairs):
        shares.append(float((s * v).sum()) / bend)
        v = v - shares[-1] * y
    s, y, bend = pairs[-1]
    v = v * (bend / float((y * y).sum()))
    for (s, y, bend), share in zip(pairs, reversed(shares), strict=True):
        v = v + (share - float((y * v).sum()) / bend) * s
    return -family.tangent(point.T, v)


def _along(family: Family, criterion: Criterion, point: Point, v: Array) -> Point | None:
    """The first of the steps v, v/2, v/4 … that brings enough; None if none does."""
    foretold = -float((point.tangent * v).sum())
    if not foretold > 0.0:
        return None
    for halving in range(HALVINGS):
        step = 0.5**halving
        new = at(family, criterion, family.back(point.T + step * v))
        if new.value <= point.value - SUFFICIENT * step * foretold + ROUNDING * len(family.A):
            return new
    return None


def _remember(pairs: deque[Pair], family: Family, old: Point, new: Point) -> None:
    """The step and the change of the gradient along it, as seen from its end; if q is convex."""
    s = family.tangent(new.T, new.T - old.T)
    y = new.tangent - family.tangent(new.T, old.tangent)
    bend = float((s * y).sum())
    if bend > CONVEX * float(np.linalg.norm(s) * np.linalg.norm(y)):
        pairs.append(Pair(s, y, bend))
