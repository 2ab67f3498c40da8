"""A model at its estimate, and the data seen from there: all that inference knows of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array, Mask
from mvngrad.models.means import Mean
from mvngrad.models.protocol import Data
from mvngrad.models.ridge import LoadingRidge
from mvngrad.models.structure import Structure


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model at its estimate, and the data seen from there.

    data        in the frame x = M̂ζ + L̂z, where μ = 0 and S = I
    location    μ̂ (d,), or M̂ (d, P) where rows have designs ζ
    root        L̂ (d, d), lower-triangular
    mean        μ or M as a function of means, or coefficients, in the units of the data
    average     ζ at which the mean is reported
    columns     their names
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
    columns: tuple[str, ...] = ()

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
