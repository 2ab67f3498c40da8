"""The curvature's sums over rows with holes, compiled. Specified by ``plain_change``.

Π = I − VᵀV with the rows of V (|m|, d) an orthonormal basis of the columns m of L⁻¹, so projecting
costs 2d|m| a row, and ΠEΠ = E − VᵀB − BᵀV with B = VE − ½(VEVᵀ)V. What is the same for all
patterns, E times something, is left to BLAS; the loops do what each pattern has for itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.curvature import Change
from mvngrad.core.kernels.jit import compiled

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def change(
    data: Any, mu: Floats, W: Floats, delta: Floats, E: Floats, bounds: tuple[int, int]
) -> Change:
    """Sums over the patterns from … to …; of the spread Σ n VᵀB. W is L⁻¹."""
    begin, end = bounds
    rows = slice(data.starts[begin], data.starts[end])
    z, weights, anchored = (part[rows] for part in data.kept)
    observed, starts = data.observed[begin:end], data.starts[begin : end + 1] - data.starts[begin]
    firsts = np.concatenate([[0], np.cumsum((~observed).sum(axis=1))])  # rows of V of a pattern
    V = np.ascontiguousarray(W.T)[np.nonzero(~observed)[1]]
    y = z - np.multiply.outer(anchored, mu)
    _clear(y, observed, starts)
    Z = y @ W.T
    _project(V, firsts, starts, Z)
    U = np.matmul(Z, E, out=y)
    U += np.multiply.outer(anchored, delta)
    B = V @ E
    _change(V, B, firsts, starts, U)
    n = np.repeat(data.pattern_weights[begin:end], np.diff(firsts))
    U *= weights[:, None]
    return Change(anchored @ U, U.T @ Z, (V * n[:, None]).T @ B)


@compiled
def _clear(y: Floats, observed: Mask, starts: Any) -> None:
    """y ← 0 where nothing is observed."""
    for k in range(len(observed)):
        for i in range(starts[k], starts[k + 1]):
            for j in range(y.shape[1]):
                if not observed[k, j]:
                    y[i, j] = 0.0


@compiled
def _orthonormalise(V: Floats, begin: int, end: int) -> None:
    """Rows of V ← an orthonormal basis of what they span: modified Gram–Schmidt, twice."""
    d = V.shape[1]
    for i in range(begin, end):
        for _ in range(2):
            for r in range(begin, i):
                s = 0.0
                for c in range(d):
                    s += V[i, c] * V[r, c]
                for c in range(d):
                    V[i, c] -= s * V[r, c]
        s = 0.0
        for c in range(d):
            s += V[i, c] * V[i, c]
        s = 1.0 / np.sqrt(s)
        for c in range(d):
            V[i, c] *= s


@compiled
def _drop(V: Floats, begin: int, end: int, X: Floats, i: int) -> None:
    """Row x of X ← x − VᵀVx."""
    d = V.shape[1]
    for r in range(begin, end):
        s = 0.0
        for c in range(d):
            s += V[r, c] * X[i, c]
        for c in range(d):
            X[i, c] -= s * V[r, c]


@compiled
def _project(V: Floats, firsts: Any, starts: Any, Z: Floats) -> None:
    """V made orthonormal, pattern by pattern, and Z ← ΠZ."""
    for k in range(len(starts) - 1):
        _orthonormalise(V, firsts[k], firsts[k + 1])
        for i in range(starts[k], starts[k + 1]):
            _drop(V, firsts[k], firsts[k + 1], Z, i)


@compiled
def _change(V: Floats, B: Floats, firsts: Any, starts: Any, U: Floats) -> None:
    """U ← ΠU, and B ← B − ½(BVᵀ)V."""
    d = V.shape[1]
    half = np.empty((d, d))
    for k in range(len(starts) - 1):
        begin, end = firsts[k], firsts[k + 1]
        for i in range(starts[k], starts[k + 1]):
            _drop(V, begin, end, U, i)
        for i in range(begin, end):
            for r in range(begin, end):
                s = 0.0
                for c in range(d):
                    s += B[i, c] * V[r, c]
                half[i - begin, r - begin] = 0.5 * s
        for i in range(begin, end):
            for r in range(begin, end):
                s = half[i - begin, r - begin]
                for c in range(d):
                    B[i, c] -= s * V[r, c]
