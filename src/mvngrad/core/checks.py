"""What arrays come in as: float rows, weights and parameters, or an error that helps."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array
from mvngrad.errors import DataError, MissingValuesError


def as_rows(X: Any) -> npt.NDArray[Any]:
    """X as an (n, d) array of real numbers, float32 and integers as they are; no copy."""
    array = _unmasked(X)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"the data must be real numbers, an array (n, d) or a dataframe; got {_kind(X, array)}."
        )
    if array.ndim != 2:
        hint = (
            "X.reshape(-1, 1) makes one column of it, X.reshape(1, -1) one row"
            if array.ndim == 1
            else "stack to (n, d)"
        )
        raise DataError(
            f"the data must be (n, d), rows by columns; got shape {array.shape}: {hint}."
        )
    if 0 in array.shape:
        raise DataError(f"the data are empty: got shape {array.shape}; need a row and a column.")
    return array


def _unmasked(X: Any) -> npt.NDArray[Any]:
    if isinstance(X, np.ma.MaskedArray):
        return np.ma.filled(X.astype(np.float64), np.nan)
    try:
        return np.asarray(X)
    except ValueError as error:
        raise DataError(f"the data must be (n, d), every row of one length: {error}.") from error


def _kind(X: Any, array: npt.NDArray[Any]) -> str:
    """What came instead of numbers, and the way on."""
    if array.dtype.kind == "c":
        return "complex numbers: fit real and imaginary parts as columns of their own"
    if hasattr(X, "toarray"):
        return f"a sparse {type(X).__name__}: densify it with X.toarray()"
    if array.ndim == 0:
        return f"a {type(X).__name__}"
    if array.dtype.kind in "OUS":
        return f"dtype {array.dtype}: drop or encode text columns, then convert with astype(float)"
    return f"dtype {array.dtype}: convert with astype(float) if the values are measurements"


def as_floats(value: Any, name: str) -> Array:
    """An array of float64 from whatever holds real numbers."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c":
            raise TypeError("complex")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be real numbers; got {value!r:.80}.") from error


def as_weights(weights: Any, n: int) -> Array | None:
    """Case weights (n,): finite, none negative, some positive."""
    if weights is None:
        return None
    if isinstance(weights, str):
        raise DataError(
            f"weights are numbers, one for each row, not a name; got {weights!r:.60}. Pass the "
            f"column itself, weights=data[{weights!r:.60}], and leave it out of columns=…."
        )
    w = as_floats(weights, "weights")
    if w.shape != (n,):
        raise DataError(f"weights must have one entry a row, shape ({n},); got shape {w.shape}.")
    bad = np.flatnonzero(~(np.isfinite(w) & (w >= 0.0)))
    if bad.size:
        raise DataError(
            f"weights must be finite and not negative; got {w[bad[0]]} at row {bad[0]} "
            f"({bad.size} in all). A weight of 0 leaves a row out."
        )
    return w


def as_vector(value: Any, name: str, d: int) -> Array:
    """A finite vector (d,)."""
    vector = as_floats(value, name)
    if vector.shape != (d,):
        raise DataError(f"{name} must have shape ({d},), one entry a column; got {vector.shape}.")
    _require_finite(vector, name)
    return vector


def as_factor(value: Any, d: int, *, name: str = "factor") -> Array:
    """A finite matrix Λ (d, k)."""
    factor = as_floats(value, name)
    if factor.ndim != 2 or factor.shape[0] != d:
        raise DataError(
            f"{name} must have shape ({d}, k), a row a column of X; got {factor.shape}."
        )
    _require_finite(factor, name)
    return factor


def as_generator(rng: Any) -> np.random.Generator:
    """A random generator from None, a seed, or a generator as it is."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise DataError(f"rng must be a seed or a numpy Generator; got {rng!r:.60}.") from error


def as_number(value: Any, name: str) -> float:
    """One real number."""
    array = as_floats(value, name)
    if array.ndim != 0:
        raise DataError(f"{name} must be one number; got an array of shape {array.shape}.")
    return float(array)


def _require_finite(array: Array, name: str) -> None:
    if isfinite(np.vdot(array, array)):  # in one visit; squares may overflow, so look closer
        return
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{name} must be finite; got {array[index]} at index {index}.")


def require_no_infinity(
    X: npt.NDArray[Any],
    weights: Array | None = None,
    columns: Sequence[str] | None = None,
    offset: int = 0,
) -> None:
    """Refuse ±inf in rows that count; NaN is a missing value. ``offset``: the number of row 0."""
    if X.dtype.kind != "f":
        return
    infinite = np.isinf(X)
    if weights is not None:
        infinite &= weights[:, None] > 0.0
    if infinite.any():
        i, j = np.argwhere(infinite)[0]
        raise _infinite(columns[j] if columns else f"column {j}", offset + i, X[i, j])


def _infinite(name: str, row: int, value: float) -> DataError:
    return DataError(
        f"{name} is infinite at row {row} (value {value}). Infinity is no measurement: correct "
        "it, or make it NaN if the value is missing."
    )


def require_finite_rows(
    X: npt.NDArray[Any], weights: Array | None = None, columns: Sequence[str] | None = None
) -> None:
    """Say where X is not finite: inf is an error, NaN a missing value; nothing if neither.

    Reads the data once more, so it is called where a pass has come out not finite.
    """
    used = np.ones(len(X), bool) if weights is None else weights > 0.0
    names = columns or [f"column {j}" for j in range(X.shape[1])]
    holes, first_hole, hole_columns = 0, -1, np.zeros(X.shape[1], bool)
    for start in range(0, len(X), 65536):
        block, rows = X[start : start + 65536], used[start : start + 65536]
        infinite = np.isinf(block) & rows[:, None]
        if infinite.any():
            i, j = np.argwhere(infinite)[0]
            raise _infinite(names[j], start + i, block[i, j])
        missing = np.isnan(block) & rows[:, None]
        if missing.any():
            first_hole = first_hole if holes else start + int(np.argmax(missing.any(axis=1)))
            holes += int(missing.any(axis=1).sum())
            hole_columns |= missing.any(axis=0)
    if holes:
        where = ", ".join(names[j] for j in np.flatnonzero(hole_columns)[:5])
        raise MissingValuesError(
            f"{holes} of {len(X)} rows have a missing value, in {where}; the first is row "
            f"{first_hole}, counted from 0. mvngrad.fit(…, missing='drop') leaves such rows out."
        )
