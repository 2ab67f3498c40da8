"""Formulas such as ``"~ age + sex"`` → the design they mean, by formulaic (the extra ``formula``).

Responses are the numeric columns that the formula does not name, unless ``columns`` says which.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError, listed
from mvngrad.io.data import as_table
from mvngrad.io.table import Table

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
    variables = variables_of(formula)
    if isinstance(data, str | Path):
        from mvngrad.io.csv import read_csv

        return designed_csv(read_csv(Path(data), columns), formula, every=columns is not None)
    frame = _eager(data, formula)
    _require_known(variables, [str(name) for name in frame.columns])
    table = _responses(frame, variables, columns, formula)
    covariates = {
        str(name): _as_pandas(frame.get_column(name))
        for name in frame.columns
        if str(name) in variables
    }
    return _with_design(table, formula, covariates)


def _eager(data: Any, formula: str) -> Any:
    """A dataframe of any kind, as narwhals has it."""
    import narwhals.stable.v1 as nw

    frame = nw.from_native(data, pass_through=True)
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    if not isinstance(frame, nw.DataFrame):
        raise DataError(
            f"the formula {formula!r} needs columns with names: give a dataframe or a CSV file, or "
            "make the design yourself and pass mean=mvngrad.Linear(Z)."
        )
    return frame


def _as_pandas(column: Any) -> Any:
    """A column as pandas has it, categories with their order, rows counted from 0."""
    import narwhals.stable.v1 as nw

    pandas, native = import_module("pandas"), column.to_native()
    if isinstance(native, pandas.Series):
        return native.reset_index(drop=True)
    if column.dtype in (nw.Enum, nw.Categorical):
        words, categories = column.cast(nw.String).to_list(), column.cat.get_categories().to_list()
        return pandas.Series(pandas.Categorical(words, categories))
    return pandas.Series(column.to_numpy())


def designed_csv(data: CsvTable, formula: str, *, every: bool) -> Designed:
    """What a formula makes of a CSV file; every column read is a response, or those not in it."""
    from mvngrad.io.csv import read_words

    variables, table = variables_of(formula), data.table
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
    frame: Any, variables: Sequence[str], columns: Sequence[Any] | None, formula: str
) -> Table:
    """The columns asked for; or the numeric ones that are not in the formula."""
    if columns is not None:
        return as_table(frame.to_native(), columns)
    others = [name for name in frame.columns if str(name) not in variables]
    if not any(frame.schema[name].is_numeric() for name in others):
        raise _nothing_left(formula)
    return as_table(frame.select(others).to_native())


def _nothing_left(formula: str) -> DataError:
    return DataError(
        f"every numeric column is in the formula {formula!r}: none is left as a response. Name the "
        "responses with columns=…, or take a column out of the formula."
    )


def variables_of(formula: str) -> list[str]:
    """The columns that a formula names."""
    try:
        parsed = _formulaic().Formula(formula)
        if any(not hasattr(term, "factors") for term in parsed):
            raise DataError(f"the formula {formula!r} has several parts: give one, '~ a + b'.")
        named = set(map(str, parsed.required_variables))
        calls = [str(f.expr) for term in parsed for f in term.factors if "(" in str(f.expr)]
        return sorted(named.union(*map(_arguments, calls)))
    except (ImportError, DataError):
        raise
    except Exception as error:
        raise DataError(f"the formula {formula!r} cannot be read: {_first_line(error)}") from error


def _arguments(call: str) -> set[str]:
    """Names that are arguments in a call: formulaic tells none of center, scale, poly and bs."""
    quoted = re.findall("`([^`]*)`", call)
    for k, name in enumerate(quoted):
        call = call.replace(f"`{name}`", f"quoted_{k}")
    tree = ast.parse(call.strip(), mode="eval")
    nodes = list(ast.walk(tree))
    spoken = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    spoken |= {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    names = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in spoken}
    places = {f"quoted_{k}": name for k, name in enumerate(quoted)}
    return {places.get(name, name) for name in names}


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
