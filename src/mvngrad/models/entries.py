"""What the entries of a pattern of loadings mean, in Python and in a file alike.

NaN, None, "nan", "na", "free", "*"     free
a number, or a text that is one         fixed
another text, with a letter in it       a label: loadings with one label are equal
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.errors import DataError

FREE = ("*", "free", "nan", "na")
NO_LABEL = ("inf", "infinity", "nan")


def entries(pattern: Any) -> npt.NDArray[Any]:
    """A pattern as an array (d, k) of floats, or of objects where some are labels."""
    given = _rectangle(pattern)
    read = np.empty(given.shape, dtype=object)
    for (i, f), entry in np.ndenumerate(given):
        read[i, f] = _entry(entry, i, f)
    labelled = any(isinstance(x, str) for x in read.ravel())
    return read if labelled else read.astype(np.float64)


def _rectangle(pattern: Any) -> npt.NDArray[Any]:
    if isinstance(pattern, list | tuple):
        lengths = [len(row) for row in pattern if isinstance(row, list | tuple | np.ndarray)]
        if len(set(lengths)) > 1:
            first = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise DataError(
                f"the rows of a pattern must be of one length, an entry for each factor; row 0 has "
                f"{lengths[0]} and row {first} has {lengths[first]}."
            )
    given = np.array(pattern, dtype=object)
    if given.ndim != 2 or 0 in given.shape:
        raise DataError(
            f"pattern must be (d, k), a row a column of the data and a column a factor; got "
            f"shape {given.shape}."
        )
    return given


def _entry(entry: Any, i: int, f: int) -> float | str:
    """NaN where free, a number where fixed, else a label."""
    if isinstance(entry, bool | np.bool_):
        raise DataError(
            f"pattern must say which loadings are free by NaN and which are not by a number, as 0; "
            f"got {bool(entry)} at [{i}, {f}]. Of a mask of the free ones make "
            "np.where(mask, np.nan, 0.0)."
        )
    word = entry.strip() if isinstance(entry, str) else None
    if entry is None or (word is not None and word.lower() in FREE):
        return np.nan
    try:
        value = np.inf if word is not None and "_" in word else float(entry)
    except (TypeError, ValueError):
        value = np.inf
    if np.isfinite(value) or (np.isnan(value) and word is None):
        return value
    if (
        word is not None
        and any(c.isalpha() for c in word)
        and word.lower().strip("+-") not in NO_LABEL
    ):
        return word
    raise DataError(
        f"pattern must hold NaN (free), numbers (fixed) or labels, which have a letter in them "
        f"(tied); got {entry!r} at [{i}, {f}]."
    )
