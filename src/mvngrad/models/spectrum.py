"""Eigenvalues of Ψ^-½MΨ^-½: the best loadings for given noise, and the curvature they tell of.

The equations stand in ``models/profile.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.models.leading import leading
from mvngrad.models.squared import Squared

EXACT = 300  # columns up to which steps use the curvature itself, not its expectation
DEPENDENT = 1e-9  # 1 − R² of a column given others without noise
CLOSE = 1e-8  # eigenvalues nearer than this count as this far apart
UNSEEN = 1e-9  # of the largest eigenvalue of an information: counts as none


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues (decreasing) and vectors of Ψ^-½MΨ^-½, of the rows R with ψ > 0, given Z."""

    values: Array
    vectors: Array
    rows: npt.NDArray[np.intp]
    active: int  # factors beside those of Z: eigenvalues above 1, k − |Z| at most
    product: Callable[[Array], Array]  # Ψ^-½MΨ^-½ times (d, m), which knows the other eigenvalues
    diagonal: Array  # of Ψ^-½MΨ^-½

    @property
    def B(self) -> Array:  # noqa: N802
        """Ω_>Ω_>ᵀ."""
        V = self.vectors[:, : self.active]
        return np.eye(len(V)) - V @ V.T

    @cached_property
    def information(self) -> Squared:
        """B∘B."""
        return Squared(self.vectors[:, : self.active])

    def curvature(self) -> Array:
        """∂²J/∂x∂x/n."""
        k, V = self.active, self.vectors
        rest = V[:, k:]
        H = self._along.copy()
        for r in range(k):
            share = self._share(slice(r, r + 1))[:, 0]
            H += ((rest * share) @ rest.T) * np.multiply.outer(V[:, r], V[:, r])
        return 0.5 * H

    def _share(self, r: slice) -> Array:
        """(1 − e_m)(e_r + e_m)/(e_r − e_m), (m, r); where two are equal J has a kink."""
        first, rest = self.values[r], self.values[self.active :, None]
        return (1.0 - rest) * (first + rest) / np.maximum(first - rest, CLOSE * first)

    @cached_property
    def _along(self) -> Array:
        """A∘B."""
        rest = self.vectors[:, self.active :]
        return ((rest * self.values[self.active :]) @ rest.T) * self.B


def spectrum_of(
    M: Array, psi: Array, k: int, *, whole: bool = True, near: Array | None = None
) -> tuple[Array, Spectrum]:
    """Λ̂(ψ) (d, k) and what it was made of: all eigenvalues, or by products the k largest.

    ``near`` holds loadings (d, k) for noise nearby.
    """
    zero = psi == 0.0
    first, rows = np.flatnonzero(zero), np.flatnonzero(~zero)
    z, left = len(first), M if not zero.any() else M[np.ix_(rows, rows)]
    Lambda = np.zeros((len(M), k))
    if z:
        L = _independent_root(M[np.ix_(first, first)])
        across = np.linalg.solve(L, M[np.ix_(first, rows)]).T
        left = left - across @ across.T
        Lambda[first, :z], Lambda[rows, :z] = L, across
    s = np.sqrt(psi[rows])

    def product(B: Array) -> Array:
        return (left @ (B / s[:, None])) / s[:, None]

    begin = None if near is None else near[rows] / s[:, None]  # Ψ^-½Λ̂ = Ω_k(E_k − I)₊^½
    found = None if whole else leading(product, len(s), k - z, begin)
    values, vectors = _eigenpairs(left / np.multiply.outer(s, s)) if found is None else found
    active = int(np.count_nonzero(values[: k - z] > 1.0))
    scales = np.sqrt(values[:active] - 1.0)
    Lambda[rows, z : z + active] = s[:, None] * vectors[:, :active] * scales
    return Lambda, Spectrum(values, vectors, rows, active, product, np.diagonal(left) / s**2)


def _eigenpairs(A: Array) -> tuple[Array, Array]:
    """All eigenvalues, decreasing, and their vectors."""
    values, vectors = np.linalg.eigh(A)
    return values[::-1], vectors[:, ::-1]


def _independent_root(M: Array) -> Array:
    """The Cholesky factor of M_ZZ, if no column is nearly a combination of others."""
    L = cholesky(M)
    if (np.diagonal(L) ** 2 <= DEPENDENT * np.diagonal(M)).any():
        raise NotPositiveDefiniteError("columns without noise are linearly dependent.")
    return L


def smallest_curvature(at: Spectrum) -> tuple[float, Array]:
    """min vᵀHv / vᵀFv over x, H the curvature of J and F = ½B∘B its expectation; and v (|R|,).

    Directions that the information does not see are left out; 1 if it sees none.
    """
    values, vectors = np.linalg.eigh(0.5 * at.B**2)
    seen = values > UNSEEN * values.max(initial=0.0)
    if not seen.any():  # k factors fit any covariance
        return 1.0, np.zeros(len(values))
    T = vectors[:, seen] / np.sqrt(values[seen])
    found, directions = eigh(T.T @ at.curvature() @ T, subset_by_index=[0, 0])
    return float(found[0]), np.asarray(T @ directions[:, 0])


def best_loadings(M: Array, psi: Array, k: int) -> Array:
    """Λ̂(ψ)."""
    return spectrum_of(M, psi, k, whole=len(psi) <= EXACT)[0]
