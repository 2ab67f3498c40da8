"""Rows of a chunk put in the place of their pattern, compiled: as they are, or fewer that say
the same. Specified by ``mvngrad.core.grouping`` and ``mvngrad.core.kept``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.jit import compiled

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

STRETCH = 256  # rows that one sum runs over


@compiled
def _weighted(weights: Floats, i: int) -> float:
    return weights[i] if len(weights) > 0 else 1.0


@compiled
def _read(X: Any, i: int, origin: Floats, factors: Floats, z: Floats) -> None:
    """z ← row i in the frame, 0 where missing."""
    for j in range(len(z)):
        x = X[i, j]
        z[j] = (x - origin[j]) * factors[j] if x == x else 0.0  # noqa: PLR0124 - NaN is not


@compiled
def _mean_of(
    X: Any, weights: Floats, origin: Floats, factors: Floats, rows: Any, z: Floats, c: Floats
) -> float:
    """c ← Σ wz/n over rows; n = Σ w. By stretches, in each of which little rounding piles up."""
    n, part = 0.0, np.empty(len(c))
    c[:] = 0.0
    for begin in range(0, len(rows), STRETCH):
        of_part = 0.0
        part[:] = 0.0
        for i in rows[begin : begin + STRETCH]:
            w = _weighted(weights, i)
            of_part += w
            _read(X, i, origin, factors, z)
            for j in range(len(z)):
                part[j] += w * z[j]
        n += of_part
        for j in range(len(c)):
            c[j] += part[j]
    for j in range(len(c)):
        c[j] /= n
    return n


@compiled
def _add_four(y: Floats, k: int, C: Floats) -> None:
    """The lower triangle of C (k, k) + Σ yyᵀ of four rows."""
    y0, y1, y2, y3 = y[0], y[1], y[2], y[3]
    for i in range(k):
        row, a, b, c, e = C[i], y0[i], y1[i], y2[i], y3[i]
        for j in range(i + 1):
            row[j] += (a * y0[j] + b * y1[j]) + (c * y2[j] + e * y3[j])


@compiled
def _add_scatter(
    X: Any, weights: Floats, origin: Floats, factors: Floats, rows: Any, o: Any, k: int,
    c: Floats, z: Floats, y: Floats, C: Floats,
) -> None:  # fmt: skip
    """The lower triangle of C (k, k) + Σ w(z − c)(z − c)ᵀ over rows, of the columns o."""
    at = 0
    for i in rows:
        _read(X, i, origin, factors, z)
        scale = np.sqrt(_weighted(weights, i))
        for r in range(k):
            y[at, r] = scale * (z[o[r]] - c[o[r]])
        at += 1
        if at == 4:
            _add_four(y, k, C)
            at = 0
    if at > 0:
        y[at:] = 0.0
        _add_four(y, k, C)


@compiled
def _scatter(
    X: Any, weights: Floats, origin: Floats, factors: Floats, rows: Any, o: Any, k: int,
    c: Floats, z: Floats, y: Floats, part: Floats, C: Floats,
) -> None:  # fmt: skip
    """The same by stretches, into C."""
    C[:k] = 0.0
    for begin in range(0, len(rows), STRETCH):
        part[:k] = 0.0
        some = rows[begin : begin + STRETCH]
        _add_scatter(X, weights, origin, factors, some, o, k, c, z, y, part)
        for i in range(k):
            for j in range(i + 1):
                C[i, j] += part[i, j]


@compiled
def _root(C: Floats, k: int, floor: float) -> bool:
    """L in the place of C (k, k), LLᵀ = C; False where a pivot is no more than a floor's share."""
    for j in range(k):
        square = C[j, j]
        pivot = square
        for r in range(j):
            pivot -= C[j, r] * C[j, r]
        if not pivot > floor * square:
            return False
        C[j, j] = np.sqrt(pivot)
        for i in range(j + 1, k):
            s = C[i, j]
            for r in range(j):
                s -= C[i, r] * C[j, r]
            C[i, j] = s / C[j, j]
    return True


@compiled
def put(
    X: Any, weights: Floats, origin: Floats, factors: Floats, order: Index, begins: Index,
    starts: Index, observed: Any, floor: float, z: Floats, w: Floats, a: Floats,
) -> Any:  # fmt: skip
    """Fill z, w and a, all of them; where a pattern's root would lose digits, say so of it.

    ``factors`` are the reciprocals of the frame's scales.
    Rows order[begins[p] : begins[p + 1]] of X go to starts[p] : starts[p + 1].
    """
    d, left = X.shape[1], np.zeros(len(observed), np.bool_)
    read, y, C, part = np.empty(d), np.empty((4, d)), np.empty((d, d)), np.empty((d, d))
    o = np.empty(d, np.intp)
    for p in range(len(observed)):
        rows, to = order[begins[p] : begins[p + 1]], starts[p]
        if starts[p + 1] - to == len(rows):
            for i in rows:
                _read(X, i, origin, factors, z[to])
                w[to], a[to] = _weighted(weights, i), 1.0
                to += 1
            continue
        k = 0
        for j in range(d):
            if observed[p, j]:
                o[k] = j
                k += 1
        w[to], a[to] = _mean_of(X, weights, origin, factors, rows, read, z[to]), 1.0
        _scatter(X, weights, origin, factors, rows, o, k, z[to], read, y, part, C)
        left[p] = not _root(C, k, floor)
        for r in range(k):
            to += 1
            w[to], a[to] = 1.0, 0.0
            z[to] = 0.0
            for i in range(r, k):
                z[to, o[i]] = C[i, r]
    return left
