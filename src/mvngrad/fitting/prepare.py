"""From rows to moments in the frame of the data itself, where every fit is solved.

One pass in a diagonal frame is enough unless columns are nearly collinear; then the scatter has
lost the digits that matter, and the rows are read again, whitened by what could be seen of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core import passes
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.models.structure import Structure

EPS = float(np.finfo(float).eps)
# Where 1 − R² of a column given those before it stays above this, ε·cond(S) is still small.
PLAIN_PIVOT = 1e-3
MORE_PASSES = 3

Rows = npt.NDArray[Any]


def moments_of_rows(
    X: Rows,
    weights: Array | None,
    structure: Structure,
    columns: Sequence[str],
    threads: int | None,
) -> Moments:
    """Moments of rows, in a frame good enough for the structure."""
    moments = passes.of_rows(X, weights, threads=threads)
    require_variation(moments, columns)
    if structure.equivariance != "affine":
        return moments
    require_enough_rows(moments, columns)
    root, pivots = moments.root_and_pivots
    for _ in range(MORE_PASSES):
        if pivots.min() > PLAIN_PIVOT:
            break
        frame = _better_frame(moments, root, pivots, X, weights)
        moments = passes.of_rows(X, weights, frame, threads)
        root, pivots = moments.root_and_pivots
    _require_above_rounding(moments, root, pivots, X, columns)
    return moments


def _better_frame(
    moments: Moments, root: Array, pivots: Array, X: Rows, weights: Array | None
) -> AffineFrame:
    if pivots.min() > 1e3 * moments.d * EPS:
        return AffineFrame(moments.mean, compose(moments.frame, root))
    if moments.frame.is_diagonal:
        return passes.frame_of(X, weights, full=True)
    ridge = moments.spread + np.diag(np.diagonal(moments.spread)) * (1e4 * moments.d * EPS)
    return AffineFrame(moments.mean, compose(moments.frame, cholesky(ridge / moments.weight)))


def compose(frame: AffineFrame, L: Array) -> Array:
    """L₀L, lower-triangular."""
    product = frame.color(L)
    return product if frame.is_diagonal else np.tril(product)


def scatter_about(moments: Moments, mu: Array | None) -> Moments:
    """The moments with A = C + n(m−μ)(m−μ)ᵀ for C where μ is known, else as they are."""
    if mu is None:
        return moments
    offset = moments.center + moments.frame.whiten(moments.frame.origin - mu)
    scatter = moments.spread + moments.weight * np.multiply.outer(offset, offset)
    return replace(moments, spread=scatter)


def in_own_frame(scatter: Moments, mu: Array | None = None) -> Moments:
    """Moments in the frame x = m + L₀z, L₀L₀ᵀ = C/n; or about a known μ, L₀L₀ᵀ = A/n.

    There C = n I, or A = n I, by the very definition of L₀: nothing needs to be transformed.
    With c = L₀⁻¹(m − μ) the second is C = n(I − ccᵀ).
    """
    n, frame = scatter.weight, scatter.frame
    about = scatter.mean if mu is None else mu
    own = AffineFrame(about, compose(frame, scatter.root_and_pivots[0]))
    c = own.whiten(frame.color(scatter.center + frame.whiten(frame.origin - about)))
    spread = np.zeros_like(scatter.spread) if mu is None else np.multiply.outer(c, -n * c)
    spread[np.diag_indices(len(c))] += n
    return replace(scatter, center=c, spread=spread, frame=own)


def in_diagonal_frame(moments: Moments, structure: Structure) -> Moments:
    """The moments with columns scaled by powers of two near their standard deviations."""
    plain = moments.in_frame(moments.frame.restricted("diagonal"))
    scales = np.sqrt(np.diagonal(plain.spread) / plain.weight) * plain.frame.root
    frame = AffineFrame(plain.frame.origin, power_of_two(scales))
    return plain.in_frame(frame.restricted(structure.equivariance))


def require_variation(moments: Moments, columns: Sequence[str]) -> None:
    """Refuse columns without variance, and variances that float64 cannot hold."""
    deviations = _deviations(moments)
    constant = deviations <= 4.0 * EPS * np.abs(moments.mean)
    if constant.any():
        names = [columns[j] for j in np.flatnonzero(constant).tolist()]
        raise NotPositiveDefiniteError(
            f"{listed(names)} {'does' if len(names) == 1 else 'do'} not vary over "
            f"{moments.n_obs} row{'s' * (moments.n_obs != 1)}: a variance of 0 makes the "
            "likelihood unbounded. Drop the column (columns=…), or give more rows.",
            smallest_eigenvalue=0.0,
            columns=names,
        )
    extreme = (deviations > 1e150) | (deviations < 1e-150)
    if extreme.any():
        j = int(np.argmax(extreme))
        raise DataError(
            f"{columns[j]} has a standard deviation of {deviations[j]:.3g}, whose square float64 "
            "cannot hold. Rescale the column, for example to units in which it is near 1."
        )


def _deviations(moments: Moments) -> Array:
    """Standard deviations in the data's units; in a full frame, their order of magnitude."""
    of_z = np.sqrt(np.clip(np.diagonal(moments.spread), 0.0, None) / moments.weight)
    root = moments.frame.root
    with np.errstate(over="ignore"):
        return of_z * root if moments.frame.is_diagonal else np.abs(root * of_z).max(axis=1)


def require_enough_rows(moments: Moments, columns: Sequence[str]) -> None:
    """Refuse n ≤ d: the likelihood of a full covariance has no maximum."""
    if moments.n_obs <= moments.d:
        raise NotPositiveDefiniteError(
            f"{moments.n_obs} row{'s' * (moments.n_obs != 1)} cannot determine a full covariance "
            f"of {moments.d} column{'s' * (moments.d != 1)}: its likelihood is unbounded. Give at "
            f"least {moments.d + 1} rows, fewer columns (columns=…), or a smaller model such as "
            "covariance='diagonal'.",
            smallest_eigenvalue=0.0,
            columns=columns,
            rank=max(moments.n_obs - 1, 0),
        )


def require_full_rank(moments: Moments, columns: Sequence[str]) -> None:
    """Refuse collinear columns, by name, as far as moments alone can tell."""
    _, pivots = moments.root_and_pivots
    collinear = pivots <= 16.0 * moments.d * EPS
    if collinear.any():
        _raise_collinear(moments, columns, int(np.argmax(collinear)))


def _require_above_rounding(
    moments: Moments, root: Array, pivots: Array, X: Rows, columns: Sequence[str]
) -> None:
    """Refuse a column whose residual, given those before it, is the rounding of its own values."""
    residual = np.diagonal(compose(moments.frame, root))
    size = np.abs(moments.mean) + _deviations(moments)
    collinear = pivots <= EPS
    if not collinear.any() and (residual <= 1e-6 * size).any():
        collinear = residual <= 4.0 * _resolution(X)
    if collinear.any():
        _raise_collinear(moments, columns, int(np.argmax(collinear)))


def _resolution(X: Rows) -> Array:
    """One unit in the last place of each column's largest value."""
    eps = float(np.finfo(X.dtype).eps) if X.dtype.kind == "f" else 0.0
    blocks = [X[start : start + 65536].astype(float) for start in range(0, len(X), 65536)]
    return np.max([np.abs(block).max(axis=0) for block in blocks], axis=0) * max(eps, EPS)


def _raise_collinear(moments: Moments, columns: Sequence[str], j: int) -> None:
    S = moments.cov
    scales = np.sqrt(np.diagonal(S))
    correlation = S / np.multiply.outer(scales, scales)
    eigenvalues = np.linalg.eigvalsh(correlation)
    share, *_ = np.linalg.lstsq(correlation[:j, :j], correlation[:j, j], rcond=1e-7)
    partners = [columns[int(i)] for i in np.argsort(-np.abs(share)) if abs(share[i]) > 1e-4]
    names = [columns[j], *partners]
    raise NotPositiveDefiniteError(
        f"{columns[j]} is a linear combination of {listed(partners)}: the covariance is singular "
        f"and its likelihood unbounded. Drop one of {listed(names)}, or fit a smaller model such "
        "as covariance='diagonal'.",
        smallest_eigenvalue=float(eigenvalues[0]),
        columns=names,
        rank=int(np.count_nonzero(eigenvalues > 16.0 * len(S) * EPS * eigenvalues[-1])),
    )


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, no more than a few."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
