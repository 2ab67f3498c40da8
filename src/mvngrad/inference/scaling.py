"""The mean of a likelihood ratio when rows are not normal: tr(UΓ), where normal rows give df.

In packed tangents whitened by the model's estimate the expected information of one row is I. With
Γ the covariance of the contributions s of the rows (``inference.contributions``) and U, n columns
for n directions, an orthonormal basis of those that the model moves in,

    tr(UΓ) = tr Γ − tr UᵀΓU                             complete data (Satorra & Bentler 1994)

and with observed information A and meat B of the saturated model at its own estimate and of the
structure at its own, holes or not,

    tr A₁⁻¹B₁ − tr A₀⁻¹B₀                              (Yuan & Bentler 2000; as Mplus has it)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvngrad.inference.contributions import Rows, meat
from mvngrad.inference.directions import Directions
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.information import Information
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.means import FreeMean


def satorra_bentler(at: Estimate, rows: Rows) -> float:
    """tr Γ − tr UᵀΓU, of complete rows."""
    everywhere = Directions.of(saturated(at))
    B, total = meat(everywhere, rows, squared=False)
    Gamma = (B - np.multiply.outer(total, total) / at.weight) / at.weight
    own = Directions.of(at)
    size = at.location.size
    kept = own.of_mean.basis, own.of_covariance.basis
    blocks = Gamma[:size, :size], Gamma[size:, size:]
    inside = sum(float((U * (G @ U)).sum()) for U, G in zip(kept, blocks, strict=True))
    return float(Gamma.trace()) - inside


def yuan_bentler(at: Estimate, largest: Estimate, rows: Rows) -> float:
    """tr A₁⁻¹B₁ − tr A₀⁻¹B₀, ``largest`` the saturated model at its own estimate."""
    return _trace(largest, rows) - _trace(at, rows)


def _trace(at: Estimate, rows: Rows) -> float:
    """tr A⁻¹B."""
    information = Information.of(Directions.of(at), "observed")
    T = information.root
    return float(
        np.einsum("ij,ik,kj->", T, meat(information.directions, rows, squared=False)[0], T)
    )


def saturated(at: Estimate) -> Estimate:
    """Any mean and any covariance, at the same place."""
    structure = Cholesky().sized(len(at.root))
    return replace(at, structure=structure, theta=structure.start_at(at.root), mean=FreeMean())
