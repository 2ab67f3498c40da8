"""The data of a command, and what is known of the columns that hold no number."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvngrad.cli.progress import Progress

if TYPE_CHECKING:
    from mvngrad.io.csv import CsvTable
    from mvngrad.io.header import Header
    from mvngrad.io.source import TextSource


def read(file: Path, columns: Sequence[str] | None, progress: Progress) -> CsvTable:
    """The numeric columns of a CSV file."""
    from mvngrad.io.csv import read_csv

    progress.say(f"reading {file}")
    data = read_csv(file, columns)
    progress.clear()
    return data


def read_for_model(file: Path, columns: Sequence[str], progress: Progress) -> CsvTable:
    """The columns of a model, those without a single value included: they are all holes.

    A pipe can be read but once, so there every column must have a number in it.
    """
    from mvngrad.io.header import chosen_columns, read_header
    from mvngrad.io.source import TextSource

    if not file.is_file():
        return read(file, columns, progress)
    source = TextSource.of(file)
    header = read_header(source)
    positions = chosen_columns(source, header, columns)
    seen = with_values(source, header, positions)
    there = [name for name, j in zip(columns, positions, strict=True) if j in seen]
    data = read(file, there, progress) if there else _rows_of_nothing(source, header)
    return _widened(data, columns)


def with_values(source: TextSource, header: Header, positions: Sequence[int]) -> set[int]:
    """Those of the columns, by position, that hold anything but missing values."""
    from mvngrad.io.words import is_missing

    left = set(positions)
    for _, _, record in itertools.islice(source.records(header.separator), 1, None):
        left -= {j for j in left if j < len(record) and not is_missing(record[j])}
        if not left:
            break
    return set(positions) - left


def _rows_of_nothing(source: TextSource, header: Header) -> CsvTable:
    import numpy as np

    from mvngrad.errors import DataError
    from mvngrad.io.csv import CsvTable
    from mvngrad.io.table import Table

    count = sum(1 for _ in source.records(header.separator)) - 1
    if not count:
        raise DataError(f"{source.path} has a header line and no rows.")
    return CsvTable(Table(np.empty((count, 0)), ()), (), source, header)


def _widened(data: CsvTable, columns: Sequence[str]) -> CsvTable:
    """The table with every one of these columns, NaN where it was not read."""
    import numpy as np

    from mvngrad.io.table import Table

    rows = np.full((len(data.table.rows), len(columns)), np.nan)
    for k, name in enumerate(data.table.columns):
        rows[:, list(columns).index(name)] = data.table.rows[:, k]
    return data._replace(table=Table(rows, tuple(columns)))
