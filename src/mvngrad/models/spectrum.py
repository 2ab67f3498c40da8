"""Eigenvalues of Ψ^-½MΨ^-½: the best loadings for given noise, and the curvature they tell of.

The equations stand in ``models/profile.py``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, eigsh

from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import NotPositiveDefiniteError

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

    @property
    def B(self) -> Array:  # noqa: N802
        """Ω_>Ω_>ᵀ."""
        V = self.vectors[:, : self.active]
        return np.eye(len(V)) - V @ V.T

    def curvature(self) -> Array:
        """∂²J/∂x∂x/n."""
        k, V = self.active, self.vectors
        rest = V[:, k:]
        H = self._along.copy()
        for r in range(k):
            share = self._share(slice(r, r + 1))[:, 0]
            H += ((rest * share) @ rest.T) * np.multiply.outer(V[:, r], V[:, r])
        return 0.5 * H

    def curvature_product(self, v: Array) -> Array:
        """The same times v, in O(d²k)."""
        rest, first = self.vectors[:, self.active :], self.vectors[:, : self.active]
        share = self._share(slice(0, self.active))
        across = first * (rest @ (share * (rest.T @ (first * v[:, None]))))
        return np.asarray(0.5 * (self._along @ v + across.sum(axis=1)))

    def _share(self, r: slice) -> Array:
        """(1 − e_m)(e_r + e_m)/(e_r − e_m), (m, r); where two are equal J has a kink."""
        first, rest = self.values[r], self.values[self.active :, None]
        return (1.0 - rest) * (first + rest) / np.maximum(first - rest, CLOSE * first)

    @cached_property
    def _along(self) -> Array:
        """A∘B."""
        rest = self.vectors[:, self.active :]
        return ((rest * self.values[self.active :]) @ rest.T) * self.B


def spectrum_of(M: Array, psi: Array, k: int, *, whole: bool = True) -> tuple[Array, Spectrum]:
    """Λ̂(ψ) (d, k) and what it was made of: all eigenvalues, or the k largest, by Lanczos."""
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
    values, vectors = _eigenpairs(left / np.multiply.outer(s, s), len(s) if whole else k - z)
    active = int(np.count_nonzero(values[: k - z] > 1.0))
    scales = np.sqrt(values[:active] - 1.0)
    Lambda[rows, z : z + active] = s[:, None] * vectors[:, :active] * scales
    return Lambda, Spectrum(values, vectors, rows, active)


def _eigenpairs(A: Array, k: int) -> tuple[Array, Array]:
    """The k largest eigenvalues, decreasing, and their vectors."""
    if 0 < k < len(A) // 10:
        with suppress(ArpackError):  # where it does not converge all are worked out
            values, vectors = eigsh(A, k, v0=np.ones(len(A)), ncv=2 * k + 20)
            order = np.argsort(-values)
            return values[order], vectors[:, order]
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
