"""A covariance structure: a smooth map θ ↦ S, its tangent map and its adjoint.

    push(θ, v) = Ds[v]       tangent of θ → tangent of S, symmetric (d, d)
    pull(θ, G) = Ds*[G]      cotangent of S → cotangent of θ
    ⟨G, push v⟩ = ⟨v, pull G⟩ for every v and every symmetric G

and with those, for any structure at all: the gradient of J is pull(∂J/∂S), and the Fisher
information times v is pull(½n S⁻¹ push(v) S⁻¹). No structure writes a gradient of J of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance, DenseCovariance, whitened_scatter
from mvngrad.core.ops import Array, Mask, cholesky, lower_root
from mvngrad.errors import DataError

PULL_STEP = 1e-5


class Loaded(NamedTuple):
    """A factor model as it is reported: S = ΛΦΛᵀ + diag ψ, and θ of just that."""

    params: Array
    factor: Array
    factor_covariance: Array
    noise: Array


class Structure(ABC):
    """A family of covariances S(θ), θ a flat real vector, every real θ legal.

    A subclass gives ``factor(θ)`` or ``cov(θ)``, ``push``, ``pull`` and ``start``, and is final;
    with ``rescale`` units do not matter to it. The number of columns ``d`` is set when a
    structure meets data (``sized``).
    ``mvngrad.testing.check_structure(MyStructure(), theta, d=3)`` checks all the laws.

    Attributes
    ----------
    equivariance : "affine" | "diagonal" | "scalar"
        The changes of units x ↦ Tx the family is closed under: triangular T, diagonal T, or
        multiples of the identity. ``rescale`` must honour it.
    start_is_optimum : bool
        Whether ``start(S)`` maximises the likelihood of complete data with covariance S.
    saturated : bool
        Whether S(θ) covers all covariances, so that push reaches every symmetric matrix.
    by_profile : bool
        Whether that takes iterations on part of θ, the rest at its best for each.
    preferred : str
        The method that "auto" means for complete data without a closed form.
    linear_precision : bool
        Whether S⁻¹ ranges over a linear space: J is then convex in S⁻¹, complete data have one
        stationary point, and the curvature there is the information.
    regular : bool
        Whether push has the rank ``n_params`` at every θ; not so where S may have a part that
        vanishes at a finite θ, as the variance of a random effect.
    """

    equivariance: ClassVar[Equivariance] = "scalar"
    start_is_optimum: ClassVar[bool] = False
    saturated: ClassVar[bool] = False
    linear_precision: ClassVar[bool] = False
    regular: ClassVar[bool] = True
    by_profile: ClassVar[bool] = False
    preferred: ClassVar[str] = "l-bfgs"
    d: int | None = None
    __array_ufunc__: ClassVar[None] = None  # np.float64(2) * structure comes to __rmul__

    def sized(self, d: int) -> Self:
        """This structure for d columns."""
        if isinstance(d, bool) or not isinstance(d, int | np.integer) or d < 1:
            raise DataError(f"a structure is for a whole number of columns, 1 or more; got {d!r}.")
        sized = copy(self)
        sized.d = d
        return sized

    @property
    def columns(self) -> int:
        """d, once known."""
        if self.d is None:
            name = type(self).__name__
            raise ValueError(f"{name} has not met data yet: say {name}().sized(d) for d columns.")
        return self.d

    @property
    def own_columns(self) -> int | None:
        """d where the structure says it without having met data; else None."""
        return self.d

    @property
    def size(self) -> int:
        """Length of θ."""
        return len(self.start(np.eye(self.columns)))

    @property
    def n_params(self) -> int:
        """Generic rank of dS/dθ: parameters that the data can tell apart."""
        return self.size

    @property
    def excess(self) -> int:
        """Parameters beyond those that S could tell even if it were known, gauge aside."""
        return 0

    @property
    def least_rows(self) -> int:
        """Rank of the scatter below which the likelihood has no maximum; 0: none is known."""
        return 0

    def factor(self, theta: Array) -> Array:
        """Λ (d, k), k ≥ d, with S = ΛΛᵀ. Default: Cholesky of ``cov``, which squares cond(Λ)."""
        return cholesky(self.cov(theta))

    def cov(self, theta: Array) -> Array:
        """S (d, d)."""
        Lambda = self.factor(theta)
        return Lambda @ Lambda.T

    def operator(self, theta: Array) -> Covariance:
        """S as the likelihood uses it; override where whitening costs less than O(d³)."""
        return DenseCovariance.of_factor(self.factor(theta))

    @abstractmethod
    def push(self, theta: Array, v: Array) -> Array:
        """Tangent of S, symmetric (d, d), along the tangent v of θ."""

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """A, B (d, m) with push(θ, v) = ABᵀ + BAᵀ; override where S is made of roots."""
        return 0.5 * self.push(theta, v), np.eye(self.columns)

    def whitened_push(self, theta: Array, v: Array, S: Covariance) -> Array:
        """E = L⁻¹ push(θ, v) L⁻ᵀ, S = LLᵀ; by halves, where there are some, to ε√cond(S)."""
        if type(self).push_halves is Structure.push_halves:
            return whitened_scatter(S, self.push(theta, v))
        A, B = self.push_halves(theta, v)
        half = S.whiten(A) @ S.whiten(B).T
        return half + half.T

    @abstractmethod
    def pull(self, theta: Array, score: Score) -> Array:
        """Cotangent of θ for a cotangent of S: ⟨push(θ, v), G⟩ = v·pull(θ, G)."""

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """The change of pull(θ, G) along v with G held: the structure's own second derivative.

        Default: differences of ``pull``, good to about ten digits.
        """
        step = PULL_STEP / max(float(np.abs(v).max(initial=0.0)), 1e-300)
        ahead, behind = (self.pull(theta + t * v, score) for t in (step, -step))
        return (ahead - behind) / (2.0 * step)

    @abstractmethod
    def start(self, S: Array) -> Array:
        """A θ near S; the best one for complete data if ``start_is_optimum``."""

    def best(self, S: Array, theta: Array) -> Array:  # noqa: ARG002 - for those that iterate
        """As ``start``, where it helps to begin at a θ nearby."""
        return self.start(S)

    def guess(self, S: Array) -> Array | None:  # noqa: ARG002
        """A θ from which iterations reach the best one for S; None: standard deviations do."""
        return None

    def scattered(self, S: Array, rng: np.random.Generator) -> Array | None:  # noqa: ARG002
        """A θ at random of the size of S, where there may be several maxima; else None."""
        return None

    def loaded(self, theta: Array) -> Loaded | None:  # noqa: ARG002
        """θ as loadings and noise in the form they are reported in, if it is such."""
        return None

    @property
    def n_loadings(self) -> int:
        """Entries of θ, the first ones, that make loadings W; 0 where S is no factor model."""
        return 0

    def common(self, theta: Array) -> Array:  # noqa: ARG002
        """W (d, k), loadings on independent factors: S = WWᵀ + diag ψ."""
        return np.zeros((self.columns, 0))

    def above_edge(self, theta: Array, gradient: Array, held: Mask) -> float:
        """½⟨θ, ∇⟩ of the entries held: how far J, even in them, is above its value at 0."""
        return 0.5 * float(theta[held] @ gradient[held])

    def lengths(self, theta: Array) -> Array:
        """How far entries of θ go for S to move by about as much: what a step is measured in."""
        return np.ones(len(theta))

    def across(self, theta: Array, gradient: Array) -> Iterator[Array]:  # noqa: ARG002
        """Other θ, on an edge of the family or off it, at which J may be lower than nearby."""
        return iter(())

    def at_edge(self, theta: Array, score: Score) -> Mask | None:  # noqa: ARG002
        """Entries of θ next to 0, the edge of the family, to which J falls: (p,) of bool, or None.

        J must be even in them. Optimality and curvature leave those directions out.
        """
        return None

    def solve_information(
        self,
        theta: Array,  # noqa: ARG002
        S: Covariance,  # noqa: ARG002
        g: Array,  # noqa: ARG002
        free: Mask,  # noqa: ARG002
    ) -> Array | None:
        """F⁺g for F v = pull(½ S⁻¹ push(v) S⁻¹) on the free entries; None: by iteration."""
        return None

    def start_at(self, factor: Array) -> Array:
        """A θ near ΛΛᵀ."""
        return self.start(factor @ factor.T)

    def widened(self, factor: Array) -> Structure:  # noqa: ARG002 - for those with a width
        """This structure as a start from Λ (d, k) asks for it."""
        return self

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ' with S(θ') = T S(θ) Tᵀ, for T (d, d) triangular or (d,) as ``equivariance`` allows.

        A structure without one is fitted in the units of the data as they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rescale.")

    @property
    def rescales(self) -> bool:
        """Whether the structure says how θ changes with the units."""
        return type(self).rescale is not Structure.rescale

    def working(self) -> Structure:
        """The same family in the coordinates in which iterations run; default: itself."""
        return self

    def times(self, theta: Array, B: Array) -> Array:
        """S(θ)B for B (d, m)."""
        return self.cov(theta) @ B

    def reported_factor(self, factor: Array) -> Array:
        """Λ̂ as a Fit shows it: lower-triangular; a structure may show it as it was fitted."""
        return lower_root(factor)

    def describe(self) -> dict[str, Any]:
        """Constructor arguments, for the model file and for ``repr``."""
        return {}

    @classmethod
    def of_description(cls, **arguments: Any) -> Self:
        """A structure of what ``describe`` gave; override where arguments have no names."""
        return cls(**arguments)

    def __add__(self, other: Structure) -> Structure:
        """S₁ + S₂: a ``Sum``."""
        from mvngrad.models.algebra import Sum

        return Sum(self, other) if isinstance(other, Structure) else NotImplemented

    def __rmul__(self, c: float) -> Structure:
        """c·S, c > 0 known: a ``Scaled``."""
        from mvngrad.models.algebra import Scaled

        return Scaled(self, c) if isinstance(c, int | float | np.number) else NotImplemented

    def __mul__(self, c: float) -> Structure:
        """The same."""
        return self.__rmul__(c)

    def __repr__(self) -> str:
        given = {name: value for name, value in self.describe().items() if value is not None}
        arguments = ", ".join(f"{name}={_short(value)}" for name, value in given.items())
        return f"{type(self).__name__}({arguments})"


def _short(value: Any) -> str:
    """repr, of an array only its shape."""
    if isinstance(value, np.ndarray):
        return f"<array {value.shape}>"
    return repr(value)


def times(T: Array, B: Array) -> Array:
    """TB for T (d, d), or (d,) meaning its diagonal."""
    return (B.T * T).T if T.ndim == 1 else T @ B
