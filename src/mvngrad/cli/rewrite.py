"""A CSV file written anew with its holes filled, and every other character as it was typed.

Records are found by the csv module, which knows quotes; what is written are the lines it read. Only
in a record with a hole is the text split into fields, quotes and spaces kept, and the fields that
say "missing" replaced, by the shortest decimal that reads back as the very number.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.io.csv import CsvTable
from mvngrad.io.words import is_missing


class Record(NamedTuple):
    """A row as it stands in the file, blank lines before it included, and its values."""

    text: str
    values: list[str]


@dataclass(eq=False)
class Original:
    """The text of a table that was read, to be written again.

    ``unfilled`` counts the holes, by position, in columns that are not the table's, while the text
    is written.
    """

    data: CsvTable
    unfilled: Counter[int] = field(default_factory=Counter)

    @cached_property
    def holes(self) -> list[list[int]]:
        """Of each row the columns of the table that are missing, by number."""
        rows, columns = np.nonzero(np.isnan(self.data.table.rows))
        ends = np.searchsorted(rows, np.arange(1, len(self.data.table.rows)))
        return [part.tolist() for part in np.split(columns, ends)]

    def encoded(self, completed: Array) -> Iterator[bytes]:
        """The bytes of the file, with these values (n, d) where holes were."""
        source = self.data.source
        marked = source.head.startswith(codecs.BOM_UTF8)
        encoding = "utf-8-sig" if marked else source.encoding
        encoder = codecs.getincrementalencoder(encoding)(_errors(encoding))
        yield from (encoder.encode(text) for text in self._texts(completed))

    def _texts(self, completed: Array) -> Iterator[str]:
        records, row = self._records(), 0
        yield next(records).text  # the header
        self.unfilled.clear()
        for record in records:
            yield self._filled(row, record, completed) if record.values else record.text
            row += bool(record.values)
        self._require(row == len(self.holes))

    def _records(self) -> Iterator[Record]:
        """Every record with its text; blank lines at the end come as one without values."""
        source = self.data.source
        encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
        with io.TextIOWrapper(source.open(), encoding, _errors(encoding), newline="") as text:
            lines: list[str] = []
            for values in csv.reader(_kept(text, lines), delimiter=self.data.header.separator):
                if values:
                    yield Record("".join(lines), values)
                    lines.clear()
            yield Record("".join(lines), [])

    def _filled(self, row: int, record: Record, completed: Array) -> str:
        """The text of a row with numbers in its holes."""
        self._require(row < len(self.holes))
        self._require(len(record.values) == len(self.data.header.names))
        self.unfilled.update(j for j in self._others if is_missing(record.values[j]))
        if not self.holes[row]:
            return record.text
        before, body, after = _body(record.text)
        fields = split(body, self.data.header.separator)
        self._require(len(fields) == len(record.values))
        for k in self.holes[row]:
            self._require(is_missing(record.values[self._positions[k]]))
            fields[self._positions[k]] = repr(float(completed[row, k]))
        return before + self.data.header.separator.join(fields) + after

    @cached_property
    def _positions(self) -> list[int]:
        """Of the columns of the table in the file."""
        return [self.data.header.names.index(name) for name in self.data.table.columns]

    @cached_property
    def _others(self) -> list[int]:
        return [j for j in range(len(self.data.header.names)) if j not in self._positions]

    def _require(self, as_it_was: bool) -> None:
        if not as_it_was:
            raise DataError(
                f"{self.data.source.path} is not what it was when it was read: it was changed "
                "meanwhile, or a quotation mark in it is never closed."
            )


def split(text: str, separator: str) -> list[str]:
    """The fields of a record as they are written, quotes included."""
    one = re.compile(rf'(?:"[^"]*(?:""[^"]*)*")?[^{separator}]*')
    fields, at = [], 0
    while at <= len(text):
        found = one.match(text, at)
        assert found is not None  # the empty field always matches
        fields.append(found.group())
        at = found.end() + 1
    return fields


def _kept(lines: Iterator[str], into: list[str]) -> Iterator[str]:
    """The lines, each also put into a list as it goes by."""
    for line in lines:
        into.append(line)
        yield line


def _body(text: str) -> tuple[str, str, str]:
    """Blank lines, the record, the end of its line."""
    rest = text.lstrip("\r\n")
    body = rest.rstrip("\r\n")
    return text[: len(text) - len(rest)], body, rest[len(body) :]


def _errors(encoding: str) -> str:
    """Bytes that are no text are carried through where the encoding allows."""
    return "surrogateescape" if encoding.startswith("utf-8") else "strict"
