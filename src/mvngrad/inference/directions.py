"""The directions that a model can move (μ, S) in, without those along which only parameters do.

A model moves along A = [∂μ/∂β 0; 0 ∂S/∂θ], whitened and packed (``core.information``). From
A = UΣVᵀ, a step c along U moves (μ, S) by Uc and parameters by VΣ⁻¹c. Columns of U are as many as
the rank of A: rotations of Λ, which move no S, are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from mvngrad.core.information import packed
from mvngrad.core.ops import Array, Mask
from mvngrad.core.whole import symmetric
from mvngrad.errors import DataError
from mvngrad.inference.estimate import Estimate

Index = npt.NDArray[np.intp]

RANK = 1e-9  # singular value of A, its columns of length 1, that is a gauge
EDGE = 1e-6  # share of information, of what J bends along where S stands still, above rounding
LOOSE = 1e-6  # of how far a parameter moves otherwise
MOST = 5000  # directions whose information is a matrix: 200 MB


class Block(NamedTuple):
    """U of a block of A, how parameters move along its columns, VΣ⁻¹ (q, r), and its null space.

    The null space (q, …) are moves of parameters that cancel, each of which alone would move S by
    about 1.
    """

    basis: Array
    moves: Array
    null: Array

    @classmethod
    def of(cls, A: Array) -> Block:
        """By singular values of A (D, q), its columns brought to length 1."""
        sizes = np.linalg.norm(A, axis=0)
        units = np.where(sizes > 0.0, sizes, 1.0)
        if not A.shape[1]:
            return cls(np.zeros((len(A), 0)), np.zeros((0, 0)), np.zeros((0, 0)))
        U, s, Vt = np.linalg.svd(A / units, full_matrices=len(A) < A.shape[1])
        rank = int(np.count_nonzero(s > RANK * s[0])) if s[0] > 0.0 else 0
        return cls(
            U[:, :rank], (Vt[:rank].T / s[:rank]) / units[:, None], Vt[rank:].T / units[:, None]
        )

    def widened(self, free: Index, size: int) -> Block:
        """Of all parameters, those that are not free standing still."""
        moves, null = np.zeros((size, self.moves.shape[1])), np.zeros((size, self.null.shape[1]))
        moves[free], null[free] = self.moves, self.null
        return self._replace(moves=moves, null=null)

    @property
    def loose(self) -> Mask:
        """Parameters that may move though S does not (q,)."""
        sizes = np.abs(self.null).max(axis=1, initial=0.0)
        told = np.abs(self.moves).max(axis=1, initial=0.0)
        return np.asarray(sizes > LOOSE * told)

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
        return cls(at, Block.of(A_mean), found.widened(free, len(at.theta)))

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
        moves, still = self.of_covariance.moves, self.of_covariance.null
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


def _unasked(size: int) -> tuple[Array, Array]:
    """Moves of no parameter: those of a saturated structure are worked out when asked for."""
    return np.zeros((0, size)), np.zeros((0, 0))


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
        E = at.structure.whitened_push(at.theta, unit[k], at.covariance)
        A[:, column] = packed(none, E)
    return A


def packed_tangents(at: Estimate) -> Array:
    """A: tangents of all parameters (β, θ), those along which S stands still too (D, q)."""
    of_theta = covariance_tangents(at, np.arange(len(at.theta)))
    return block_diag(mean_tangents(at), of_theta)
