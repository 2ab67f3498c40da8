"""The triangular root of S = ΛΛᵀ + diag ψ, or an error that says why there is none."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvngrad.core.checks import as_vector
from mvngrad.core.frame import power_of_two
from mvngrad.core.ops import (
    Array,
    condition_estimate,
    is_lower,
    lower_root,
    with_positive_diagonal,
)
from mvngrad.errors import DataError, NotPositiveDefiniteError

# A pivot from QR that is smaller, relative to its row, is rounding.
ROUNDING = 16.0 * float(np.finfo(float).eps)


def full_rank_root(factor: Array, noise: Any = None, *, name: str = "factor") -> Array:
    """L (d, d), LLᵀ = ΛΛᵀ + diag ψ, by QR of [Λ Ψ^½]ᵀ: S is never formed.

    A triangular Λ is taken at its word, however small its diagonal.
    """
    d, k = factor.shape
    wide = factor if noise is None else np.hstack([factor, np.diag(np.sqrt(_as_noise(noise, d)))])
    if wide.shape[1] < d:
        raise NotPositiveDefiniteError(
            f"{name} is ({d}, {k}): with fewer columns than rows it does not have full row rank, "
            f"and S = ΛΛᵀ, of rank {k} < {d}, has no inverse. Give at least d columns, or noise=ψ "
            "(d,) for S = ΛΛᵀ + diag ψ where it is taken."
        )
    if is_lower(wide):
        return _checked(with_positive_diagonal(wide), 0.0, name)
    largest = power_of_two(np.abs(wide).max(axis=1))[:, None]
    return _checked(lower_root(wide / largest), ROUNDING, name) * largest


def correlation_condition(factor: Array) -> float:
    """Condition number of the correlation matrix of ΛΛᵀ, estimated from its triangular root."""
    rows = factor / np.sqrt(np.einsum("ij,ij->i", factor, factor))[:, None]
    return condition_estimate(lower_root(rows)) ** 2


def _checked(L: Array, floor: float, name: str) -> Array:
    smallest = int(L.diagonal().argmin())
    if not L[smallest, smallest] > floor:
        raise NotPositiveDefiniteError(
            f"S is singular: {name} does not have full row rank (row {smallest} is zero or a "
            "combination of the rows before it), so the likelihood has no value. Take for example "
            "np.diag of standard deviations, or add noise.",
            rank=int(np.count_nonzero(np.diagonal(L) > floor)),
        )
    return L


def _as_noise(noise: Any, d: int) -> Array:
    psi = as_vector(noise, "noise", d)
    if (psi < 0.0).any():
        j = int(np.argmax(psi < 0.0))
        raise DataError(f"noise must not be negative; got {psi[j]} at index {j}.")
    return psi
