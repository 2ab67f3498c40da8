"""The information of S = ΛΛᵀ + diag ψ, all of Λ free, solved in closed form.

Find (V, w), tangents of Λ and ψ, whose Ė = VΛᵀ + ΛVᵀ + diag w has, for all tangents V', w',
½ tr(S⁻¹ĖS⁻¹Ė') = ⟨g, V'⟩ + ⟨h, w'⟩. With S = LLᵀ, L⁻¹Λ = Q s Rᵀ (an SVD; turned by R, Λ has
T = diag s for its triangle) and N = S⁻¹ΛT⁻¹ = L⁻ᵀQ,

    V':  L⁻¹ĖL⁻ᵀQ = LᵀgT⁻¹ =: Γ                 w':  (S⁻¹ĖS⁻¹)_jj = 2h_j

The part of L⁻¹ĖL⁻ᵀ off QQᵀ is that of diag w alone, so with Φ = S⁻¹ − NNᵀ, Y = QᵀΓ, g̃ = gT⁻¹

    (Φ∘Φ) w = 2h − 2(g̃∘N)1 + (NY∘N)1
    V = [LΓ' − ½ΛT⁻¹Y'] T⁻¹,   LΓ' = Sg̃ − w∘N,   Y' = Y − Nᵀ(w∘N)

Φ = Ψ⁻¹ − Ψ⁻¹Λ(ΛᵀΨ⁻¹Λ)⁻¹ΛᵀΨ⁻¹, and ½ Φ∘Φ is the information of ψ with Λ at its best (Lawley &
Maxwell 1971, §4). It costs O(d²k) and the Cholesky factor of a (d, d) matrix. Columns of Λ that
are combinations of others move S no further, and are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, Mask
from mvngrad.models.squared import MANY, Squared, solved
from mvngrad.models.structure import Structure

NARROW = 1e-7  # of the largest: a column of L⁻¹Λ that says nothing of its own
MOST_ENTRIES = 3e7


@dataclass(frozen=True, eq=False)
class FactorInformation:
    """The information at Λ (d, k), ψ (d,), S; ψ by entries, or as one."""

    factor: Array  # ΛR
    noise: Array
    turn: Array  # R
    N: Array
    T: Array  # s
    covariance: Covariance

    @classmethod
    def of(cls, factor: Array, noise: Array, S: Covariance) -> FactorInformation:
        """From Λ, ψ and their S."""
        Q, s, turn = np.linalg.svd(S.whiten(factor), full_matrices=False)
        kept = s > NARROW * s.max(initial=0.0)
        R, s, N = turn[kept].T, s[kept], S.unwhiten(np.ascontiguousarray(Q[:, kept]))
        return cls(factor @ R, noise, R, N, s, S)

    @cached_property
    def Phi(self) -> Array:  # noqa: N802
        """Φ (d, d)."""
        W = self.covariance.whiten(np.eye(len(self.factor)))
        return np.asarray(W.T @ W - self.N @ self.N.T)

    def solve(self, g: Array, h: Array, free: Mask) -> tuple[Array, Array]:
        """(V, w) for g (d, k) and h (d,), w 0 but where ``free`` (d,)."""
        g = g @ self.turn / self.T
        w = np.zeros(len(h))
        w[free] = self._noise((2.0 * h + self._known(g))[free], free)
        return self._loadings(g, w), w

    def solve_spherical(self, g: Array, h: float) -> tuple[Array, float]:
        """(V, w) for ψ with one value in all entries, h a cotangent of it."""
        g = g @ self.turn / self.T
        w = (2.0 * h + self._known(g).sum()) / (self.Phi**2).sum()
        return self._loadings(g, np.full(len(g), w)), float(w)

    def _noise(self, b: Array, free: Mask) -> Array:
        """w of the rows that are free, from (Φ∘Φ)w = b."""
        thin = self.thin(free)
        if thin is not None and thin.is_thin:
            psi = self.noise[free]
            return psi * thin.solve(b * psi)
        Phi = self.Phi if free.all() else self.Phi[np.ix_(free, free)]
        return solved(Phi**2, b)

    def thin(self, free: Mask) -> Squared | None:
        """Ψ(Φ∘Φ)Ψ, where no ψ is 0: Φ = Ψ^-½(I − UUᵀ)Ψ^-½, U a basis of Ψ^-½Λ; of many rows."""
        if len(self.noise) <= MANY or not (self.noise > 0.0).all():
            return None
        U = np.linalg.svd(self.factor / np.sqrt(self.noise)[:, None], full_matrices=False)[0]
        return Squared(U[free, : len(self.T)])

    def _known(self, g: Array) -> Array:
        """−2(g̃∘N)1 + (NY∘N)1."""
        return np.asarray(np.einsum("ij,ij->i", self.N @ self._inner(g) - 2.0 * g, self.N))

    def _loadings(self, g: Array, w: Array) -> Array:
        """V."""
        wN = self.N * w[:, None]
        half = self.factor @ (self.factor.T @ g) + self.noise[:, None] * g - wN
        Y = self._inner(g) - self.N.T @ wN
        half = half - 0.5 * (self.factor / self.T) @ Y
        return np.asarray((half / self.T) @ self.turn.T)

    def _inner(self, g: Array) -> Array:
        """Y = T⁻¹Λᵀg̃, symmetric where g is a gradient."""
        Y = (self.factor / self.T).T @ g
        return np.asarray(0.5 * (Y + Y.T))


def solve_densely(
    structure: Structure, theta: Array, S: Covariance, g: Array, free: Mask
) -> Array | None:
    """F⁺g from all whitened tangents L⁻¹ push(eᵢ) L⁻ᵀ; None where they would fill the memory.

    F = ½JJᵀ, a row of J a tangent: with rows brought to length 1 and J = UsVᵀ, no F is formed.
    """
    d, axes = structure.columns, np.flatnonzero(free)
    if len(axes) * d**2 > MOST_ENTRIES:
        return None
    unit = np.eye(len(theta))
    J = np.array([structure.whitened_push(theta, unit[i], S).ravel() for i in axes])
    lengths = np.linalg.norm(J, axis=1)
    lengths[lengths == 0.0] = np.inf
    U, s, _ = np.linalg.svd(J / lengths[:, None], full_matrices=False)
    seen = s > NARROW * s.max(initial=0.0)
    x = np.zeros_like(g)
    x[axes] = (U[:, seen] @ ((U[:, seen].T @ (g[axes] / lengths)) * (2.0 / s[seen] ** 2))) / lengths
    return x
