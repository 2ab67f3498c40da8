"""Whatever a user calls data → rows (n, d) and column names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_rows
from mvngrad.errors import DataError, DataWarning, warn
from mvngrad.io.table import Table, as_list, as_names, default_names, require_distinct


def as_table(data: Any, columns: Sequence[Any] | None = None) -> Table:
    """Rows and names of an array, a dataframe of any kind, or a CSV file.

    Raises
    ------
    DataError
        If a column asked for is not there, or nothing numeric is left.
    """
    columns = None if columns is None else as_list(columns)
    if isinstance(data, str | Path):
        from mvngrad.io.csv import read_csv

        read = read_csv(Path(data), columns)
        _say_left_out(read.left_out)
        return read.table
    is_series = hasattr(data, "to_frame") and hasattr(data, "dtype")
    frame = data.to_frame() if is_series else data
    if hasattr(frame, "__dataframe__") or hasattr(frame, "collect_schema"):
        return _of_dataframe(frame, columns)
    rows = as_rows(data)
    if columns is None:
        return Table(rows, default_names(rows.shape[1]))
    return _of_array(rows, columns)


def _of_array(rows: npt.NDArray[Any], columns: Sequence[Any]) -> Table:
    """Names for all columns of an array, or indices of some."""
    if all(isinstance(c, int | np.integer) for c in columns):
        bad = [c for c in columns if not -rows.shape[1] <= c < rows.shape[1]]
        if bad:
            raise DataError(
                f"column {bad[0]} does not exist: the data have {rows.shape[1]} columns."
            )
        chosen = [int(c) % rows.shape[1] for c in columns]
        require_distinct([str(c) for c in chosen])
        return Table(rows[:, chosen], tuple(f"x{j + 1}" for j in chosen))
    if len(columns) != rows.shape[1]:
        raise DataError(
            f"columns names {len(columns)} columns, the array has {rows.shape[1]}. Name them all, "
            "or choose some by index."
        )
    return Table(rows, as_names(columns))


def _of_dataframe(data: Any, columns: Sequence[Any] | None) -> Table:
    import narwhals.stable.v1 as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(data)
    except DuplicateError:
        require_distinct([str(name) for name in data.columns])
        raise
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    names = list(frame.columns)
    if columns is not None:
        if not columns:
            raise DataError("columns is empty; name at least one column.")
        names = [_named(c, names) for c in columns]
        require_distinct([str(name) for name in names])
    numeric = [name for name in names if frame.schema[name].is_numeric()]
    left_out = [str(name) for name in names if name not in numeric]
    if left_out and columns is not None:
        raise DataError(
            f"column {left_out[0]!r} holds {frame.schema[left_out[0]]}, not numbers. Convert it, "
            "or leave it out of columns."
        )
    if not numeric:
        what = ", ".join(map(str, names)) or "no column at all"
        raise DataError(f"the dataframe has no numeric column; it has {what}.")
    _say_left_out(left_out)
    _say_objects([str(name) for name in names if _holds_objects(frame.get_column(name))])
    arrays = [_as_float(frame.get_column(name)) for name in numeric]
    return Table(as_rows(np.column_stack(arrays)), tuple(map(str, numeric)))


def _say_left_out(names: Sequence[str]) -> None:
    if names:
        warn(f"left out columns without numbers: {', '.join(names)}", DataWarning)


def _holds_objects(series: Any) -> bool:
    """Whether values of any kind are in it, and not only null."""
    import narwhals.stable.v1 as nw

    return series.dtype == nw.Object and not series.is_null().all()


def _say_objects(names: Sequence[str]) -> None:
    """Numbers may hide in a column of objects, beside None for one."""
    if names:
        warn(
            f"{', '.join(names)}: of dtype object, which may hold anything. If it is numbers and "
            f"None, convert it: data[{names[0]!r}].astype(float)",
            DataWarning,
        )


def _as_float(series: Any) -> npt.NDArray[np.float64]:
    import narwhals.stable.v1 as nw

    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _named(column: Any, names: Sequence[Any]) -> Any:
    if column in names:
        return column
    if isinstance(column, int | np.integer) and -len(names) <= column < len(names):
        return names[int(column)]
    raise DataError(f"no column {column!r}; the data have {', '.join(map(str, names))}.")
