"""Rows that are kept of a pattern of holes: as they came, or fewer that say the same."""

from __future__ import annotations

import itertools
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


def same_moments(rows: Kept, starts: npt.NDArray[np.int64], observed: Mask) -> Kept:
    """Of each pattern (p, d) the mean row and the rows of R: the same weight, mean and scatter.

    The rows of pattern k are starts[k] : starts[k + 1]; z is overwritten.
    """
    z, w, a = rows
    share, bounds = a * w, list(itertools.pairwise(starts.tolist()))
    n = np.add.reduceat(share, starts[:-1])
    c = np.array([share[b:e] @ z[b:e] for b, e in bounds]) / n[:, None]
    z -= np.repeat(c, np.diff(starts), axis=0) * a[:, None]
    z *= np.sqrt(w)[:, None]
    R = _roots([z[b:e] for b, e in bounds], observed)
    of_R = np.zeros((len(n), 1 + z.shape[1]), bool)
    of_R[:, 1:] = observed  # beside each pattern's mean row, which is first
    kept = of_R.copy()
    kept[:, 0] = True
    anchored: Array = np.where(of_R[kept], 0.0, 1.0)
    out, weights = np.empty((len(anchored), z.shape[1])), np.ones(len(anchored))
    first = anchored > 0.0
    out[first], out[~first], weights[first] = c, R, n
    return Kept(out, weights, anchored)


def _roots(parts: list[Array], observed: Mask) -> Array:
    """The rows of all R, RᵀR = zᵀz: from the products where these keep the digits, else by QR."""
    C = np.array([z.T @ z for z in parts])
    j = np.arange(C.shape[1])
    C[:, j, j] += ~observed  # nothing else is in these rows and columns
    roots, safe = _safe_roots(C)
    for k in np.flatnonzero(~safe):
        z, o = parts[k], observed[k]
        roots[k] = 0.0
        roots[k][np.ix_(o, o)] = np.linalg.qr(z[:, o], mode="r")
    return np.asarray(roots[observed])


def _safe_roots(C: Array) -> tuple[Array, Mask]:
    """Lᵀ, LLᵀ = C, of each C (p, d, d), and whether its pivots leave it its digits."""
    floor = SAFE_PIVOT * np.diagonal(C, axis1=1, axis2=2)
    try:
        L = np.linalg.cholesky(C)
    except np.linalg.LinAlgError:  # not all are definite: one by one
        each = [partial_cholesky(part.copy()) for part in C]
        L, pivots = (np.array(part) for part in zip(*each, strict=True))
    else:
        pivots = np.diagonal(L, axis1=1, axis2=2) ** 2
    return np.array(L.transpose(0, 2, 1)), np.asarray((pivots > floor).all(axis=1))
