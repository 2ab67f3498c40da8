"""Structures whose root is known as a map of θ: by the factor Λ(θ), or by the whitener B(θ) = Λ⁻¹.

A structure then gives that map, its tangent and its adjoint, and nothing about S:

    by Λ    push = dΛ Λᵀ + Λ dΛᵀ                    pull(G) = dΛ*[2GΛ]
    by B    push as above with dΛ = −Λ dB Λ         pull(G) = −dB*[2ΛᵀGΛΛᵀ]

No dense G is formed, so gradients lose √cond(S) and not cond(S).
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import WhitenedCovariance
from mvngrad.core.ops import Array, solve_lower
from mvngrad.models.structure import Structure


class ThroughFactor(Structure):
    """S = ΛΛᵀ by ``factor`` and its derivatives."""

    @abstractmethod
    def factor(self, theta: Array) -> Array:
        """Λ (d, k)."""

    @abstractmethod
    def factor_push(self, theta: Array, v: Array) -> Array:
        """dΛ along v."""

    @abstractmethod
    def factor_pull(self, theta: Array, M: Array) -> Array:
        """Cotangent of θ for a cotangent M of Λ."""

    @abstractmethod
    def factor_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """The change of factor_pull(θ, M) along v with M held."""

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """dΛ and Λ."""
        return self.factor_push(theta, v), self.factor(theta)

    def push(self, theta: Array, v: Array) -> Array:
        """dΛ Λᵀ + Λ dΛᵀ."""
        half = self.factor_push(theta, v) @ self.factor(theta).T
        return half + half.T

    def pull(self, theta: Array, score: Score) -> Array:
        """dΛ*[2GΛ]."""
        return self.factor_pull(theta, 2.0 * (score @ self.factor(theta)))

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """d²Λ*[2GΛ] + dΛ*[2G dΛ]."""
        of_map = self.factor_pull_tangent(theta, 2.0 * (score @ self.factor(theta)), v)
        return of_map + self.factor_pull(theta, 2.0 * (score @ self.factor_push(theta, v)))


class ThroughWhitener(Structure):
    """S = LLᵀ, L⁻¹ = B lower-triangular with positive diagonal, by ``whitener``."""

    @abstractmethod
    def whitener(self, theta: Array) -> Array:
        """B (d, d)."""

    @abstractmethod
    def whitener_push(self, theta: Array, v: Array) -> Array:
        """dB along v."""

    @abstractmethod
    def whitener_pull(self, theta: Array, M: Array) -> Array:
        """Cotangent of θ for a cotangent M of B."""

    @abstractmethod
    def whitener_pull_tangent(self, theta: Array, M: Array, v: Array) -> Array:
        """The change of whitener_pull(θ, M) along v with M held."""

    def factor(self, theta: Array) -> Array:
        """L = B⁻¹."""
        return solve_lower(self.whitener(theta), np.eye(self.columns))

    def factor_push(self, theta: Array, v: Array) -> Array:
        """dL = −L dB L."""
        L = self.factor(theta)
        return -L @ self.whitener_push(theta, v) @ L

    def operator(self, theta: Array) -> WhitenedCovariance:
        """Whitening is multiplication by B."""
        return WhitenedCovariance(self.whitener(theta))

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """dL and L."""
        return self.factor_push(theta, v), self.factor(theta)

    def push(self, theta: Array, v: Array) -> Array:
        """dL Lᵀ + L dLᵀ."""
        half = self.factor_push(theta, v) @ self.factor(theta).T
        return half + half.T

    def pull(self, theta: Array, score: Score) -> Array:
        """−dB*[2LᵀGLLᵀ]."""
        L = self.factor(theta)
        return self.whitener_pull(theta, -2.0 * (L.T @ (score @ L)) @ L.T)

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """The change of −2LᵀGLLᵀ with dL = −L dB L, each factor in its turn."""
        L = self.factor(theta)
        dL, GL = self.factor_push(theta, v), score @ L
        H, dH = L.T @ GL, dL.T @ GL
        of_map = self.whitener_pull_tangent(theta, -2.0 * H @ L.T, v)
        change = -2.0 * ((dH + dH.T) @ L.T + H @ dL.T)
        return of_map + self.whitener_pull(theta, change)
