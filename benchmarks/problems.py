"""The problems: sizes, targets, and how their data are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """n rows and d columns, and how many times the fastest peer's speed is asked for."""

    n: int
    d: int
    target: float

    def __str__(self) -> str:
        return f"{self.n:,} × {self.d:,}"

    @property
    def bytes(self) -> int:
        """What the float64 data take."""
        return 8 * self.n * self.d

    @property
    def memory_target(self) -> float:
        """Extra bytes a fit may use: 2 % of the data, or 64 MB + 48 d²."""
        return max(0.02 * self.bytes, 64e6 + 48.0 * self.d**2)


@dataclass(frozen=True)
class Holed:
    """n rows, d columns and a share of holes; the speeds asked for, a peer's first words each."""

    n: int
    d: int
    holes: float
    kind: str = "MCAR"
    targets: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.n:,} × {self.d:,}, {self.holes:.0%} holes, {self.kind}"


FITS = (
    Size(1_000_000, 20, 4.0),
    Size(1_000_000, 100, 3.0),
    Size(100_000, 500, 1.3),
    Size(20_000, 2000, 1.0),
)
GRADIENTS = (
    Size(1_000, 10, 1.5),
    Size(10_000, 50, 6.0),
    Size(100_000, 100, 6.0),
    Size(10_000, 500, 5.0),
)
FROM_MOMENTS = (Size(100_000, 100, 1000.0),)

MAR = "MAR: in half of the columns, by the first"
SLOW = "MCAR, condition 1e3, where EM crawls"
HOLED = (
    Holed(1_000, 5, 0.10, targets={"lavaan EM": 10.0, "Amelia": 5.0}),
    Holed(10_000, 10, 0.15, targets={"lavaan EM": 25.0, "Amelia": 5.0, "PyTorch": 40.0}),
    Holed(100_000, 20, 0.15, targets={"lavaan EM": 60.0, "Amelia": 5.0, "PyTorch": 40.0}),
    Holed(2_000, 40, 0.10, targets={"lavaan EM": 100.0, "Amelia": 5.0, "PyTorch": 40.0}),
    Holed(2_000, 10, 0.40, SLOW, {"Amelia": 5.0}),
    Holed(10_000, 10, 0.30, MAR, {"Amelia": 5.0}),
)
HOLED_LARGE = (Holed(10_000_000, 10, 0.05), Holed(3_000, 300, 0.05))
GAP = 1e-6  # of a log-likelihood below the best, at most, to count as the same

CONDITIONS = (1.0, 1e4, 1e8, 1e12)
COLUMNS = (5, 20)
STARTS = 20
GROWTH = 1.5  # evaluations at the worst condition, at most, relative to condition 1
MISLED = 40  # evaluations on a sorted file, at most

IMPORT_MS, HELP_MS, COMMAND_MS = 30.0, 250.0, 1500.0


def factor(d: int, seed: int = 1) -> Floats:
    """Cholesky factor of a generic covariance: Wishart with 2d degrees of freedom, over d."""
    A = np.random.default_rng(seed).standard_normal((d, 2 * d))
    return np.linalg.cholesky(A @ A.T / d)


def rows(n: int, d: int, seed: int = 0) -> Floats:
    """n correlated normal rows with means away from zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) @ factor(d).T
    X += rng.uniform(-10.0, 10.0, d)
    return X


def parameters(d: int) -> tuple[Floats, Floats]:
    """A mean and a Cholesky factor that are not those of the rows."""
    return np.random.default_rng(2).uniform(-10.0, 10.0, d), factor(d, seed=3)


def conditioned(n: int, d: int, condition: float, seed: int = 4) -> Floats:
    """Rows whose covariance has this condition number, eigenvectors at random."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    Z = rng.standard_normal((n, d))
    Z = np.linalg.qr(Z - Z.mean(axis=0))[0] * np.sqrt(n)
    return Z * np.geomspace(1.0, condition**-0.5, d) @ Q.T


def holed(problem: Holed, seed: int = 6) -> Floats:
    """Rows with holes; none is left empty, so that all peers count the same rows."""
    n, d = problem.n, problem.d
    X = conditioned(n, d, 1e3) if problem.kind == SLOW else rows(n, d)
    chance = _chance(X, problem) if problem.kind == MAR else problem.holes
    hole = np.random.default_rng(seed).random((n, d)) < chance
    hole[hole.all(axis=1)] = False
    X[hole] = np.nan
    return X


def _chance(X: Floats, problem: Holed) -> Floats:
    """Of a hole in the latter half of the columns: the greater the first column, the likelier."""
    z = (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()
    latter = np.arange(problem.d) >= problem.d // 2
    return 2.0 * problem.holes / (1.0 + np.exp(-2.0 * z[:, None])) * latter
