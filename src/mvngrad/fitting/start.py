"""Where iterations begin, in the units of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.checks import as_factor, as_vector
from mvngrad.core.frame import AffineFrame
from mvngrad.core.ops import Array, lower_root, solve_lower
from mvngrad.core.roots import full_rank_root
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.models.structure import Structure


@dataclass(frozen=True, eq=False)
class Start:
    """μ₀ and Λ₀; None where the data decide: their mean, their standard deviations."""

    mean: Array | None = None
    factor: Array | None = None
    structure: Structure | None = None  # of the fit that is begun from,
    params: Array | None = None  # and its θ

    @classmethod
    def of(cls, start: Any, d: int) -> Start:
        """From Λ (d, k), a pair (μ, Λ), or anything with ``mean`` and ``factor``, such as a Fit."""
        if start is None:
            return cls()
        if getattr(start, "noise", None) is not None:
            mean, root = as_vector(start.mean, "start mean", d), _full_rank(start.root, d)
            return cls(mean, root, start.structure, start.params)
        if hasattr(start, "factor") and hasattr(start, "mean"):
            start = (start.mean, start.factor)
        if isinstance(start, tuple):
            mean, factor = start
            return cls(as_vector(mean, "start mean", d), _full_rank(factor, d))
        return cls(None, _full_rank(start, d))

    def factor_in(self, frame: AffineFrame, variances: Array) -> Array:
        """Λ₀, or the diagonal of standard deviations, in the frame."""
        factor = np.diag(np.sqrt(variances)) if self.factor is None else self.factor
        return frame.whiten(factor)

    def params_in(self, frame: AffineFrame, structure: Structure) -> Array | None:
        """θ of the fit that is begun from, in the frame, if it is of the same structure."""
        if self.structure is None or type(self.structure) is not type(structure):
            return None
        same = str(self.structure.describe()) == str(structure.describe())
        if not same or self.params is None or len(self.params) != structure.size:
            return None
        return structure.rescale(self.params, 1.0 / frame.root) if structure.rescales else None


def near(structure: Structure, S: Array) -> Array | None:
    """A θ near S, where that says more than standard deviations do; None if they are as good.

    So they are for a structure in closed form, and where S is too nearly singular to be met.
    """
    theta = structure.guess(S)
    if theta is not None or structure.start_is_optimum:
        return theta
    try:
        theta = structure.start(S)
    except (NotPositiveDefiniteError, np.linalg.LinAlgError):
        return None
    return theta if np.isfinite(theta).all() else None


def _full_rank(value: Any, d: int) -> Array:
    factor = as_factor(value, d, name="start")
    full_rank_root(factor, name="start")
    return factor


def scaled_to_unit_variance(factor: Array, S: Array) -> Array:
    """Λ₀ with the columns of its triangular root scaled so that whitened S has diagonal 1.

    With Λ₀ = LQ, K = L⁻¹SL⁻ᵀ: the best column scales are √Kⱼⱼ, since J separates over them. It
    is one exact step that makes any start comparable to the data.
    """
    root = lower_root(factor)
    L = root / np.abs(root).max(axis=0)
    scales = np.sqrt(np.diagonal(solve_lower(L, solve_lower(L, S).T)))
    return (L * scales) @ solve_lower(root, factor)
