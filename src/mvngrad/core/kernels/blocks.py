"""The covariance V of what a pattern lacks, given what it has: by the smaller of its two blocks.

    V = P_mm⁻¹ = S_mm − S_mo S_oo⁻¹S_om          P = S⁻¹

One, two and three missing entries, which most patterns have, are inverted without a loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.jit import compiled

Floats = npt.NDArray[np.float64]


@compiled
def _invert(A: Floats, k: int, c: Floats) -> float:
    """A (k, k) ← A⁻¹, of which the lower triangle is read; log|A|, NaN where it is not definite.

    By sweeps: of pivot q, with c its column, A ← A − ccᵀ/p, column q ← c/p, and −1/p itself; all
    of them together leave −A⁻¹. For so few columns it is quicker than by a root.
    """
    product, logarithm = 1.0, 0.0
    for q in range(k):
        pivot = A[q, q]
        if 1e-100 < product * pivot < 1e100:  # one logarithm for many pivots, while it holds
            product *= pivot
        else:
            logarithm += np.log(product) + np.log(pivot)
            product = 1.0
        for j in range(q):
            c[j] = A[q, j]
        for i in range(q + 1, k):
            c[i] = A[i, q]
        c[q] = 0.0
        over = 1.0 / pivot
        for i in range(k):
            row, f = A[i], c[i] * over
            for j in range(i + 1):
                row[j] -= f * c[j]
        for j in range(q):
            A[q, j] = c[j] * over
        for i in range(q + 1, k):
            A[i, q] = c[i] * over
        A[q, q] = -over
    for i in range(k):
        for j in range(i + 1):
            A[i, j] = -A[i, j]
            A[j, i] = A[i, j]
    return logarithm + np.log(product)


@compiled
def by_missing(P: Floats, m: Any, V: Floats, b: Floats) -> float:
    """P_mm⁻¹ into V; log|P_mm|."""
    nm = len(m)
    if nm == 0:
        return 0.0
    if nm == 1:
        V[0, 0] = 1.0 / P[m[0], m[0]]
        return np.log(P[m[0], m[0]])
    if nm == 2:
        return np.log(_pair(P[m[0], m[0]], P[m[1], m[0]], P[m[1], m[1]], V, 0))
    if nm == 3:
        return _three(P, m, V)
    for i in range(nm):
        row = P[m[i]]
        for j in range(i + 1):
            V[i, j] = row[m[j]]
    return _invert(V, nm, b)


@compiled
def _pair(p: float, q: float, r: float, V: Floats, at: int) -> float:
    """[p q; q r]⁻¹ into V from place (at, at) on; its determinant, NaN where p is not positive."""
    determinant = p * r - q * q if p > 0.0 else np.nan
    over = 1.0 / determinant
    V[at, at], V[at + 1, at + 1] = r * over, p * over
    V[at + 1, at] = V[at, at + 1] = -q * over
    return determinant


@compiled
def _three(P: Floats, m: Any, V: Floats) -> float:
    """P_mm⁻¹ of three: the pair's, given the first, and what follows for the first; log|P_mm|."""
    first, second, third = P[m[0]], P[m[1]], P[m[2]]
    p = first[m[0]]
    over, c, e = 1.0 / p, second[m[0]], third[m[0]]
    left, right = c * over, e * over
    determinant = _pair(
        second[m[1]] - left * c, third[m[1]] - right * c, third[m[2]] - right * e, V, 1
    )
    V[0, 1] = V[1, 0] = -(left * V[1, 1] + right * V[1, 2])
    V[0, 2] = V[2, 0] = -(left * V[2, 1] + right * V[2, 2])
    V[0, 0] = over - left * V[0, 1] - right * V[0, 2]
    return np.log(p) + np.log(determinant)


@compiled
def others(m: Any, d: int, o: Any) -> None:
    """The columns that are not in m, into o."""
    at, r = 0, 0
    for j in range(d):
        if r < len(m) and m[r] == j:
            r += 1
        else:
            o[at] = j
            at += 1


@compiled
def by_observed(
    S: Floats, m: Any, o: Any, V: Floats, b: Floats, O: Floats, M: Floats
) -> float:  # fmt: skip
    """S_mo S_oo⁻¹ into columns o of M, S_mm − S_mo S_oo⁻¹S_om into V; log|S_oo|."""
    nm, no = len(m), len(o)
    for i in range(no):
        for j in range(i + 1):
            O[i, j] = S[o[i], o[j]]
    logarithm = _invert(O, no, b)
    for i in range(nm):
        for j in range(nm):
            M[i, m[j]] = 0.0
        for j in range(no):
            s = 0.0
            for r in range(no):
                s += S[m[i], o[r]] * O[r, j]
            M[i, o[j]] = s
    for i in range(nm):
        for j in range(i + 1):
            s = S[m[i], m[j]]
            for r in range(no):
                s -= M[i, o[r]] * S[m[j], o[r]]
            V[i, j] = s
            V[j, i] = s
    return logarithm
