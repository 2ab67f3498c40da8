"""The problems: sizes, targets, and how their data are made."""

from __future__ import annotations

from dataclasses import dataclass

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
