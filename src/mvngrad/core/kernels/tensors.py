"""The sums of a whole curvature matrix over rows with holes, compiled. Specified by ``whole``.

In the coordinates of the data, with V = P_mm⁻¹ widened with zeros and x̃ the filled residual of a
row (``kernels.curvature``), all that δ and E are multiplied with is

    U_ikb = Σ w V_ik x̃_b        F_ikcb = Σ w V_ik (x̃_c x̃_b + ½ V_cb)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.expected import filled, plain_side, rows_of
from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import weight_of
from mvngrad.core.marginal import Sums

Floats = npt.NDArray[np.float64]


class Tensors(NamedTuple):
    """The sums of an evaluation, in the coordinates of the data, U (d, d, d) and F (d, d, d, d)."""

    sums: Sums
    U: Floats
    F: Floats

    def __add__(self, other: Tensors) -> Tensors:  # type: ignore[override]
        return Tensors(self.sums + other.sums, self.U + other.U, self.F + other.F)


def tensors(data: Any, mu: Floats, L: Floats, W: Floats, bounds: tuple[int, int]) -> Tensors:
    """Over the patterns from … to …, on the calling thread."""
    begin, end = bounds
    d, ends = data.d, data.hole_ends[begin : end + 1]
    blocks = np.empty(int((np.diff(ends) ** 2).sum()) + 1)  # never without room
    chunk = filled(data, mu, plain_side(L, W), bounds, blocks=blocks)
    starts, kept = rows_of(data, bounds)
    U, F = np.zeros((d, d, d)), np.zeros((d, d, d, d))
    _add_tensors(blocks, data.holes, ends, starts, chunk.z, kept.weights, kept.anchored, U, F)
    _mirror(U, F)
    return Tensors(chunk.sums(kept.weights), U, F)


@compiled
def _add_tensors(
    blocks: Floats, holes: Any, ends: Any, starts: Any, z: Floats, weights: Floats,
    anchored: Floats, U: Floats, F: Floats,
) -> None:  # fmt: skip
    """Add every pattern's part, where i ≥ k and c ≥ b."""
    d = z.shape[1]
    t, M = np.empty(d), np.empty((d, d))
    block = 0
    for p in range(len(starts) - 1):
        m = holes[ends[p] : ends[p + 1]]
        nm = len(m)
        if nm == 0:
            continue
        V = blocks[block : block + nm * nm].reshape((nm, nm))
        block += nm * nm
        n = weight_of(weights, anchored, starts[p], starts[p + 1])
        t[:] = 0.0
        M[:] = 0.0
        for r in range(starts[p], starts[p + 1]):
            for c in range(d):
                wx = weights[r] * z[r, c]
                t[c] += anchored[r] * wx
                for b in range(c + 1):
                    M[c, b] += wx * z[r, b]
        for i in range(nm):
            for k in range(i + 1):
                M[m[i], m[k]] += 0.5 * n * V[i, k]
        for i in range(nm):
            for k in range(i + 1):
                v, to, of = V[i, k], F[m[i], m[k]], U[m[i], m[k]]
                for c in range(d):
                    of[c] += v * t[c]
                    for b in range(c + 1):
                        to[c, b] += v * M[c, b]


@compiled
def _mirror(U: Floats, F: Floats) -> None:
    """The rest, by symmetry in (i, k) and in (c, b)."""
    d = len(U)
    for i in range(d):
        for k in range(i + 1):
            for c in range(d):
                U[k, i, c] = U[i, k, c]
                for b in range(c + 1):
                    F[i, k, b, c] = F[i, k, c, b]
            for c in range(d):
                for b in range(d):
                    F[k, i, c, b] = F[i, k, c, b]
