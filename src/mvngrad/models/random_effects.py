"""What random effects add to a covariance: S = ZDZᵀ."""

from __future__ import annotations

from typing import Any, ClassVar, Self, final

import numpy as np

from mvngrad.core.checks import as_floats
from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.composite import Composite, require_structures, score_through
from mvngrad.models.factor import Factor
from mvngrad.models.structure import Structure

RIDGE = 1e-2  # of the variance of the effects, in directions of which Z tells nothing


@final
class RandomEffects(Composite):
    """S = ZDZᵀ, D (q, q) of a structure of its own: x = Zb + …, b ~ N(0, D).

    push(θ, v) = Z Ḋ Zᵀ        pull(θ, G) = pull_D(ZᵀGZ)

    With q < d it is singular alone, and meant for sums: ``RandomEffects(Z) + Spherical()`` is the
    random-coefficients model of Laird and Ware (1982), the rows of Z the occasions.

    Parameters
    ----------
    Z : (d, q) array             the design of the effects
    inner : Structure
        Of D. Default ``Factor()``: D is any covariance, and where the best D is singular, as
        small variances of effects often are, θ meets no edge. ``Diagonal()`` makes the effects
        uncorrelated.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> effects = mg.RandomEffects([[1.0], [2.0]], mg.Diagonal()).sized(2)
    >>> effects.cov(np.log([3.0]))
    array([[ 3.,  6.],
           [ 6., 12.]])
    """

    closure: ClassVar[Equivariance] = "scalar"
    regular: ClassVar[bool] = False

    def __init__(self, Z: Any, inner: Structure | None = None) -> None:
        design = np.array(as_floats(Z, "RandomEffects(Z)"))
        if design.ndim != 2 or 0 in design.shape or not np.isfinite(design).all():
            raise DataError(
                "RandomEffects(Z): Z must be a finite (d, q) array, a row a column of the data; "
                f"got shape {design.shape}."
            )
        if not design.any(axis=0).all():
            j = int(np.argmin(design.any(axis=0)))
            raise DataError(f"RandomEffects(Z): column {j} of Z is zero, an effect on nothing.")
        inner = Factor() if inner is None else inner
        require_structures("RandomEffects", inner)
        self._Z = design
        self._Z.flags.writeable = False
        self.parts = (inner.sized(design.shape[1]),)

    @property
    def inner(self) -> Structure:
        """The structure of D."""
        return self.parts[0]

    @property
    def own_columns(self) -> int | None:
        """Rows of Z."""
        return len(self._Z)

    def sized(self, d: int) -> Self:
        """This structure for d columns."""
        if d != len(self._Z):
            raise DataError(
                f"RandomEffects(Z): Z has {len(self._Z)} rows, one a column of the data; there "
                f"are {d} columns."
            )
        return self.with_parts(self.parts, d)

    def factor(self, theta: Array) -> Array:
        """Z times the factor of D, (d, k), k < d where the effects are few."""
        return self._Z @ self.inner.factor(theta)

    def operator(self, theta: Array) -> Covariance:
        """By QR of the factor, where that has full rank."""
        if len(self._Z) > self._Z.shape[1]:
            raise DataError(
                f"RandomEffects(Z) with Z {self._Z.shape} is singular alone. Add what else varies: "
                "mg.RandomEffects(Z) + mg.Spherical(), or + mg.Diagonal()."
            )
        return super().operator(theta)

    def push(self, theta: Array, v: Array) -> Array:
        """Z Ḋ Zᵀ."""
        E = self._Z @ self.inner.push(theta, v) @ self._Z.T
        return 0.5 * (E + E.T)

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """Z times those of D."""
        A, B = self.inner.push_halves(theta, v)
        return self._Z @ A, self._Z @ B

    def pull(self, theta: Array, score: Score) -> Array:
        """pull_D(ZᵀGZ)."""
        return self.inner.pull(theta, self._seen(theta, score))

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """That of D."""
        return self.inner.pull_tangent(theta, self._seen(theta, score), v)

    def start(self, S: Array) -> Array:
        """From Z⁺SZ⁺ᵀ, the covariance of the effects that least squares give each row."""
        pinv = np.linalg.pinv(self._Z)
        D = pinv @ S @ pinv.T
        q, rank = len(D), np.linalg.matrix_rank(self._Z)
        ridge = RIDGE * D.trace() / q * (rank < q)
        return self.inner.start(0.5 * (D + D.T) + ridge * np.eye(q))

    def start_at(self, factor: Array) -> Array:
        """The same, from a root."""
        return self.start(factor @ factor.T)

    def rescale(self, theta: Array, T: Array) -> Array:
        """D in the new unit."""
        return self.inner.rescale(theta, np.full(self._Z.shape[1], T[0]))

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"Z": self._Z, "inner": self.inner}

    def _seen(self, theta: Array, score: Score) -> Score:
        """ZᵀGZ."""
        return score_through(score, self._Z, self.inner.operator(theta))
