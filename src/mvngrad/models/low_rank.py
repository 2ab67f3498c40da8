"""Structures with few factors and uncorrelated noise, S = WWᵀ + diag ψ, by tangents of W and ψ.

    push = dW Wᵀ + W dWᵀ + diag dψ

Whitened, dW and W are so each by themselves: the push they make has lost digits already. Of a
diagonal matrix none are lost, and S of low rank whitens it in O(dk) a column.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from mvngrad.core.operators import Covariance, whitened_scatter
from mvngrad.core.ops import Array
from mvngrad.models.structure import Structure


class Moved(NamedTuple):
    """dW (d, k), W (d, k) and dψ (d,)."""

    tangent: Array
    W: Array
    noise: Array


class LowRank(Structure):
    """S = WWᵀ + diag ψ by ``moved``."""

    @abstractmethod
    def moved(self, theta: Array, v: Array) -> Moved:
        """dW along v, W, and dψ."""

    def push(self, theta: Array, v: Array) -> Array:
        """dW Wᵀ + W dWᵀ + diag dψ."""
        dW, W, noise = self.moved(theta, v)
        half = dW @ W.T
        half.ravel()[:: len(noise) + 1] += 0.5 * noise
        return half + half.T

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """[dW ½diag dψ] and [W I]."""
        dW, W, noise = self.moved(theta, v)
        return np.hstack([dW, np.diag(0.5 * noise)]), np.hstack([W, np.eye(len(noise))])

    def whitened_push(self, theta: Array, v: Array, S: Covariance) -> Array:
        """The halves of W, and L⁻¹ diag(dψ) L⁻ᵀ."""
        dW, W, noise = self.moved(theta, v)
        half = S.whiten(dW) @ S.whiten(W).T
        return half + half.T + whitened_scatter(S, np.diag(noise))
