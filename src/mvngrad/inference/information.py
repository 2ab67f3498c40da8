"""The information of a sample about a model, on the directions that the model can move in.

In tangents v of (μ, S) packed and whitened by the estimate's own root (``core.information``) the
second derivative of J is a matrix M, and that of n complete rows as expected is nI. A model moves
along A = [∂μ/∂β 0; 0 ∂S/∂θ], whitened; from A = UΣVᵀ, in coordinates c along U,

    H = UᵀMU + Σ⁻¹Vᵀ[∂²⟨G, S(θ)⟩]VΣ⁻¹        G = ∂J/∂S held

Columns of U are as many as the rank of A: rotations of Λ, which move no S, are not among them. The
eigenvalues of H/n are shares of the information of complete data: 0 where the data say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from mvngrad.core.curvature import symmetric
from mvngrad.core.ops import Array, solve_lower
from mvngrad.errors import DataError
from mvngrad.inference.estimate import (
    Estimate,
    covariance_tangents,
    mean_tangents,
    packed_tangents,
)

Kind = Literal["observed", "expected"]

BLIND = 1e-9  # share of the information of complete data below which there is none
RANK = 1e-9  # singular value of A, its columns of length 1, that is a gauge
EDGE = 1e-6  # share of it, of what J bends along where S stands still, above rounding
MOST = 5000  # directions whose information is a matrix: 200 MB


class Block(NamedTuple):
    """U of a block of A, how parameters move along its columns, VΣ⁻¹ (q, r), and its null space.

    The null space (q, …) is of parameters in units in which columns of A have length 1.
    """

    basis: Array
    moves: Array
    null: Array
    units: Array

    @property
    def still(self) -> Array:
        """The null space, of parameters in their own units (q, …)."""
        return self.null / self.units[:, None]

    @classmethod
    def of(cls, A: Array) -> Block:
        """By singular values of A (D, q), its columns brought to length 1."""
        sizes = np.linalg.norm(A, axis=0)
        units = np.where(sizes > 0.0, sizes, 1.0)
        if not A.shape[1]:
            return cls(np.zeros((len(A), 0)), np.zeros((0, 0)), np.zeros((0, 0)), units)
        U, s, Vt = np.linalg.svd(A / units, full_matrices=len(A) < A.shape[1])
        rank = int(np.count_nonzero(s > RANK * s[0])) if s[0] > 0.0 else 0
        moves = (Vt[:rank].T / s[:rank]) / units[:, None]
        return cls(U[:, :rank], moves, Vt[rank:].T, units)

    def along(self, U: Array) -> Array:
        """How parameters move along other tangents within the range of A (q, …)."""
        return self.moves @ (self.basis.T @ U)


@dataclass(frozen=True, eq=False)
class Directions:
    """Where a model can move: U of the mean and of the covariance."""

    estimate: Estimate
    of_mean: Block
    of_covariance: Block

    @classmethod
    def of(cls, at: Estimate) -> Directions:
        """By pushing every parameter that is not held at an edge."""
        d, free = len(at.root), np.flatnonzero(~at.held)
        packed_size = d * (d + 1) // 2
        if max(at.n_mean + packed_size, at.n_mean + len(free)) > MOST:
            raise DataError(
                f"the information of {at.n_mean + len(free)} parameters of {d} columns is too "
                f"large a matrix: at most {MOST} are supported. Fit fewer columns (columns=…)."
            )
        A_mean = mean_tangents(at)
        if at.structure.saturated:  # every S can be reached: U = I, whatever θ
            return cls(at, Block.of(A_mean), Block(np.eye(packed_size), *_unasked(packed_size)))
        found = Block.of(covariance_tangents(at, free))
        moves, null = (
            np.zeros((len(at.theta), part.shape[1])) for part in (found.moves, found.null)
        )
        units = np.ones(len(at.theta))
        moves[free], null[free], units[free] = found.moves, found.null, found.units
        return cls(at, Block.of(A_mean), Block(found.basis, moves, null, units))

    @property
    def sizes(self) -> tuple[int, int]:
        """Directions of the mean, and of the covariance."""
        return self.of_mean.basis.shape[1], self.of_covariance.basis.shape[1]

    def along(self, M: Array) -> Array:
        """UᵀMU."""
        size, U = self.estimate.location.size, self.of_mean.basis
        across = self._onto((U.T @ M[:size, size:]).T)
        own = self._onto(self._onto(M[size:, size:]).T)
        return np.block([[U.T @ M[:size, :size] @ U, across.T], [across, own]])

    def _onto(self, v: Array) -> Array:
        """Uᵀv of columns of the covariance's tangents; U = I where any S can be reached."""
        return v if self.estimate.structure.saturated else self.of_covariance.basis.T @ v

    def bend(self) -> Array:
        """What S(θ) adds to UᵀMU, where it bends and J is not flat in S; and a ridge.

        Along N, where S stands still, J may bend all the same: at an edge of the family, as of
        covariances of lower rank. How θ moves along N is then left to J:  − B_un B_nn⁻¹ B_nu.
        """
        (q, r), H = self.sizes, np.zeros((sum(self.sizes),) * 2)
        if self.estimate.structure.saturated or not r:
            return H
        moves, still = self.of_covariance.moves, self.of_covariance.still
        bent = moves.T @ self._bent(moves)
        if still.shape[1]:
            along = self._bent(still)
            values, vectors = np.linalg.eigh(still.T @ along)
            edges = values > EDGE * self.estimate.weight
            cross = moves.T @ along @ vectors[:, edges]
            bent -= (cross / values[edges]) @ cross.T
        H[q:, q:] = 0.5 * (bent + bent.T)
        return H

    def _bent(self, v: Array) -> Array:
        """∂²⟨G, S(θ)⟩, G held, and a ridge's, times columns of v (p, m)."""
        at = self.estimate
        columns = [at.structure.pull_tangent(at.theta, at.score, c) for c in v.T]
        if at.ridge is not None:
            columns = [b + at.ridge.product(at.theta, c) for b, c in zip(columns, v.T, strict=True)]
        return np.array(columns).T

    def ridge_alone(self) -> Array:
        """What a ridge adds, alone."""
        at, (q, r) = self.estimate, self.sizes
        H = np.zeros((q + r, q + r))
        if at.ridge is not None:
            moves = self.of_covariance.moves
            H[q:, q:] = moves.T @ np.array([at.ridge.product(at.theta, v) for v in moves.T]).T
        return H

    def projected(self, s: Array) -> Array:
        """sU of packed cotangents s (m, D): along the directions (m, q + r)."""
        of_mean, of_S = np.hsplit(s, [self.estimate.location.size])
        return np.hstack([of_mean @ self.of_mean.basis, self._onto(of_S.T).T])

    def tangents(self, c: Array) -> tuple[Array, Array]:
        """δ (m, d) or (m, d, P) and E (m, d, d), whitened, along columns of c (q + r, m)."""
        q, d = self.sizes[0], len(self.estimate.root)
        delta = (self.of_mean.basis @ c[:q]).T.reshape(-1, *self.estimate.location.shape)
        v = (c[q:] if self.estimate.structure.saturated else self.of_covariance.basis @ c[q:]).T
        return delta, np.array([symmetric(row, d) for row in v]).reshape(-1, d, d)


def _unasked(size: int) -> tuple[Array, Array, Array]:
    """Moves of no parameter: those of a saturated structure are worked out when asked for."""
    return np.zeros((0, size)), np.zeros((0, 0)), np.zeros(0)


@dataclass(frozen=True, eq=False)
class Information:
    """H (r, r) along the directions of a model, and what of it the data do not tell."""

    kind: Kind
    directions: Directions
    core: Array

    @classmethod
    def of(cls, directions: Directions, kind: Kind) -> Information:
        """From all second derivatives in (μ, S), and the bend of the model."""
        expected = kind == "expected"
        H = directions.along(directions.estimate.matrix(expected=expected))
        H += directions.ridge_alone() if expected else directions.bend()
        return cls(kind, directions, H)

    @cached_property
    def matrix(self) -> Array:
        """∂²J/∂(β, θ)² (q, q); 0 along rotations, and for parameters held at an edge."""
        along = self.directions.projected(packed_tangents(self.directions.estimate).T).T
        return along.T @ self.core @ along

    @cached_property
    def _shares(self) -> tuple[Array, Array]:
        """H/n, directions of more than 1 in units of their own, and these units (r,).

        Near an edge of the family H is without bounds, and would drown in rounding what is beside.
        """
        H = self.core / self.directions.estimate.weight
        units = np.sqrt(np.maximum(np.diagonal(H), 1.0))
        return H / np.multiply.outer(units, units), units

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self._shares[0])
        return values, vectors / self._shares[1][:, None]

    @cached_property
    def _inverse_root(self) -> Array | None:
        """T with TTᵀ = (H/n)⁻¹ by Cholesky, a tenth of the work; None where not all may be told.

        The least eigenvalue of CCᵀ is 1/‖C⁻¹‖² at least.
        """
        H, units = self._shares
        try:
            C = np.asarray(np.linalg.cholesky(H), dtype=np.float64)
        except np.linalg.LinAlgError:
            return None
        W = solve_lower(C, np.eye(len(H)))
        return np.asarray(W.T / units[:, None]) if BLIND * (W * W).sum() < 1.0 else None

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

    @property
    def rank(self) -> int:
        """Directions that the data tell."""
        if self._inverse_root is not None:
            return self.size
        return int(np.count_nonzero(self.eigenvalues > BLIND))

    @property
    def blind(self) -> Array:
        """Directions that they do not (r, r − rank)."""
        if self._inverse_root is not None:
            return np.zeros((self.size, 0))
        found = self._spectrum[1][:, : self.size - self.rank]
        return np.asarray(found / np.linalg.norm(found, axis=0))

    @cached_property
    def root(self) -> Array:
        """T (r, rank) with TTᵀ = H⁻¹ where it is told."""
        found = self._inverse_root
        if found is None:
            values, vectors = self._spectrum
            told = values > BLIND
            found = vectors[:, told] / np.sqrt(values[told])
        return np.asarray(found / np.sqrt(self.directions.estimate.weight))

    def sandwich_root(self, meat: Array) -> Array:
        """T with TTᵀ = H⁻¹BH⁻¹, B (r, r) the meat."""
        values, vectors = np.linalg.eigh(0.5 * (meat + meat.T))
        half = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(self.root @ (self.root.T @ half))
