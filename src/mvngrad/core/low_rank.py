"""S = ΛΛᵀ + diag ψ with few columns in Λ: whitening in O(dk) a column, and nothing squared.

With B = Ψ^-½Λ = U s Vᵀ the symmetric root M of I + BBᵀ gives L = Ψ^½M, and

    L⁻¹ = M⁻¹Ψ^-½,   M⁻¹ = I + U[(1+s²)^-½ − 1]Uᵀ,   log|S| = Σ log ψ + Σ log(1+s²)

That loses (S_jj/ψ_j)^½ε where ψ_j is small beside S_jj. So the rows Z with the least ψ_j/S_jj, at
most k, come first: W = [Λ_Z Ψ_Z^½], Wᵀ = QR, and in S = LLᵀ by blocks

    L_ZZ = Rᵀ,   L_RZ = [Λ_R 0]Q₁,   S_RR given Z = Λ'Λ'ᵀ + Ψ_R,  Λ' = [Λ_R 0]Q₂

what is left is again of low rank. Among any k + 1 rows ΛΛᵀ has no say in one direction, so the
correlation matrix has an eigenvalue below the largest ψ_j/S_jj of them: with the k smallest out of
the way the loss is √cond at most, whatever ψ, zeros included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array, lower_root
from mvngrad.errors import NotPositiveDefiniteError

FIRST = 1e-3  # ψ_j/S_jj below which a row comes first, among the k least
ROUNDING = 16.0 * float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class LowRankCovariance:
    """S = ΛΛᵀ + diag ψ, known by L⁻¹ = diag δ + PQᵀ, where P and Q (d, z + k) are thin.

    Parameters
    ----------
    factor : (d, k) array        Λ
    noise : (d,) array           ψ ≥ 0
    """

    factor: Array
    noise: Array
    precision_root: Array  # δ: ψ^-½, or 0 for the rows that come first
    left: Array  # P
    right: Array  # Q
    logdet: float

    @classmethod
    def of(cls, factor: Array, noise: Array) -> LowRankCovariance:
        """From Λ and ψ; at most k entries of ψ may be 0."""
        d, first = len(factor), first_rows(factor, noise)
        rest = np.setdiff1d(np.arange(d), first)
        L, across, beyond = _blocks(factor, noise, first, rest)
        delta = np.zeros(d)
        delta[rest] = _reciprocal_root(noise[rest])
        U, s, _ = np.linalg.svd(beyond * delta[rest, None], full_matrices=False)
        z = len(first)
        left, right = np.zeros((2, d, z + len(s)))
        root = np.sqrt(1.0 + s**2)
        shrunk = U * (-(s**2) / (root * (1.0 + root)))  # U[(1+s²)^-½ − 1]
        scaled = across * delta[rest, None]
        left[rest, :z] = -(scaled + shrunk @ (U.T @ scaled))
        left[first, :z] = np.eye(z)
        right[first, :z] = np.linalg.inv(L).T
        left[rest, z:], right[rest, z:] = shrunk, U * delta[rest, None]
        logdet = 2.0 * np.log(np.abs(np.diagonal(L))).sum() - 2.0 * np.log(delta[rest]).sum()
        return cls(factor, noise, delta, left, right, float(logdet + np.log1p(s**2).sum()))

    def whiten(self, B: Array) -> Array:
        """L⁻¹B = δB + P(QᵀB)."""
        return (B.T * self.precision_root).T + self.left @ (self.right.T @ B)

    def unwhiten(self, B: Array) -> Array:
        """L⁻ᵀB = δB + Q(PᵀB)."""
        return (B.T * self.precision_root).T + self.right @ (self.left.T @ B)

    def unwhitened_diagonal(self, M: Array) -> Array:
        """diag(L⁻ᵀML⁻¹) = δ² diag M + 2δ(MP ∘ Q)1 + (QPᵀMP ∘ Q)1, in O(d²k)."""
        delta, Q, MP = self.precision_root, self.right, M @ self.left
        inner = Q @ (self.left.T @ MP)
        cross: Array = 2.0 * delta * np.einsum("ij,ij->i", MP, Q)
        return delta**2 * np.diagonal(M) + cross + np.einsum("ij,ij->i", inner, Q)

    def root(self, d: int) -> Array:  # noqa: ARG002
        """The lower-triangular root of S by QR of [Λ Ψ^½]ᵀ; not the L of ``whiten``."""
        return lower_root(np.hstack([self.factor, np.diag(np.sqrt(self.noise))]))


def first_rows(factor: Array, noise: Array) -> npt.NDArray[np.intp]:
    """Indices of the rows with the least ψ_j/S_jj, where that is small: k of them at most."""
    variances = np.einsum("ij,ij->i", factor, factor) + noise
    small = noise < FIRST * variances
    order = np.argsort(np.where(small, noise / np.where(variances > 0.0, variances, 1.0), np.inf))
    return np.sort(order[: min(int(small.sum()), factor.shape[1])])


def _blocks(
    factor: Array, noise: Array, first: npt.NDArray[np.intp], rest: npt.NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """L_ZZ (z, z), L_RZ (r, z) and Λ' (r, k)."""
    k, z = factor.shape[1], len(first)
    if not z:
        return np.zeros((0, 0)), np.zeros((len(rest), 0)), factor
    W = np.hstack([factor[first], np.diag(np.sqrt(noise[first]))])
    Q, R = np.linalg.qr(W.T, mode="complete")
    sizes = np.sqrt((W**2).sum(axis=1))
    if (np.abs(np.diagonal(R)) <= ROUNDING * sizes).any():
        raise _singular()
    across = factor[rest] @ Q[:k]
    return R[:z].T, across[:, :z], across[:, z:]


def _reciprocal_root(noise: Array) -> Array:
    if not (noise > 0.0).all():
        raise _singular()
    return 1.0 / np.sqrt(noise)


def _singular() -> NotPositiveDefiniteError:
    return NotPositiveDefiniteError(
        "S = ΛΛᵀ + diag ψ is singular: where ψ is 0 the rows of Λ are linearly dependent. Give "
        "some noise to one of them."
    )
