"""What priors add to J, all terms together: the formula for S, quadratic forms for the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import LOG_2PI, Evaluation, evaluate_about
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array


@final
@dataclass(frozen=True, eq=False)
class Penalty:
    """All terms together, in the coordinates of a frame.

    weight, scatter    κ and κT (d, d)
    precision, center  Q (d, d) and c (d,) of ½ (μ−c)ᵀQ(μ−c)
    ridge              λ/sⱼ² (d,) of ½ Σ λ/sⱼ² Λⱼₗ²
    constant           what two terms in μ are above the one that they make together
    """

    weight: float
    scatter: Array
    precision: Array
    center: Array
    ridge: Array
    constant: float = 0.0

    @classmethod
    def nothing(cls, d: int) -> Penalty:
        """No term."""
        zero = np.zeros((d, d))
        return cls(0.0, zero, zero, np.zeros(d), np.zeros(d))

    @property
    def is_conjugate(self) -> bool:
        """Whether the best S and μ for complete data keep their closed forms: only κ and T are."""
        return not (self.precision.any() or self.ridge.any())

    def __add__(self, other: Penalty) -> Penalty:
        """Both: ½ |μ−a|²_A + ½ |μ−b|²_B = ½ |μ−c|²_Q + ½ |c−a|²_A + ½ |c−b|²_B, Q = A + B,
        c = a + Q⁻¹B(b − a).
        """
        Q = self.precision + other.precision
        center = self.center + _solved(Q, other.precision @ (other.center - self.center))
        return Penalty(
            self.weight + other.weight,
            self.scatter + other.scatter,
            Q,
            center,
            self.ridge + other.ridge,
            self.of_mean(center)[0] + other.of_mean(center)[0],
        )

    def in_frame(self, frame: AffineFrame) -> Penalty:
        """Seen from x = m₀ + L₀z; a ridge from diagonal frames only."""
        ridge = self.ridge * frame.root**2 if frame.is_diagonal else self.ridge
        pulled = frame.color(np.eye(len(self.center)))
        center = self.center
        if self.precision.any():
            center = frame.whiten(center - frame.origin)
        return replace(
            self,
            scatter=frame.whiten(frame.whiten(self.scatter).T),
            precision=pulled.T @ self.precision @ pulled,
            center=center,
            ridge=ridge,
        )

    def of_covariance(self, S: Covariance) -> Evaluation:
        """½ κ [ log|S| + tr(S⁻¹T) ] and its gradient in S, by the formula."""
        e = evaluate_about(self.weight, np.zeros_like(self.center), self.scatter, S)
        return e._replace(nll=e.nll - 0.5 * self.weight * len(self.center) * LOG_2PI)

    def of_mean(self, mu: Array) -> tuple[float, Array]:
        """½ (μ−c)ᵀQ(μ−c) and the constant, and their gradient."""
        pull = self.precision @ (mu - self.center)
        return self.constant + 0.5 * float((mu - self.center) @ pull), pull


def _solved(Q: Array, b: Array) -> Array:
    """Q⁻¹b in whatever units; Q semidefinite, and 0 where it has nothing."""
    units = np.sqrt(np.diagonal(Q))
    units = np.where(units > 0.0, units, 1.0)
    scaled = Q / np.multiply.outer(units, units)
    return np.asarray(np.linalg.lstsq(scaled, b / units, rcond=None)[0]) / units
