"""What is said on stderr beside a result, and about rows with holes instead of one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mvngrad.cli.failures import Failure, in_shell_words

if TYPE_CHECKING:
    import numpy as np

    from mvngrad.core.ops import Array
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable

BLOCK = 65536
MOST_LINES = 5


def note(text: str) -> None:
    """One line on stderr."""
    click.echo(f"Note: {text}.", err=True)


def warning(text: str) -> None:
    """A warning of the fit on stderr, in words of the shell."""
    click.echo(f"Warning: {in_shell_words(text)}.", err=True)


def on_left_out(names: Sequence[str]) -> None:
    """Which columns hold no number, if any."""
    if names:
        note(f"left out column{'s' * (len(names) > 1)} without numbers: {', '.join(names)}")


def on_dropped(rows: Array) -> None:
    """How many rows have a hole, if any."""
    count = int(incomplete(rows).sum())
    if count:
        note(f"dropped {count} of {len(rows)} rows with a missing value")


def on_warnings(caught: Sequence[warnings.WarningMessage], fit: Fit) -> None:
    """Warnings of ours that the fit does not carry itself; those of other libraries are theirs."""
    from mvngrad.errors import ConvergenceWarning, DataWarning, IllConditionedWarning

    ours = (ConvergenceWarning, DataWarning, IllConditionedWarning)
    texts = [str(w.message) for w in caught if issubclass(w.category, ours)]
    for text in dict.fromkeys(texts):
        if text not in fit.warnings:
            note(in_shell_words(text).rstrip("."))


def on_starts(n_starts: int | None, fit: Fit) -> None:
    """That starts beyond the first were not used, where they were not."""
    if n_starts is not None and fit.n_starts < n_starts:
        note("--n-starts has no effect: without missing values there is one maximum only")


def on_holes(data: CsvTable) -> Failure:
    """Rows with a hole, where all must be whole: how many, on which lines, in which columns."""
    import numpy as np

    table = data.table
    holes = np.flatnonzero(incomplete(table.rows))
    lines = data.lines_of([int(i) for i in holes[:MOST_LINES]])
    counts = np.isnan(table.rows[holes]).sum(axis=0)
    columns = [f"{name} {n}" for name, n in zip(table.columns, counts, strict=True) if n]
    rows = f"{len(holes)} of {len(table.rows)} rows {'has' if len(holes) == 1 else 'have'}"
    return Failure(
        f"{rows} a missing value: {_on_lines(lines, len(holes))} of {data.source.path} "
        f"({_listed(columns)}). Use what such rows have with --missing fiml, leave them out with "
        "--missing drop, or choose columns without holes with --columns."
    )


def incomplete(rows: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether each row has a NaN in it."""
    import numpy as np

    blocks = range(0, len(rows), BLOCK)
    return np.concatenate([np.isnan(rows[at : at + BLOCK]).any(axis=1) for at in blocks])


def _on_lines(lines: Sequence[int], count: int) -> str:
    shown = ", ".join(map(str, lines))
    more = f" and {count - len(lines)} more" if count > len(lines) else ""
    return f"line{'s' * (count > 1)} {shown}{more}"


def _listed(columns: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(columns[:most])
    return shown if len(columns) <= most else f"{shown}, and {len(columns) - most} columns more"
