"""THE list of structures × sizes × conditionings that every law runs over.

A structure is one line of STRUCTURES. ``tests/unit/test_structures.py`` fails where one is missing.

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_law(case): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mvngrad.models.cholesky import Cholesky, InverseCholesky
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor import Factor
from mvngrad.models.structure import Structure

STRUCTURES: dict[str, Callable[[int], Structure]] = {
    "Factor": lambda _: Factor(),
    "Factor-wide": lambda d: Factor(d + 2),
    "Cholesky": lambda _: Cholesky(),
    "InverseCholesky": lambda _: InverseCholesky(),
    "Diagonal": lambda _: Diagonal(),
    "Spherical": lambda _: Spherical(),
}
SIZES = (1, 2, 3, 5, 20)
CONDITIONS = (1e0, 1e4, 1e8)


@dataclass(frozen=True, eq=False)
class Case:
    """A structure for d columns, and a θ at which cond(S) is ``condition``."""

    name: str
    structure: Structure
    d: int
    theta: np.ndarray
    condition: float

    def rows(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n draws from N(0, S(θ))."""
        Lambda = self.structure.factor(self.theta)
        return rng.standard_normal((n, Lambda.shape[1])) @ Lambda.T

    def __str__(self) -> str:
        return f"{self.name}-d{self.d}-cond{self.condition:.0e}"


def orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    """A random rotation (d, d)."""
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def spectrum(d: int, condition: float) -> np.ndarray:
    """d eigenvalues about 2, spread evenly in the logarithm."""
    return 2.0 * np.geomspace(condition**-0.5, condition**0.5, d)


def factor_of_condition(
    d: int, condition: float, rng: np.random.Generator, k: int | None = None
) -> np.ndarray:
    """Λ (d, k) for which ΛΛᵀ has the eigenvalues of ``spectrum``, in random directions."""
    rows = np.eye(d, k or d) @ orthogonal(k or d, rng)
    return (orthogonal(d, rng) * np.sqrt(spectrum(d, condition))) @ rows


def _theta(structure: Structure, d: int, condition: float) -> np.ndarray:
    rng = np.random.default_rng([d, round(np.log10(condition))])
    Lambda = factor_of_condition(d, condition, rng, getattr(structure, "width", d))
    if structure.equivariance != "affine":
        Lambda = np.diag(np.sqrt(spectrum(d, condition)))
    return structure.start_at(Lambda)


def _cases() -> list[Case]:
    cases = []
    for name, build in STRUCTURES.items():
        for d in SIZES:
            structure = build(d).sized(d)
            spherical = d == 1 or structure.equivariance == "scalar"
            for condition in CONDITIONS[:1] if spherical else CONDITIONS:
                theta = _theta(structure, d, condition)
                theta.flags.writeable = False
                cases.append(Case(name, structure, d, theta, condition))
    return cases


CASES = _cases()
