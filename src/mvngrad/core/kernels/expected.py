"""The sums over rows with holes, compiled. Specified by ``plain_sums`` and ``marginal_sums``.

Rows are filled in place, a chunk that stays in cache: E y = y at what is observed, and at the
rest, by the smaller of the two blocks,

    −P_mm⁻¹P_mo y_o, covariance P_mm⁻¹, log|S_oo| = log|S| + log|P_mm|          P = S⁻¹
     S_mo S_oo⁻¹ y_o, covariance S_mm − S_mo S_oo⁻¹S_om                          or so

Only that block is factored for a pattern. Where cond(L) asks for more digits rows are filled by
``kernels.marginal`` instead. The scatter of the filled rows is then the loop for complete data's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import fill_marginal, weight_of
from mvngrad.core.marginal import Sums
from mvngrad.core.scatter import chunk_sums

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Fill = Callable[..., float]


def plain_side(S: Floats, P: Floats) -> Fill:
    """Fill from S and P = S⁻¹, in the coordinates of the data."""
    logdet = float(np.linalg.slogdet(S)[1])
    return partial(_fill_plain, np.ascontiguousarray(S), np.ascontiguousarray(P), logdet)


def marginal_side(L: Floats) -> Fill:
    """Fill by QR of the observed rows of L, in the coordinates whitened by it."""
    return partial(fill_marginal, np.ascontiguousarray(L))


def sums(data: Any, mu: Floats, fill: Fill, bounds: tuple[int, int]) -> Sums:
    """Sums over the patterns from … to …, on the calling thread."""
    begin, end = bounds
    rows = slice(data.starts[begin], data.starts[end])
    z, weights, anchored = (part[rows] for part in data.kept)
    d = z.shape[1]
    filled, total, spread = np.empty_like(z), np.zeros(d), np.zeros((d, d))
    starts = data.starts[begin : end + 1] - data.starts[begin]
    logdet = fill(mu, data.observed[begin:end], starts, z, weights, anchored, filled, total, spread)
    scatter = chunk_sums(filled, np.zeros(d), weights, work=np.inf).scatter
    return Sums(total, scatter, spread, logdet)


@compiled
def _cholesky(A: Floats, k: int) -> float:
    """A (k, k) ← its lower root, in place; its log-determinant. NaN where it is not definite."""
    product = 1.0
    logarithm = 0.0
    for j in range(k):
        pivot = A[j, j]
        for i in range(j):
            pivot -= A[j, i] * A[j, i]
        root = np.sqrt(pivot)
        A[j, j] = root
        if 1e-100 < product * pivot < 1e100:  # one logarithm for many pivots, while it holds
            product *= pivot
        else:
            logarithm += np.log(product) + np.log(pivot)
            product = 1.0
        for r in range(j + 1, k):
            s = A[r, j]
            for i in range(j):
                s -= A[r, i] * A[j, i]
            A[r, j] = s / root
    return logarithm + np.log(product)


@compiled
def _invert(A: Floats, k: int, inverse: Floats, W: Floats) -> None:
    """The inverse (k, k) of a matrix from its lower root A."""
    for j in range(k):
        W[j, j] = 1.0 / A[j, j]
        for i in range(j + 1, k):
            s = 0.0
            for r in range(j, i):
                s -= A[i, r] * W[r, j]
            W[i, j] = s / A[i, i]
    for i in range(k):
        for j in range(i + 1):
            s = 0.0
            for r in range(i, k):
                s += W[r, i] * W[r, j]
            inverse[i, j] = s
            inverse[j, i] = s


@compiled
def split(observed: Mask, there: Floats, places: Any) -> int:
    """Columns that are missing, then those that are not, into places; how many are missing."""
    nm = 0
    for j in range(len(observed)):
        there[j] = 1.0 if observed[j] else 0.0
        if not observed[j]:
            places[nm] = j
            nm += 1
    at = nm
    for j in range(len(observed)):
        if observed[j]:
            places[at] = j
            at += 1
    return nm


@compiled
def by_missing(
    P: Floats, m: Any, nm: int, n: float, root: Floats, inverse: Floats, W: Floats, spread: Floats
) -> float:  # fmt: skip
    """P_mm⁻¹ into inverse and n times into spread; log|P_mm|."""
    for i in range(nm):
        for j in range(nm):
            root[i, j] = P[m[i], m[j]]
    logarithm = _cholesky(root, nm)
    _invert(root, nm, inverse, W)
    for i in range(nm):
        for j in range(nm):
            spread[m[i], m[j]] += n * inverse[i, j]
    return logarithm


@compiled
def by_observed(
    S: Floats, places: Any, nm: int, n: float, root: Floats, inverse: Floats, W: Floats, M: Floats,
    spread: Floats,
) -> float:  # fmt: skip
    """S_mo S_oo⁻¹ into columns o of M, n(S_mm − S_mo S_oo⁻¹S_om) into spread; log|S_oo|."""
    m, o = places[:nm], places[nm:]
    no = len(o)
    for i in range(no):
        for j in range(no):
            root[i, j] = S[o[i], o[j]]
    logarithm = _cholesky(root, no)
    _invert(root, no, inverse, W)
    for i in range(nm):
        for j in range(nm):
            M[i, m[j]] = 0.0
        for j in range(no):
            s = 0.0
            for r in range(no):
                s += S[m[i], o[r]] * inverse[r, j]
            M[i, o[j]] = s
    for i in range(nm):
        for j in range(nm):
            s = S[m[i], m[j]]
            for r in range(no):
                s -= M[i, o[r]] * S[m[j], o[r]]
            spread[m[i], m[j]] += n * s
    return logarithm


@compiled
def fill_by_missing(y: Floats, P: Floats, m: Any, nm: int, inverse: Floats, b: Floats) -> None:
    """y_m ← −P_mm⁻¹P_m y; y is zero there."""
    for r in range(nm):
        s = 0.0
        for j in range(len(y)):
            s += P[m[r], j] * y[j]
        b[r] = s
    for r in range(nm):
        s = 0.0
        for j in range(nm):
            s -= inverse[r, j] * b[j]
        y[m[r]] = s


@compiled
def fill_by_observed(y: Floats, M: Floats, m: Any, nm: int, b: Floats) -> None:
    """y_m ← My, M = S_mo S_oo⁻¹ in columns o; y is zero at m."""
    for r in range(nm):
        s = 0.0
        for j in range(len(y)):
            s += M[r, j] * y[j]
        b[r] = s
    for r in range(nm):
        y[m[r]] = b[r]


@compiled
def _fill_plain(
    S: Floats,
    P: Floats,
    logdet: float,
    mu: Floats,
    observed: Mask,
    starts: Any,
    z: Floats,
    weights: Floats,
    anchored: Floats,
    filled: Floats,
    total: Floats,
    spread: Floats,
) -> float:
    d = len(mu)
    there, b, places = np.empty(d), np.empty(d), np.empty(d, np.int64)
    root, inverse, W, M = np.empty((d, d)), np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    logs = 0.0
    for k in range(len(observed)):
        nm = split(observed[k], there, places)
        n = weight_of(weights, anchored, starts[k], starts[k + 1])
        few = 2 * nm <= d
        if few:
            logs += n * (logdet + by_missing(P, places, nm, n, root, inverse, W, spread))
        else:
            logs += n * by_observed(S, places, nm, n, root, inverse, W, M, spread)
        for i in range(starts[k], starts[k + 1]):
            for j in range(d):
                filled[i, j] = (z[i, j] - anchored[i] * mu[j]) * there[j]
            if few:
                fill_by_missing(filled[i], P, places, nm, inverse, b)
            else:
                fill_by_observed(filled[i], M, places, nm, b)
            weight = anchored[i] * weights[i]
            for j in range(d):
                total[j] += weight * filled[i, j]
    return logs
