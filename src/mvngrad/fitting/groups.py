"""Groups and blocks of columns that a test is of: what is given, as rows or as moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np

from mvngrad.core.grouping import Rows
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.goodness import Correction
from mvngrad.io.data import as_table
from mvngrad.io.table import default_names


class Given(NamedTuple):
    """Groups of rows, and their moments where no group has a hole."""

    columns: tuple[str, ...]
    rows: list[Rows]
    moments: list[Moments] | None

    def stacked(self) -> tuple[Array, Array]:
        """All rows, and which group each is of: indicators (n, g)."""
        sizes = [len(rows) for rows in self.rows]
        return np.vstack(self.rows), np.repeat(np.eye(len(sizes)), sizes, axis=0)


def groups_of(groups: Sequence[Any], correction: Any, least: int = 2) -> Given:
    """Rows or moments of each group; moments of all where none has a hole."""
    if correction not in get_args(Correction):
        raise DataError(f"correction must be 'bartlett' or 'none'; got {correction!r:.60}.")
    if len(groups) < least:
        raise DataError(
            f"two groups or more are to be compared; got {len(groups)}. Give each as an argument "
            "of its own: f(a, b), or f(*groups) for a list of them."
        )
    read = [_read(group) for group in groups]
    names = [columns for _, columns in read]
    if len(set(names)) > 1:
        shown = " and ".join(", ".join(columns[:6]) for columns in dict.fromkeys(names))
        raise DataError(f"groups must have the same columns in one order; got {shown}.")
    given = [part for part, _ in read]
    tables = [part for part in given if not isinstance(part, Moments)]
    if not any(map(_has_holes, tables)):
        moments = [part if isinstance(part, Moments) else Moments.of(part) for part in given]
        return Given(names[0], tables, moments)
    if len(tables) < len(given):
        raise DataError(
            "a group has holes and another is Moments: with holes the rows of all groups are "
            "needed. Give rows, or Moments of complete rows, for each."
        )
    return Given(names[0], tables, None)


def _read(group: Any) -> tuple[Rows | Moments, tuple[str, ...]]:
    if isinstance(group, Moments):
        return group, default_names(group.d)
    return as_table(group)


def _has_holes(rows: Rows) -> bool:
    return rows.dtype.kind == "f" and bool(np.isnan(rows).any())


def blocks_of(blocks: Any, columns: Sequence[str]) -> list[list[int]]:
    """Indices of the columns of each block."""
    d = len(columns)
    if blocks is None:
        blocks = [[j] for j in range(d)]
    places = [[_place(name, columns) for name in block] for block in blocks]
    if sorted(j for block in places for j in block) != list(range(d)) or not all(places):
        raise DataError(
            f"every column must be in one block, and no block empty; got {blocks!r:.80} of "
            f"{', '.join(columns[:6])}{' …' * (d > 6)}."
        )
    if len(places) < 2:
        raise DataError("independence is of two blocks of columns or more; got one.")
    return places


def _place(name: Any, columns: Sequence[str]) -> int:
    if isinstance(name, int | np.integer) and -len(columns) <= name < len(columns):
        return int(name) % len(columns)
    if name in columns:
        return list(columns).index(name)
    raise DataError(f"there is no column {name!r:.60}; there are {', '.join(columns[:6])}.")
