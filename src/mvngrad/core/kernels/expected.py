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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kept import Kept
from mvngrad.core.kernels.blocks import by_missing, by_observed, others
from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import fill_marginal, weight_of
from mvngrad.core.marginal import Sums
from mvngrad.core.ops import log_diagonal
from mvngrad.core.scatter import chunk_sums

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Fill = Callable[..., float]

NO_ROOM: Floats = np.empty(0)


def plain_side(L: Floats, W: Floats) -> Fill:
    """Fill from S = LLᵀ and P = WᵀW, W = L⁻¹, in the coordinates of the data."""
    S, P, logdet = L @ L.T, W.T @ W, 2.0 * log_diagonal(L)

    def fill(data: Any, part: slice, *arrays: Floats, blocks: Floats = NO_ROOM) -> float:
        ends = data.hole_ends[part.start : part.stop + 1]
        return fill_plain(S, P, logdet, blocks, data.holes, ends, *arrays)

    return fill


def marginal_side(L: Floats) -> Fill:
    """Fill by QR of the observed rows of L, in the coordinates whitened by it."""
    L = np.ascontiguousarray(L)

    def fill(data: Any, part: slice, *arrays: Floats) -> float:
        return fill_marginal(L, data.observed[part], *arrays)

    return fill


class Filled(NamedTuple):
    """Rows of a chunk of patterns, filled, and what they were made of."""

    z: Floats
    total: Floats
    spread: Floats
    logdet: float
    blocks: Floats = NO_ROOM

    def sums(self, weights: Floats) -> Sums:
        """Over the rows of the chunk."""
        d = len(self.total)
        scatter = chunk_sums(self.z, np.zeros(d), weights, work=np.inf).scatter
        return Sums(self.total, scatter, self.spread, self.logdet)


def filled(data: Any, mu: Floats, fill: Fill, bounds: tuple[int, int], **room: Floats) -> Filled:
    """The patterns from … to …, their rows filled, on the calling thread."""
    starts, kept = rows_of(data, bounds)
    d = data.d
    z, total, spread = np.empty_like(kept.z), np.zeros(d), np.zeros((d, d))
    logdet = fill(data, slice(*bounds), mu, starts, *kept, z, total, spread, **room)
    return Filled(z, total, spread, logdet, **room)


def filled_and_blocks(data: Any, mu: Floats, fill: Fill, bounds: tuple[int, int]) -> Filled:
    """The same with the P_mm⁻¹ of every pattern, one after the other."""
    counts = np.diff(data.hole_ends[bounds[0] : bounds[1] + 1])
    blocks = np.empty(int(counts @ counts) + 1)  # never without room
    return filled(data, mu, fill, bounds, blocks=blocks)


def rows_of(data: Any, bounds: tuple[int, int]) -> tuple[Any, Kept]:
    """Where the rows of each pattern begin, and the rows, counted from the first of them."""
    begin, end = bounds
    starts = data.starts[begin : end + 1]
    rows = slice(starts[0], starts[-1])
    return starts - starts[0], Kept(*(part[rows] for part in data.kept))


def sums(data: Any, mu: Floats, fill: Fill, bounds: tuple[int, int]) -> Sums:
    """Sums over the patterns from … to …, on the calling thread."""
    begin, end = bounds
    weights = data.kept.weights[data.starts[begin] : data.starts[end]]
    return filled(data, mu, fill, bounds).sums(weights)


@compiled
def _fill_by_missing(y: Floats, P: Floats, m: Any, V: Floats, b: Floats) -> None:
    """y_m ← −P_mm⁻¹P_m y; y is zero there."""
    nm = len(m)
    for r in range(nm):
        row, s = P[m[r]], 0.0
        for j in range(len(y)):
            s += row[j] * y[j]
        b[r] = s
    for r in range(nm):
        s = 0.0
        for j in range(nm):
            s -= V[r, j] * b[j]
        y[m[r]] = s


@compiled
def _fill_by_observed(y: Floats, M: Floats, m: Any, b: Floats) -> None:
    """y_m ← My, M = S_mo S_oo⁻¹ in columns o; y is zero at m."""
    nm = len(m)
    for r in range(nm):
        s = 0.0
        for j in range(len(y)):
            s += M[r, j] * y[j]
        b[r] = s
    for r in range(nm):
        y[m[r]] = b[r]


@compiled
def _add_block(V: Floats, m: Any, n: float, spread: Floats, blocks: Floats, at: int) -> int:
    """nV into spread, and V into blocks from place at on, if there is room; the place behind it."""
    nm = len(m)
    for i in range(nm):
        row = spread[m[i]]
        for j in range(nm):
            row[m[j]] += n * V[i, j]
    if len(blocks) > 0:
        for i in range(nm):
            for j in range(nm):
                blocks[at] = V[i, j]
                at += 1
    return at


@compiled
def _residual(z: Floats, a: float, mu: Floats, m: Any, y: Floats) -> None:
    """y ← z − aμ, and 0 at m."""
    for j in range(len(mu)):
        y[j] = z[j] - a * mu[j]
    for r in range(len(m)):
        y[m[r]] = 0.0


@compiled
def fill_plain(
    S: Floats,
    P: Floats,
    logdet: float,
    blocks: Floats,
    holes: Any,
    ends: Any,
    mu: Floats,
    starts: Any,
    z: Floats,
    weights: Floats,
    anchored: Floats,
    filled: Floats,
    total: Floats,
    spread: Floats,
) -> float:
    """Fill rows and add to total and spread; keep the P_mm⁻¹ in blocks, if there is room."""
    d = len(mu)
    V, O, M = np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    b, o = np.empty(d), np.empty(d, np.uintp)
    logs, whole, at = 0.0, 0.0, 0
    for k in range(len(starts) - 1):
        m = holes[ends[k] : ends[k + 1]]
        nm = len(m)
        n = weight_of(weights, anchored, starts[k], starts[k + 1])
        few = 2 * nm <= d
        if few:
            whole += n  # times log|S| once and for all: a term of every sum would pile up rounding
            logs += n * by_missing(P, m, V, b)
        else:
            others(m, d, o)
            logs += n * by_observed(S, m, o[: d - nm], V, b, O, M)
        at = _add_block(V, m, n, spread, blocks, at)
        for i in range(starts[k], starts[k + 1]):
            y, weight = filled[i], anchored[i] * weights[i]
            _residual(z[i], anchored[i], mu, m, y)
            if few:
                _fill_by_missing(y, P, m, V, b)
            else:
                _fill_by_observed(y, M, m, b)
            if weight > 0.0:
                for j in range(d):
                    total[j] += weight * y[j]
    return logs + whole * logdet
