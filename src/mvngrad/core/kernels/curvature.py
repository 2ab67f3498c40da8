"""The curvature's sums over rows with holes, compiled. Specified by ``plain_change``.

In the coordinates of the data, P = S⁻¹ = WᵀW, with x̃ the filled residual of a row and Ṡ = LELᵀ,

    ũ = ṠPx̃ + Lδ, filled like a row: what it is at the missing ones follows from the others
    Σ w uzᵀ = W (Σ w ũx̃ᵀ) Wᵀ        Σ w u = W Σ w ũ

so a product costs two fills and two products with BLAS. The patterns' own term needs no more than
the blocks that are factored anyway: with N = WᵀEW, and U the columns m of W,

    ΠEΠ = E − RE − ER + U P_mm⁻¹N_mm P_mm⁻¹Uᵀ,  R = U P_mm⁻¹Uᵀ        or  Lᵀ_o S_oo⁻¹Ṡ_oo S_oo⁻¹L_o
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels.expected import (
    by_missing,
    by_observed,
    fill_by_missing,
    fill_by_observed,
    plain_side,
    split,
)
from mvngrad.core.kernels.jit import compiled
from mvngrad.core.kernels.marginal import weight_of

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Tangent(NamedTuple):
    """μ and L, and what is the same for all patterns along (δ, E)."""

    mu: Floats
    L: Floats
    W: Floats
    S: Floats
    P: Floats
    N: Floats
    S_dot: Floats
    mean_dot: Floats
    E: Floats

    @classmethod
    def of(cls, mu: Floats, L: Floats, W: Floats, delta: Floats, E: Floats) -> Tangent:
        """At (μ, LLᵀ), W = L⁻¹, along whitened tangents."""
        return cls(mu, L, W, L @ L.T, W.T @ W, W.T @ E @ W, L @ E @ L.T, L @ delta, E)


class Parts(NamedTuple):
    """Σ w ũ, Σ w ũx̃ᵀ, Σ n P_mm⁻¹, Σ n P_mm⁻¹N_mm P_mm⁻¹, Σ n S_oo⁻¹Ṡ_oo S_oo⁻¹; their weight n."""

    mean: Floats
    cross: Floats
    rest: Floats
    missing: Floats
    observed: Floats
    weight: float

    def __add__(self, other: Parts) -> Parts:  # type: ignore[override]
        (a, b, c, e, f, n), (p, q, r, s, t, m) = self, other
        return Parts(a + p, b + q, c + r, e + s, f + t, n + m)


def parts(data: Any, at: Tangent, bounds: tuple[int, int]) -> Parts:
    """Sums over the patterns from … to …, in the coordinates of the data."""
    begin, end = bounds
    rows = slice(data.starts[begin], data.starts[end])
    z, weights, anchored = (part[rows] for part in data.kept)
    observed, starts = data.observed[begin:end], data.starts[begin : end + 1] - data.starts[begin]
    d = z.shape[1]
    x, scrap = np.empty_like(z), np.zeros((d, d))
    plain_side(at.S, at.P)(at.mu, observed, starts, z, weights, anchored, x, np.zeros(d), scrap)
    u = x @ (at.S_dot @ at.P).T
    u += np.multiply.outer(anchored, at.mean_dot)
    rest, missing, seen = np.zeros((3, d, d))
    n = _change(
        at.S, at.P, at.N, at.S_dot, observed, starts, weights, anchored, u, rest, missing, seen
    )
    u *= weights[:, None]
    return Parts(anchored @ u, u.T @ x, rest, missing, seen, n)


def whitened(sums: Parts, at: Tangent) -> tuple[Floats, Floats, Floats]:
    """Σ w u, Σ w uzᵀ and Σ w ΠEΠ."""
    W, L, E = at.W, at.L, at.E
    RE = W @ sums.rest @ W.T @ E
    spread = sums.weight * E - RE - RE.T + W @ sums.missing @ W.T + L.T @ sums.observed @ L
    return W @ sums.mean, W @ sums.cross @ W.T, spread


@compiled
def _sandwich(A: Floats, B: Floats, places: Any, k: int, n: float, half: Floats, C: Floats) -> None:
    """C ← C + n A B A at the places, A (k, k), B there."""
    for i in range(k):
        for j in range(k):
            s = 0.0
            for r in range(k):
                s += A[i, r] * B[places[r], places[j]]
            half[i, j] = s
    for i in range(k):
        for j in range(k):
            s = 0.0
            for r in range(k):
                s += half[i, r] * A[r, j]
            C[places[i], places[j]] += n * s


@compiled
def _change(
    S: Floats, P: Floats, N: Floats, S_dot: Floats, observed: Mask, starts: Any, weights: Floats,
    anchored: Floats, u: Floats, rest: Floats, missing: Floats, seen: Floats,
) -> float:  # fmt: skip
    """Fill u in place, and add the patterns' own terms; the weight of those by their missing."""
    d = len(S)
    there, b, places = np.empty(d), np.empty(d), np.empty(d, np.int64)
    root, inverse, W, M = np.empty((d, d)), np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    scrap, total = np.zeros((d, d)), 0.0
    for k in range(len(observed)):
        nm = split(observed[k], there, places)
        n = weight_of(weights, anchored, starts[k], starts[k + 1])
        few = 2 * nm <= d
        if few:
            by_missing(P, places, nm, n, root, inverse, W, rest)
            _sandwich(inverse, N, places, nm, n, W, missing)
            total += n
        else:
            by_observed(S, places, nm, n, root, inverse, W, M, scrap)
            _sandwich(inverse, S_dot, places[nm:], d - nm, n, W, seen)
        for i in range(starts[k], starts[k + 1]):
            for j in range(d):
                u[i, j] *= there[j]
            if few:
                fill_by_missing(u[i], P, places, nm, inverse, b)
            else:
                fill_by_observed(u[i], M, places, nm, b)
    return total
