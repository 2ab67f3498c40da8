"""The handful of array functions the formula needs, as a record.

    solve_lower(L, B)            L⁻¹B
    solve_lower_transpose(L, B)  L⁻ᵀB
    lower_root(Λ)                L lower-triangular, positive diagonal, LLᵀ = ΛΛᵀ
    log_diagonal(L)              Σ log Lⱼⱼ

NumPy and SciPy stand here; another array library brings a record of its own. Everything
else the formula uses (``@``, ``.T``, ``.trace()``) is spelt alike in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import dtrsm, dtrsv
from scipy.linalg.lapack import dpotrf, dpotrs, dsyevr, dsygst, dtrcon

from mvngrad.errors import NotPositiveDefiniteError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
STRIP = 128


@dataclass(frozen=True)
class Ops:
    """Four functions of lower-triangular matrices; see the module's equations."""

    solve_lower: Callable[[Any, Any], Any]
    solve_lower_transpose: Callable[[Any, Any], Any]
    lower_root: Callable[[Any], Any]
    log_diagonal: Callable[[Any], Any]


# Row-major B is column-major Bᵀ, so LX = B is handed to BLAS as XᵀLᵀ = Bᵀ and nothing is copied
# on the way; ``Lᵀ`` of a row-major L is likewise a column-major upper triangle. A vector has a
# routine of its own, three to eight times as fast as a matrix of one column.


def solve_lower(L: Array, B: Array) -> Array:
    """L⁻¹B for lower-triangular L (d, d) and B (d,) or (d, m)."""
    if B.ndim == 1:
        return np.asarray(dtrsv(L.T, B, lower=0, trans=1))
    return np.asarray(dtrsm(1.0, L.T, B.T, side=1, lower=0)).T


def solve_lower_transpose(L: Array, B: Array) -> Array:
    """L⁻ᵀB for lower-triangular L (d, d) and B (d,) or (d, m)."""
    if B.ndim == 1:
        return np.asarray(dtrsv(L.T, B, lower=0))
    return np.asarray(dtrsm(1.0, L.T, B.T, side=1, lower=0, trans_a=1)).T


def whiten_symmetric(L: Array, C: Array) -> Array:
    """L⁻¹CL⁻ᵀ for symmetric C (d, d), by LAPACK's dsygst: half the work of two solves."""
    upper, _ = dsygst(C.T, L.T, itype=1, lower=0)
    return mirrored(np.asarray(upper).T)


def mirrored(scatter: Array) -> Array:
    """The lower triangle copied to the upper one, in place, a strip of columns at a time."""
    d, width = len(scatter), 128
    for j in range(0, d, width):
        k = min(j + width, d)
        corner = np.tril(scatter[j:k, j:k])
        scatter[j:k, j:k] = corner + np.tril(corner, -1).T
        scatter[j:k, k:] = scatter[k:, j:k].T
    return scatter


def add_outer(S: Array, u: Array, sign: float = 1.0) -> Array:
    """S ± uuᵀ, in place, for symmetric S (d, d).

    Not by BLAS, whose loops fuse some products with the sum and not others: S would come out
    symmetric on one machine and not on the next.
    """
    rows, signed = S if S.flags.c_contiguous else S.T, sign * u
    for i in range(0, len(u), STRIP):
        rows[i : i + STRIP] += np.multiply.outer(signed[i : i + STRIP], u)
    return S


def outer(u: Array, v: Array) -> Array:
    """uvᵀ of vectors (d,), or of matrices (d, P)."""
    return np.multiply.outer(u, v) if u.ndim == 1 else u @ v.T


def is_lower(M: Array) -> bool:
    """Whether M is square with nothing above its diagonal."""
    d = len(M)
    if M.shape != (d, d):
        return False
    if d <= STRIP:
        return not M[_above_diagonal(d)].any()
    strips = (M[i : i + STRIP, i:] for i in range(0, d, STRIP))  # each stays in cache
    return not any(np.triu(strip, 1).any() for strip in strips)


@lru_cache(maxsize=4)
def _above_diagonal(d: int) -> npt.NDArray[np.bool_]:
    return np.triu(np.ones((d, d), dtype=bool), 1)


def lower_root(factor: Array) -> Array:
    """L (d, d) lower-triangular with positive diagonal and LLᵀ = ΛΛᵀ, for Λ (d, k), k ≥ d.

    Λᵀ = QR gives L = Rᵀ: S = ΛΛᵀ is never formed, so nothing is squared, and rows of Λ on
    very different scales do each other no harm (Higham 2002, §19.4).
    """
    if is_lower(factor):
        return with_positive_diagonal(factor)
    return with_positive_diagonal(np.tril(np.asarray(np.linalg.qr(factor.T, mode="r")).T))


def with_positive_diagonal(L: Array) -> Array:
    """L with the signs of its columns turned so that its diagonal is positive."""
    diagonal = L.diagonal()
    if diagonal.min() < 0.0:
        L = L * np.where(diagonal < 0.0, -1.0, 1.0)
    return np.ascontiguousarray(L)


def cholesky(S: Array) -> Array:
    """L lower-triangular with positive diagonal and LLᵀ = S, for S already formed."""
    try:
        return np.asarray(np.linalg.cholesky(S), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        raise NotPositiveDefiniteError(
            "the covariance matrix is not positive definite: some combination of its columns has "
            "no variance. Drop a column, or give a factor Λ of full row rank instead."
        ) from error


def partial_cholesky(S: Array) -> tuple[Array, Array]:
    """L with LLᵀ = S as far as it goes, and its squared diagonal: 0 from where S is not definite.

    S is overwritten if it can be.
    """
    upper, info = dpotrf(S.T, lower=0, clean=1, overwrite_a=1)
    pivots = np.diagonal(upper) ** 2
    if info > 0:
        pivots[info - 1 :] = 0.0
    return np.asarray(upper.T), pivots


def definite_solver(H: Array) -> Callable[[Array], Array] | None:
    """b ↦ H⁻¹b for symmetric H (p, p); None where it is not positive definite."""
    upper, info = dpotrf(H.T, lower=0)
    if info != 0:
        return None
    return lambda b: np.asarray(dpotrs(upper, b, lower=0)[0])


def smallest_eigenvalue(H: Array) -> float:
    """Of symmetric H (p, p)."""
    if not np.isfinite(H).all():  # LAPACK might not come back
        raise np.linalg.LinAlgError("the matrix is not finite, so it has no eigenvalues.")
    values, *_, info = dsyevr(H.T, compute_v=0, range="I", il=1, iu=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"dsyevr failed with info = {info}.")
    return float(values[0])


def log_diagonal(L: Array) -> float:
    """Σ log Lⱼⱼ, which is ½ log|LLᵀ|."""
    return float(np.log(L.diagonal()).sum())


def condition_estimate(L: Array) -> float:
    """An estimate of ‖L‖₁‖L⁻¹‖₁ for lower-triangular L, in O(d²) (LAPACK's dtrcon)."""
    reciprocal, _ = dtrcon(L.T, norm="1", uplo="U")
    return 1.0 / float(reciprocal) if reciprocal > 0.0 else float("inf")


NUMPY = Ops(solve_lower, solve_lower_transpose, lower_root, log_diagonal)
