"""The curvature of J on rows with holes: second derivatives in (μ, S), in closed form.

In coordinates whitened by L, with Π the projection on what a row observes, z = Π L⁻¹(x − μ) and
G = ½ Σ w (Π − zzᵀ) the core of ∂J/∂S, tangents δ of μ and E of S (both whitened) change

    dΠ = −ΠEΠ      dz = −u,  u = Π(Ez + δ)
    d(∂J/∂μ) = Σ w u        dG = ½ Σ w (uzᵀ + zuᵀ − ΠEΠ)

This is the observed information, not that of complete data (Π = I): along what is missing it is
flat, and where J has a saddle it is negative. (Magnus & Neudecker 2019, §15.6, row by row)
"""

from __future__ import annotations

import itertools
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.expected import SHARED, blocks_of, seen_whitened, summed, work_of
from mvngrad.core.grouping import KERNEL_WORK
from mvngrad.core.kernels import loops
from mvngrad.core.marginal import Marginal
from mvngrad.core.ops import Array, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.projections import Projections, residuals
from mvngrad.core.seen import Seen, is_plain, seen
from mvngrad.core.threads import default_threads, map_reduce
from mvngrad.core.whole import Product, whole

MOST_KEPT = 2**26  # numbers in the projections of all patterns: 0.5 GB, a few times
WHOLE = 16  # columns up to which NumPy makes the whole matrix of a product: 0.5 MB


class Change(NamedTuple):
    """Σ w u (d,), Σ w uzᵀ (d, d) and Σ w ΠEΠ (d, d)."""

    mean: Array
    cross: Array
    spread: Array

    def __add__(self, other: Change) -> Change:  # type: ignore[override]
        return Change(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def of_gradients(self) -> tuple[Array, Array]:
        """d(∂J/∂μ) and dG."""
        return self.mean, 0.5 * (self.cross + self.cross.T - self.spread)


def curvature_product(
    data: Patterns, mu: Array, L: Array, delta: Array, E: Array
) -> tuple[Array, Array]:
    """d(∂J/∂μ) (d,) and dG (d, d), symmetric, for tangents δ (d,) and E (d, d), all whitened."""
    return curvature_at(data, mu, L)(delta, E)


def curvature_at(data: Patterns, mu: Array, L: Array) -> Product:
    """The same as a map of (δ, E): what depends on the point alone is made once.

    From S and S⁻¹ while these keep the digits, else by rows: errors go with ε√cond(S).
    """
    plain = is_plain(data, L)
    if plain and work_of(data) >= KERNEL_WORK and (kernel := loops("curvature")) is not None:
        return _compiled(kernel, data, mu, L)
    if data.d <= WHOLE:
        return whole(data, mu, L, plain=plain).product()
    return _by_blocks(data, mu, L) if plain else _by_rows(data, mu, L)


def _by_rows(data: Patterns, mu: Array, L: Array) -> Product:
    if len(data.counts) * data.d**2 > MOST_KEPT:
        return lambda delta, E: marginal_change(data, mu, L, delta, E).of_gradients
    at = Projections.at(L, data.groups)
    z, ones = at.expected(residuals(data, mu)), data.kept.anchored[:, None]
    rows = product_of_rows(data, at, z, ones)

    def product(delta: Array, E: Array) -> tuple[Array, Array]:
        dg, dG = rows(delta[:, None], E)
        return dg[:, 0], dG

    return product


def product_of_rows(data: Patterns, at: Projections, z: Array, zeta: Array) -> Product:
    """Of rows with means Mζ, δ (d, P): u = Π(Ez + δζ), d(∂J/∂M) = Σ w uζᵀ."""
    n, w = data.pattern_weights, data.kept.weights[:, None]

    def product(delta: Array, E: Array) -> tuple[Array, Array]:
        u = at.projected(z @ E + zeta @ delta.T) * w
        cross = u.T @ z
        return u.T @ zeta, 0.5 * (cross + cross.T - at.sandwich(n, E))

    return product


def _by_blocks(data: Patterns, mu: Array, L: Array) -> Product:
    """From blocks of patterns: one is kept, several are made anew for each product."""
    blocks = list(itertools.islice(blocks_of(data, L), 2))
    if len(blocks) > 1:
        return lambda delta, E: plain_change(data, mu, L, delta, E).of_gradients
    kept = Seen.of(blocks[0], mu, L)
    return lambda delta, E: _plain(kept, delta, E).of_gradients


def _compiled(kernel: Any, data: Patterns, mu: Array, L: Array) -> Product:
    n, W, bounds = data.weight, solve_lower(L, np.eye(data.d)), data.chunks
    threads = default_threads() if len(bounds) >= SHARED else 1
    sums, kits = map_reduce(lambda b: kernel.ready(data, mu, L, W, b), bounds, add, threads)
    t, A, R, _ = seen_whitened(sums, W)

    def product(delta: Array, E: Array) -> tuple[Array, Array]:
        N, slope = W.T @ E @ W, W.T @ delta
        parts = map_reduce(lambda k: kernel.parts(data, mu, N, slope, k), kits, add, threads)
        RE = R @ E
        return Change(
            E @ t + n * delta - W @ parts.mean,
            E @ A + np.multiply.outer(delta, t) - W @ parts.cross @ W.T,
            n * E - RE - RE.T + W @ parts.spread @ W.T,
        ).of_gradients

    return product


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
    """The same from moments of many patterns."""
    blocks = seen(data, mu, L, plain=True)
    return reduce(Change.__add__, (_plain(block, delta, E) for block in blocks))


def _plain(block: Seen, delta: Array, E: Array) -> Change:
    n, Pi, z, second = block
    u = np.matmul(Pi, (z @ E + delta)[:, :, None])[:, :, 0] * n[:, None]
    PiE = Pi @ E
    return Change(u.sum(axis=0), summed(PiE, second) + u.T @ z, summed(PiE * n[:, None, None], Pi))
