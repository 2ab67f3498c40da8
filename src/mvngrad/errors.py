"""Exceptions and warnings. Every message says what is wrong, what was got, and what to do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from numpy.linalg import LinAlgError


class DataError(ValueError):
    """The data or an argument cannot be used as given."""


class MissingValuesError(DataError):
    """Values are missing where a complete row is needed."""


class NeedsRowsError(DataError):
    """The question needs the rows of the data, and only their moments are at hand."""


class ModelFileError(ValueError):
    """A file is not a model file that this version can read."""


class NotPositiveDefiniteError(LinAlgError):
    """A covariance has no inverse, so the likelihood has no value there or no maximum.

    A ``LinAlgError``, which in NumPy 2 is a ``ValueError``.

    Attributes
    ----------
    smallest_eigenvalue : float | None    of the correlation matrix, where it was worked out
    columns : tuple of str                the columns involved
    rank : int | None                     numerical rank of the correlation matrix
    """

    def __init__(
        self,
        message: str,
        *,
        smallest_eigenvalue: float | None = None,
        columns: Sequence[str] = (),
        rank: int | None = None,
    ) -> None:
        super().__init__(message)
        self.smallest_eigenvalue = smallest_eigenvalue
        self.columns = tuple(columns)
        self.rank = rank


class ConvergenceWarning(UserWarning):
    """The optimiser stopped before the optimality test was met."""


class IllConditionedWarning(UserWarning):
    """The answer is right, with fewer digits than usual."""


class NotIdentifiedWarning(UserWarning):
    """Something that was asked for is not, or hardly, in the data; the message names it."""


class DataWarning(UserWarning):
    """The data were usable, but something about them deserves a look."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn, pointing at the line outside this package that led here."""
    home, level, frame = str(Path(__file__).parent), 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(home):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, no more than a few."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
