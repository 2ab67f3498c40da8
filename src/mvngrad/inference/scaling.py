"""The mean of a likelihood ratio when rows are not normal: tr(UΓ), where normal rows give df.

In packed tangents whitened by the model's estimate the expected information of one row is I. With
Γ the covariance of the contributions s of the rows (``inference.contributions``) and U, n columns
for n directions, an orthonormal basis of those that the model moves in,

    tr(UΓ) = tr Γ − tr UᵀΓU                             complete data (Satorra & Bentler 1994)

and with observed information A and meat B of the saturated model at its own estimate and of the
structure at its own, holes or not,

    tr A₁⁻¹B₁ − tr A₀⁻¹B₀                              (Yuan & Bentler 2000; lavaan's MLR, Mplus)

Where weights are those of a sample, X² and all of these grow with them, and Γ and B are made of
squares of weights. (Asparouhov & Muthén 2005)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.inference.contributions import Rows, meat
from mvngrad.inference.directions import Directions
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.information import Information
from mvngrad.inference.score_test import packed_gradient
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.means import FreeMean


def satorra_bentler(at: Estimate, rows: Rows, *, squared: bool = False) -> float:
    """tr Γ − tr UᵀΓU, of complete rows; ``squared`` for weights of a sample."""
    Gamma, own = _spread_of_contributions(at, rows, squared=squared), Directions.of(at)
    size = at.location.size
    kept = own.of_mean.basis, own.of_covariance.basis
    blocks = Gamma[:size, :size], Gamma[size:, size:]
    inside = sum(float((U * (G @ U)).sum()) for U, G in zip(kept, blocks, strict=True))
    return float(Gamma.trace()) - inside


def _spread_of_contributions(at: Estimate, rows: Rows, *, squared: bool) -> Array:
    """Γ = Σ v (s − s̄)(s − s̄)ᵀ/n, v = w or w², along all directions of (μ, S)."""
    everywhere = Directions.of(saturated(at))
    mean = -everywhere.projected(packed_gradient(everywhere.estimate)[None])[0] / at.weight
    v = rows.w**2 if squared else rows.w
    B, total = meat(everywhere, rows._replace(weights=v), squared=False)
    cross = np.multiply.outer(total, mean)
    return (B - cross - cross.T + v.sum() * np.multiply.outer(mean, mean)) / at.weight


def yuan_bentler(at: Estimate, largest: Estimate, rows: Rows, *, squared: bool = False) -> float:
    """tr A₁⁻¹B₁ − tr A₀⁻¹B₀, ``largest`` the saturated model at its own estimate."""
    return _trace(largest, rows, squared=squared) - _trace(at, rows, squared=squared)


def _trace(at: Estimate, rows: Rows, *, squared: bool) -> float:
    """tr A⁻¹B."""
    information = Information.of(Directions.of(at), "observed")
    T, B = information.root, meat(information.directions, rows, squared=squared)[0]
    return float(((B @ T) * T).sum())


def saturated(at: Estimate) -> Estimate:
    """Any mean and any covariance, at the same place."""
    structure = Cholesky().sized(len(at.root))
    return replace(at, structure=structure, theta=structure.start_at(at.root), mean=FreeMean())
