"""A model at its estimate, and the tangents of (μ, S) along its parameters.

Whitened by the estimate's own root L and packed (``core.information``): δ = L⁻¹μ̇, E = L⁻¹ṠL⁻ᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from mvngrad.core.information import packed
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance, whitened_scatter
from mvngrad.core.ops import Array, Mask
from mvngrad.models.means import Mean
from mvngrad.models.protocol import Data
from mvngrad.models.ridge import LoadingRidge
from mvngrad.models.structure import Structure

Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model at its estimate, and the data seen from there.

    data        in the frame x = M̂ζ + L̂z, where μ = 0 and S = I
    location    μ̂ (d,), or M̂ (d, P) where rows have designs ζ
    root        L̂ (d, d), lower-triangular
    mean        μ or M as a function of means, or coefficients, in the units of the data
    average     ζ at which the mean is reported
    separate    whether the mean was estimated apart, by least squares: Σ w ζζᵀ = nI
    """

    data: Data
    location: Array
    root: Array
    structure: Structure
    theta: Array
    mean: Mean
    average: Array | None = None
    separate: bool = False
    ridge: LoadingRidge | None = None

    @property
    def weight(self) -> float:
        """n."""
        return self.data.weight

    @cached_property
    def covariance(self) -> DenseCovariance:
        """Ŝ."""
        return DenseCovariance(self.root)

    @cached_property
    def score(self) -> Score:
        """∂J/∂S at the estimate, in the units of the data."""
        here = DenseCovariance(np.eye(len(self.root)))
        mu = np.zeros_like(self.data.center)
        return Score(self.data.evaluation(mu, here).score.core, self.covariance)

    @cached_property
    def n_mean(self) -> int:
        """Parameters of the mean."""
        return len(self.mean.pull(self.location))

    @cached_property
    def held(self) -> Mask:
        """Entries of θ at the edge of the family (p,)."""
        held = self.structure.at_edge(self.theta, self.score)
        return np.zeros(len(self.theta), dtype=bool) if held is None else held

    def matrix(self, *, expected: bool) -> Array:
        """M, in packed tangents of (μ, S) or (M, S)."""
        mu, S = np.zeros_like(self.data.center), DenseCovariance(np.eye(len(self.root)))
        M = self.data.information(self.data.evaluation(mu, S), mu, expected=expected)
        if not self.separate:
            return M
        size, d = self.location.size, len(self.root)
        apart = self.weight * np.eye(size + d * (d + 1) // 2)
        apart[size:, size:] = M[-(d * (d + 1) // 2) :, -(d * (d + 1) // 2) :]
        return apart


def mean_tangents(at: Estimate) -> Array:
    """L⁻¹∂μ/∂β, or of M (…, q)."""
    columns = [at.covariance.whiten(at.mean.push(v)).ravel() for v in np.eye(at.n_mean)]
    return np.array(columns).reshape(at.n_mean, at.location.size).T


def covariance_tangents(at: Estimate, entries: Index) -> Array:
    """L⁻¹(∂S/∂θₖ)L⁻ᵀ, packed, of some entries of θ (…, p)."""
    d, none = len(at.root), np.zeros(0)
    A = np.empty((d * (d + 1) // 2, len(entries)))
    unit = np.eye(len(at.theta))
    for column, k in enumerate(entries.tolist()):
        tangent = at.structure.push(at.theta, unit[k])
        A[:, column] = packed(none, whitened_scatter(at.covariance, tangent))
    return A


def packed_tangents(at: Estimate) -> Array:
    """A: tangents of all parameters (β, θ), those along which S stands still too (D, q)."""
    of_theta = covariance_tangents(at, np.arange(len(at.theta)))
    return block_diag(mean_tangents(at), of_theta)
