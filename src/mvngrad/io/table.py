"""Rows and the names of their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.errors import DataError


class Table(NamedTuple):
    """Rows (n, d) of real numbers, NaN where missing, and a name a column."""

    rows: npt.NDArray[Any]
    columns: tuple[str, ...]


def default_names(d: int) -> tuple[str, ...]:
    """x1 … xd."""
    return tuple(f"x{j + 1}" for j in range(d))


def as_names(columns: Any) -> tuple[str, ...]:
    """Names of columns, no two alike; one name is not a sequence of letters."""
    names = tuple(map(str, as_list(columns)))
    require_distinct(names)
    return names


def as_list(columns: Any) -> list[Any]:
    """A list of names or indices, from one or several."""
    single = isinstance(columns, str | int | np.integer)
    return [columns] if single else list(columns)


def require_distinct(names: Sequence[str]) -> None:
    """Refuse a name that two columns share."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"column {twice[0]!r} occurs twice; names of columns must differ.")
