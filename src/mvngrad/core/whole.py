"""The curvature of J on rows with holes as one matrix, where columns are few: see ``curvature``.

With M = second + nzzᵀ the sums of a product are

    Σ w u = (Σ nΠ)δ + Σ nΠEz      Σ w uzᵀ − ½ Σ w ΠEΠ = Σ nΠδzᵀ + Σ ΠE(M − ½nΠ)

and all but E and δ are sums of outer products of what patterns have, made by one product.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.expected import FEW, SHARED, Block, Made, seen_whitened, work_of
from mvngrad.core.frame import read_only
from mvngrad.core.grouping import KERNEL_WORK
from mvngrad.core.kernels import loops
from mvngrad.core.marginal import Sums
from mvngrad.core.ops import Array, condition_estimate, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.seen import Seen, seen
from mvngrad.core.threads import default_threads, map_reduce

MOST_PLAIN = 1e5  # cond(L) beyond which S and S⁻¹ have too few digits to tell a direction

Product = Callable[[Array, Array], tuple[Array, Array]]


class Whole(NamedTuple):
    """Σ nΠ (d, d), Σ nΠ_ac z_b (d, d, d) and Σ Π_ac (M − ½nΠ)_eb (d, d, d, d)."""

    Pi: Array
    mixed: Array
    both: Array

    def __add__(self, other: Whole) -> Whole:  # type: ignore[override]
        return Whole(self.Pi + other.Pi, self.mixed + other.mixed, self.both + other.both)

    def bent(self, G: Array, share: float) -> Whole:
        """Of J along the curve I + E + share·E², G the core of ∂J/∂S: ⟨2 share·G, E²⟩ comes in."""
        both = self.both.copy()
        _beside_identity(both)[:] += (2.0 * share * G)[:, :, None]
        return self._replace(both=both)

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
        mixed = (self.mixed[:, i, j] + self.mixed[:, j, i]) * scale
        H = np.empty((d + len(i), d + len(i)))
        H[:d, :d], H[:d, d:], H[d:, :d] = self.Pi, mixed, mixed.T
        H[d:, d:] = self._of_few() if d <= FEW else self._of_many()
        return H

    def _of_few(self) -> Array:
        places, scales = _mirrored_places(len(self.Pi))
        both = self.both.ravel()[places].sum(axis=0)
        return np.asarray((both + both.T) * scales)

    def _of_many(self) -> Array:
        """The same where a table of places would be large."""
        i, j, scale = lower_of(len(self.Pi))
        of_E = self.both.transpose(0, 3, 1, 2)  # of half (a, b) by E (c, e)
        rows = of_E[i, j] + of_E[j, i]
        both = (rows[:, i, j] + rows[:, j, i]) * (0.5 * scale[:, None] * scale)
        return np.asarray(both + both.T)


def _beside_identity(both: Array) -> Array:
    """Where A is added for A ⊗ I, A[:, :, None] to (d, d, d): a view."""
    d = len(both)
    return both.reshape(d, d, d * d)[:, :, :: d + 1]


@lru_cache(maxsize=8)
def lower_of(d: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Array]:
    """Rows and columns of the lower triangle, and by what two mirrored entries are multiplied."""
    i, j = np.tril_indices(d)
    return i, j, read_only(np.where(i == j, np.sqrt(0.5), 1.0))


@lru_cache(maxsize=8)
def _mirrored_places(d: int) -> tuple[npt.NDArray[Any], Array]:
    """Where in ``both`` half (a, b) by E (c, e) is, mirrored four ways, and half their scales."""
    i, j, scale = lower_of(d)
    a, b, c, e = i[:, None], j[:, None], i, j
    ways = [(a, c, e, b), (b, c, e, a), (a, e, c, b), (b, e, c, a)]
    places = np.array([np.ravel_multi_index(np.broadcast_arrays(*w), (d,) * 4) for w in ways])
    return places, read_only(0.5 * scale[:, None] * scale)


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
    W, bounds = solve_lower(L, np.eye(data.d)), data.chunks
    threads = default_threads() if len(bounds) >= SHARED else 1
    sums, U, F = map_reduce(lambda b: kernel.tensors(data, mu, L, W, b), bounds, add, threads)
    return _of_tensors(data.weight, W, seen_whitened(sums, W), U, F)


def _of_tensors(n: float, W: Array, sums: Sums, U: Array, F: Array) -> Whole:
    (t, A, R, _), d = sums, len(W)
    I, WW = np.eye(d), _of_triangles(W)
    mixed, both = WW @ -(U @ W.T), (WW @ -F) @ WW.T
    mixed[:: d + 1] += t
    both[:: d + 1] += (A - 0.5 * n * I + 0.5 * R).ravel()
    both[:, :: d + 1] += (0.5 * R).reshape(-1, 1)
    return Whole(n * I - R, mixed.reshape(d, d, d), both.reshape(d, d, d, d))


def _of_triangles(W: Array) -> Array:
    """(d², q): what W ⊗ W makes of a symmetric matrix known by its lower triangle, row by row."""
    i, j, _ = lower_of(len(W))
    half = (W[:, i] * np.where(i == j, 0.5, 1.0))[:, None, :] * W[:, j]
    return (half + half.transpose(1, 0, 2)).reshape(-1, len(i))


def whole_at(data: Patterns, mu: Array, L: Array, made: Made | None = None) -> Whole | None:
    """At (μ, L), of what an evaluation there ``made``, where columns are few; else None.

    It is for steps and for signs, which need few digits: up to cond(L) = ``MOST_PLAIN`` errors
    are those of S and S⁻¹, ε·cond(S).
    """
    if data.d > FEW:
        return None
    if condition_estimate(L) > MOST_PLAIN:
        return whole(data, mu, L, plain=False)
    if made is not None and isinstance(made.of, Block):
        return whole_of(Seen.of(made.of, made.mu, made.L))
    if work_of(data) >= KERNEL_WORK and (kernel := loops("tensors")) is not None:
        if made is None:
            return compiled_whole(kernel, data, mu, L)
        W, (bounds,) = solve_lower(made.L, np.eye(data.d)), data.chunks
        return _of_tensors(data.weight, W, made.sums, *kernel.of_filled(data, made.of, bounds))
    return whole(data, mu, L)
