"""A ridge on loadings as a function of θ: ½ Σⱼ rⱼ (WWᵀ)ⱼⱼ, through the structure's own adjoint.

With G = ½ diag r held, pull(G) in the entries of θ that make W is its gradient, and pull_tangent
there its curvature: a ridge is linear in WWᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import IdentityCovariance
from mvngrad.core.ops import Array
from mvngrad.models.structure import Structure


@final
@dataclass(frozen=True, eq=False)
class LoadingRidge:
    """½ Σⱼ rⱼ Σₗ Wⱼₗ², W the loadings of a structure on independent factors."""

    structure: Structure
    r: Array

    @property
    def _score(self) -> Score:
        return Score(np.diag(0.5 * self.r), IdentityCovariance())

    def value(self, theta: Array) -> float:
        """At θ."""
        W = self.structure.common(theta)
        return 0.5 * float(self.r @ (W * W).sum(axis=1))

    def gradient(self, theta: Array) -> Array:
        """In θ."""
        return self._of_loadings(self.structure.pull(theta, self._score))

    def product(self, theta: Array, v: Array) -> Array:
        """The second derivative times v."""
        v = self._of_loadings(v)
        return self._of_loadings(self.structure.pull_tangent(theta, self._score, v))

    def _of_loadings(self, v: Array) -> Array:
        """v where θ makes W, else 0."""
        return np.where(np.arange(len(v)) < self.structure.n_loadings, v, 0.0)
