"""Where iterations begin, in the units of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.checks import as_factor, as_vector
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, lower_root, solve_lower
from mvngrad.core.roots import full_rank_root


@dataclass(frozen=True, eq=False)
class Start:
    """μ₀ and Λ₀; None where the data decide: their mean, their standard deviations."""

    mean: Array | None = None
    factor: Array | None = None

    @classmethod
    def of(cls, start: Any, d: int) -> Start:
        """From Λ (d, k), a pair (μ, Λ), or anything with ``mean`` and ``factor``, such as a Fit."""
        if start is None:
            return cls()
        if hasattr(start, "factor") and hasattr(start, "mean"):
            start = (start.mean, start.factor)
        if isinstance(start, tuple):
            mean, factor = start
            return cls(as_vector(mean, "start mean", d), _full_rank(factor, d))
        return cls(None, _full_rank(start, d))

    def factor_for(self, moments: Moments) -> Array:
        """Λ₀, or the diagonal of standard deviations."""
        if self.factor is not None:
            return self.factor
        plain = moments.in_frame(moments.frame.restricted("diagonal"))
        return np.diag(np.sqrt(np.diagonal(plain.spread) / plain.weight) * plain.frame.root)


def _full_rank(value: Any, d: int) -> Array:
    factor = as_factor(value, d, name="start")
    full_rank_root(factor, name="start")
    return factor


def scaled_to_unit_variance(factor: Array, moments: Moments) -> Array:
    """Λ₀ with the columns of its triangular root scaled so that whitened data have variance 1.

    With Λ₀ = LQ, K = L⁻¹CL⁻ᵀ/n: the best column scales are √Kⱼⱼ, since J separates over them. It
    is one exact step that makes any start comparable to the data.
    """
    root = lower_root(factor)
    L = root / np.abs(root).max(axis=0)
    whitened = solve_lower(L, solve_lower(L, moments.spread).T)
    scales = np.sqrt(np.diagonal(whitened) / moments.weight)
    return (L * scales) @ solve_lower(root, factor)
