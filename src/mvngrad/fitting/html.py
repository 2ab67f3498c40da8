"""A plain `Summary` as HTML: tables with headers of columns and rows, no style of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from mvngrad.fitting.plaintext import Facts, PlainTable, Summary


def as_html(said: Summary) -> str:
    """Title, facts, tables, warnings and notes; every word escaped."""
    parts = [f"<p><strong>{escape(said.title)}</strong></p>", _facts(said.facts, said.left)]
    parts += map(_table, said.tables)
    parts += [f"<p><strong>Warning:</strong> {escape(text)}.</p>" for text in said.warnings]
    parts += [f"<p><small>{escape(note)}</small></p>" for note in said.notes]
    return "\n".join(["<div>", *parts, "</div>"])


def _facts(facts: Facts, first: int | None) -> str:
    """Two columns of facts, read downwards as in the text."""
    half = len(facts) // 2 if first is None else first
    left = [_named(name, _cell(value)) for name, value in facts[:half]]
    right = [_named(name, _cell(value)) for name, value in facts[half:]]
    left += ['<td colspan="2"></td>'] * (len(right) - len(left))
    right += ['<td colspan="2"></td>'] * (len(left) - len(right))
    rows = [a + b for a, b in zip(left, right, strict=True)]
    return _grid("", rows)


def _table(table: PlainTable) -> str:
    header = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = [_row(row) for row in table.rows]
    return _grid(table.title, rows, f"<thead><tr>{header}</tr></thead>")


def _row(row: Sequence[str]) -> str:
    name, *cells = row
    if not any(cells):
        nothing = f'<td colspan="{len(cells)}"></td>' if cells else ""
        return f'<th scope="rowgroup">{escape(name.strip())}</th>{nothing}'
    return _named(name.strip(), "".join(map(_cell, cells)))


def _named(name: str, cells: str) -> str:
    return f'<th scope="row">{escape(name)}</th>{cells}'


def _cell(text: str) -> str:
    return f"<td>{escape(text.strip())}</td>"


def _grid(title: str, rows: Sequence[str], head: str = "") -> str:
    def lines() -> Iterator[str]:
        yield "<table>"
        if title:
            yield f"<caption>{escape(title)}</caption>"
        if head:
            yield head
        yield "<tbody>"
        yield from (f"<tr>{row}</tr>" for row in rows)
        yield "</tbody></table>"

    return "\n".join(lines())
