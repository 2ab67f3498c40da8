"""What each row says: the gradient of its log-likelihood at the estimate, and sums of its squares.

In packed tangents whitened by L (``core.information``), with L_oᵀ = QR, e = QR⁻ᵀ(x_o − μ_o) and
Π = QQᵀ,

    s = (e ζᵀ, ½(eeᵀ − Π))            ζ = 1 for a common mean

along the tangents A of parameters sᵀA, and Σ w sᵀA = 0 at the estimate. Their second moments are
the meat of the sandwich H⁻¹BH⁻¹, valid whatever the distribution of the rows (Huber 1967; White
1982):

    B = Σ w ssᵀ       weights that count rows that are alike
    B = Σ w² ssᵀ      weights by which rows were sampled
    B = Σ_g t_gt_gᵀ, t_g = Σ_{i∈g} w s       rows that come in clusters g
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.marginal import Marginal
from mvngrad.core.ops import Array
from mvngrad.core.sorting import distinct_in_order
from mvngrad.core.whole import lower_of
from mvngrad.inference.directions import Directions, packed_tangents
from mvngrad.inference.estimate import Estimate

BLOCK = 2**21  # numbers in the contributions of rows that are worked on together: 16 MB

Index = npt.NDArray[np.intp]


class Rows(NamedTuple):
    """Rows (n, d), NaN where missing; their weights (n,), and ζ (n, P) where they have designs."""

    X: npt.NDArray[np.floating]
    weights: Array | None = None
    zeta: Array | None = None

    @property
    def w(self) -> Array:
        """Weights, 1 by default."""
        return np.ones(len(self.X)) if self.weights is None else self.weights


def contributions(at: Estimate, rows: Rows) -> Array:
    """∂ℓᵢ/∂(β, θ) of every row, at the estimate (n, q); 0 where nothing is observed."""
    A, out = packed_tangents(at), None
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
        if sums is None:
            B += (c.T * (w[these] ** 2 if squared else w[these])) @ c
        else:
            np.add.at(sums, clusters[these], w[these, None] * c)  # type: ignore[index]
    return (B if sums is None else sums.T @ sums), total


def _packed(at: Estimate, rows: Rows) -> Iterator[tuple[Index, Array]]:
    """Rows of one pattern, as many as fit, with their s (m, D)."""
    d, observed = len(at.root), ~np.isnan(rows.X)
    first, ids, order = distinct_in_order(observed)
    i, j, scale = lower_of(d)
    size = max(BLOCK // (at.location.size + len(i)), 1)
    for pattern, group in zip(
        first, np.split(order, np.cumsum(np.bincount(ids))[:-1]), strict=True
    ):
        o = observed[pattern]
        if not o.any():
            continue
        marginal = Marginal.of(at.root, o)
        spread = (marginal.Q @ marginal.Q.T)[i, j]
        for begin in range(0, len(group), size):
            these = group[begin : begin + size]
            e = marginal.whiten(_residuals(at, rows, these, o).T).T @ marginal.Q.T
            yield these, np.hstack([_of_mean(e, rows, these), (e[:, i] * e[:, j] - spread) * scale])


def _residuals(at: Estimate, rows: Rows, these: Index, o: npt.NDArray[np.bool_]) -> Array:
    """x_o − μ_o (m, |o|)."""
    X = rows.X[these][:, o]
    if rows.zeta is None:
        return np.asarray(X - at.location[o], dtype=np.float64)
    return np.asarray(X - rows.zeta[these] @ at.location[o].T, dtype=np.float64)


def _of_mean(e: Array, rows: Rows, these: Index) -> Array:
    """eζᵀ, row by row of M."""
    if rows.zeta is None:
        return e
    return (e[:, :, None] * rows.zeta[these][:, None, :]).reshape(len(e), -1)
