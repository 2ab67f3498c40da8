"""A mean structure: β ↦ μ, and its adjoint. Free, or fixed at a known value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from mvngrad.core.checks import as_vector
from mvngrad.core.frame import AffineFrame
from mvngrad.core.ops import Array
from mvngrad.errors import DataError


class Mean(ABC):
    """μ(β) in the coordinates of a frame, β a flat real vector."""

    @abstractmethod
    def in_frame(self, frame: AffineFrame) -> Mean:
        """The same mean structure with μ in the coordinates of the frame."""

    @abstractmethod
    def start(self, center: Array) -> Array:
        """β of the best mean for complete data centred there."""

    @abstractmethod
    def mean(self, beta: Array) -> Array:
        """μ (d,)."""

    @abstractmethod
    def push(self, v: Array) -> Array:
        """Tangent of μ along the tangent v of β."""

    @abstractmethod
    def pull(self, g: Array) -> Array:
        """Cotangent of β for a cotangent of μ: ⟨push v, g⟩ = ⟨v, pull g⟩."""


@final
class FreeMean(Mean):
    """μ = β, every entry free: m, the weighted mean of the rows, is best whatever S."""

    def in_frame(self, frame: AffineFrame) -> FreeMean:  # noqa: ARG002
        """Free in every frame."""
        return self

    def start(self, center: Array) -> Array:
        """m."""
        return center.copy()

    def mean(self, beta: Array) -> Array:
        """β."""
        return beta

    def push(self, v: Array) -> Array:
        """v."""
        return v

    def pull(self, g: Array) -> Array:
        """g."""
        return g


@final
class FixedMean(Mean):
    """μ known: nothing to estimate."""

    def __init__(self, value: Array) -> None:
        self.value = value

    def in_frame(self, frame: AffineFrame) -> FixedMean:
        """L₀⁻¹(μ − m₀)."""
        return FixedMean(frame.whiten(self.value - frame.origin))

    def start(self, center: Array) -> Array:  # noqa: ARG002
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


def as_mean(mean: object, d: int) -> Mean:
    """``"free"``, or a vector (d,) at which μ is fixed, or a Mean as it is."""
    if isinstance(mean, Mean):
        return mean
    if isinstance(mean, str):
        if mean == "free":
            return FreeMean()
        raise DataError(f"mean must be 'free' or a vector ({d},) to fix it at; got {mean!r}.")
    return FixedMean(as_vector(mean, "mean", d).copy())
