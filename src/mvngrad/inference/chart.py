"""A model as a function of whitened coordinates about its estimate: J(c), gradient and curvature.

    (β, θ) = (β̂, θ̂) + Tc,   TᵀHT = I:      J(c) − Ĵ = ½|c|² + O(|c|³)

so that a sphere of radius √χ² is about the region {J ≤ Ĵ + ½χ²}, whatever the units, and one step
along a column of T is one standard error. Rotations of Λ, along which nothing moves, have no
coordinate; entries of θ at the edge of the family, in which J is even, have one each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from scipy.linalg import block_diag

from mvngrad.core.frame import AffineFrame
from mvngrad.core.information import packed
from mvngrad.core.likelihood import Evaluation, Score
from mvngrad.core.operators import DenseCovariance, FramedCovariance
from mvngrad.core.ops import Array, lower_root
from mvngrad.core.whole import symmetric
from mvngrad.inference.directions import Block, mean_tangents
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.information import BLIND
from mvngrad.models.cholesky import Cholesky

FLAT = 1e-6  # curvature in an entry at the edge, a row, below which it stays where it is


@final
@dataclass(frozen=True, eq=False)
class Chart:
    """Coordinates c (r,) about an estimate.

    at        the estimate; where any covariance is possible, θ is that of S seen from L̂
    frame     what S(θ) is seen from in the frame of the data
    moves     T (q, r): parameters of mean and S along the coordinates
    edges     how many of these, the last ones, are of entries of θ at an edge
    """

    at: Estimate
    frame: AffineFrame
    moves: Array
    edges: int = 0

    @classmethod
    def about(cls, at: Estimate) -> Chart:
        """Whitened by the observed information."""
        d = len(at.root)
        frame = AffineFrame(np.zeros(d), at.root)
        if at.structure.saturated:
            frame = AffineFrame.identity(d)
            at = replace(at, structure=Cholesky().sized(d), theta=np.zeros(d * (d + 1) // 2))
        plain = cls(at, frame, np.eye(at.n_mean + len(at.theta)))
        T, edges = _whitening(plain), _edges(plain)
        return replace(plain, moves=np.column_stack([T, *edges]), edges=len(edges))

    @property
    def size(self) -> int:
        """r."""
        return self.moves.shape[1]

    @cached_property
    def origin(self) -> Place:
        """The estimate."""
        return Place(self, np.zeros(self.size))

    @cached_property
    def mean_tangents(self) -> Array:
        """L̂⁻¹∂μ/∂β, or of M (…, q), anywhere."""
        return mean_tangents(self.at)

    @cached_property
    def information(self) -> Array:
        """∂²J/∂c² at the estimate."""
        return self.origin.curvature(self.origin.along, self.moves)

    @property
    def of_theta(self) -> Array:
        """Rows of T that move θ (p, r)."""
        return self.moves[self.at.n_mean :]


@final
@dataclass(frozen=True, eq=False)
class Place:
    """What a model is at coordinates c."""

    chart: Chart
    c: Array

    @cached_property
    def theta(self) -> Array:
        """θ."""
        return self.chart.at.theta + self.chart.of_theta @ self.c

    @cached_property
    def shift(self) -> Array:
        """L̂⁻¹(μ − μ̂), or of M."""
        at = self.chart.at
        step = self.chart.moves[: at.n_mean] @ self.c
        return np.asarray((self.chart.mean_tangents @ step).reshape(at.location.shape))

    @cached_property
    def root(self) -> Array:
        """L of S seen from the frame of the estimate, where Ŝ is I."""
        factor = self.chart.at.structure.factor(self.theta)
        return lower_root(self.chart.frame.whiten(factor))

    @property
    def covariance(self) -> FramedCovariance:
        """S(θ), by that root."""
        return FramedCovariance(self.chart.frame, DenseCovariance(self.root))

    @cached_property
    def evaluation(self) -> Evaluation:
        """The formula."""
        return self.chart.at.data.evaluation(self.shift, DenseCovariance(self.root))

    @cached_property
    def value(self) -> float:
        """J and its terms, but for a constant."""
        ridge = self.chart.at.ridge
        return self.evaluation.nll + (0.0 if ridge is None else ridge.value(self.theta))

    @property
    def height(self) -> float:
        """J − Ĵ."""
        return self.value - self.chart.origin.value

    @property
    def score(self) -> Score:
        """∂J/∂S(θ)."""
        return Score(self.evaluation.score.core, self.covariance)

    @cached_property
    def gradient(self) -> Array:
        """∂J/∂c (r,)."""
        at = self.chart.at
        of_mean = at.mean.pull(at.covariance.unwhiten(self.evaluation.mean))
        of_theta = at.structure.pull(self.theta, self.score)
        if at.ridge is not None:
            of_theta = of_theta + at.ridge.gradient(self.theta)
        return self.chart.moves.T @ np.concatenate([of_mean, of_theta])

    @cached_property
    def tangents(self) -> Array:
        """Whitened tangents of (μ, S), packed, along all parameters (D, q)."""
        at, none, S = self.chart.at, np.zeros(0), self.covariance
        of_mean = (
            DenseCovariance(self.root)
            .whiten(self.chart.mean_tangents.reshape(len(self.root), -1))
            .reshape(at.location.size, at.n_mean)
        )
        columns = [
            packed(none, at.structure.whitened_push(self.theta, v, S))
            for v in np.eye(len(self.theta))
        ]
        size = len(self.root) * (len(self.root) + 1) // 2
        return block_diag(of_mean, np.array(columns).reshape(-1, size).T)

    @cached_property
    def along(self) -> Array:
        """The same along coordinates (D, r)."""
        return self.tangents @ self.chart.moves

    @cached_property
    def tangents_of_covariance(self) -> Array:
        """L⁻¹∂S L⁻ᵀ along coordinates (r, d, d)."""
        d = len(self.root)
        return np.array([symmetric(v, d) for v in self.along[self.chart.at.location.size :].T])

    def curvature(self, A: Array, moves: Array, core: Array | float = 0.0) -> Array:
        """∂²J along moves, A the tangents there; G = L⁻ᵀ(core)L⁻¹ beside ∂J/∂S bends S(θ) too."""
        at, score = self.chart.at, Score(self.evaluation.score.core + core, self.covariance)
        M = at.data.information(self.evaluation, self.shift, expected=False)
        H, of_theta = A.T @ M @ A, moves[at.n_mean :]
        for k, v in enumerate(of_theta.T):
            bent = at.structure.pull_tangent(self.theta, score, v)
            if at.ridge is not None:
                bent = bent + at.ridge.product(self.theta, v)
            H[:, k] += of_theta.T @ bent
        return 0.5 * (H + H.T)


def _whitening(plain: Chart) -> Array:
    """T: by eigenvectors of the information off the edge."""
    at, n, q = plain.at, plain.at.weight, plain.at.n_mean
    A, H, held = plain.origin.tangents, plain.information, at.held
    size = at.location.size
    free = np.flatnonzero(~held)
    moves = np.zeros((len(H), 0))
    if q:
        of_mean = Block.of(A[:size, :q]).moves
        moves = np.hstack([moves, np.vstack([of_mean, np.zeros((len(held), of_mean.shape[1]))])])
    if len(free):
        found = Block.of(A[size:, q + free]).moves
        of_theta = np.zeros((len(H), found.shape[1]))
        of_theta[q + free] = found
        moves = np.hstack([moves, of_theta])
    values, vectors = np.linalg.eigh(moves.T @ H @ moves / n)
    units = np.sqrt(np.where(values > BLIND, values, 1.0) * n)
    return moves @ (vectors / units)


def _edges(plain: Chart) -> list[Array]:
    """Entries of θ at an edge, one by one."""
    H, n, q = plain.information, plain.at.weight, plain.at.n_mean
    places = (q + np.flatnonzero(plain.at.held)).tolist()
    unit = np.eye(len(H))
    return [unit[k] / np.sqrt(H[k, k]) for k in places if H[k, k] > FLAT * n]
