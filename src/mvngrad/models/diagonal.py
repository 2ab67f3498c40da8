"""Uncorrelated columns: S = diag(exp θ), one variance a column or one for all."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance, DiagonalCovariance, whitened_scatter
from mvngrad.core.ops import Array
from mvngrad.models.structure import Structure


@final
class Diagonal(Structure):
    """S = diag(exp θ), θ (d,) the log variances.

    push(θ, v) = diag(v·exp θ)        pull(θ, G) = diag(G)·exp θ

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.Diagonal().sized(2).cov(np.log([4.0, 9.0]))
    array([[4., 0.],
           [0., 9.]])
    """

    equivariance: ClassVar[Equivariance] = "diagonal"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """d."""
        return self.columns

    def factor(self, theta: Array) -> Array:
        """diag(exp ½θ)."""
        return np.diag(np.exp(0.5 * theta))

    def cov(self, theta: Array) -> Array:
        """diag(exp θ)."""
        return np.diag(np.exp(theta))

    def operator(self, theta: Array) -> DiagonalCovariance:
        """Whitening divides by the standard deviations."""
        return DiagonalCovariance(np.exp(0.5 * theta))

    def push(self, theta: Array, v: Array) -> Array:
        """diag(v·exp θ)."""
        return np.diag(v * np.exp(theta))

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """½v∘Λ and Λ."""
        Lambda = self.factor(theta)
        return 0.5 * v * Lambda, Lambda

    def whitened_push(self, theta: Array, v: Array, S: Covariance) -> Array:
        """From push itself: of a diagonal matrix no digits are lost."""
        return whitened_scatter(S, self.push(theta, v))

    def pull(self, theta: Array, score: Score) -> Array:
        """diag(G)·exp θ."""
        return score.diagonal() * np.exp(theta)

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """v·diag(G)·exp θ."""
        return v * self.pull(theta, score)

    def start(self, S: Array) -> Array:
        """log diag S."""
        return np.log(np.diagonal(S))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ + 2 log T, T (d,)."""
        return theta + 2.0 * np.log(T)


@final
class Spherical(Structure):
    """S = exp(θ)·I, θ (1,) the log of the one variance.

    push(θ, v) = v·exp(θ)·I        pull(θ, G) = tr(G)·exp θ

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.Spherical().sized(2).cov(np.log([4.0]))
    array([[4., 0.],
           [0., 4.]])
    """

    equivariance: ClassVar[Equivariance] = "scalar"
    start_is_optimum: ClassVar[bool] = True
    linear_precision: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """1."""
        return 1

    def factor(self, theta: Array) -> Array:
        """exp(½θ)·I."""
        return np.diag(self._each(0.5 * theta))

    def cov(self, theta: Array) -> Array:
        """exp(θ)·I."""
        return np.diag(self._each(theta))

    def operator(self, theta: Array) -> DiagonalCovariance:
        """Whitening divides by the one standard deviation."""
        return DiagonalCovariance(self._each(0.5 * theta))

    def push(self, theta: Array, v: Array) -> Array:
        """v·exp(θ)·I."""
        return np.diag(v[0] * self._each(theta))

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """½v∘Λ and Λ."""
        Lambda = self.factor(theta)
        return 0.5 * v * Lambda, Lambda

    def whitened_push(self, theta: Array, v: Array, S: Covariance) -> Array:
        """From push itself: of a diagonal matrix no digits are lost."""
        return whitened_scatter(S, self.push(theta, v))

    def pull(self, theta: Array, score: Score) -> Array:
        """tr(G)·exp θ."""
        return score.diagonal().sum() * np.exp(theta)

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """v·tr(G)·exp θ."""
        return v * self.pull(theta, score)

    def start(self, S: Array) -> Array:
        """The log of the mean variance."""
        return np.log(np.atleast_1d(np.diagonal(S).mean()))

    def rescale(self, theta: Array, T: Array) -> Array:
        """θ + 2 log T, T (d,) with equal entries."""
        return theta + 2.0 * np.log(T[:1])

    def _each(self, log_value: Array) -> Array:
        return np.full(self.columns, np.exp(log_value[0]))
