"""From rows to moments in the frame of the data itself, where every fit is solved.

One pass in a diagonal frame is enough unless columns are nearly collinear; then the scatter has
lost the digits that matter, and the rows are read again, whitened by what could be seen of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core import passes
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, cholesky
from mvngrad.fitting.requirements import EPS, Requirements, deviations, scatter_about
from mvngrad.models.structure import Structure

# Where 1 − R² of a column given those before it stays above this, ε·cond(S) is still small.
PLAIN_PIVOT = 1e-3
MORE_PASSES = 3

Rows = npt.NDArray[Any]


def moments_of_rows(
    X: Rows, weights: Array | None, needs: Requirements, threads: int | None
) -> Moments:
    """Moments of rows in a frame good enough for the model, or an error that says what is wrong."""
    moments = passes.of_rows(X, weights, threads=threads)
    scatter = scatter_about(moments, needs.mean)
    needs.require_variation(scatter)
    needs.require_beyond_factors(scatter)
    if not needs.full:
        return moments
    needs.require_rows(scatter)
    for _ in range(MORE_PASSES):
        if scatter.root_and_pivots[1].min() > PLAIN_PIVOT:
            break
        moments = passes.of_rows(X, weights, _better_frame(scatter, X, weights), threads)
        scatter = scatter_about(moments, needs.mean)
    needs.require_rank(scatter, _collinear(scatter, X, weights))
    return moments


def _better_frame(scatter: Moments, X: Rows, weights: Array | None) -> AffineFrame:
    """A frame in which the scatter is better conditioned than where it was taken."""
    root, pivots = scatter.root_and_pivots
    if pivots.min() <= 1e3 * scatter.d * EPS:
        if scatter.frame.is_diagonal:
            return passes.frame_of(X, weights, full=True)
        ridge = np.diag(np.diagonal(scatter.spread)) * (1e4 * scatter.d * EPS)
        root = cholesky((scatter.spread + ridge) / scatter.weight)
    return AffineFrame(scatter.mean, compose(scatter.frame, root))


def _collinear(scatter: Moments, X: Rows, weights: Array | None) -> npt.NDArray[np.bool_]:
    """Columns whose residual, given those before them, is the rounding of their own values."""
    root, pivots = scatter.root_and_pivots
    residual = np.diagonal(compose(scatter.frame, root))
    if (residual > 1e-6 * (np.abs(scatter.mean) + deviations(scatter))).all():
        return np.asarray(pivots <= EPS)
    return np.asarray((pivots <= EPS) | (residual <= 4.0 * _resolution(X, weights)))


def _resolution(X: Rows, weights: Array | None) -> Array:
    """One unit in the last place of each column's largest value, in rows that count."""
    eps = float(np.finfo(X.dtype).eps) if X.dtype.kind == "f" else 0.0
    largest = np.zeros(X.shape[1])
    for start in range(0, len(X), 65536):
        rows = slice(start, start + 65536)
        block = X[rows] if weights is None else X[rows][weights[rows] > 0.0]
        largest = np.maximum(largest, np.abs(block.astype(float)).max(axis=0, initial=0.0))
    return largest * max(eps, EPS)


def compose(frame: AffineFrame, L: Array) -> Array:
    """L₀L, lower-triangular."""
    product = frame.color(L)
    return product if frame.is_diagonal else np.tril(product)


def in_own_frame(scatter: Moments, mu: Array | None = None) -> Moments:
    """Moments in the frame x = m + L₀z, L₀L₀ᵀ = C/n; or about a known μ, L₀L₀ᵀ = A/n.

    There C = n I, or A = n I, by the very definition of L₀: nothing needs to be transformed.
    With c = L₀⁻¹(m − μ) the second is C = n(I − ccᵀ).
    """
    n, frame = scatter.weight, scatter.frame
    about = scatter.mean if mu is None else mu
    own = AffineFrame(about, compose(frame, scatter.root_and_pivots[0]))
    c = own.whiten(frame.color(scatter.center + frame.whiten(frame.origin - about)))
    spread = np.zeros((len(c), len(c))) if mu is None else np.multiply.outer(c, -n * c)
    spread[np.diag_indices(len(c))] += n
    return replace(scatter, center=c, spread=spread, frame=own)


def in_diagonal_frame(moments: Moments, structure: Structure) -> Moments:
    """The moments with columns scaled by powers of two near their standard deviations.

    A structure that does not say how it rescales keeps the units of the data.
    """
    if not structure.rescales:
        return moments.in_frame(AffineFrame(moments.frame.origin, np.ones(moments.d)))
    plain = moments.in_frame(moments.frame.restricted("diagonal"))
    scales = np.sqrt(np.diagonal(plain.spread) / plain.weight) * plain.frame.root
    frame = AffineFrame(plain.frame.origin, power_of_two(scales))
    return plain.in_frame(frame.restricted(structure.equivariance))
