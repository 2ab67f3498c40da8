"""A mean structure: β ↦ μ, and its adjoint: free, fixed at a known value, or linear in a design.

Where rows have designs ζ (``core.design``), M (d, P) stands for μ: the mean of a row is Mζ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_floats, as_vector
from mvngrad.core.frame import AffineFrame
from mvngrad.core.operators import Covariance, DiagonalCovariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError


class Mean(ABC):
    """μ(β) in the coordinates of a frame, β a flat real vector."""

    @abstractmethod
    def in_frame(self, frame: AffineFrame) -> Mean:
        """The same mean structure with μ in the coordinates of the frame."""

    @abstractmethod
    def start(self, center: Array, S: Covariance | None = None) -> Array:
        """β of the best mean for complete data centred there, where S is the covariance."""

    @abstractmethod
    def mean(self, beta: Array) -> Array:
        """μ (d,), or M (d, P)."""

    @abstractmethod
    def push(self, v: Array) -> Array:
        """Tangent of μ along the tangent v of β."""

    @abstractmethod
    def pull(self, g: Array) -> Array:
        """Cotangent of β for a cotangent of μ: ⟨push v, g⟩ = ⟨v, pull g⟩."""


@final
class FreeMean(Mean):
    """μ = β, every entry free: m, the weighted mean of the rows, is best whatever S.

    With a ``width`` P, M (d, P) is free: one design for all columns.
    """

    def __init__(self, width: int | None = None) -> None:
        self.width = width

    def in_frame(self, frame: AffineFrame) -> FreeMean:  # noqa: ARG002
        """Free in every frame."""
        return self

    def start(self, center: Array, S: Covariance | None = None) -> Array:  # noqa: ARG002
        """m."""
        return center.ravel().copy()

    def mean(self, beta: Array) -> Array:
        """β."""
        return beta if self.width is None else beta.reshape(-1, self.width)

    def push(self, v: Array) -> Array:
        """v."""
        return self.mean(v)

    def pull(self, g: Array) -> Array:
        """g."""
        return g.ravel()


@final
class FixedMean(Mean):
    """μ known: nothing to estimate."""

    def __init__(self, value: Array) -> None:
        self.value = value

    def in_frame(self, frame: AffineFrame) -> FixedMean:
        """L₀⁻¹(μ − m₀)."""
        return FixedMean(frame.whiten(self.value - frame.origin))

    def start(self, center: Array, S: Covariance | None = None) -> Array:  # noqa: ARG002
        """Nothing."""
        return np.empty(0)

    def mean(self, beta: Array) -> Array:  # noqa: ARG002
        """The known μ."""
        return self.value

    def push(self, v: Array) -> Array:  # noqa: ARG002
        """0."""
        return np.zeros_like(self.value)

    def pull(self, g: Array) -> Array:  # noqa: ARG002
        """Nothing."""
        return np.empty(0)


class Row(NamedTuple):
    """A column's mean: β[places] @ basis, basis (p, P) with orthonormal rows or not."""

    places: npt.NDArray[np.int64]
    basis: Array


@final
@dataclass(frozen=True, eq=False)
class LinearMean(Mean):
    """M(β) with rows β[Iⱼ]Gⱼ, one a column: regressions that differ between columns.

    In a frame it is L₀⁻¹(M(β) − M₀); the best β for a center C is that of generalised least
    squares, |L⁻¹(C − M(β))| least, S = LLᵀ.
    """

    rows: tuple[Row, ...]
    size: int
    frame: AffineFrame | None = None

    def in_frame(self, frame: AffineFrame) -> LinearMean:
        """L₀⁻¹(M(β) − M₀), M₀ (d, P) the origin."""
        return replace(self, frame=frame)

    def mean(self, beta: Array) -> Array:
        """M (d, P)."""
        M = self._linear(beta)
        return M if self.frame is None else self.frame.whiten(M - self.frame.origin)

    def push(self, v: Array) -> Array:
        """The same, without the origin."""
        M = self._linear(v)
        return M if self.frame is None else self.frame.whiten(M)

    def pull(self, g: Array) -> Array:
        """Σⱼ Gⱼgⱼ into places Iⱼ."""
        g = g if self.frame is None else self.frame.unwhiten(g)
        out = np.zeros(self.size)
        for row, of_row in zip(self.rows, g, strict=True):
            np.add.at(out, row.places, row.basis @ of_row)
        return out

    def start(self, center: Array, S: Covariance | None = None) -> Array:
        """β by generalised least squares; by least squares without S."""
        S = DiagonalCovariance(np.ones(len(center))) if S is None else S
        columns = [S.whiten(self.push(v)).ravel() for v in np.eye(self.size)]
        target = S.whiten(center - self.mean(np.zeros(self.size))).ravel()
        return np.asarray(np.linalg.lstsq(np.array(columns).T, target, rcond=None)[0])

    def _linear(self, beta: Array) -> Array:
        return np.array([beta[row.places] @ row.basis for row in self.rows])


def as_mean(mean: object, d: int) -> Mean:
    """``"free"``, or a vector (d,) at which μ is fixed, or a Mean as it is."""
    if isinstance(mean, Mean):
        return mean
    if isinstance(mean, str):
        if mean == "free":
            return FreeMean()
        raise DataError(
            f"mean must be 'free' or a vector ({d},) to fix it at; got {mean!r}. A formula begins "
            "with ~: '~ age + sex'."
        )
    value = as_floats(mean, "mean")
    if value.ndim > 1:
        raise DataError(
            f"mean must be 'free' or a vector ({d},) to fix it at; got shape {value.shape}. A "
            "design goes by mean=mvngrad.Linear(Z)."
        )
    return FixedMean(as_vector(value, "mean", d).copy())
