"""Formulas such as ``"~ age + sex"`` → the design they mean, by formulaic (the extra ``formula``).

Responses are the numeric columns that the formula does not name, unless ``columns`` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError, listed
from mvngrad.io.data import as_table
from mvngrad.io.table import Table, as_list

if TYPE_CHECKING:
    from mvngrad.io.csv import CsvTable


class Designed(NamedTuple):
    """Responses, and the design (n, p) of their means with the names of its columns."""

    table: Table
    design: Array
    names: tuple[str, ...]


def is_formula(mean: object) -> bool:
    """Whether it is a formula for the means."""
    return isinstance(mean, str) and mean.lstrip().startswith("~")


def designed(data: Any, formula: str, columns: Sequence[Any] | None) -> Designed:
    """What a formula makes of a dataframe, or of a CSV file.

    Raises
    ------
    DataError
        If the formula cannot be read or names a column that is not there, or a value that it
        needs is missing.
    ImportError
        If formulaic is not installed.
    """
    variables = _variables(formula)
    if isinstance(data, str | Path):
        from mvngrad.io.csv import read_csv

        return designed_csv(read_csv(Path(data), columns), formula, every=columns is not None)
    if not (hasattr(data, "columns") and hasattr(data, "__getitem__")):
        raise DataError(
            f"the formula {formula!r} needs columns with names: give a dataframe or a CSV file, or "
            "make the design yourself and pass mean=mvngrad.Linear(Z)."
        )
    names = [str(name) for name in data.columns]
    _require_known(variables, names)
    table = as_table(data, _responses(names, variables, columns, data))
    covariates = {name: np.asarray(data[name]) for name in variables}
    return _with_design(table, formula, covariates)


def designed_csv(data: CsvTable, formula: str, *, every: bool) -> Designed:
    """What a formula makes of a CSV file; every column read is a response, or those not in it."""
    from mvngrad.io.csv import read_words

    variables, table = _variables(formula), data.table
    if not every:
        kept = [j for j, name in enumerate(table.columns) if name not in variables]
        if not kept:
            raise _nothing_left(formula)
        table = Table(table.rows[:, kept], tuple(table.columns[j] for j in kept))
    covariates = read_words(data, variables)

    def place(row: int) -> str:
        return f"line {data.lines_of([row])[0]} of {data.source.path}"

    return _with_design(table, formula, covariates, place)


def _row(row: int) -> str:
    return f"row {row}, counted from 0"


def _with_design(
    table: Table,
    formula: str,
    covariates: Mapping[str, Any],
    place: Callable[[int], str] = _row,
) -> Designed:
    """The design of numbers and categories; nothing may be missing in it."""
    frame = import_module("pandas").DataFrame(dict(covariates), index=range(len(table.rows)))
    for name in frame.columns:
        missing = np.flatnonzero(frame[name].isna())
        if missing.size:
            raise DataError(
                f"{name} is missing in {place(int(missing[0]))} ({missing.size} in all), and the "
                "formula needs it. Only responses may be missing: leave such rows out."
            )
    try:
        matrix = _formulaic().model_matrix(formula, frame, na_action="raise")
    except Exception as error:  # whatever formulaic has to say about a formula
        raise DataError(f"the formula {formula!r} cannot be used: {_first_line(error)}") from error
    return Designed(table, np.asarray(matrix, dtype=np.float64), tuple(map(str, matrix.columns)))


def _responses(
    names: Sequence[str], variables: Sequence[str], columns: Sequence[Any] | None, data: Any
) -> list[Any]:
    if columns is not None:
        return as_list(columns)
    numeric = as_table(data).columns
    left = [name for name in names if name in numeric and name not in variables]
    if not left:
        raise _nothing_left("~ " + " + ".join(variables))
    return left


def _nothing_left(formula: str) -> DataError:
    return DataError(
        f"every numeric column is in the formula {formula!r}: none is left as a response. Name the "
        "responses with columns=…, or take a column out of the formula."
    )


def _variables(formula: str) -> list[str]:
    """The columns that a formula names."""
    try:
        return sorted(map(str, _formulaic().Formula(formula).required_variables))
    except ImportError:
        raise
    except Exception as error:
        raise DataError(f"the formula {formula!r} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") + "."


def _require_known(variables: Sequence[str], names: Sequence[str]) -> None:
    unknown = [name for name in variables if name not in names]
    if unknown:
        raise DataError(f"the formula names {unknown[0]!r}; the data have {listed(names, 12)}.")


def _formulaic() -> Any:
    try:
        return import_module("formulaic")
    except ImportError as error:
        message = (
            'a formula needs formulaic: pip install "mvngrad[formula]", or pass mvngrad.Linear(Z).'
        )
        raise ImportError(message) from error
