"""Data with holes for the laws."""

from __future__ import annotations

import numpy as np

NAN = np.nan
MURRAY = np.array(
    [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    + 2 * [[2, NAN], [-2, NAN]]
    + 2 * [[NAN, 2], [NAN, -2]]
)  # fmt: skip


def factor(rng: np.random.Generator, d: int) -> np.ndarray:
    """A lower-triangular root of a generic covariance."""
    A = rng.standard_normal((d, 2 * d))
    return np.linalg.cholesky(A @ A.T / d)


def holed(
    rng: np.random.Generator, n: int, d: int, share: float, patterns: int | None = None
) -> np.ndarray:
    """Correlated rows, a share of their entries missing, in so many patterns at most."""
    X = rng.standard_normal((n, d)) @ factor(rng, d).T + rng.uniform(-10.0, 10.0, d)
    missing = rng.random((patterns or n, d)) < share
    X[missing if patterns is None else missing[rng.integers(patterns, size=n)]] = NAN
    return X
