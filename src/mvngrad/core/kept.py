"""Rows that are kept of a pattern of holes: as they came, or fewer that say the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array, partial_cholesky
from mvngrad.core.sorting import Mask

SAFE_PIVOT = 1e-3  # 1 − R² from which a root by Cholesky keeps its digits


class Kept(NamedTuple):
    """Rows z (r, d), 0 where missing; their weights (r,); 1 where μ is taken from them, else 0."""

    z: Array
    weights: Array
    anchored: Array


class PatternMoments(NamedTuple):
    """Of some patterns: weights n (p,), means c (p, d), scatters C (p, d, d); 0 where missing."""

    weights: Array
    means: Array
    scatters: Array


def pattern_moments(kept: Kept, starts: npt.NDArray[np.int64]) -> PatternMoments:
    """Moments of the patterns whose kept rows begin at ``starts``, the last entry being the end."""
    z, w, a = kept
    n = np.add.reduceat(a * w, starts[:-1])
    c = np.add.reduceat((a * w)[:, None] * z, starts[:-1]) / n[:, None]
    y = (z - a[:, None] * np.repeat(c, np.diff(starts), axis=0)) * np.sqrt(w)[:, None]
    return PatternMoments(n, c, np.add.reduceat(y[:, :, None] * y[:, None, :], starts[:-1]))


def same_moments(rows: Kept, observed: Mask) -> Kept:
    """The mean row and the rows of R: the same weight, mean and scatter. Overwrites z."""
    z, w, a = rows
    share = a * w
    n = share.sum()
    c = share @ z / n
    z -= np.multiply.outer(a, c)
    z *= np.sqrt(w)[:, None]
    R = _root(z, observed)
    weights, anchored = np.ones(1 + len(R)), np.zeros(1 + len(R))
    weights[0], anchored[0] = n, 1.0
    return Kept(np.vstack([c, R]), weights, anchored)


def _root(z: Array, observed: Mask) -> Array:
    """R (|o|, d) with RᵀR = zᵀz, from the product where that keeps the digits, else by QR."""
    C = z.T @ z
    C.ravel()[:: len(C) + 1][~observed] = 1.0  # nothing else is in these rows and columns
    squares = C.diagonal().copy()
    L, pivots = partial_cholesky(C)
    if (pivots > SAFE_PIVOT * squares).all():
        return L.T[observed]
    R = np.zeros((int(observed.sum()), len(C)))
    R[:, observed] = np.linalg.qr(z[:, observed], mode="r")
    return R
