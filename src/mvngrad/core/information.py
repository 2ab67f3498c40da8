"""Second derivatives of J in (μ, S) as a matrix: observed, or expected given what is observed.

Tangents are packed: v = (δ, E), δ = L⁻¹μ̇ and E = L⁻¹ṠL⁻ᵀ whitened, E by its lower triangle with
the diagonal over √2. For n complete rows the expected matrix is then nI, since

    Fisher information = n (‖δ‖² + ½‖E‖²) = n ‖v‖²

With holes, Π the projection on what a row observes, E[zzᵀ] = Π and the expected one is

    Σ w (δᵀΠδ + ½ tr ΠEΠE)

given the pattern of holes as it is: right where that pattern says nothing about the values (MCAR).
The observed one is right under MAR too. (Kenward & Molenberghs 1998; Savalei 2010)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.seen import Seen, is_plain, seen
from mvngrad.core.whole import Product, Whole, lower_of, symmetric, symmetric_cotangent

MOST_WHOLE = 64  # columns up to which the tensor of d⁴ numbers is made: 134 MB


def packed(delta: Array, E: Array) -> Array:
    """(δ, E) as one vector."""
    i, j, scale = lower_of(len(E))
    return np.concatenate([delta.ravel(), E[i, j] * scale])


def by_products(product: Product, shape: tuple[int, ...]) -> Array:
    """The matrix of a map of (δ, E), δ of that shape, one product a column; symmetric."""
    d, size = shape[0], int(np.prod(shape))
    columns = np.eye(size + d * (d + 1) // 2)

    def column(v: Array) -> Array:
        dg, dG = product(v[:size].reshape(shape), symmetric(v[size:], d))
        return np.concatenate([dg.ravel(), symmetric_cotangent(dG)])

    H = np.array([column(v) for v in columns])
    return 0.5 * (H + H.T)


def observed_matrix(data: Patterns, mu: Array, L: Array) -> Array:
    """What ``curvature`` multiplies by, as a matrix, from moments of the patterns."""
    return _summed(seen(data, mu, L, plain=is_plain(data, L))).matrix()


def expected_matrix(data: Patterns, L: Array) -> Array:
    """Σ w (δᵀΠδ + ½ tr ΠEΠE): the same with z̄ = 0 and Σ w zzᵀ = nΠ, as expected."""
    return _summed(
        block._replace(z=0.0 * block.z, second=_times(block.weights, block.Pi))
        for block in _patterns(data, L)
    ).matrix()


def expected_product(data: Patterns, L: Array) -> Product:
    """The same as a map of (δ, E): Σ nΠδ and ½ Σ nΠEΠ."""

    def product(delta: Array, E: Array) -> tuple[Array, Array]:
        dg, dG = np.zeros(data.d), np.zeros((data.d, data.d))
        for n, Pi, *_ in _patterns(data, L):
            dg += np.tensordot(n, Pi, 1) @ delta
            dG += 0.5 * np.tensordot(_times(n, Pi @ E), Pi, axes=([0, 2], [0, 1]))
        return dg, 0.5 * (dG + dG.T)

    return product


def _patterns(data: Patterns, L: Array) -> Iterator[Seen]:
    return seen(data, np.zeros(data.d), L, plain=is_plain(data, L))


Triangles = tuple[Array, Array, Array]


def _summed(parts: Iterator[Seen]) -> Whole:
    """``whole_of`` of all, from lower triangles of Π and M: a quarter of the work, then widened."""
    Pi, mixed, both = reduce(_added, map(_triangles, parts))
    d = mixed.shape[1]
    at = np.zeros((d, d), np.intp)
    i, j, _ = lower_of(d)
    at[i, j] = at[j, i] = np.arange(len(i))
    ac = at.ravel()
    return Whole(Pi[at], mixed[at], both[np.ix_(ac, ac)].reshape(d, d, d, d))


def _triangles(block: Seen) -> Triangles:
    """Σ nΠ (t,), Σ nΠz (t, d) and Σ Π(M − ½nΠ) (t, t), t = d(d+1)/2, of some patterns."""
    n, Pi, z, second = block
    i, j, _ = lower_of(z.shape[1])
    nz = n[:, None] * z
    flat = Pi[:, i, j]
    M = second[:, i, j] + nz[:, i] * z[:, j] - 0.5 * n[:, None] * flat
    return n @ flat, flat.T @ nz, flat.T @ M


def _added(a: Triangles, b: Triangles) -> Triangles:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _times(n: Array, matrices: Array) -> Array:
    return n[:, None, None] * matrices
