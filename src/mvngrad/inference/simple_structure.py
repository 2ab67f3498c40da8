"""Where a rotation to simple structure is looked for: the criterion, the starts, the best of them.

All criteria of ``rotation`` but promax are one, with L² entrywise:

    q(L) = ¼ ⟨L², (I − γ/d 11ᵀ) L² (11ᵀ − I)⟩ = ¼ Σ_{j≠l} [ Σᵢ Lᵢⱼ²Lᵢₗ² − γ/d ΣᵢLᵢⱼ² ΣᵢLᵢₗ² ]
    ∂q/∂L = L ∘ (I − γ/d 11ᵀ) L² (11ᵀ − I)

    orthogonal, γ = 0   quartimax       orthogonal, γ = 1   varimax
    oblique, γ          oblimin; γ = 0 is quartimin

because an orthogonal rotation keeps Σⱼ Lᵢⱼ², and q then is a constant less a quarter of what
quartimax (Σ Lᵢⱼ⁴) and varimax (Σ Lᵢⱼ⁴ − Σⱼ(ΣᵢLᵢⱼ²)²/d) maximise. (Jennrich & Sampson 1966;
Kaiser 1958; Clarkson & Jennrich 1988)

It has local minima, hence the starts; and it is of degree four, so that loadings are brought to
mean communality 1 first, and ``tol`` means the same whatever their units.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from mvngrad.core.checks import as_number
from mvngrad.core.ops import Array
from mvngrad.core.threads import single_blas
from mvngrad.errors import ConvergenceWarning, DataError, warn
from mvngrad.inference.projection import FALLS, Criterion, Family, Point, descend

ROUGH = 1e-5  # slope at which one start can be told from another
SAME = 1e-9  # values of q a row, of mean communality 1, that are one minimum


class Search(NamedTuple):
    """The family, γ, whether rows are scaled to length 1, how many starts and how much patience."""

    family: type[Family]
    gamma: float
    kaiser: bool
    n_starts: int
    tol: float
    max_iter: int


class Found(NamedTuple):
    """T (k, k) of the family, q in the units of the rows compared, whether it is stationary."""

    T: Array
    value: float
    converged: bool


def crossing(L: Array, gamma: float) -> tuple[float, Array]:
    """q(L) = ¼ ⟨L², (I − γ/d 11ᵀ) L² (11ᵀ − I)⟩ and ∂q/∂L = L ∘ (I − γ/d 11ᵀ) L² (11ᵀ − I).

    Examples
    --------
    >>> import numpy as np
    >>> crossing(np.array([[1.0, 2.0]]), 0.0)  # ¼ (1²·2² + 2²·1²), and (1·2², 2·1²)
    (2.0, array([[4., 2.]]))
    """
    squares = L * L
    others = squares.sum(axis=1, keepdims=True) - squares
    others -= gamma * others.mean(axis=0)
    return 0.25 * float((squares * others).sum()), L * others


def best(A: Array, search: Search) -> Found:
    """The T with the smallest q of all starts, for loadings A (d, k).

    Raises
    ------
    DataError
        If q falls without bound, as it may for γ > 0.
    """
    _require_patience(search)
    d, k = A.shape
    if k < 2 or not A.any():
        return Found(np.eye(k), 0.0, converged=True)
    rows, size = unit_rows(A) if search.kaiser else at_most_one(A)
    scale = float(np.sqrt((rows * rows).sum() / d))
    family, criterion = search.family(rows / scale), partial(crossing, gamma=search.gamma)
    with single_blas():
        point, converged = _best_of_starts(family, criterion, search)
    if not converged:
        warn(
            f"the rotation stopped at slope {point.slope / d:.1e} a row, above tol = "
            f"{search.tol:.1e}: raise max_iter, or ask for a larger tol",
            ConvergenceWarning,
        )
    with np.errstate(over="ignore"):  # fourth powers of units; q may be inf, loadings are not
        value = point.value * np.float64(scale * size) ** 4
    return Found(point.T, float(value), converged)


def _best_of_starts(family: Family, criterion: Criterion, search: Search) -> tuple[Point, bool]:
    """The first of the starts that lead to the smallest q, then followed to the end."""
    rough = max(ROUGH, search.tol)
    ends = [
        descend(family, criterion, T, rough, search.max_iter)[0]
        for T in _starts(family.A, search.n_starts)
    ]
    least = min(end.value for end in ends)
    _require_minimum(least / len(family.A), search.gamma)
    first = next(end for end in ends if end.value <= least + SAME * len(family.A))
    return descend(family, criterion, first.T, search.tol, search.max_iter)


def _starts(A: Array, n_starts: int) -> list[Array]:
    """A as it is, its principal axes, and turns of these from a fixed seed."""
    k = A.shape[1]
    axes = np.linalg.svd(A)[2].T
    rng = np.random.default_rng(k)
    turns = (np.linalg.qr(rng.standard_normal((k, k)))[0] for _ in range(n_starts - 2))
    return [np.eye(k), axes, *(axes @ turn for turn in turns)][:n_starts]


def at_most_one(A: Array) -> tuple[Array, float]:
    """A over its largest entry, and that entry."""
    largest = float(np.abs(A).max())
    return A / largest, largest


def unit_rows(A: Array) -> tuple[Array, float]:
    """Rows scaled to length 1 (Kaiser's normalisation), rows of zeros as they are; and 1."""
    largest = np.abs(A).max(axis=1, keepdims=True)
    rows = A / np.where(largest > 0.0, largest, 1.0)
    return rows / np.where(largest > 0.0, np.linalg.norm(rows, axis=1, keepdims=True), 1.0), 1.0


def _require_minimum(value: float, gamma: float) -> None:
    if value < FALLS:
        raise DataError(
            f"oblimin with gamma={gamma:g} makes two factors one: it falls without bound while "
            "they do. Take gamma=0 (quartimin), or a negative one."
        )


def _require_patience(search: Search) -> None:
    for name, value, least in (("n_starts", search.n_starts, 1), ("max_iter", search.max_iter, 0)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise DataError(f"{name} must be a whole number, {least} or more; got {value!r}.")
    if not 0.0 < as_number(search.tol, "tol") < np.inf:
        raise DataError(f"tol must be a positive number; got {search.tol!r}.")
    if not isinstance(search.kaiser, bool | np.bool_):
        raise DataError(f"kaiser must be True or False; got {search.kaiser!r:.60}.")
