"""(B∘B)x = b for B = I − UUᵀ with few columns in U: the information of noise, and not a matrix.

With h_j = |U_j|² the square of each entry is

    B∘B = diag(1 − 2h) + (UUᵀ)∘(UUᵀ)          (B∘B)v = (1 − 2h)∘v + rows⟨U, U(Uᵀ diag v U)⟩

in O(dk²) a product. By conjugate gradients, scaled by the diagonal (1 − h)², few are needed where
no h_j is near 1, that is where no column is nearly a factor by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mvngrad.core.ops import Array

MANY = 300  # rows from which products are faster than the matrix
ALONE = 0.9  # h_j from which they lose digits
SOLVED = 1e-13
MOST = 200
UNSEEN = 1e-12  # of the largest eigenvalue of B∘B: a combination of ψ that Λ can make up for


@dataclass(frozen=True, eq=False)
class Squared:
    """B∘B, B = I − UUᵀ, U (d, k)."""

    U: Array

    @cached_property
    def dense(self) -> Array:
        """The matrix."""
        return np.asarray((np.eye(len(self.U)) - self.U @ self.U.T) ** 2)

    @cached_property
    def _h(self) -> Array:
        return np.einsum("ij,ij->i", self.U, self.U)

    @property
    def is_thin(self) -> bool:
        """Whether products are worth it, and exact enough."""
        return len(self.U) > MANY and float(self._h.max(initial=0.0)) < ALONE

    def product(self, v: Array) -> Array:
        """(B∘B)v."""
        inner = self.U.T @ (self.U * v[:, None])
        return (1.0 - 2.0 * self._h) * v + np.einsum("ij,ij->i", self.U @ inner, self.U)

    def solve(self, b: Array) -> Array:
        """(B∘B)⁺b."""
        found = self._by_products(b) if self.is_thin else None
        return solved(self.dense, b) if found is None else found

    def _by_products(self, b: Array) -> Array | None:
        """Conjugate gradients; None where rounding or their number ends them early."""
        scale = (1.0 - self._h) ** 2
        x, r = np.zeros_like(b), b.copy()
        z = r / scale
        p, rz = z, float(r @ z)
        goal = SOLVED**2 * rz
        for _ in range(MOST):
            if rz <= goal:
                return x
            Bp = self.product(p)
            bend = float(p @ Bp)
            if not bend > 0.0:
                return None
            x, r = x + (rz / bend) * p, r - (rz / bend) * Bp
            z = r / scale
            rz, before = float(r @ z), rz
            p = z + (rz / before) * p
        return None


def solved(gram: Array, b: Array) -> Array:
    """gram⁺b."""
    try:
        return np.asarray(cho_solve(cho_factor(gram), b))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(gram)
        seen = values > UNSEEN * values.max(initial=0.0)
        return np.asarray(vectors[:, seen] @ ((vectors[:, seen].T @ b) / values[seen]))
