"""The curvature of J on rows with holes: second derivatives in (μ, S), in closed form.

In coordinates whitened by L, with Π the projection on what a row observes, z = Π L⁻¹(x − μ) and
G = ½ Σ w (Π − zzᵀ) the core of ∂J/∂S, tangents δ of μ and E of S (both whitened) change

    dΠ = −ΠEΠ      dz = −u,  u = Π(Ez + δ)
    d(∂J/∂μ) = Σ w u        dG = ½ Σ w (uzᵀ + zuᵀ − ΠEΠ)

This is the observed information, not that of complete data (Π = I): along what is missing it is
flat, and where J has a saddle it is negative. (Magnus & Neudecker 2019, §15.6, row by row)
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.expected import KERNEL_WORK, SHARED, Block, blocks_of, chunks, summed, work_of
from mvngrad.core.marginal import Marginal
from mvngrad.core.ops import Array, condition_estimate, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.threads import default_threads, map_reduce

MOST_PLAIN = 1e5  # cond(L) beyond which S and S⁻¹ have too few digits to tell a direction


class Change(NamedTuple):
    """Σ w u (d,), Σ w uzᵀ (d, d) and Σ w ΠEΠ (d, d)."""

    mean: Array
    cross: Array
    spread: Array

    def __add__(self, other: Change) -> Change:  # type: ignore[override]
        return Change(*(mine + its for mine, its in zip(self, other, strict=True)))


def curvature_product(
    data: Patterns, mu: Array, L: Array, delta: Array, E: Array
) -> tuple[Array, Array]:
    """d(∂J/∂μ) (d,) and dG (d, d), symmetric, for tangents δ (d,) and E (d, d), all whitened."""
    change = _sums(data, mu, L, delta, E)
    return change.mean, 0.5 * (change.cross + change.cross.T - change.spread)


def _sums(data: Patterns, mu: Array, L: Array, delta: Array, E: Array) -> Change:
    if condition_estimate(L) > MOST_PLAIN:
        return marginal_change(data, mu, L, delta, E)
    if work_of(data) < KERNEL_WORK or (kernel := _kernel()) is None:
        return plain_change(data, mu, L, delta, E)
    at = kernel.Tangent.of(mu, L, solve_lower(L, np.eye(data.d)), delta, E)
    bounds = chunks(data)
    threads = default_threads() if len(bounds) >= SHARED else 1
    parts = map_reduce(lambda part: kernel.parts(data, at, part), bounds, add, threads)
    return Change(*kernel.whitened(parts, at))


def _kernel() -> Any:
    try:
        from mvngrad.core.kernels import curvature
    except ImportError:  # no compiler here: the specification serves
        return None
    return curvature


def marginal_change(data: Patterns, mu: Array, L: Array, delta: Array, E: Array) -> Change:
    """The sums as they stand above, with Π = QQᵀ, L_oᵀ = QR: the specification."""
    change = Change(np.zeros(data.d), np.zeros_like(E), np.zeros_like(E))
    for n, (observed, kept) in zip(data.pattern_weights, data.each, strict=True):
        marginal = Marginal.of(L, observed)
        y = kept.z[:, observed] - np.multiply.outer(kept.anchored, mu[observed])
        z = marginal.whiten(np.ascontiguousarray(y.T)).T @ marginal.Q.T
        Pi = marginal.Q @ marginal.Q.T
        u = (z @ E + np.multiply.outer(kept.anchored, delta)) @ Pi * kept.weights[:, None]
        change += Change(kept.anchored @ u, u.T @ z, n * Pi @ E @ Pi)
    return change


def plain_change(data: Patterns, mu: Array, L: Array, delta: Array, E: Array) -> Change:
    """The same with Π = LᵀΩL, Ω = S_oo⁻¹ widened with zeros, from moments of many patterns."""
    return reduce(Change.__add__, (_plain(b, mu, L, delta, E) for b in blocks_of(data, L)))


def _plain(block: Block, mu: Array, L: Array, delta: Array, E: Array) -> Change:
    (n, c, C), Omega, _ = block
    half = Omega @ L  # z = halfᵀ(x − μ)
    Pi, second = L.T @ half, half.transpose(0, 2, 1) @ C @ half
    z = np.matmul((c - mu)[:, None, :], half)[:, 0, :]
    u = np.matmul(Pi, (z @ E + delta)[:, :, None])[:, :, 0] * n[:, None]
    PiE = Pi @ E
    return Change(u.sum(axis=0), summed(PiE, second) + u.T @ z, summed(PiE * n[:, None, None], Pi))
