"""Plain tables and paragraphs, rendered here as text, elsewhere as they like.

A `Summary` is a title, tables of strings and notes. It knows neither terminals nor HTML; what
renders it decides on width (`PlainTable.blocks`), rules and colour.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

LONGEST_NAME = 28
WIDTH = 100
Part = Literal["title", "facts", "table", "warning", "note"]
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PlainTable:
    """A title, a header and rows of strings of equal length: the first ``names`` name the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    together: int = 1  # columns after the names that no cut comes between
    names: int = 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Of each column, in characters."""
        return tuple(max(map(len, column)) for column in zip(self.header, *self.rows, strict=True))

    def blocks(self, width: int, gap: int = 2) -> Iterator[PlainTable]:
        """The table itself, or side by side pieces of it that each fit the width, names repeated.

        Rows in which a piece would have nothing to show are left out of it; those of a name alone
        are in the first.
        """
        widths, first = self.widths, self.names
        start, title = first, self.title
        while start < len(widths) or start == first:
            stop, used = start, sum(widths[:first]) + gap * (first - 1)
            while stop < len(widths) and (stop == start or used + gap + widths[stop] <= width):
                used += gap + widths[stop]
                stop += 1
            if start < stop < len(widths):
                stop = max(stop - (stop - start) % self.together, start + 1)
            yield self._piece(title, start, stop)
            start, title = max(stop, start + 1), ""

    def _piece(self, title: str, start: int, stop: int) -> PlainTable:
        k = self.names
        rows = [(*row[:k], *row[start:stop]) for row in self.rows]
        bare = [start == k and not any(row[k:]) for row in self.rows]
        shown = tuple(row for row, alone in zip(rows, bare, strict=True) if any(row[k:]) or alone)
        header = (*self.header[:k], *self.header[start:stop])
        return PlainTable(title, header, shown, self.together, k)


@dataclass(frozen=True, repr=False)
class Summary:
    """A title, facts in pairs, tables, warnings in words, and notes.

    ``left`` of the facts stand in the first of two columns; half of them where it is not said.
    """

    title: str
    facts: Facts
    tables: tuple[PlainTable, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    left: int | None = None

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return as_text(self).rstrip("\n")

    def _repr_html_(self) -> str:
        from mvngrad.fitting.html import as_html

        return as_html(self)


def short_names(columns: Sequence[str]) -> list[str]:
    """Names of columns on one line each, and none so long that a table bursts."""
    names = [" ".join(name.split()) for name in columns]
    half = LONGEST_NAME // 2
    return [n if len(n) <= LONGEST_NAME else f"{n[: half - 1]}…{n[-half:]}" for n in names]


def percent(share: float) -> str:
    """A share with one decimal; what is not nothing does not look like it."""
    return "<0.1%" if 0.0 < share < 0.0005 else f"{share:.1%}"


# Rendered as text


def as_text(said: Summary, width: int = WIDTH) -> str:
    """Plain text, no line of a table wider than ``width`` where its columns allow."""
    return "\n\n".join(text for _, text in parts(said, width)) + "\n"


def parts(said: Summary, width: int) -> Iterator[tuple[Part, str]]:
    """The paragraphs of the text with what each is, for whoever gives them a style."""
    yield "title", said.title
    yield "facts", fact_lines(said.facts, width, said.left)
    for table in said.tables:
        yield from (("table", table_text(piece)) for piece in table.blocks(width))
    yield from (("warning", wrapped(f"Warning: {text}.", width)) for text in said.warnings)
    yield from (("note", wrapped(note, width)) for note in said.notes)


def wrapped(text: str, width: int) -> str:
    """A paragraph in lines of this width; a word that is longer stays whole."""
    width = max(width, 20)
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def fact_lines(facts: Sequence[tuple[str, str]], width: int, first: int | None = None) -> str:
    """Facts in two columns, read downwards; in one where two are too wide."""
    half = len(facts) // 2 if first is None else first
    left, right = _justified(facts[:half]), _justified(facts[half:])
    left += [""] * (len(right) - len(left))
    right += [""] * (len(left) - len(right))
    begin = max(map(len, left), default=0) + 4
    lines = [f"{a:<{begin}}{b}".rstrip() for a, b in zip(left, right, strict=True)]
    return "\n".join(lines if max(map(len, lines), default=0) <= width else _justified(facts))


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
