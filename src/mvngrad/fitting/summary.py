"""What a fit says for itself: plain table objects, rendered here as text, elsewhere as they like.

A `Summary` is a title, tables of strings and notes. It knows neither terminals nor HTML; what
renders it decides on width (`PlainTable.blocks`), rules and colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mvngrad.core.roots import correlation_condition
from mvngrad.errors import DataError
from mvngrad.fitting.numbers import aligned, fixed, general, paired
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.diagonal import Diagonal, Spherical

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit

COVARIANCES = {Cholesky: "full", Diagonal: "diagonal", Spherical: "spherical"}
MOST_COLUMNS = 40  # of which mean and deviation are listed
MOST_CORRELATED = 15  # up to which the correlation matrix is shown whole
STRONGEST = 15  # correlations listed otherwise
LONGEST_NAME = 28
WIDTH = 100
Part = Literal["title", "facts", "table", "warning", "note"]


@dataclass(frozen=True)
class PlainTable:
    """A title, a header and rows of strings of equal length: the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Of each column, in characters."""
        return tuple(max(map(len, column)) for column in zip(self.header, *self.rows, strict=True))

    def blocks(self, width: int, gap: int = 2) -> Iterator[PlainTable]:
        """The table itself, or side by side pieces of it that each fit the width, names repeated.

        Rows in which a piece would have nothing to show are left out of it.
        """
        widths = self.widths
        start, title = 1, self.title
        while start < len(widths) or start == 1:
            stop, used = start, widths[0]
            while stop < len(widths) and (stop == start or used + gap + widths[stop] <= width):
                used += gap + widths[stop]
                stop += 1
            yield self._piece(title, start, stop)
            start, title = max(stop, start + 1), ""

    def _piece(self, title: str, start: int, stop: int) -> PlainTable:
        rows = ((row[0], *row[start:stop]) for row in self.rows)
        shown = tuple(row for row in rows if any(row[1:]) or stop <= start)
        return PlainTable(title, (self.header[0], *self.header[start:stop]), shown)


@dataclass(frozen=True)
class Summary:
    """A title, facts in pairs, tables, warnings in words, and notes."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[PlainTable, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def summary(fit: Fit) -> str:
    """A table for the eye: how the fit ended, its likelihood, means, deviations, correlations."""
    return as_text(summarise(fit))


def summarise(fit: Fit, source: str | None = None) -> Summary:
    """The summary as an object; ``source`` says where the data came from."""
    return Summary(
        "Multivariate normal, fitted by maximum likelihood",
        _facts(fit, source),
        tuple(_tables(fit)),
        fit.warnings,
        _notes(fit),
    )


# Rendered as text


def as_text(said: Summary, width: int = WIDTH) -> str:
    """Plain text, no line of a table wider than ``width`` where its columns allow."""
    return "\n\n".join(text for _, text in parts(said, width)) + "\n"


def parts(said: Summary, width: int) -> Iterator[tuple[Part, str]]:
    """The paragraphs of the text with what each is, for whoever gives them a style."""
    yield "title", said.title
    yield "facts", fact_lines(said.facts)
    for table in said.tables:
        yield from (("table", table_text(piece)) for piece in table.blocks(width))
    yield from (("warning", f"Warning: {text}.") for text in said.warnings)
    yield from (("note", note) for note in said.notes)


def fact_lines(facts: Sequence[tuple[str, str]]) -> str:
    """Facts in two columns, read downwards."""
    half = (len(facts) + 1) // 2
    left, right = _justified(facts[:half]), _justified(facts[half:])
    right += [""] * (half - len(right))
    width = max(map(len, left)) + 4
    return "\n".join(f"{a:<{width}}{b}".rstrip() for a, b in zip(left, right, strict=True))


def _justified(facts: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in facts), default=0) + 2
    return [f"{name:<{width}}{value}" for name, value in facts]


def table_text(table: PlainTable) -> str:
    """Names to the left, numbers to the right, a rule under the header."""
    widths = table.widths
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_line(row, widths) for row in (table.header, *table.rows)]
    return "\n".join([*([table.title] if table.title else []), lines[0], rule, *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([f"{row[0]:<{widths[0]}}", *numbers]).rstrip()


# What is said


def _facts(fit: Fit, source: str | None) -> tuple[tuple[str, str], ...]:
    rows = f"{fit.n_obs}" + (f" (total weight {general(fit.weight)})" * (fit.weight != fit.n_obs))
    data = [("Data", source)] if source else []
    return (
        *data,
        ("Rows", rows),
        ("Columns", str(len(fit.columns))),
        ("Covariance", covariance_name(fit)),
        ("Parameters", str(fit.n_params)),
        ("Method", fit.method),
        ("Time", f"{fit.seconds:.3f} s"),
        ("Log-likelihood", fixed(fit.loglik, 3)),
        ("AIC", fixed(fit.aic, 3)),
        ("BIC", fixed(fit.bic, 3)),
        ("Status", status_name(fit)),
        ("Iterations", f"{fit.n_iter} ({fit.n_eval} evaluation{'s' * (fit.n_eval != 1)})"),
        ("Optimality", f"{fit.optimality:.1e}" if fit.optimality else "0"),
    )


def covariance_name(fit: Fit) -> str:
    """The structure as ``mvngrad.fit`` calls it."""
    return COVARIANCES.get(type(fit.structure), repr(fit.structure))


def status_name(fit: Fit) -> str:
    """The status in a few words."""
    name = fit.status.name.lower().replace("_", " ")
    return name if fit.converged else f"not converged ({name})"


def _tables(fit: Fit) -> Iterator[PlainTable]:
    yield _moments_table(fit)
    if len(fit.columns) > 1 and not isinstance(fit.structure, Diagonal | Spherical):
        whole = len(fit.columns) <= MOST_CORRELATED
        yield _correlation_matrix(fit) if whole else _strongest_correlations(fit)


def _names(fit: Fit) -> list[str]:
    """Names of columns on one line each, and none so long that a table bursts."""
    names = [" ".join(name.split()) for name in fit.columns]
    half = LONGEST_NAME // 2
    return [n if len(n) <= LONGEST_NAME else f"{n[: half - 1]}…{n[-half:]}" for n in names]


def _moments_table(fit: Fit) -> PlainTable:
    pairs = [paired(m, s) for m, s in zip(fit.mean, fit.deviations, strict=True)][:MOST_COLUMNS]
    columns = [aligned(column) for column in zip(*pairs, strict=True)]
    rows = list(zip(_names(fit), *columns, strict=False))
    if len(fit.columns) > MOST_COLUMNS:
        rows.append((f"… and {len(fit.columns) - MOST_COLUMNS} more", "", ""))
    return PlainTable("", ("column", "mean", "sd"), tuple(rows))


def _correlation_matrix(fit: Fit) -> PlainTable:
    """The lower triangle, its first row and last column left away: they hold only ones."""
    names, R = _names(fit), fit.correlation
    rows = tuple(
        (names[i], *(f"{r:z.3f}" for r in R[i, :i]), *[""] * (len(names) - 1 - i))
        for i in range(1, len(names))
    )
    title = f"Correlations (condition number {correlation_condition(fit.factor):.3g})"
    return PlainTable(title, ("", *names[:-1]), rows)


def _strongest_correlations(fit: Fit) -> PlainTable:
    names, R = _names(fit), fit.correlation
    i, j = np.tril_indices(len(names), -1)
    order = np.argsort(-np.abs(R[i, j]), kind="stable")[:STRONGEST]
    rows = tuple((names[j[k]], names[i[k]], f"{R[i[k], j[k]]:.3f}") for k in order)
    title = f"The {STRONGEST} strongest of {len(i)} correlations"
    return PlainTable(title, ("column", "with", "correlation"), rows)


def _notes(fit: Fit) -> tuple[str, ...]:
    n, free = general(fit.weight), fit.n_params == fit.structure.n_params + len(fit.columns)
    as_numpy = fit.structure.saturated and free and fit.weight == fit.n_obs
    beside = ": (n-1)/n times those of numpy.cov" if as_numpy else ""
    return (f"Covariances have the divisor n = {n}{beside}.",)


# As dataframes


def to_frame(fit: Fit, what: str) -> Any:
    """A pandas dataframe of the mean, covariance, correlation, factor or trace.

    Raises
    ------
    DataError
        If ``what`` is none of these.
    ImportError
        If pandas is not installed.
    """
    from mvngrad.fitting.result import Quantity

    if what not in get_args(Quantity):
        choices = ", ".join(map(repr, get_args(Quantity)))
        raise DataError(f"what must be one of {choices}; got {what!r}.")
    pd, names = _pandas(), list(fit.columns)
    if what == "trace":
        return pd.DataFrame(fit.trace.to_dict())
    if what == "mean":
        return pd.DataFrame({"mean": fit.mean}, index=names)
    values = getattr(fit, what)
    across = [f"f{k + 1}" for k in range(values.shape[1])] if what == "factor" else names
    return pd.DataFrame(values, index=names, columns=across)


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        message = "to_frame needs pandas: pip install pandas"
        raise ImportError(message) from error
