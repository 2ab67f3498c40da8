"""An inspection in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mvngrad.cli.inspection import Inspection
from mvngrad.errors import listed
from mvngrad.fitting.numbers import aligned, general, paired
from mvngrad.fitting.plaintext import PlainTable, Summary, percent, short_names
from mvngrad.fitting.requirements import counted
from mvngrad.inference.missing import MissingPattern

MOST_COLUMNS = 40
MOST_PATTERNS = 12
MOST_PAIRS = 5
MOST_MARKS = 32  # columns up to which a pattern is shown as a string of marks
ROOM = 60  # characters for the marks of a pattern and the names of what it lacks


def summarise(found: Inspection, source: str) -> Summary:
    """Facts, columns, patterns, pairs, and what stands in the way of a fit."""
    return Summary(
        "What there is to fit", _facts(found, source), tuple(_tables(found)), _warnings(found),
        tuple(_notes(found)),
    )  # fmt: skip


def _facts(found: Inspection, source: str) -> tuple[tuple[str, str], ...]:
    report = found.report
    left_out = len(found.words) + len(found.nothing)
    empty = f" ({report.n_empty} with nothing observed)" if report.n_empty else ""
    more = f" ({left_out} more without numbers)" if left_out else ""
    return (
        ("Data", source),
        ("Rows", f"{found.n_rows}{empty}"),
        ("Columns", f"{len(found.columns)}{more}"),
        ("Missing", f"{counted(found.cells, 'value')} ({percent(found.share)})"),
        ("Patterns", str(len(report.rows))),
        ("Complete rows", str(report.n_complete)),
    )


# Tables


def _tables(found: Inspection) -> Iterator[PlainTable]:
    yield _column_table(found)
    if found.cells:
        yield _pattern_table(found)
    if found.cells and len(found.columns) > 1:
        yield _pair_table(found)


def _column_table(found: Inspection) -> PlainTable:
    columns = [short_names(found.columns), *_counts(found), *_numbers(found)]
    rows = list(zip(*(column[:MOST_COLUMNS] for column in columns), strict=True))
    if len(found.columns) > MOST_COLUMNS:
        rows.append((f"… and {len(found.columns) - MOST_COLUMNS} more", *[""] * 6))
    header = ("column", "observed", "missing", "mean", "sd", "min", "max")
    return PlainTable("", header, tuple(rows))


def _counts(found: Inspection) -> tuple[list[str], list[str]]:
    counts = found.report.counts.tolist()
    return [str(n) for n in counts], [str(found.n_rows - n) for n in counts]


def _numbers(found: Inspection) -> Iterator[list[str]]:
    pairs = [paired(m, s) for m, s in zip(found.mean, found.deviation, strict=True)]
    yield from (aligned(column) for column in zip(*pairs, strict=True))
    yield from (aligned([general(x) for x in v.tolist()]) for v in (found.least, found.most))


def _pattern_table(found: Inspection) -> PlainTable:
    """The most frequent patterns; rows with nothing observed come last, being in no fit."""
    report, shown = found.report, found.report.patterns[:MOST_PATTERNS]
    rows = [_pattern_row(pattern, found) for pattern in shown]
    if len(report.rows) > len(shown):
        rest = int(report.rows[len(shown) :].sum())
        rows.append(_row(f"… and {len(report.rows) - len(shown)} patterns more", rest, "", found))
    if report.n_empty:
        rows.append(_row("everything", report.n_empty, "." * len(report.columns), found))
    marks = len(report.columns) <= MOST_MARKS
    header = ("missing together", "rows", "share", "1: observed")[: 3 + marks]
    return PlainTable("", header, tuple(row[: 3 + marks] for row in rows))


def _pattern_row(pattern: MissingPattern, found: Inspection) -> tuple[str, ...]:
    marks = pattern.observed.replace("0", ".")
    room = ROOM - len(marks) * (len(marks) <= MOST_MARKS)
    return _row(_in_room(pattern.missing, room), pattern.rows, marks, found)


def _row(what: str, rows: int, marks: str, found: Inspection) -> tuple[str, ...]:
    return what, str(rows), percent(rows / found.n_rows), marks


def _in_room(names: Sequence[str], room: int) -> str:
    """As many names as there is room for, and how many more there are."""
    short = short_names(names)
    for count in range(len(short), 0, -1):
        text = listed(short, count)
        if len(text) <= room or count == 1:
            return text
    return "nothing"


def _pair_table(found: Inspection) -> PlainTable:
    """The pairs of columns that are least often observed together."""
    names, coverage = short_names(found.columns), found.report.coverage
    i, j = np.triu_indices(len(names), 1)
    shares = coverage[i, j]
    order = np.argsort(shares, kind="stable")[:MOST_PAIRS].tolist()
    together = np.rint(shares * found.report.n_obs).astype(int)
    rows = tuple(
        (names[i[k]], names[j[k]], str(together[k]), percent(together[k] / found.n_rows))
        for k in order
    )
    cut = f": the {len(rows)} lowest of {len(i)} pairs" if len(i) > len(rows) else ""
    return PlainTable(f"Observed together{cut}", ("column", "with", "rows", "share"), rows)


# Sentences


def _warnings(found: Inspection) -> tuple[str, ...]:
    """Without the full stop, which the summary sets."""
    first = [f"no full covariance can be fitted: {text.rstrip('.')}" for text in found.obstacles]
    return (*first, *found.warnings)


def _notes(found: Inspection) -> Iterator[str]:
    for names, what in ((found.words, "words, not numbers"), (found.nothing, "no value at all")):
        if names:
            yield f"Left out, with {what}: {listed(names, 12)}."
    if found.report.n_empty:
        yield "Rows with nothing observed have no part in a fit."
    if found.cells:
        yield _little(found)


def _little(found: Inspection) -> str:
    name = "Little's test of values missing completely at random (MCAR)"
    if found.mcar is None:
        return f"{name}: not done ({found.no_mcar})."
    statistic, df, p = found.mcar
    size = f"p = {p:.3f}" if p >= 0.001 else f"p = {p:.1e}"
    verdict = "speaks against it" if p < 0.05 else "does not speak against it"
    return f"{name}: χ² = {statistic:.3f}, df = {df}, {size}, which {verdict}."
