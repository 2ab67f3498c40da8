"""CSV files → rows of numbers, by pyarrow with declared types: nothing is guessed or shifted.

A column is numeric if any of its values is a number; then every value must be one, or one of the
spellings of a missing value (`MISSING`, in any case of letters, spaces around it ignored). A column
without any number is left out. The first rows say which columns to declare as float64; only where
a declaration fails is everything read once more, as text, and each word looked at.

The separator is a comma, a tab or a semicolon, whichever splits the header line into most names.
Blank lines are skipped. Line numbers count from 1, the header's line, as an editor shows them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError, listed
from mvngrad.io.header import Header, chosen_columns, read_header
from mvngrad.io.source import TextSource, unreadable
from mvngrad.io.table import Table
from mvngrad.io.words import MISSING, Words, is_decimal, is_missing, kept_apart, remedy

GUESS_ROWS = 100
_SPELLINGS = sorted({spell(word) for word in MISSING for spell in (str, str.lower, str.upper)})


class CsvTable(NamedTuple):
    """What a CSV file holds: the numeric columns, and the names of those without any number."""

    table: Table
    left_out: tuple[str, ...]
    source: TextSource
    header: Header

    def lines_of(self, rows: Sequence[int]) -> list[int]:
        """The lines of the file on which these rows, counted from 0, begin. Reads it again."""
        return [line for line, _ in _records_at(self.source, self.header, rows)]


def read_csv(path: Path, columns: Sequence[str | int] | None = None) -> CsvTable:
    """The numeric columns of a CSV file as rows (n, d) of float64, NaN where a value is missing.

    Parameters
    ----------
    path : Path
        UTF-8 or UTF-16; compressed if the name ends in .gz, .bz2 or .zst.
    columns : sequence of str or int
        Names or positions (from 0) of the columns to read, in the order wanted; each must hold
        numbers. Default: all that hold numbers.

    Raises
    ------
    UnknownColumnError
        If a column asked for is not there.
    DataError
        If the file cannot be read, has no rows or no numbers, a line has too many or too few
        values, or a numeric column has a word or an infinity in it. The message names file,
        line, column and value.
    """
    source = TextSource.of(Path(path))
    try:
        return _read(source, columns)
    except OSError as error:
        raise unreadable(source.path, error) from error


def _read(source: TextSource, columns: Sequence[str | int] | None) -> CsvTable:
    header = read_header(source)
    chosen = chosen_columns(source, header, columns)
    numeric = _numeric(source, header, chosen)
    left_out = tuple(header.names[j] for j in chosen if j not in numeric)
    _require_numbers(source, header, numeric, left_out if columns is not None else ())
    rows = _rows(list(numeric.values()))
    _require_finite(source, header, list(numeric), rows)
    table = Table(rows, tuple(header.names[j] for j in numeric))
    return CsvTable(table, left_out, source, header)


def read_words(data: CsvTable, columns: Sequence[str]) -> dict[str, Any]:
    """Columns of any kind: float64 arrays where they hold numbers, else arrays of words or None."""
    chosen = chosen_columns(data.source, data.header, columns) if columns else ()
    found = _parsed(data.source, data.header, chosen, set(chosen)) if chosen else {}
    return {data.header.names[j]: _values(Words.of(found[str(j)])) for j in chosen}


def _values(words: Words) -> Any:
    if words.any_number and not words.stray:
        return words.numbers().to_numpy()
    values = words.words.to_pylist()
    return np.array([None if w is None or is_missing(w) else w for w in values], dtype=object)


# The values


def _numeric(source: TextSource, header: Header, chosen: Sequence[int]) -> dict[int, Any]:
    """Columns with a number in them, by position: pyarrow arrays of float64, null if missing."""
    from pyarrow import ArrowException

    try:
        table = _parsed(source, header, chosen, _looks_textual(source, header))
    except (ArrowException, UnicodeError):
        table = _parsed_or_explained(source, header, chosen)
    if table.num_rows == 0:
        raise _no_rows(source)
    columns = {j: _of_column(source, header, j, table[str(j)]) for j in chosen}
    return {j: column for j, column in columns.items() if column is not None}


def _looks_textual(source: TextSource, header: Header) -> set[int]:
    """Columns with anything but numbers and missing values in the first rows."""
    return {
        j
        for _, record in itertools.islice(_records(source, header), GUESS_ROWS)
        for j, word in enumerate(record)
        if not (is_decimal(word) or is_missing(word))
    }


def _parsed(source: TextSource, header: Header, chosen: Sequence[int], textual: set[int]) -> Any:
    """The chosen columns, named by position: strings where textual, float64 elsewhere."""
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    positions = [str(j) for j in range(len(header.names))]
    types = {str(j): pa.string() if j in textual else pa.float64() for j in chosen}
    quoted = source.quotes_after(header.lines)
    with source.open() as stream:
        return read_csv(
            stream,
            ReadOptions(column_names=positions, skip_rows=header.lines, encoding=source.encoding),
            ParseOptions(delimiter=header.separator, newlines_in_values=quoted),
            ConvertOptions(column_types=types, include_columns=list(types), null_values=_SPELLINGS),
        )


def _parsed_or_explained(source: TextSource, header: Header, chosen: Sequence[int]) -> Any:
    """The chosen columns as strings, or an error that says which line cannot be read."""
    from pyarrow import ArrowException

    try:
        return _parsed(source, header, chosen, set(chosen))
    except (ArrowException, UnicodeError) as error:
        raise _explained(source, header, str(error)) from error


def _explained(source: TextSource, header: Header, words: str) -> DataError:
    d, line = len(header.names), header.lines
    for line, record in _records(source, header):
        if len(record) != d:
            return DataError(_ragged(source, header, line, len(record)))
        source.require_readable("".join(record), f"line {line}")
    if line == header.lines:
        return _no_rows(source)
    return DataError(f"{source.path} cannot be read as CSV: {words}.")


def _ragged(source: TextSource, header: Header, line: int, count: int) -> str:
    d, mark = len(header.names), {"\t": "a tab"}.get(header.separator, repr(header.separator))
    index = " Is the name of a first column of row names missing?" if count == d + 1 else ""
    return (
        f"{source.path}, line {line}: {count} value{'s' * (count != 1)} where the header names {d} "
        f"column{'s' * (d != 1)}, separated by {mark}. Complete the line, or quote text that holds "
        f"the separator.{index}"
    )


def _no_rows(source: TextSource) -> DataError:
    return DataError(f"{source.path} has a header line and no rows.")


def _of_column(source: TextSource, header: Header, j: int, column: Any) -> Any | None:
    """A column as float64, or None if there is no number in it."""
    import pyarrow as pa

    if column.type == pa.float64():
        return None if column.null_count == len(column) else column
    words = Words.of(column)
    if words.stray and (words.any_number or kept_apart(words.stray)):
        raise DataError(_stray(source, header, j, words))
    return words.numbers() if words.any_number else None


def _stray(source: TextSource, header: Header, j: int, words: Words) -> str:
    row, count = words.first_stray()
    (line, record), *_ = _records_at(source, header, [row])
    others = {1: "", 2: "; nor is 1 other value"}.get(count, f"; nor are {count - 1} other values")
    return (
        f"{source.path}, line {line}: {record[j]!r} in column {header.names[j]!r} is not a number"
        f"{others}. {remedy(record[j])} Or choose columns without {header.names[j]!r}."
    )


def _require_numbers(
    source: TextSource, header: Header, numeric: dict[int, Any], refused: tuple[str, ...]
) -> None:
    if refused:
        raise DataError(
            f"{source.path}: column {refused[0]!r} has no number in it. Leave it out of columns."
        )
    if not numeric:
        raise DataError(
            f"{source.path} has no column of numbers; it has {listed(header.names, 12)}. Columns "
            "are separated by commas, tabs or semicolons, decimals written with a point."
        )


def _rows(columns: list[Any]) -> Array:
    """Columns side by side, C-ordered; by pyarrow's batches, so that each stays in cache."""
    import pyarrow as pa

    table = pa.table(columns, names=[str(j) for j in range(len(columns))])
    rows = np.empty((table.num_rows, len(columns)))
    at = 0
    for batch in table.to_batches():
        for j, column in enumerate(batch.columns):
            rows[at : at + len(batch), j] = column.to_numpy(zero_copy_only=False)
        at += len(batch)
    return rows


def _require_finite(
    source: TextSource, header: Header, positions: Sequence[int], rows: Array
) -> None:
    for start in range(0, len(rows), 65536):
        infinite = np.isinf(rows[start : start + 65536])
        if infinite.any():
            i, j = (int(k) for k in np.argwhere(infinite)[0])
            (line, record), *_ = _records_at(source, header, [start + i])
            raise DataError(
                f"{source.path}, line {line}: {record[positions[j]]!r} in column "
                f"{header.names[positions[j]]!r} is infinite. Infinity is no measurement: correct "
                "it, or write NA if the value is missing."
            )


# Where things stand in the file: slow, and only asked for when something is to be said


def _records(source: TextSource, header: Header) -> Iterator[tuple[int, list[str]]]:
    """Every row below the header, with the line it begins on."""
    rows = itertools.islice(source.records(header.separator), 1, None)
    return ((first, record) for first, _, record in rows)


def _records_at(
    source: TextSource, header: Header, rows: Sequence[int]
) -> list[tuple[int, list[str]]]:
    """The rows of these numbers, counted from 0, with their lines."""
    wanted, last = set(rows), max(rows, default=-1)
    below = itertools.islice(_records(source, header), last + 1)
    return [found for i, found in enumerate(below) if i in wanted]
