"""What a table holds, what is missing in it, and what stands in the way of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mvngrad.cli.failures import in_shell_words
from mvngrad.cli.reading import with_values
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import DataError, NotPositiveDefiniteError, listed
from mvngrad.fitting.convergence import Status
from mvngrad.fitting.identified import in_words
from mvngrad.fitting.requirements import counted
from mvngrad.inference.missing import McarTest, MissingReport

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable

BLOCK = 65536
NO_FIT = "no full covariance can be fitted"


@dataclass(frozen=True, eq=False)
class Inspection:
    """A table, column by column and pattern by pattern.

    Attributes
    ----------
    n_rows : int                     rows in the file
    report : MissingReport           patterns, most frequent first, and coverage
    mean, deviation : (d,) arrays    of what is observed of each column, divisor its count
    least, most : (d,) arrays        smallest and largest value of each column
    words, nothing : names           of columns left out: text, and those without any value
    obstacles : sentences            why no full covariance can be fitted
    warnings : phrases               of what a fit cannot, or can hardly, tell
    mcar, no_mcar                    Little's test, or why there is none
    interrupted : bool               whether the test was given up
    """

    n_rows: int
    report: MissingReport
    mean: Array
    deviation: Array
    least: Array
    most: Array
    words: tuple[str, ...]
    nothing: tuple[str, ...]
    obstacles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    mcar: McarTest | None = None
    no_mcar: str | None = None
    interrupted: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns with numbers."""
        return self.report.columns

    @property
    def cells(self) -> int:
        """Values missing in all rows, those with nothing observed included."""
        return int(self.n_rows * len(self.columns) - self.report.counts.sum())

    @property
    def share(self) -> float:
        """Of all values, those that are missing."""
        return self.cells / (self.n_rows * len(self.columns))


def inspected(data: CsvTable, threads: int | None, fitted: Callable[[], Fit]) -> Inspection:
    """Look at the table; ``fitted`` is asked for a full fit if nothing speaks against one."""
    found = _seen(data, threads)
    obstacles = _obstacles(found)
    if obstacles:
        return replace(found, obstacles=obstacles, no_mcar=NO_FIT)
    return _tested(found, fitted)


def _seen(data: CsvTable, threads: int | None) -> Inspection:
    """All that can be told without a fit."""
    rows, columns = data.table
    patterns = Patterns.of(rows, threads=threads)
    report = _report(patterns, columns)
    together = tuple(report.never_together)
    warnings = (in_words(together),) if together else ()
    numbers = (*_moments(patterns), *_extremes(rows))
    return Inspection(len(rows), report, *numbers, *_left_out(data), warnings=warnings)


def _report(patterns: Patterns, columns: tuple[str, ...]) -> MissingReport:
    """Patterns and counts; the test comes from a fit."""
    order = np.argsort(-patterns.counts, kind="stable")
    counts = patterns.counts[order]
    return MissingReport(columns, patterns.observed[order], counts, patterns.n_empty)


def _moments(patterns: Patterns) -> tuple[Array, Array]:
    """Mean and standard deviation of what is observed of each column."""
    center, variances = patterns.available()
    frame = patterns.frame
    return frame.origin + frame.root * center, frame.root * np.sqrt(variances)


def _extremes(rows: Array) -> tuple[Array, Array]:
    """Smallest and largest value of each column; every column has one."""
    blocks = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
    least = np.fmin.reduce([np.fmin.reduce(block) for block in blocks])
    return least, np.fmax.reduce([np.fmax.reduce(block) for block in blocks])


def _left_out(data: CsvTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns without numbers: those that hold words, and those that hold nothing."""
    at = {name: data.header.names.index(name) for name in data.left_out}
    seen = with_values(data.source, data.header, list(at.values())) if at else set()
    words = tuple(name for name in data.left_out if at[name] in seen)
    return words, tuple(name for name in data.left_out if at[name] not in seen)


# What stands in the way


def _obstacles(found: Inspection) -> tuple[str, ...]:
    """Constant columns and too few rows: what can be seen without a fit."""
    said = []
    names = [found.columns[j] for j in np.flatnonzero(found.least == found.most).tolist()]
    if names:
        verb = "does" if len(names) == 1 else "do"
        said.append(f"{listed(names, 12)} {verb} not vary: choose other columns (--columns).")
    n, d = found.report.n_obs, len(found.columns)
    if n <= d:
        said.append(
            f"{counted(n, 'row')} cannot determine a full covariance of {counted(d, 'column')}: "
            f"{d + 1} rows are needed. Choose fewer columns (--columns), or fit "
            "--covariance diagonal."
        )
    return tuple(said)


def _tested(found: Inspection, fitted: Callable[[], Fit]) -> Inspection:
    """What a fit says of the data, or why there is none."""
    try:
        fit = fitted()
    except (NotPositiveDefiniteError, DataError) as error:
        return replace(found, obstacles=(in_shell_words(str(error)),), no_mcar=NO_FIT)
    except KeyboardInterrupt:
        return replace(found, no_mcar="interrupted", interrupted=True)
    if fit.status is Status.INTERRUPTED:
        return replace(found, no_mcar="interrupted", interrupted=True)
    said = tuple(dict.fromkeys((*found.warnings, *map(in_shell_words, fit.warnings))))
    return _with_test(replace(found, warnings=said), fit)


def _with_test(found: Inspection, fit: Fit) -> Inspection:
    """With Little's test, where there are patterns to compare and a fit to compare them with."""
    if len(found.report.rows) == 1:
        return replace(found, no_mcar="all rows have the same columns observed")
    if not fit.converged:
        return replace(found, no_mcar="the fit did not converge")
    return replace(found, mcar=fit.missing.mcar_test())
