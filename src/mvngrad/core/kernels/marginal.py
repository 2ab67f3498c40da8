"""Rows with holes whitened by QR, compiled. Specified by ``mvngrad.core.marginal``.

L_oᵀ = [Q Q₂] R by Householder; a row becomes Qz, z = R⁻ᵀ(x_o − μ_o), in the coordinates whitened
by L, and I − QQᵀ is Q₂Q₂ᵀ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.jit import compiled

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@compiled
def weight_of(weights: Floats, anchored: Floats, begin: int, end: int) -> float:
    """Σw of rows from … to …, those of R apart."""
    n = 0.0
    for i in range(begin, end):
        n += weights[i] * anchored[i]
    return n


# L is lower-triangular: row o of it ends at column o, so a reflector that clears what stands right
# of column j in it reaches from j to o, over no more than 1 + |m| places, and fills in nothing.


@compiled
def _householder(A: Floats, ends: Any, no: int, beta: Floats) -> float:
    """QR of Aᵀ in place, A (no, d): row j keeps column j of R, then reflector j; Σ log|Rⱼⱼ|."""
    logs = 0.0
    for j in range(no):
        end = ends[j] + 1
        largest = 0.0
        for c in range(j, end):
            largest = max(largest, abs(A[j, c]))
        norm = 0.0
        for c in range(j, end):
            norm += (A[j, c] / largest) ** 2
        norm = largest * np.sqrt(norm)
        logs += np.log(norm)
        # H = I − βvvᵀ with v₀ = 1 takes the row to (α, 0 … 0).
        alpha = -norm if A[j, j] > 0.0 else norm
        v0 = A[j, j] - alpha
        beta[j] = -v0 / alpha
        for c in range(j + 1, end):
            A[j, c] /= v0
        A[j, j] = alpha
        for i in range(j + 1, no):
            s = A[i, j]
            for c in range(j + 1, end):
                s += A[i, c] * A[j, c]
            s *= beta[j]
            A[i, j] -= s
            for c in range(j + 1, end):
                A[i, c] -= s * A[j, c]
    return logs


@compiled
def _reflect(A: Floats, ends: Any, no: int, beta: Floats, x: Floats) -> None:
    """x ← H₁ … H_no x, which is [Q Q₂]x."""
    for j in range(no - 1, -1, -1):
        end = ends[j] + 1
        s = x[j]
        for c in range(j + 1, end):
            s += A[j, c] * x[c]
        s *= beta[j]
        x[j] -= s
        for c in range(j + 1, end):
            x[c] -= s * A[j, c]


@compiled
def _observed_rows(L: Floats, observed: Mask, A: Floats, o: Any) -> int:
    """Rows o of L into A; how many."""
    no = 0
    for j in range(len(observed)):
        if observed[j]:
            for c in range(len(L)):
                A[no, c] = L[j, c]
            o[no] = j
            no += 1
    return no


@compiled
def _add_rest(A: Floats, o: Any, no: int, beta: Floats, n: float, x: Floats, V: Floats) -> None:
    """V ← V + n(I − QQᵀ), which is n Q₂Q₂ᵀ."""
    d = len(x)
    for j in range(no, d):
        for c in range(d):
            x[c] = 0.0
        x[j] = 1.0
        _reflect(A, o, no, beta, x)
        for r in range(d):
            xr = n * x[r]
            for c in range(d):
                V[r, c] += xr * x[c]


@compiled
def _whiten_row(A: Floats, o: Any, no: int, z: Floats, a: float, mu: Floats, x: Floats) -> None:
    """x ← R⁻ᵀ(z_o − aμ_o), then zeros; row r of A begins with column r of R."""
    for r in range(no):
        s = z[o[r]] - a * mu[o[r]]
        for c in range(r):
            s -= A[r, c] * x[c]
        x[r] = s / A[r, r]
    for c in range(no, len(x)):
        x[c] = 0.0


@compiled
def fill_marginal(
    L: Floats,
    observed: Mask,
    mu: Floats,
    starts: Any,
    z: Floats,
    weights: Floats,
    anchored: Floats,
    filled: Floats,
    total: Floats,
    spread: Floats,
) -> float:
    """Rows ← Qz, their total and spread in the coordinates whitened by L; Σ n log|S_oo|."""
    d = len(mu)
    A, beta, x, o = np.empty((d, d)), np.empty(d), np.empty(d), np.empty(d, np.int64)
    logs = 0.0
    for k in range(len(observed)):
        no = _observed_rows(L, observed[k], A, o)
        n = weight_of(weights, anchored, starts[k], starts[k + 1])
        logs += 2.0 * n * _householder(A, o, no, beta)
        _add_rest(A, o, no, beta, n, x, spread)
        for i in range(starts[k], starts[k + 1]):
            _whiten_row(A, o, no, z[i], anchored[i], mu, x)
            _reflect(A, o, no, beta, x)
            weight = anchored[i] * weights[i]
            for c in range(d):
                filled[i, c] = x[c]
                total[c] += weight * x[c]
    return logs
