"""The sums of a whole curvature matrix over rows with holes, compiled. Specified by ``whole``.

In the coordinates of the data, with V = P_mm⁻¹ widened with zeros and x̃ the filled residual of a
row (``kernels.curvature``), all that δ and E are multiplied with is

    U_ikb = Σ w V_ik x̃_b        F_ikcb = Σ w V_ik (x̃_c x̃_b + ½ V_cb)

symmetric in (i, k) and in (c, b): kept for i ≥ k and c ≥ b alone, row by row, as U (q, d) and
F (q, q), q = d(d+1)/2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.expected import Filled, filled_and_blocks, plain_side, rows_of
from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import weight_of
from mvngrad.core.marginal import Sums

Floats = npt.NDArray[np.float64]
Bounds = tuple[int, int]


class Tensors(NamedTuple):
    """The sums of an evaluation, in the coordinates of the data, U and F."""

    sums: Sums
    U: Floats
    F: Floats

    def __add__(self, other: Tensors) -> Tensors:  # type: ignore[override]
        return Tensors(self.sums + other.sums, self.U + other.U, self.F + other.F)


def tensors(data: Any, mu: Floats, L: Floats, W: Floats, bounds: Bounds) -> Tensors:
    """Over the patterns from … to …, on the calling thread."""
    chunk = filled_and_blocks(data, mu, plain_side(L, W), bounds)
    weights = data.kept.weights[data.starts[bounds[0]] : data.starts[bounds[1]]]
    return Tensors(chunk.sums(weights), *of_filled(data, chunk, bounds))


def of_filled(data: Any, chunk: Filled, bounds: Bounds) -> tuple[Floats, Floats]:
    """U and F over the patterns from … to …, of rows that are filled."""
    d, ends = data.d, data.hole_ends[bounds[0] : bounds[1] + 1]
    starts, kept = rows_of(data, bounds)
    q = d * (d + 1) // 2
    FU = np.zeros((q, q + d))  # side by side: one loop adds to both
    _add_tensors(chunk.blocks, data.holes, ends, starts, chunk.z, kept.weights, kept.anchored, FU)
    return FU[:, q:], FU[:, :q]


@compiled
def _add_tensors(
    blocks: Floats, holes: Any, ends: Any, starts: Any, z: Floats, weights: Floats,
    anchored: Floats, FU: Floats,
) -> None:  # fmt: skip
    """Add every pattern's part."""
    d, q = z.shape[1], len(FU)
    M, block = np.empty(q + d), 0  # Σ wx̃x̃ᵀ by its lower triangle, then Σ wx̃
    for p in range(len(starts) - 1):
        m = holes[ends[p] : ends[p + 1]]
        nm = len(m)
        if nm == 0:
            continue
        V = blocks[block : block + nm * nm].reshape((nm, nm))
        block += nm * nm
        n = weight_of(weights, anchored, starts[p], starts[p + 1])
        M[:] = 0.0
        for r in range(starts[p], starts[p + 1]):
            at = 0
            for c in range(d):
                wx = weights[r] * z[r, c]
                M[q + c] += anchored[r] * wx
                for b in range(c + 1):
                    M[at + b] += wx * z[r, b]
                at += c + 1
        for i in range(nm):
            before = m[i] * (m[i] + 1) // 2
            for k in range(i + 1):
                M[before + m[k]] += 0.5 * n * V[i, k]
        for i in range(nm):
            before = m[i] * (m[i] + 1) // 2
            for k in range(i + 1):
                v, to = V[i, k], FU[before + m[k]]
                for c in range(len(M)):
                    to[c] += v * M[c]
