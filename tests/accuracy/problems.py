"""Problems of a given conditioning: factors, and rows drawn from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

CONDITIONS = [10.0**power for power in range(0, 15, 2)]
MEANS = [0.0, 1e3, 1e8]
SHAPES = ["square", "lower", "wide"]


class Problem(NamedTuple):
    """Rows X (n, d), parameters μ (d,) and Λ (d, k), weights (n,) or None."""

    X: Array
    mean: Array
    factor: Array
    weights: Array | None


def rotation(rng: np.random.Generator, d: int) -> Array:
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def factor_of(rng: np.random.Generator, d: int, condition: float, shape: str) -> Array:
    """Λ with cond(ΛΛᵀ) as asked: singular values in a geometric row, or all alike but one."""
    graded = condition ** (-0.5 * np.arange(d) / max(d - 1, 1))
    alike = np.where(np.arange(d) == 0, graded[-1], 1.0)
    values = graded if rng.random() < 0.5 else alike
    if shape == "diagonal":
        return np.diag(values)
    half = rotation(rng, d) * values
    if shape == "lower":
        return np.linalg.qr(half.T, mode="r").T
    return half @ rotation(rng, d + 3 * (shape == "wide"))[:d]


def problem(
    seed: int, d: int, condition: float, mean: float, shape: str, *, n: int | None = None
) -> Problem:
    """Rows from N(mean, ΛΛᵀ); every other seed has weights, every third a μ some sd off."""
    rng = np.random.default_rng(seed)
    factor = factor_of(rng, d, condition, shape)
    d, k = factor.shape
    X = mean + rng.normal(size=(n or 2 * d + 6, k)) @ factor.T
    off = 5.0 * factor @ rng.normal(size=k) if seed % 3 == 0 else 0.0
    weights = rng.exponential(size=len(X)) if seed % 2 else None
    return Problem(X, np.full(d, mean) + off, factor, weights)
