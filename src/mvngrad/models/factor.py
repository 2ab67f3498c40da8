"""S = ΛΛᵀ, the note's own parameterisation, with every entry of Λ free."""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.ops import Array, cholesky, lower_root
from mvngrad.errors import DataError
from mvngrad.models.structure import times
from mvngrad.models.through import ThroughFactor


@final
class Factor(ThroughFactor):
    """S = ΛΛᵀ with every entry of Λ (d, k) free; k ≥ d, default k = d.

    push(Λ, V) = VΛᵀ + ΛVᵀ        pull(Λ, G) = 2GΛ          (Rennie 2006, eqs. 5–14)

    Λ and ΛQ, Q orthogonal, are the same S: of the dk entries of θ, d(d+1)/2 count.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Factor().sized(2)
    >>> family.cov(np.array([1.0, 2.0, 0.0, 3.0]))          # θ is Λ, row by row
    array([[5., 6.],
           [6., 9.]])
    """

    equivariance: ClassVar[Equivariance] = "affine"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True
    saturated: ClassVar[bool] = True

    def __init__(self, k: int | None = None) -> None:
        self.k = k

    def sized(self, d: int) -> Factor:
        """This structure for d columns."""
        if self.k is not None and self.k < d:
            raise DataError(
                f"Factor(k={self.k}) has rank below d = {d}, so S = ΛΛᵀ has no inverse. "
                f"Use k ≥ {d}; for fewer factors a diagonal must be added."
            )
        return super().sized(d)

    @property
    def width(self) -> int:
        """k, the number of columns of Λ."""
        return self.columns if self.k is None else self.k

    @property
    def size(self) -> int:
        """dk."""
        return self.columns * self.width

    @property
    def n_params(self) -> int:
        """d(d+1)/2: rotations of Λ change nothing."""
        return self.columns * (self.columns + 1) // 2

    def factor(self, theta: Array) -> Array:
        """Λ."""
        return theta.reshape(self.columns, self.width)

    def factor_push(self, theta: Array, v: Array) -> Array:  # noqa: ARG002
        """V."""
        return self.factor(v)

    def factor_pull(self, theta: Array, M: Array) -> Array:  # noqa: ARG002
        """M."""
        return M.ravel()

    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:  # noqa: ARG002
        """0: Λ is linear in θ."""
        return np.zeros_like(theta)

    def start(self, S: Array) -> Array:
        """The Cholesky factor of S, with columns of zeros up to k."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """Λ itself where it has k columns, else its triangular root with columns of zeros."""
        if factor.shape[1] == self.width:
            return np.array(factor, dtype=float).ravel()
        padding = np.zeros((self.columns, self.width - self.columns))
        return np.hstack([lower_root(factor), padding]).ravel()

    def widened(self, factor: Array) -> Factor:
        """k columns, if k was left open and the start has more than d."""
        return Factor(factor.shape[1]).sized(self.columns) if self.k is None else self

    def rescale(self, theta: Array, T: Array) -> Array:
        """TΛ."""
        return times(T, self.factor(theta)).ravel()

    def reported_factor(self, factor: Array) -> Array:
        """As fitted."""
        return factor

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"k": self.k}
