"""The affine frame x = m₀ + L₀z in which moments are kept and models are fitted.

L₀ is diagonal (powers of two, so that changing units by powers of two changes no bit) or
lower-triangular with positive diagonal. In a frame close to the data's own mean and root
everything is O(1): accuracy goes with ε√cond(S) rather than ε·cond(S), and a fit starts near
Λ_z = I whatever the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array, is_lower, solve_lower, solve_lower_transpose
from mvngrad.errors import DataError

MEDIAN_ROWS = 255  # odd: a median is then one of the values

Equivariance = Literal["affine", "diagonal", "scalar"]


def power_of_two(scale: Array) -> Array:
    """The power of two next below each positive entry; 1 where an entry is 0 or not finite."""
    _, exponent = np.frexp(scale)
    usable = np.isfinite(scale) & (scale > 0.0)
    return np.where(usable, np.ldexp(1.0, exponent - 1), 1.0)


def read_only(array: Array) -> Array:
    """A view that cannot be written to; the array itself stays as it was."""
    view = np.asarray(array, dtype=np.float64).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class AffineFrame:
    """x = m₀ + L₀z.

    Parameters
    ----------
    origin : (d,) array                  m₀, in the units of the data
    root   : (d,) or (d, d) array        diagonal of L₀, or L₀ itself, lower-triangular

    Examples
    --------
    >>> import numpy as np
    >>> frame = AffineFrame(np.array([1.0, 2.0]), np.array([[2.0, 0.0], [1.0, 4.0]]))
    >>> z = frame.whiten(np.array([3.0, 7.0]) - frame.origin)
    >>> frame.origin + frame.color(z)
    array([3., 7.])
    """

    origin: Array
    root: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", read_only(self.origin))
        object.__setattr__(self, "root", read_only(self.root))

    def checked(self) -> AffineFrame:
        """This frame, if it is one: finite, L₀ triangular with positive diagonal."""
        d = len(self.origin)
        if self.origin.shape != (d,) or self.root.shape not in {(d,), (d, d)}:
            raise DataError(
                f"a frame has an origin (d,) and a root (d,) or (d, d); got shapes "
                f"{self.origin.shape} and {self.root.shape}."
            )
        if not (np.isfinite(self.origin).all() and np.isfinite(self.root).all()):
            raise DataError("a frame's origin and root must be finite.")
        diagonal = self.root if self.is_diagonal else np.diagonal(self.root)
        if not (diagonal > 0.0).all() or not (self.is_diagonal or is_lower(self.root)):
            raise DataError("a frame's root must be lower-triangular with a positive diagonal.")
        return self

    @classmethod
    def identity(cls, d: int) -> AffineFrame:
        """x = z."""
        return cls(np.zeros(d), np.ones(d))

    @property
    def is_diagonal(self) -> bool:
        """Whether L₀ is a diagonal."""
        return self.root.ndim == 1

    def whiten(self, B: Array) -> Array:
        """L₀⁻¹B for B (d,) or (d, m)."""
        return (B.T / self.root).T if self.is_diagonal else solve_lower(self.root, B)

    def unwhiten(self, B: Array) -> Array:
        """L₀⁻ᵀB."""
        return (B.T / self.root).T if self.is_diagonal else solve_lower_transpose(self.root, B)

    def color(self, B: Array) -> Array:
        """L₀B."""
        return (B.T * self.root).T if self.is_diagonal else self.root @ B

    @property
    def logdet(self) -> float:
        """log|L₀|, the log of the volume of a unit cell of z."""
        diagonal = self.root if self.is_diagonal else np.diagonal(self.root)
        return float(np.log(diagonal).sum())

    def restricted(self, equivariance: Equivariance) -> AffineFrame:
        """The nearest frame with no more freedom than a structure is closed under."""
        if equivariance == "affine":
            return self
        scales = self.root if self.is_diagonal else np.sqrt((self.root**2).sum(axis=1))
        if equivariance == "scalar":
            scales = np.full_like(scales, np.exp(np.log(scales).mean()))
        return AffineFrame(self.origin, power_of_two(scales))

    def equals(self, other: AffineFrame) -> bool:
        """Whether both are the same frame, bit for bit."""
        return self is other or (
            np.array_equal(self.origin, other.origin) and np.array_equal(self.root, other.root)
        )


def median_frame(X: npt.NDArray[Any]) -> AffineFrame:
    """Medians of some rows as origin, and powers of two near their largest distance from it.

    Both follow a change of units exactly: a median is one of the values, a mean would be rounded.
    """
    some = np.array(X[:: max(-(-len(X) // MEDIAN_ROWS), 1)], dtype=np.float64)
    there = np.isfinite(some)
    some[~there] = np.nan
    for j in np.flatnonzero(~there.any(axis=0)):  # rarely observed: its own first ones
        own = X[np.isfinite(X[:, j]), j][: len(some)]
        some[: len(own), j], there[: len(own), j] = own, True
    order = np.sort(some, axis=0)  # NaN last
    middle = np.maximum(there.sum(axis=0) - 1, 0) // 2
    origin = np.nan_to_num(order[middle, np.arange(X.shape[1])])
    distance = np.abs(np.nan_to_num(some - origin)).max(axis=0)
    return AffineFrame(origin, power_of_two(distance))
