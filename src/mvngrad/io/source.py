"""A text file that can be opened time and again: plain, compressed, UTF-16, or a pipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvngrad.errors import DataError

# What people call a CSV file and is none, by its first bytes.
OTHERS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; export it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export it as CSV",
    b"PAR1": "a Parquet file; read it into a dataframe first",
    b"\x1f\x8b": "compressed by gzip; let its name end in .gz",
    b"BZh": "compressed by bzip2; let its name end in .bz2",
}
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HEAD = 4096
CHUNK = 1 << 22
UNREADABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class TextSource:
    """Where text comes from, and its encoding. ``content`` holds what cannot be read twice."""

    path: Path
    content: bytes | None
    encoding: str

    @classmethod
    def of(cls, path: Path) -> TextSource:
        """The file at this path, once it is known to be one and to hold text."""
        try:
            content = None if path.is_file() else _read_once(path)
            head = cls(path, content, "").head
        except OSError as error:
            raise unreadable(path, error) from error
        _require_text(path, head)
        return cls(path, content, "utf-16" if head.startswith(UTF16) else "utf-8")

    @property
    def head(self) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return bytes(stream.read(HEAD))

    def open(self) -> Any:
        """A stream of bytes, decompressed as the name says."""
        try:
            import pyarrow as pa
        except ImportError as error:
            message = 'reading CSV files needs pyarrow: pip install "mvngrad[cli]"'
            raise ImportError(message) from error
        if self.content is not None:
            return pa.BufferReader(self.content)
        return pa.input_stream(str(self.path), compression="detect")

    def text(self) -> io.TextIOWrapper:
        """A stream of text, newlines as they are; what does not decode is marked as such."""
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return io.TextIOWrapper(self.open(), encoding, errors="replace", newline="")

    def records(self, separator: str) -> Iterator[tuple[int, int, list[str]]]:
        """First line, last line and values of every record; blank lines are none. Slow."""
        with self.text() as text:
            reader, line = csv.reader(text, delimiter=separator), 1
            try:
                for record in reader:
                    if record:
                        yield line, reader.line_num, record
                    line = reader.line_num + 1
            except csv.Error as error:
                raise DataError(f"{self.path}, line {line}: {error}.") from error

    def quotes_after(self, lines: int) -> bool:
        """Whether a quotation mark occurs below these lines: without one no value has a newline.

        Worth the look: pyarrow takes half as long again if it must expect newlines in values.
        """
        with self.open() as stream:
            below = stream.read(CHUNK).split(b"\n", lines)[-1]
            return b'"' in below or any(b'"' in chunk for chunk in _chunks(stream))

    def require_readable(self, text: str, where: str) -> None:
        """Refuse text with a character that did not decode."""
        if UNREADABLE in text:
            raise DataError(
                f"{self.path}: {where} is not {self.encoding.upper()} text. Save the file as UTF-8 "
                "(in Excel: 'CSV UTF-8')."
            )


def _chunks(stream: Any) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK), b"")


def _read_once(path: Path) -> bytes:
    return path.read_bytes()  # a pipe; a directory or nothing at all says so here


def unreadable(path: Path, error: OSError) -> DataError:
    """What the system says about a file, as an error of ours."""
    return DataError(f"cannot read {path}: {_reason(error)}.")


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a directory; give the path of a CSV file"
    if isinstance(error, PermissionError):
        return "permission denied"
    return error.strerror or str(error)


def _require_text(path: Path, head: bytes) -> None:
    for magic, what in OTHERS.items():
        if head.startswith(magic):
            raise DataError(f"{path} is not a CSV file: it is {what}.")
    if b"\0" in head and not head.startswith(UTF16):
        raise DataError(f"{path} is not a CSV file: it holds binary data, not text.")
