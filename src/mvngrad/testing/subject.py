"""What the laws look at: a structure at a θ, and the scales that its rounding is measured by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import Evaluation, evaluate
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, condition_estimate, lower_root, solve_lower
from mvngrad.models.rank import numerical_rank
from mvngrad.models.structure import Structure

EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)
STEPS = 10.0 ** np.array([-2.0, -2.5, -3.0, -3.5])
SLOPE = 1.9
STEP, SEEN = 1e-2, 1e-10  # of differences, and what they are good to


class Subject:
    """A structure at a θ, and what the laws measure it by."""

    def __init__(self, structure: Structure, theta: Any, d: int | None) -> None:
        self.theta = np.array(theta, dtype=np.float64)
        self.theta.flags.writeable = False
        self.structure = sized(structure, len(self.theta), d)
        self.d = self.structure.columns
        misshapen = self.theta.shape != (self.structure.size,)
        self.demand(f"θ is flat with {self.structure.size} entries (0: yes, 1: no)", misshapen, 0)
        self.S = self.structure.cov(self.theta)
        self.L = lower_root(self.structure.factor(self.theta))
        variances = np.diagonal(self.S)
        self.demand("every variance > 0 (negated smallest)", -float(variances.min()), -TINY)
        self.deviations = np.sqrt(variances)

    @property
    def amplification(self) -> float:
        """√cond(S), or cond(S) where a structure gives only ``cov``."""
        condition = condition_estimate(self.L)
        return condition**2 if type(self.structure).factor is Structure.factor else condition

    def direction(self, rng: np.random.Generator) -> Array:
        """A random v along which S moves by its own size: ‖L⁻¹ push(v) L⁻ᵀ‖ = 1.

        Shorter where the curvature along v is large, as it is along gauge directions.
        """
        v = rng.standard_normal(len(self.theta))
        if not len(v):  # nothing to move along
            return v
        E = self.structure.push(self.theta, v)
        length = float(np.linalg.norm(whitened(self.L, E)))
        self.demand("push(θ, v) ≠ 0 (negated length)", -length, -TINY)
        v, E = v / length, E / length
        bend = whitened(self.L, self.structure.cov(self.theta + v) - self.S - E)
        return v / np.sqrt(max(1.0, float(np.linalg.norm(bend))))

    def data(self, rng: np.random.Generator) -> Moments:
        """A few rows, drawn from N(0, S)."""
        X = rng.standard_normal((2 * self.d + 3, self.d)) @ self.L.T
        return Moments.of(X, frame=AffineFrame.identity(self.d))

    def evaluate(self, theta: Array, data: Moments) -> Evaluation:
        """J at the mean of the data, and its score."""
        return evaluate(data, data.center, self.structure.operator(theta))

    def rank(self) -> int:
        """Rank of push, in the metric of S."""
        tangents = (self.structure.push(self.theta, v) for v in np.eye(len(self.theta)))
        if not len(self.theta):
            return 0
        columns = [whitened(self.L, E)[np.tril_indices(self.d)] for E in tangents]
        return numerical_rank(np.array(columns))

    def gap(self, found: Array, expected: Array, reach: Array | float = 1.0) -> float:
        """Largest difference of two covariances, in standard deviations times ``reach``."""
        scale = self.deviations * reach
        return largest((found - expected) / np.multiply.outer(scale, scale))

    def demand_quadratic(
        self, law: str, remainder: Callable[[float], float], rounding: float
    ) -> None:
        """The remainder falls as h² or faster, or is nothing but rounding.

        Of ±h the larger: on one side ch² and the next term may cancel, on both they cannot.
        """
        gaps = np.array([max(remainder(h), remainder(-h)) for h in STEPS])
        seen = ~(gaps <= 10.0 * rounding)
        if np.count_nonzero(seen) > 1:
            slope, _ = np.polyfit(np.log(STEPS[seen]), np.log(gaps[seen]), 1)
            self.demand(f"{law} (negated slope)", -float(slope), -SLOPE)

    def demand(self, law: str, measured: float, bound: float) -> None:
        """Measured ≤ bound, or an AssertionError that says so; NaN is never within bounds."""
        if not measured <= bound:
            raise AssertionError(
                f"{self.structure!r} breaks the law {law}: "
                f"measured {measured:.3g}, bound {bound:.3g}."
            )


def sized(structure: Structure, size: int, d: int | None) -> Structure:
    """The structure for d columns, or for as many as the length of θ tells."""
    if d is not None:
        return structure.sized(d)
    if structure.d is not None:
        return structure
    fitting = [d for d in range(1, size + 1) if _size(structure, d) == size]
    if len(fitting) != 1:
        raise ValueError(f"{structure!r} with {size} parameters: say d=, the number of columns.")
    return structure.sized(fitting[0])


def _size(structure: Structure, d: int) -> int | None:
    try:
        return structure.sized(d).size
    except ValueError:  # this d is not for this structure
        return None


def whitened(L: Array, E: Array) -> Array:
    """L⁻¹EL⁻ᵀ for symmetric E."""
    return solve_lower(L, solve_lower(L, E).T)


def extrapolated(f: Callable[[float], Array]) -> Array:
    """f′(0) by central differences of h, h/2 and h/4, without their errors of h² and h⁴."""
    first, second, third = ((f(h) - f(-h)) / (2.0 * h) for h in (STEP, STEP / 2.0, STEP / 4.0))
    once, again = (4.0 * second - first) / 3.0, (4.0 * third - second) / 3.0
    return (16.0 * again - once) / 15.0


def relative_difference(left: Array, right: Array) -> float:
    """|Σ left − Σ right| over the sum of the absolute terms; of no terms but zeros, 0."""
    size = float(np.abs(left).sum() + np.abs(right).sum())
    return float(abs(left.sum() - right.sum())) / size if size else 0.0


def largest(gap: Array) -> float:
    """Largest absolute entry."""
    return float(np.abs(gap).max())
