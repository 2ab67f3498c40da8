"""What each row says: the gradient of its log-likelihood at the estimate, and sums of its squares.

In packed tangents whitened by L (``core.information``), with L_oᵀ = QR, e = QR⁻ᵀ(x_o − μ_o) and
Π = QQᵀ (``core.projections``),

    s = (e ζᵀ, ½(eeᵀ − Π))            ζ = 1 for a common mean

the formula of ``core.likelihood`` for one row, −½(I − K) at the scatter K = eeᵀ + I − Π expected of
it, for many at a time. Along the tangents A of parameters it is sᵀA, and Σ w sᵀA = 0 at the
estimate. Their second moments are the meat of the sandwich H⁻¹BH⁻¹, valid whatever the distribution
of the rows (Huber 1967; White 1982):

    B = Σ w ssᵀ       weights that count rows that are alike
    B = Σ w² ssᵀ      weights by which rows were sampled
    B = Σ_g t_gt_gᵀ, t_g = Σ_{i∈g} w s       rows that come in clusters g
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array, Mask
from mvngrad.core.projections import each_times, triangularised
from mvngrad.core.sorting import distinct_in_order
from mvngrad.core.whole import lower_of
from mvngrad.inference.directions import Directions, packed_tangents
from mvngrad.inference.estimate import Estimate

BLOCK = 2**18  # numbers in the contributions of rows that are worked on together: 2 MB

Index = npt.NDArray[np.intp]


class Rows(NamedTuple):
    """Rows (n, d), NaN where missing; their weights (n,), and ζ (n, P) where they have designs.

    ``kept`` says which rows of the data they are, where some were dropped.
    """

    X: npt.NDArray[np.floating]
    weights: Array | None = None
    zeta: Array | None = None
    kept: Mask | None = None

    @property
    def w(self) -> Array:
        """Weights, 1 by default."""
        return np.ones(len(self.X)) if self.weights is None else self.weights


def contributions(at: Estimate, rows: Rows) -> Array:
    """∂ℓᵢ/∂(β, θ) of every row, at the estimate (n, q); 0 where nothing is observed."""
    A = packed_tangents(at)
    out = np.zeros((len(rows.X), A.shape[1]))
    for these, s in _packed(at, rows):
        out[these] = s @ A
    return out


def meat(
    directions: Directions, rows: Rows, *, squared: bool, clusters: Index | None = None
) -> tuple[Array, Array]:
    """B (r, r) along the directions of a model, and Σ w s (r,), which is 0 at its estimate.

    ``squared`` weights by w²; ``clusters`` (n,) numbers them from 0.
    """
    size = sum(directions.sizes)
    B, total, w = np.zeros((size, size)), np.zeros(size), rows.w
    sums = None if clusters is None else np.zeros((int(clusters.max()) + 1, size))
    for these, s in _packed(directions.estimate, rows):
        c = directions.projected(s)
        total += w[these] @ c
        if sums is not None:
            np.add.at(sums, clusters[these], w[these, None] * c)  # type: ignore[index]
            continue
        c *= (w[these] if squared else np.sqrt(w[these]))[:, None]
        B += c.T @ c  # as one matrix with itself: half the work
    return (B if sums is None else sums.T @ sums), total


def _packed(at: Estimate, rows: Rows) -> Iterator[tuple[Index, Array]]:
    """Rows that observe equally many entries, as many as fit, with their s (m, D)."""
    i, j, scale = lower_of(len(at.root))
    for these, entries, which in _alike(~np.isnan(rows.X), at.location.size + len(i)):
        Q, _, W, _ = triangularised(at.root[entries])
        e = each_times(W[which], _residuals(at, rows, these, entries[which]))
        spread = (Q @ Q.transpose(0, 2, 1))[:, i, j]
        of_S = (e[:, i] * e[:, j] - spread[which]) * scale
        yield these, np.hstack([_of_mean(e, rows, these), of_S])


def _alike(observed: Mask, numbers: int) -> Iterator[tuple[Index, Index, Index]]:
    """Some rows (m,), what their patterns observe (p, k), and which of these each row has (m,)."""
    first, ids, order = distinct_in_order(observed)
    patterns = observed[first]
    sizes, of_rows = patterns.sum(axis=1), ids[order]
    most = max(BLOCK // numbers, 1)
    for k in np.unique(sizes[sizes > 0]):
        alike = order[sizes[of_rows] == k]
        for begin in range(0, len(alike), most):
            these = alike[begin : begin + most]
            found, which = np.unique(ids[these], return_inverse=True)
            yield these, np.nonzero(patterns[found])[1].reshape(len(found), k), which


def _residuals(at: Estimate, rows: Rows, these: Index, o: Index) -> Array:
    """x_o − μ_o (m, k), of entries o (m, k)."""
    X = rows.X[these[:, None], o]
    if rows.zeta is None:
        return np.asarray(X - at.location[o], dtype=np.float64)
    fitted = np.take_along_axis(rows.zeta[these] @ at.location.T, o, axis=1)
    return np.asarray(X - fitted, dtype=np.float64)


def _of_mean(e: Array, rows: Rows, these: Index) -> Array:
    """eζᵀ, row by row of M."""
    if rows.zeta is None:
        return e
    return (e[:, :, None] * rows.zeta[these][:, None, :]).reshape(len(e), -1)
