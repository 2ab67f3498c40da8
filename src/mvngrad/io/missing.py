"""What to do with rows that have a hole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array
from mvngrad.errors import DataError

Missing = Literal["fiml", "drop", "raise"]


def require_missing(missing: object) -> None:
    """Refuse what is no way to treat missing values."""
    if missing not in get_args(Missing):
        raise DataError(f"missing must be 'fiml', 'drop' or 'raise'; got {missing!r}.")


def complete_rows(
    rows: npt.NDArray[Any], weights: Array | None, missing: Missing, columns: Sequence[str]
) -> tuple[npt.NDArray[Any], Array | None]:
    """The rows to fit: all of them, or with ``missing="drop"`` those without a hole."""
    require_missing(missing)
    if missing != "drop" or rows.dtype.kind != "f":
        return rows, weights
    whole = np.concatenate(
        [~np.isnan(rows[start : start + 65536]).any(axis=1) for start in range(0, len(rows), 65536)]
    )
    if whole.all():
        return rows, weights
    if not whole.any():
        empty = [name for j, name in enumerate(columns) if np.isnan(rows[:, j]).all()]
        which = f"no value at all in {', '.join(empty)}" if empty else "each has a missing value"
        raise DataError(
            f"no complete row is left of {len(rows)}: {which}. Choose other columns (columns=…)."
        )
    return rows[whole], None if weights is None else weights[whole]
