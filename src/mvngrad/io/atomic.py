"""Files written whole or not at all.

A temporary file in the same directory, flushed to the disk, then put in place by one rename: a
reader sees the old file or the new one, and a crash at any moment leaves one of the two.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacement(path: str | os.PathLike[str]) -> Iterator[Path]:
    """An empty temporary file beside ``path``, which takes its place if the block succeeds.

    Permissions of an existing file are kept, and a symbolic link stays one. If the block or the
    disk fails, ``path`` is as it was and nothing else is left.

    Raises
    ------
    OSError
        If the directory does not exist or cannot be written to, or ``path`` is no regular file.
    """
    target = Path(os.path.realpath(path))
    _require_place(target)
    temporary = target.with_name(f".mvngrad-{secrets.token_hex(8)}.tmp")
    try:
        mode = _created(temporary)
        if target.exists():
            mode = stat.S_IMODE(target.stat().st_mode)
        yield temporary
        temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the file is in place; some file systems cannot flush a directory
        _flush(target.parent)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all; a device or a pipe is written to as it is."""
    if _is_stream(Path(path)):
        Path(path).write_bytes(data)
        return
    with replacement(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def _require_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {target.parent}; create it first.")
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a directory; give the name of a file in it.")
    if _is_stream(target):
        raise OSError(f"{target} is not a regular file, and will not be replaced by one.")


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _created(path: Path) -> int:
    """Create an empty file that was not there; its mode, which is what the umask allows."""
    with path.open("xb") as file:
        return stat.S_IMODE(os.fstat(file.fileno()).st_mode)


def _flush(path: Path) -> None:
    """Have the system put a file, or a directory's list of files, on the disk."""
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
