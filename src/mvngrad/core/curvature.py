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
from collections.abc import Callable
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.expected import (
    KERNEL_WORK,
    SHARED,
    blocks_of,
    seen_whitened,
    summed,
    work_of,
)
from mvngrad.core.frame import read_only
from mvngrad.core.marginal import Marginal
from mvngrad.core.ops import Array, condition_estimate, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.projections import Projections, groups_of
from mvngrad.core.seen import Seen, is_plain, residuals, seen
from mvngrad.core.threads import default_threads, map_reduce

MOST_PLAIN = 1e5  # cond(L) beyond which S and S⁻¹ have too few digits to tell a direction
MOST_KEPT = 2**26  # numbers in the projections of all patterns: 0.5 GB, a few times
WHOLE = 16  # columns up to which NumPy makes the whole matrix of a product: 0.5 MB
FEW = 12  # columns up to which the matrix itself, of 90 parameters, costs less than some products

Product = Callable[[Array, Array], tuple[Array, Array]]


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
    if plain and work_of(data) >= KERNEL_WORK and (kernel := _kernel()) is not None:
        return _compiled(kernel, data, mu, L)
    if data.d <= WHOLE:
        return whole(data, mu, L, plain=plain).product()
    return _by_blocks(data, mu, L) if plain else _by_rows(data, mu, L)


def _by_rows(data: Patterns, mu: Array, L: Array) -> Product:
    if len(data.counts) * data.d**2 > MOST_KEPT:
        return lambda delta, E: marginal_change(data, mu, L, delta, E).of_gradients
    at = Projections.at(L, groups_of(data))
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
    """The same from moments of many patterns."""
    blocks = seen(data, mu, L, plain=True)
    return reduce(Change.__add__, (_plain(block, delta, E) for block in blocks))


def _plain(block: Seen, delta: Array, E: Array) -> Change:
    n, Pi, z, second = block
    u = np.matmul(Pi, (z @ E + delta)[:, :, None])[:, :, 0] * n[:, None]
    PiE = Pi @ E
    return Change(u.sum(axis=0), summed(PiE, second) + u.T @ z, summed(PiE * n[:, None, None], Pi))


# The whole matrix, where columns are few. With M = second + nzzᵀ the sums are
#
#     Σ w u = (Σ nΠ)δ + Σ nΠEz      Σ w uzᵀ − ½ Σ w ΠEΠ = Σ nΠδzᵀ + Σ ΠE(M − ½nΠ)
#
# and all but E and δ are sums of outer products of what patterns have, made by one product.


class Whole(NamedTuple):
    """Σ nΠ (d, d), Σ nΠ_ac z_b (d, d, d) and Σ Π_ac (M − ½nΠ)_eb (d, d, d, d)."""

    Pi: Array
    mixed: Array
    both: Array

    def __add__(self, other: Whole) -> Whole:  # type: ignore[override]
        return Whole(self.Pi + other.Pi, self.mixed + other.mixed, self.both + other.both)

    def bent(self, G: Array, share: float) -> Whole:
        """Of J along the curve I + E + share·E², G the core of ∂J/∂S: ⟨2 share·G, E²⟩ comes in."""
        return self._replace(both=self.both + np.multiply.outer(2.0 * share * G, np.eye(len(G))))

    def product(self) -> Product:
        """The map of (δ, E)."""
        d = len(self.Pi)
        by_E = self.mixed.reshape(d, d * d)
        by_delta = np.ascontiguousarray(self.mixed.transpose(0, 2, 1)).reshape(d * d, d)
        of_E = np.ascontiguousarray(self.both.transpose(0, 3, 1, 2)).reshape(d * d, d * d)

        def product(delta: Array, E: Array) -> tuple[Array, Array]:
            half = (by_delta @ delta + of_E @ E.ravel()).reshape(d, d)
            return self.Pi @ delta + by_E @ E.ravel(), 0.5 * (half + half.T)

        return product

    def matrix(self) -> Array:
        """It as a matrix of v, δ = v[:d], E = ``symmetric(v[d:])``: the metric ‖δ‖² + ½‖E‖² is I.

        (p, p), p = d + d(d+1)/2, symmetric.
        """
        d = len(self.Pi)
        i, j, scale = lower_of(d)
        of_E = self.both.transpose(0, 3, 1, 2)  # of half (a, b) by E (c, e)
        rows = of_E[i, j] + of_E[j, i]
        both = (rows[:, i, j] + rows[:, j, i]) * (scale[:, None] * scale)
        mixed = (self.mixed[:, i, j] + self.mixed[:, j, i]) * scale
        H = np.empty((d + len(i), d + len(i)))
        H[:d, :d], H[:d, d:], H[d:, :d] = self.Pi, mixed, mixed.T
        H[d:, d:] = 0.5 * (both + both.T)
        return H


@lru_cache(maxsize=8)
def lower_of(d: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Array]:
    """Rows and columns of the lower triangle, and by what two mirrored entries are multiplied."""
    i, j = np.tril_indices(d)
    return i, j, read_only(np.where(i == j, np.sqrt(0.5), 1.0))


def symmetric(v: Array, d: int) -> Array:
    """E (d, d) of its lower triangle row by row, the diagonal over √2: ½‖E‖² = ‖v‖²."""
    i, j, scale = lower_of(d)
    E = np.zeros((d, d))
    E[i, j] = v * scale
    return E + E.T


def symmetric_cotangent(G: Array) -> Array:
    """Its adjoint, of symmetric G."""
    i, j, scale = lower_of(len(G))
    return np.asarray(G[i, j] * (2.0 * scale))


def whole(data: Patterns, mu: Array, L: Array, *, plain: bool = True) -> Whole:
    """From blocks of patterns, whose Π and M are widened with zeros."""
    return reduce(add, map(whole_of, seen(data, mu, L, plain=plain)))


def whole_of(block: Seen) -> Whole:
    """Of some patterns."""
    n, Pi, z, second = block
    p, d = z.shape
    nz = n[:, None] * z
    M = second + nz[:, :, None] * z[:, None, :] - (0.5 * n)[:, None, None] * Pi
    flat, q = Pi.reshape(p, d * d).T, (d, d, d)
    both = (flat @ M.reshape(p, d * d)).reshape(*q, d)
    return Whole((flat @ n).reshape(d, d), (flat @ nz).reshape(q), both)


# Compiled, with t, A and R the sums of the evaluation, whitened as U and F are:
#
#     Σ nΠ = nI − R      Σ nΠ_ik z_b = δ_ik t_b − U_ikb
#     Σ Π_ik (M − ½nΠ)_cb = δ_ik (A − ½nI + ½R)_cb + ½ R_ik δ_cb − F_ikcb


def compiled_whole(kernel: Any, data: Patterns, mu: Array, L: Array) -> Whole:
    """From what rows lack alone."""
    n, d, W, bounds = data.weight, data.d, solve_lower(L, np.eye(data.d)), data.chunks
    threads = default_threads() if len(bounds) >= SHARED else 1
    sums, U, F = map_reduce(lambda b: kernel.tensors(data, mu, L, W, b), bounds, add, threads)
    t, A, R, _ = seen_whitened(sums, W)
    I, WW = np.eye(d), np.kron(W, W)
    mixed = np.multiply.outer(I, t) - (WW @ U.reshape(d * d, d) @ W.T).reshape(d, d, d)
    both = np.multiply.outer(I, A - 0.5 * n * I + 0.5 * R) + np.multiply.outer(0.5 * R, I)
    both -= (WW @ F.reshape(d * d, d * d) @ WW.T).reshape(both.shape)
    return Whole(n * I - R, mixed, both)


def whole_at(data: Patterns, mu: Array, L: Array) -> Whole | None:
    """At (μ, L), where columns are few; else None.

    It is for steps and for signs, which need few digits: up to cond(L) = ``MOST_PLAIN`` errors
    are those of S and S⁻¹, ε·cond(S).
    """
    if data.d > FEW:
        return None
    if condition_estimate(L) > MOST_PLAIN:
        return whole(data, mu, L, plain=False)
    if work_of(data) >= KERNEL_WORK and (kernel := _tensors()) is not None:
        return compiled_whole(kernel, data, mu, L)
    return whole(data, mu, L)


def _tensors() -> Any:
    try:
        from mvngrad.core.kernels import tensors
    except ImportError:  # no compiler here: the specification serves
        return None
    return tensors
