"""The curvature's sums over rows with holes, compiled. Specified by ``plain_curvature``.

In the coordinates of the data, P = S⁻¹ = WᵀW and V = P_mm⁻¹, with x̃ the filled residual of a row
and N = WᵀEW, s = Wᵀδ. A row y with entries m filled from the others is y − I_m V(Py)_m, so that

    ũ = ṠPx̃ + Lδ − I_m h        h = V(Nx̃ + s)_m                       Ṡ = LELᵀ, and PṠP = N
    Σ w uzᵀ = EA + δtᵀ − W (Σ w I_m h x̃ᵀ) Wᵀ       Σ w u = Et + nδ − W Σ w I_m h
    Σ w ΠEΠ = nE − RE − ER + W (Σ w I_m V N_mm V I_mᵀ) Wᵀ

with t, A and R the sums of the evaluation: total, scatter and spread. A product costs no more than
what the missing entries m of a row do, twice d each. The V and the filled entries are kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.expected import filled_and_blocks, plain_side, rows_of
from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import weight_of
from mvngrad.core.marginal import Sums

Floats = npt.NDArray[np.float64]
Bounds = tuple[int, int]


class Kit(NamedTuple):
    """Of a chunk of patterns: the V, one after the other, and the entries that rows lacked."""

    bounds: Bounds
    blocks: Floats
    entries: Floats


class Parts(NamedTuple):
    """Σ w I_m h (d,), Σ w I_m h x̃ᵀ (d, d) and Σ w I_m V N_mm V I_mᵀ (d, d)."""

    mean: Floats
    cross: Floats
    spread: Floats

    def __add__(self, other: Parts) -> Parts:  # type: ignore[override]
        return Parts(*(mine + its for mine, its in zip(self, other, strict=True)))


class Ready(NamedTuple):
    """The sums of an evaluation, in the coordinates of the data, and a kit for each chunk."""

    sums: Sums
    kits: tuple[Kit, ...]

    def __add__(self, other: Ready) -> Ready:  # type: ignore[override]
        return Ready(self.sums + other.sums, self.kits + other.kits)


def ready(data: Any, mu: Floats, L: Floats, W: Floats, bounds: Bounds) -> Ready:
    """What products over the patterns from … to … have in common."""
    begin, end = bounds
    chunk = filled_and_blocks(data, mu, plain_side(L, W), bounds)
    starts, kept = rows_of(data, bounds)
    entries = chunk.z[~np.repeat(data.observed[begin:end], np.diff(starts), axis=0)]
    return Ready(chunk.sums(kept.weights), (Kit(bounds, chunk.blocks, entries),))


def parts(data: Any, mu: Floats, N: Floats, slope: Floats, kit: Kit) -> Parts:
    """Sums over the patterns of a kit, along s = Wᵀδ and N."""
    (begin, end), blocks, entries = kit
    starts, kept = rows_of(data, kit.bounds)
    d = len(mu)
    out = Parts(np.zeros(d), np.zeros((d, d)), np.zeros((d, d)))
    ends = data.hole_ends[begin : end + 1]
    _change(N, slope, blocks, entries, data.holes, ends, mu, starts, *kept, *out)
    return out


@compiled
def _sandwich(V: Floats, N: Floats, m: Any, n: float, half: Floats, C: Floats) -> None:
    """C ← C + n V N_mm V at the places m, V (|m|, |m|)."""
    k = len(m)
    for i in range(k):
        row = N[m[i]]
        for j in range(k):
            s = 0.0
            for r in range(k):
                s += row[m[r]] * V[r, j]
            half[i, j] = s
    for i in range(k):
        row = C[m[i]]
        for j in range(i + 1):
            s = 0.0
            for r in range(k):
                s += V[i, r] * half[r, j]
            row[m[j]] += n * s
            if j < i:
                C[m[j], m[i]] += n * s


@compiled
def _change(
    N: Floats, slope: Floats, blocks: Floats, entries: Floats, holes: Any, ends: Any, mu: Floats,
    starts: Any, z: Floats, weights: Floats, anchored: Floats, mean: Floats, cross: Floats,
    spread: Floats,
) -> None:  # fmt: skip
    """Add the parts of every pattern."""
    d = len(mu)
    half, x, g = np.empty((d, d)), np.empty(d), np.empty(d)
    block, entry = 0, 0
    for k in range(len(starts) - 1):
        m = holes[ends[k] : ends[k + 1]]
        nm = len(m)
        if nm == 0:
            continue
        V = blocks[block : block + nm * nm].reshape((nm, nm))
        block += nm * nm
        n = weight_of(weights, anchored, starts[k], starts[k + 1])
        _sandwich(V, N, m, n, half, spread)
        for i in range(starts[k], starts[k + 1]):
            a, w, row = anchored[i], weights[i], z[i]
            for j in range(d):
                x[j] = row[j] - a * mu[j]
            for r in range(nm):
                x[m[r]] = entries[entry + r]
            entry += nm
            for r in range(nm):
                of, s = N[m[r]], a * slope[m[r]]
                for j in range(d):
                    s += of[j] * x[j]
                g[r] = s
            for r in range(nm):
                h = 0.0
                for j in range(nm):
                    h += V[r, j] * g[j]
                h *= w
                mean[m[r]] += a * h
                to = cross[m[r]]
                for j in range(d):
                    to[j] += h * x[j]
