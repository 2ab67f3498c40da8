"""THE list of structures × sizes × conditionings that every law runs over.

A structure is one line of STRUCTURES. ``tests/unit/test_structures.py`` fails where one is missing.

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_law(case): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from mvngrad.models.algebra import Scaled
from mvngrad.models.autoregressive import AR1
from mvngrad.models.block_diagonal import BlockDiagonal
from mvngrad.models.cholesky import Cholesky, InverseCholesky
from mvngrad.models.compound_symmetry import CompoundSymmetry
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor import Factor
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.heterogeneous import Heterogeneous
from mvngrad.models.known import Known
from mvngrad.models.kronecker import Kronecker
from mvngrad.models.masked import Banded, Masked
from mvngrad.models.ppca import PPCA
from mvngrad.models.precision import Precision
from mvngrad.models.random_effects import RandomEffects
from mvngrad.models.structure import Structure
from mvngrad.models.toeplitz import Toeplitz

STRUCTURES: dict[str, Callable[[int], Structure]] = {
    "Factor": lambda _: Factor(),
    "Factor-wide": lambda d: Factor(d + 2),
    "Cholesky": lambda _: Cholesky(),
    "InverseCholesky": lambda _: InverseCholesky(),
    "Diagonal": lambda _: Diagonal(),
    "Spherical": lambda _: Spherical(),
    "CompoundSymmetry": lambda _: CompoundSymmetry(),
    "AR1": lambda _: AR1(),
    "Toeplitz": lambda _: Toeplitz(),
    "Heterogeneous": lambda _: Heterogeneous(AR1()),
    "Heterogeneous-Toeplitz": lambda _: Heterogeneous(Toeplitz()),
    "Heterogeneous-Scaled": lambda d: Heterogeneous(Scaled(Known(known(d)))),
    "Banded": lambda _: Banded(2),
    "Masked": lambda d: Masked(np.tril(np.ones((d, d)), -2) + np.eye(d)),
    "Masked-wide": lambda d: Masked(np.hstack([np.eye(d), np.triu(np.ones((d, d)))[:, :2]])),
    "Precision": lambda _: Precision(),
    "Precision-Banded": lambda _: Precision(Banded(1)),
    "Precision-AR1": lambda _: Precision(AR1()),
    "Known": lambda d: Known(known(d)),
    "Scaled-Known": lambda d: Scaled(Known(known(d))),
    "Scaled": lambda _: 2.0 * Diagonal(),
    "Scaled-free": lambda _: Scaled(Toeplitz()),
    "RandomEffects": lambda d: RandomEffects(known(d)),
    "RandomEffects-wide": lambda d: RandomEffects(np.eye(d, d + 1) + 0.3, Diagonal()),
    "Sum": lambda d: RandomEffects(effects(d)) + Spherical(),
    "Sum-of-three": lambda d: AR1() + Diagonal() + Known(known(d)),
    "Kronecker": lambda d: Kronecker(AR1().sized(first_of(d)), Cholesky()),
    "Kronecker-Toeplitz": lambda d: Kronecker(Diagonal(), Toeplitz().sized(first_of(d))),
    "BlockDiagonal": lambda d: BlockDiagonal(*blocks(d)),
    "BlockDiagonal-closed": lambda d: BlockDiagonal(Spherical().sized(1), *[Diagonal()] * (d > 1)),
    "FactorAnalytic": lambda d: FactorAnalytic(min(2, d - 1)),
    "FactorAnalytic-wide": lambda d: FactorAnalytic(max(d - 1, 1)),
    "FactorAnalytic-pattern": lambda d: FactorAnalytic(pattern=two_factors(d), correlated=True),
    "FactorAnalytic-marker": lambda d: FactorAnalytic(
        pattern=two_factors(d, 1.0), correlated=True, scale="marker"
    ),
    "FactorAnalytic-bifactor": lambda d: FactorAnalytic(pattern=bifactor(d)),
    "PPCA": lambda d: PPCA(min(2, d - 1)),
}
# Those whose start_at takes any covariance as it is, so that a condition can be chosen.
EXACT = ("Factor", "Factor-wide", "Cholesky", "InverseCholesky", "Diagonal", "Precision")


def two_factors(d: int, marker: float = np.nan) -> np.ndarray:
    """Columns 0, 2, 4 … load on one factor, 1, 3, 5 … on another, if there are so many."""
    on = np.arange(d)[:, None] % 2 == np.arange(min(d, 2))
    pattern = np.where(on, np.nan, 0.0)
    pattern[range(min(d, 2)), range(min(d, 2))] = marker
    return pattern


def bifactor(d: int) -> np.ndarray:
    """All columns load on one factor, and some on a second, with one loading tied."""
    pattern = np.full((d, 2), np.nan, dtype=object)
    pattern[: d // 2, 1] = 0.0
    pattern[-2:, 0] = "a"
    return pattern


SIZES = (1, 2, 3, 5, 20)
CONDITIONS = (1e0, 1e4, 1e8)


@dataclass(frozen=True, eq=False)
class Case:
    """A structure for d columns, and a θ at which cond(S) is ``condition``, or about that."""

    name: str
    structure: Structure
    d: int
    theta: np.ndarray
    condition: float

    def rows(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n draws from N(0, S(θ))."""
        Lambda = self.structure.factor(self.theta)
        return rng.standard_normal((n, Lambda.shape[1])) @ Lambda.T

    @property
    def is_exact(self) -> bool:
        """Whether ``condition`` is that of S."""
        return self.name in EXACT

    def __str__(self) -> str:
        return f"{self.name}-d{self.d}-cond{self.condition:.0e}"


def orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    """A random rotation (d, d)."""
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def known(d: int) -> np.ndarray:
    """A covariance (d, d) without symmetries."""
    rng = np.random.default_rng(d)
    rows = rng.standard_normal((d, d + 3))
    return rows @ rows.T / d + 0.2 * np.eye(d)


def effects(d: int) -> np.ndarray:
    """A level, and a slope if there are two columns."""
    return np.vander(np.linspace(0.0, 1.0, d), min(d, 2))


def first_of(d: int) -> int:
    """A divisor of d, near its root."""
    return max(k for k in range(1, d + 1) if d % k == 0 and k * k <= d)


def blocks(d: int) -> list[Structure]:
    """Of which one has no closed form."""
    if d == 1:
        return [AR1()]
    return [Cholesky().sized(d // 2), AR1()]


def spectrum(d: int, condition: float) -> np.ndarray:
    """d eigenvalues about 2, spread evenly in the logarithm."""
    return 2.0 * np.geomspace(condition**-0.5, condition**0.5, d)


def factor_of_condition(
    d: int, condition: float, rng: np.random.Generator, k: int | None = None
) -> np.ndarray:
    """Λ (d, k) for which ΛΛᵀ has the eigenvalues of ``spectrum``, in random directions."""
    rows = np.eye(d, k or d) @ orthogonal(k or d, rng)
    return (orthogonal(d, rng) * np.sqrt(spectrum(d, condition))) @ rows


def _theta(name: str, structure: Structure, d: int, condition: float) -> np.ndarray | None:
    rng = np.random.default_rng([d, round(np.log10(condition))])
    if isinstance(structure, FactorAnalytic | PPCA):
        return _theta_of_factors(structure, condition, rng)
    if name in EXACT:
        Lambda = factor_of_condition(d, condition, rng, getattr(structure, "width", d))
        if structure.equivariance != "affine":
            Lambda = np.diag(np.sqrt(spectrum(d, condition)))
        return structure.start_at(Lambda)
    near = structure.start(2.0 * np.eye(d))
    near = near + 0.3 * rng.standard_normal(len(near))  # no symmetry hides anything
    if structure.equivariance == "scalar":
        return near
    return structure.rescale(near, np.sqrt(spectrum(d, condition) / 2.0))


def _theta_of_factors(
    structure: FactorAnalytic | PPCA, condition: float, rng: np.random.Generator
) -> np.ndarray | None:
    """Loadings of about 1 and the noise that gives cond(S), or rows stretched till it does."""
    theta = rng.uniform(0.4, 1.3, structure.size) * rng.choice([-1.0, 1.0], structure.size)
    eta, s = theta[: -structure.columns], theta[-structure.columns :]
    if isinstance(structure, PPCA):
        eta, s = theta[:-1], theta[-1:]

    def quieter(x: float) -> np.ndarray:
        if isinstance(structure, PPCA):
            return np.append(eta, np.log(1.0 + s**2) + x)
        return np.append(eta, s * np.exp(x))

    def stretched(x: float) -> np.ndarray:
        return structure.rescale(theta, np.exp(x * np.linspace(0.0, 1.0, structure.columns)))

    for at in (quieter, stretched)[: 1 + (structure.equivariance == "diagonal")]:
        found = _crossing(lambda x, at=at: np.linalg.cond(structure.factor(at(x))), condition)
        if found is not None:
            return at(found)
    return None


def _crossing(root_condition: Callable[[float], float], condition: float) -> float | None:
    """x ≤ 0 at which cond(Λ)² is as wanted, 0 if it is more there already."""

    def excess(x: float) -> float:
        return float(np.log(root_condition(x) ** 2 / condition))

    if excess(0.0) >= 0.0:
        return 0.0
    return brentq(excess, -25.0, 0.0) if excess(-25.0) > 0.0 else None


def _cases() -> list[Case]:
    cases = []
    for name, build in STRUCTURES.items():
        for d in SIZES:
            structure = build(d).sized(d)
            spherical = d == 1 or structure.equivariance == "scalar"
            for condition in CONDITIONS[:1] if spherical else CONDITIONS:
                theta = _theta(name, structure, d, condition)
                if theta is None:  # a family that has no such S
                    continue
                theta.flags.writeable = False
                cases.append(Case(name, structure, d, theta, condition))
    return cases


CASES = _cases()
