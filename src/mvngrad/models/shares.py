"""The curvature of the profile times a vector, by products with Ψ^-½MΨ^-½ alone.

Of A = Ω_>E_>Ω_>ᵀ, B = I − VVᵀ, V the first k eigenvectors, and v, with X_r = B(v∘V_r),

    (A∘B)v = diag A∘v − Σ_r V_r∘(A(v∘V_r))
    Σ_r V_r∘f_r(A)X_r,    f_r(e) = (1 − e)(e_r + e)/(e_r − e)

is twice the Hessian of J/n times v (models/profile.py). With U_r = (e_r − A)⁻¹AX_r

    f_r(A)X_r = X_r + 2U_r − A(X_r + 2U_r)

and U is found for all r at once by conjugate gradients, a block product each: few where factors
stand out, and no eigenvector beyond the first k.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.models.spectrum import Spectrum

SOLVED = 1e-6  # of AX: more digits than a certificate has use for
MOST = 200


class Unsettled(Exception):  # noqa: N818 - not an error: all eigenvalues are asked then
    """Factors so near to the noise that products do not tell the two apart."""


def hessian_of(at: Spectrum) -> Callable[[Array], Array]:
    """v ↦ (∂²J/∂x∂x/n)v, in a few products of (d, d) with (d, k)."""
    V, e = at.vectors[:, : at.active], at.values[: at.active]
    diagonal = at.diagonal - (V**2) @ e

    def outside(B: Array) -> Array:
        return np.asarray(B - V @ (V.T @ B))

    def A(B: Array) -> Array:  # noqa: N802
        return outside(at.product(B))

    def product(v: Array) -> Array:
        X = outside(V * v[:, None])
        AX = A(X)
        U, AU = _resolved(A, e, AX)
        across = V * (X + 2.0 * U - AX - 2.0 * AU)
        return np.asarray(0.5 * (diagonal * v + (across - V * AX).sum(axis=1)))

    return product


def _resolved(A: Callable[[Array], Array], e: Array, Y: Array) -> tuple[Array, Array]:
    """U_r = (e_r − A)⁻¹Y_r, and AU."""
    U, AU, R = np.zeros_like(Y), np.zeros_like(Y), Y.copy()
    P, rr = R, (R**2).sum(axis=0)
    goal = SOLVED**2 * rr
    for _ in range(MOST):
        going = rr > goal
        if not going.any():
            return U, AU
        AP = A(P)
        bend = (P * (e * P - AP)).sum(axis=0)
        if (bend[going] <= 0.0).any():
            break
        length = np.where(going, rr / np.where(going, bend, 1.0), 0.0)
        U, AU, R = U + length * P, AU + length * AP, R - length * (e * P - AP)
        rr, before = (R**2).sum(axis=0), rr
        P = R + np.where(going, rr / np.where(before > 0.0, before, 1.0), 0.0) * P
    raise Unsettled
