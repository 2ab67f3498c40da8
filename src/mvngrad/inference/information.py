"""The information of a sample about a model, on the directions that the model can move in.

In packed tangents of (μ, S) (``core.information``) the second derivative of J is a matrix M, and
that of n complete rows as expected is nI. In coordinates c along U (``inference.directions``)

    H = UᵀMU + Σ⁻¹Vᵀ[∂²⟨G, S(θ)⟩]VΣ⁻¹        G = ∂J/∂S held

and the eigenvalues of H/n are shares of the information of complete data: 0 where the data say
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from mvngrad.core.ops import Array, cholesky, condition_estimate, solve_lower_transpose
from mvngrad.inference.directions import Directions, packed_tangents

if TYPE_CHECKING:
    from mvngrad.inference.identification import Identification

Kind = Literal["observed", "expected"]

WELL_TOLD = 1e3  # condition of a root of H/n up to which all of it is told
BLIND = 1e-9  # share of the information of complete data below which there is none


@dataclass(frozen=True, eq=False)
class Information:
    """H (r, r) along the directions of a model, and what of it the data do not tell."""

    kind: Kind
    directions: Directions
    core: Array

    @classmethod
    def of(cls, directions: Directions, kind: Kind, M: Array | None = None) -> Information:
        """From M, all second derivatives in (μ, S), made here by default; and the bend of S(θ)."""
        expected = kind == "expected"
        M = directions.estimate.matrix(expected=expected) if M is None else M
        H = directions.along(M)
        H += directions.ridge_alone() if expected else directions.bend()
        return cls(kind, directions, H)

    @cached_property
    def matrix(self) -> Array:
        """∂²J/∂(β, θ)² (q, q); 0 along rotations, and for parameters held at an edge."""
        along = self.directions.projected(packed_tangents(self.directions.estimate).T).T
        return along.T @ self.core @ along

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """Of H/n, directions of more than 1 in units of their own.

        Near an edge of the family H is without bounds, and would drown in rounding what is beside.
        """
        H = self.core / self.directions.estimate.weight
        units = np.sqrt(np.maximum(np.diagonal(H), 1.0))
        values, vectors = np.linalg.eigh(H / np.multiply.outer(units, units))
        return values, vectors / units[:, None]

    @property
    def identification(self) -> Identification:
        """What the data do not tell, by name."""
        from mvngrad.inference.identification import identification

        return identification(self)

    @property
    def eigenvalues(self) -> Array:
        """Of H/n (r,): shares of the information that complete data would have, if expected.

        Where J bends more than complete data do, as at an edge, it is brought down to them.
        """
        return self._spectrum[0]

    @property
    def size(self) -> int:
        """Directions that the model can move in: r."""
        return len(self.core)

    @cached_property
    def _triangle(self) -> Array | None:
        """R, RRᵀ = H/n, where it is far from singular: no eigenvalue is needed then."""
        try:
            R = cholesky(self.core / self.directions.estimate.weight)
        except np.linalg.LinAlgError:
            return None
        return R if self.size and condition_estimate(R) < WELL_TOLD else None

    @property
    def rank(self) -> int:
        """Directions that the data tell."""
        whole = self._triangle is not None
        return self.size if whole else int(np.count_nonzero(self.eigenvalues > BLIND))

    @property
    def blind(self) -> Array:
        """Directions that they do not (r, r − rank)."""
        if self.rank == self.size:
            return np.zeros((self.size, 0))
        found = self._spectrum[1][:, : self.size - self.rank]
        return np.asarray(found / np.linalg.norm(found, axis=0))

    @cached_property
    def root(self) -> Array:
        """T (r, rank) with TTᵀ = H⁻¹ where it is told."""
        n = self.directions.estimate.weight
        if self._triangle is not None:
            return solve_lower_transpose(self._triangle, np.eye(self.size)) / np.sqrt(n)
        values, vectors = self._spectrum
        told = values > BLIND
        return np.asarray(vectors[:, told] / np.sqrt(values[told] * n))

    def sandwich_root(self, meat: Array) -> Array:
        """T with TTᵀ = H⁻¹BH⁻¹, B (r, r) the meat."""
        values, vectors = np.linalg.eigh(0.5 * (meat + meat.T))
        half = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(self.root @ (self.root.T @ half))
