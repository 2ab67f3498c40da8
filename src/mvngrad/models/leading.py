"""The largest eigenvalues of a symmetric matrix that is known by its products.

A block V of a few more columns than eigenvalues are wanted spans, with its images, the space

    [V, AV, A²V, …]          (block Krylov: Golub & Underwood 1977)

in which the best approximations are those of the small matrix QᵀAQ (Rayleigh & Ritz). One product
with a block costs little more than one with a vector, and a block that begins near the answer, as
from noise a step away, is there after a product or two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mvngrad.core.ops import Array

GUARDS = 4  # columns at random beside those wanted: none can stay hidden from the start
DEPTH = 6  # blocks before the best of them are begun from again
RESTARTS = 12
SETTLED = 1e-9  # |Av − ev|/e of an eigenvector

Product = Callable[[Array], Array]


def leading(
    product: Product, d: int, k: int, near: Array | None = None
) -> tuple[Array, Array] | None:
    """The k largest eigenvalues, decreasing, and vectors (d, k); None if they do not settle.

    ``near`` (d, ·) spans a space to begin from.
    """
    width = k + GUARDS
    if width * (DEPTH + 1) > d:
        return None
    V = _begun(d, width, near)
    for _ in range(RESTARTS):
        values, V, settled = _cycle(product, V, k)
        if settled:
            return values[:k], V[:, :k]
    return None


def _begun(d: int, width: int, near: Array | None) -> Array:
    V = np.random.default_rng(0).standard_normal((d, width))
    if near is not None:
        V[:, : min(near.shape[1], width)] = near[:, :width]
    return np.asarray(np.linalg.qr(V)[0])


def _cycle(product: Product, V: Array, k: int) -> tuple[Array, Array, bool]:
    """Ritz values and vectors, as many as columns in V, and whether the first k have settled."""
    Q, AQ, block = V, product(V), V.shape[1]
    while True:
        values, Y = np.linalg.eigh(Q.T @ AQ)
        values, Y = values[::-1], Y[:, ::-1]
        residual = AQ @ Y[:, :block] - (Q @ Y[:, :block]) * values[:block]
        errors = np.linalg.norm(residual[:, :k], axis=0)
        settled = bool((errors <= SETTLED * np.maximum(values[:k], 1.0)).all())
        settled = settled and Q.shape[1] > block  # the columns at random have had a product too
        if settled or Q.shape[1] > (DEPTH - 1) * block:
            return values, Q @ Y[:, :block], settled
        fresh = _orthogonal_to(Q, residual)
        Q, AQ = np.hstack([Q, fresh]), np.hstack([AQ, product(fresh)])


def _orthogonal_to(Q: Array, W: Array) -> Array:
    """An orthonormal basis of what of W is not in Q; twice, since once leaves rounding."""
    for _ in range(2):
        W = np.linalg.qr(W - Q @ (Q.T @ W))[0]
    return W
