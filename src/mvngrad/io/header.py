"""The header line of a CSV file: the separator, the names, and which columns are asked for."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from typing import NamedTuple

from mvngrad.errors import DataError, listed
from mvngrad.io.source import TextSource
from mvngrad.io.words import is_decimal

SEPARATORS = ",\t;"


class UnknownColumnError(DataError):
    """A column was asked for that the file does not have."""


class Header(NamedTuple):
    """The first line: names by position, the separator, and the lines it takes up."""

    names: tuple[str, ...]
    separator: str
    lines: int


def read_header(source: TextSource) -> Header:
    """Names, separator and extent of the header."""
    separator = _separator(source)
    _, last, record = next(source.records(separator), (0, 0, []))
    if not record:
        raise DataError(f"{source.path} is empty: it has no header line and no rows.")
    names = tuple(name.strip() for name in record)
    source.require_readable("".join(names), "the header")
    _require_no_data(source, names)
    return Header(names, separator, last)


def _separator(source: TextSource) -> str:
    """Whichever of comma, tab and semicolon splits the first line most; in doubt, the earlier."""
    with source.text() as text:
        line = next((line for line in text if line.strip("\r\n")), "")
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _require_no_data(source: TextSource, names: tuple[str, ...]) -> None:
    """A first line of numbers, not all whole, is a row: whole numbers could be names, as years."""
    if all(map(is_decimal, names)) and not all(name.isdigit() for name in names):
        raise DataError(
            f"{source.path}: line 1 holds numbers ({', '.join(names[:3])}…) where the names of "
            "columns belong. Put a header line before it."
        )


def chosen_columns(
    source: TextSource, header: Header, columns: Sequence[str | int] | None
) -> tuple[int, ...]:
    """Positions of the columns to read."""
    if columns is None:
        chosen: Sequence[int] = range(len(header.names))
    else:
        chosen = [_position(source, header, column) for column in columns]
    if not chosen:
        raise DataError("columns is empty; name at least one column.")
    _require_distinct(source, header, chosen)
    return tuple(chosen)


def _position(source: TextSource, header: Header, column: str | int) -> int:
    if isinstance(column, str) and column.strip() in header.names:
        return header.names.index(column.strip())
    if not isinstance(column, str) and -len(header.names) <= column < len(header.names):
        return int(column) % len(header.names)
    close = difflib.get_close_matches(str(column), header.names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    raise UnknownColumnError(
        f"{source.path} has no column {column!r}; it has {listed(header.names, 12)}.{guess}"
    )


def _require_distinct(source: TextSource, header: Header, chosen: Sequence[int]) -> None:
    names = [header.names[j] for j in chosen]
    for j, name in zip(chosen, names, strict=True):
        if not name:
            raise DataError(
                f"{source.path}: column {j + 1} of the header has no name (a row index, or a "
                "separator too many?). Name it, or choose the columns to fit by name."
            )
        if header.names.count(name) > 1 or names.count(name) > 1:
            where = [str(k + 1) for k, other in enumerate(header.names) if other == name]
            twice = "the header, in columns " + " and ".join(where)
            raise DataError(
                f"{source.path}: the name {name!r} occurs twice in "
                f"{twice if len(where) > 1 else 'the columns asked for'}. Names must differ."
            )
