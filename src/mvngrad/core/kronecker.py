"""S = S_a ⊗ S_b as an operator: it is whitened by the two small roots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array

Map = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class KroneckerCovariance:
    """S = S_a ⊗ S_b, L = L_a ⊗ L_b; row i_a·d_b + i_b.

    L⁻¹B = L_a⁻¹ [L_b⁻¹ B] with B as (d_a, d_b, m): O(d(d_a + d_b)m) where a dense root takes
    O(d²m).
    """

    a: Covariance
    b: Covariance
    shape: tuple[int, int]

    def whiten(self, B: Array) -> Array:
        """(L_a⁻¹ ⊗ L_b⁻¹)B."""
        return self._each(self.a.whiten, self.b.whiten, B)

    def unwhiten(self, B: Array) -> Array:
        """(L_a⁻ᵀ ⊗ L_b⁻ᵀ)B."""
        return self._each(self.a.unwhiten, self.b.unwhiten, B)

    @property
    def logdet(self) -> float:
        """d_b log|S_a| + d_a log|S_b|."""
        d_a, d_b = self.shape
        return d_b * self.a.logdet + d_a * self.b.logdet

    def root(self, d: int) -> Array:  # noqa: ARG002
        """L_a ⊗ L_b."""
        d_a, d_b = self.shape
        return np.asarray(np.kron(self.a.root(d_a), self.b.root(d_b)), dtype=np.float64)

    def _each(self, of_a: Map, of_b: Map, B: Array) -> Array:
        d_a, d_b = self.shape
        along_a = of_a(np.ascontiguousarray(B).reshape(d_a, -1)).reshape(d_a, d_b, -1)
        along_b = of_b(np.ascontiguousarray(along_a.transpose(1, 0, 2)).reshape(d_b, -1))
        turned = along_b.reshape(d_b, d_a, -1).transpose(1, 0, 2)
        return np.ascontiguousarray(turned).reshape(B.shape)
