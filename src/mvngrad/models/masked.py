"""S = ΛΛᵀ with zeros in Λ that stay zero."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Self, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.frame import Equivariance
from mvngrad.core.ops import Array, cholesky, is_lower, lower_root
from mvngrad.errors import DataError
from mvngrad.models.rank import generic_rank
from mvngrad.models.structure import times
from mvngrad.models.through import ThroughFactor

Mask = npt.NDArray[np.bool_]

GENERIC = 0.1  # of a standard deviation: what a start puts wherever Λ may be other than 0


class SparseFactor(ThroughFactor):
    """S = ΛΛᵀ, Λ (d, k) free where ``mask`` says so, row by row in θ, and 0 elsewhere.

    Where the mask is a lower triangle with its whole diagonal, the diagonal of Λ is positive and
    θ holds its logarithms: Λ is then the Cholesky factor, and each S has one θ.
    """

    equivariance: ClassVar[Equivariance] = "diagonal"

    @property
    @abstractmethod
    def mask(self) -> Mask:
        """Where Λ is free (d, k)."""

    @cached_property
    def is_triangle(self) -> bool:
        """Whether Λ is a Cholesky factor."""
        return is_lower(self.mask.astype(float)) and bool(np.diagonal(self.mask).all())

    @cached_property
    def _places(self) -> tuple[Any, Any]:
        rows, columns = np.nonzero(self.mask)
        return rows, columns

    @cached_property
    def _logarithms(self) -> Mask:
        """Which entries of θ are logarithms."""
        rows, columns = self._places
        return np.asarray((rows == columns) & self.is_triangle)

    @property
    def regular(self) -> bool:  # type: ignore[override]
        """Where the diagonal is positive; else a column of Λ may vanish."""
        return self.is_triangle

    @property
    def size(self) -> int:
        """The number of free entries."""
        return len(self._places[0])

    def sized(self, d: int) -> Self:
        """This structure for d columns."""
        sized = super().sized(d)
        for name in ("is_triangle", "_places", "_logarithms"):
            sized.__dict__.pop(name, None)
        return sized

    def factor(self, theta: Array) -> Array:
        """Λ."""
        return self._placed(np.where(self._logarithms, np.exp(self._logs(theta)), theta))

    def factor_push(self, theta: Array, v: Array) -> Array:
        """v in its places, that of a logarithm times Λⱼⱼ."""
        return self._placed(v * self._slopes(theta))

    def factor_pull(self, theta: Array, M: Array) -> Array:
        """M in these places, that of a logarithm times Λⱼⱼ."""
        return M[self._places] * self._slopes(theta)

    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """vⱼⱼMⱼⱼΛⱼⱼ for the logarithms."""
        return np.where(self._logarithms, v * self.factor_pull(theta, M), 0.0)

    def start(self, S: Array) -> Array:
        """From the Cholesky factor of S."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """Λ masked, its rows brought back to their lengths; or Λ itself where the mask has it."""
        near = self._near(factor)
        if near is factor:
            return near[self._places]
        lengths = np.sqrt((factor**2).sum(axis=1) / (near**2).sum(axis=1))
        return self._entries(lengths[:, None] * near)

    def rescale(self, theta: Array, T: Array) -> Array:
        """TΛ, T (d,)."""
        return self._entries(times(T, self.factor(theta)))

    def _near(self, factor: Array) -> Array:
        """A Λ with these zeros, of full rank."""
        mask = self.mask
        if self.is_triangle:
            return lower_root(factor) * mask
        if factor.shape == mask.shape and not factor[~mask].any():
            return factor
        near = np.zeros(mask.shape)
        near[:, : self.columns] = lower_root(factor)
        noise = np.random.default_rng(0).standard_normal(mask.shape)
        deviations = np.sqrt((factor**2).sum(axis=1))[:, None]
        return np.asarray((near + GENERIC * deviations * noise) * mask)

    def _entries(self, Lambda: Array) -> Array:
        values = Lambda[self._places]
        values[self._logarithms] = np.log(values[self._logarithms])
        return values

    def _placed(self, values: Array) -> Array:
        Lambda = np.zeros(self.mask.shape)
        Lambda[self._places] = values
        return Lambda

    def _logs(self, theta: Array) -> Array:
        return np.where(self._logarithms, theta, 0.0)

    def _slopes(self, theta: Array) -> Array:
        return np.exp(self._logs(theta))


@final
class Banded(SparseFactor):
    """S with Sᵢⱼ = 0 for |i − j| > width, by its Cholesky factor, which has the same band.

    Columns further apart than ``width`` are uncorrelated: a moving average, with variances and
    covariances free. ``Precision(Banded(width))`` is the Markov model.

    Parameters
    ----------
    width : int                  0 or more; 0 is ``Diagonal``, d − 1 is ``Cholesky``

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Banded(1).sized(3)                  # θ: log L₀₀, L₁₀, log L₁₁, L₂₁, log L₂₂
    >>> family.cov(np.array([0.0, 2.0, 0.0, 3.0, 0.0]))
    array([[ 1.,  2.,  0.],
           [ 2.,  5.,  3.],
           [ 0.,  3., 10.]])
    """

    def __init__(self, width: int) -> None:
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 0:
            raise DataError(f"Banded(width): width must be a whole number, 0 or more; got {width}.")
        self.width = int(width)

    @property
    def mask(self) -> Mask:
        """0 ≤ i − j ≤ width."""
        lag = np.subtract.outer(np.arange(self.columns), np.arange(self.columns))
        return np.asarray((lag >= 0) & (lag <= self.width))

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"width": self.width}


@final
class Masked(SparseFactor):
    """S = ΛΛᵀ, Λ (d, k) free where the mask is true and 0 elsewhere; k ≥ d.

    push(Λ, V) = VΛᵀ + ΛVᵀ, V masked        pull(Λ, G) = 2GΛ, masked

    Of a lower-triangular mask with its whole diagonal, Λ is the Cholesky factor and θ holds the
    logarithms of its diagonal. Otherwise different Λ may be the same S, and ``n_params`` counts
    what data can tell apart.

    Parameters
    ----------
    mask : (d, k) array of bool

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Masked([[True, False, True], [False, True, True]]).sized(2)
    >>> family.cov(np.array([1.0, 2.0, 3.0, 4.0]))          # Λ = [[1, 0, 2], [0, 3, 4]]
    array([[ 5.,  8.],
           [ 8., 25.]])
    """

    def __init__(self, mask: Any) -> None:
        free = np.asarray(mask)
        if free.ndim != 2 or not np.isin(free, (0, 1)).all():
            raise DataError(
                "Masked(mask): mask must be a (d, k) array of bool, true where Λ is free; got "
                f"shape {free.shape} and dtype {free.dtype}."
            )
        self._mask = free.astype(bool)
        self._mask.flags.writeable = False
        generic = np.random.default_rng(0).standard_normal(free.shape) * free
        if np.linalg.matrix_rank(generic) < len(free):
            raise DataError(
                f"Masked(mask): with these zeros Λ {free.shape} never has full row rank, so S = "
                "ΛΛᵀ has no inverse. Give every row a free entry of its own, or add mg.Diagonal()."
            )

    @property
    def mask(self) -> Mask:
        """As given."""
        return self._mask

    @property
    def own_columns(self) -> int | None:
        """Rows of the mask."""
        return len(self._mask)

    def sized(self, d: int) -> Self:
        """This structure for d columns."""
        if d != len(self._mask):
            raise DataError(f"Masked(mask) is for {len(self._mask)} columns; the data have {d}.")
        return super().sized(d)

    @cached_property
    def n_params(self) -> int:
        """Generic rank of push."""
        return self.size if self.is_triangle else generic_rank(self)

    def reported_factor(self, factor: Array) -> Array:
        """As patterned."""
        return factor

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"mask": self._mask}
