"""A pattern of loadings from a CSV file: which column loads on which factor.

,visual,verbal          a name for each factor
x1,,0                   a column of the data, and for each factor: nothing where the loading is
x2,a,0                  free, a number where it is fixed, a word where all with this word are
x3,0,a                  equal

Entries stand between commas, tabs or semicolons; a word without a letter, as "-", is refused.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from mvngrad.errors import DataError
from mvngrad.io.table import require_distinct

SEPARATORS = ",\t;"


class LoadingPattern(NamedTuple):
    """Names of columns and of factors, and P (d, k) as ``FactorAnalytic`` takes it."""

    columns: tuple[str, ...]
    factors: tuple[str, ...]
    pattern: npt.NDArray[Any]


def read_loadings(path: Path) -> LoadingPattern:
    """The pattern that a file holds.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or a line has too many or too few entries.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = _rows(file)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"cannot read the loadings of {path}: {why}.") from error
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise DataError(
            f"{path} holds no loadings: a first line names the factors, after an empty entry, and "
            "each line after it a column of the data with an entry for each factor."
        )
    factors = tuple(name.strip() for name in lines[0][1][1:])
    for number, row in lines[1:]:
        if len(row) != len(factors) + 1:
            raise DataError(
                f"{path}, line {number}: {len(row) - 1} entries for {len(factors)} factors. Write "
                "0 where a column does not load, and nothing where a loading is free."
            )
    columns = tuple(row[0].strip() for _, row in lines[1:])
    require_distinct(columns)
    pattern = np.array([[_entry(word) for word in row[1:]] for _, row in lines[1:]], dtype=object)
    return LoadingPattern(columns, factors, pattern)


def _rows(file: TextIO) -> list[tuple[int, list[str]]]:
    """Lines with something in them and their numbers, split by what splits the first one most."""
    lines = list(file)
    first = next((line for line in lines if line.strip()), "")
    mark = max(SEPARATORS, key=first.count)
    rows = enumerate(csv.reader(lines, delimiter=mark), 1)
    return [(k, row) for k, row in rows if any(word.strip() for word in row)]


def _entry(word: str) -> float | str:
    """NaN where nothing stands; what a word means is for the pattern to say."""
    return word.strip() or np.nan
