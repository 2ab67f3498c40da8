"""S as an operator: everything the formula asks of a covariance S = LLᵀ.

    whiten(B)    L⁻¹B          unwhiten(B)    L⁻ᵀB          logdet    log|S|          root    L

L is any square root; the formula never looks inside. No inverse and no S is formed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.ops import NUMPY, Array, Ops, solve_lower, whiten_symmetric


class Covariance(Protocol):
    """S = LLᵀ known through L⁻¹, L⁻ᵀ and log|S|."""

    def whiten(self, B: Array) -> Array:
        """L⁻¹B."""

    def unwhiten(self, B: Array) -> Array:
        """L⁻ᵀB."""

    @property
    def logdet(self) -> float:
        """log|S|."""

    def root(self, d: int) -> Array:
        """A lower-triangular root (d, d): L itself, but for ``LowRankCovariance``."""


# Columns from which one symmetric reduction is faster than two triangular solves.
MANY = 256


def whitened_scatter(S: Covariance, C: Array) -> Array:
    """L⁻¹CL⁻ᵀ for symmetric C (d, d)."""
    if isinstance(S, DenseCovariance) and S.ops is NUMPY and len(C) >= MANY:
        return whiten_symmetric(S.L, C)
    return S.whiten(S.whiten(C).T)


def unwhitened_diagonal(S: Covariance, M: Array) -> Array:
    """diag(L⁻ᵀML⁻¹) for symmetric M (d, d)."""
    if isinstance(S, LowRankCovariance):
        return S.unwhitened_diagonal(M)
    W = S.whiten(np.eye(len(M)))
    return np.asarray(np.einsum("ij,ij->j", W, M @ W))


def triangular(S: Covariance, d: int) -> Covariance:
    """S by its triangular root, for those that look inside."""
    return DenseCovariance(S.root(d)) if isinstance(S, LowRankCovariance) else S


@dataclass(frozen=True, eq=False)
class DenseCovariance:
    """S = LLᵀ with L (d, d) lower-triangular, positive diagonal."""

    L: Array
    ops: Ops = field(default=NUMPY, repr=False)

    @classmethod
    def of_factor(cls, factor: Array, ops: Ops = NUMPY) -> DenseCovariance:
        """S = ΛΛᵀ for Λ (d, k), k ≥ d, by QR of Λᵀ."""
        return cls(ops.lower_root(factor), ops)

    def whiten(self, B: Array) -> Array:
        """L⁻¹B."""
        return self.ops.solve_lower(self.L, B)

    def unwhiten(self, B: Array) -> Array:
        """L⁻ᵀB."""
        return self.ops.solve_lower_transpose(self.L, B)

    @property
    def logdet(self) -> float:
        """2 Σ log Lⱼⱼ."""
        return 2.0 * self.ops.log_diagonal(self.L)

    def root(self, d: int) -> Array:  # noqa: ARG002
        """L."""
        return self.L


@dataclass(frozen=True, eq=False)
class DiagonalCovariance:
    """S = diag(s)², s (d,) the standard deviations."""

    deviations: Array

    def whiten(self, B: Array) -> Array:
        """diag(s)⁻¹B."""
        return (B.T / self.deviations).T

    unwhiten = whiten

    @property
    def logdet(self) -> float:
        """2 Σ log sⱼ."""
        return float(2.0 * np.log(self.deviations).sum())

    def root(self, d: int) -> Array:  # noqa: ARG002
        """diag(s)."""
        return np.diag(self.deviations)


@dataclass(frozen=True, eq=False)
class WhitenedCovariance:
    """S = LLᵀ known by L⁻¹ (d, d), lower-triangular with positive diagonal."""

    inverse_root: Array

    def whiten(self, B: Array) -> Array:
        """L⁻¹B, by multiplication."""
        return self.inverse_root @ B

    def unwhiten(self, B: Array) -> Array:
        """L⁻ᵀB, by multiplication."""
        return self.inverse_root.T @ B

    @property
    def logdet(self) -> float:
        """−2 Σ log (L⁻¹)ⱼⱼ."""
        return float(-2.0 * np.log(np.diagonal(self.inverse_root)).sum())

    def root(self, d: int) -> Array:  # noqa: ARG002
        """L, by inverting, once."""
        return self._root

    @cached_property
    def _root(self) -> Array:
        return solve_lower(self.inverse_root, np.eye(len(self.inverse_root)))


class IdentityCovariance:
    """S = I: what is left of a covariance once the data are expressed in its own frame."""

    logdet = 0.0

    def whiten(self, B: Array) -> Array:
        """B."""
        return B

    unwhiten = whiten

    def root(self, d: int) -> Array:
        """I."""
        return np.eye(d)


@dataclass(frozen=True, eq=False)
class FramedCovariance:
    """S = L₀ S_z L₀ᵀ: S_z given in an affine frame, seen from outside it."""

    frame: AffineFrame
    inner: Covariance

    def whiten(self, B: Array) -> Array:
        """L_z⁻¹L₀⁻¹B."""
        return self.inner.whiten(self.frame.whiten(B))

    def unwhiten(self, B: Array) -> Array:
        """L₀⁻ᵀL_z⁻ᵀB."""
        return self.frame.unwhiten(self.inner.unwhiten(B))

    @property
    def logdet(self) -> float:
        """log|S_z| + 2 log|L₀|."""
        return self.inner.logdet + 2.0 * self.frame.logdet

    def root(self, d: int) -> Array:
        """L₀L_z."""
        return self.frame.color(self.inner.root(d))
