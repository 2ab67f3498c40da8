"""Files written: whether they can be is asked before the fit, so that no work is lost to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvngrad.cli.failures import Failure
from mvngrad.cli.request import FitRequest

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit

COMPRESSED = (".gz", ".bz2", ".zst")


def require_places(option: str, paths: Sequence[Path], read: Mapping[str, Path]) -> None:
    """Refuse paths that cannot be written to, or that would overwrite what is read."""
    for path in paths:
        reason = _obstacle(path, read)
        if reason:
            raise click.BadParameter(f"cannot write {path}: {reason}.", param_hint=option)


def require_places_of_fit(request: FitRequest) -> None:
    """As above, of every file that ``mvngrad fit`` is to write; no two may be the same."""
    given = {"--trace": request.trace, "--output": request.output}
    written = {option: path for option, path in given.items() if path is not None}
    for option, path in written.items():
        require_places(option, [path], {"the data": request.file})
    if len({os.path.realpath(path) for path in written.values()}) < len(written):
        raise click.UsageError(f"--trace and --output both name {request.trace}.")


def _obstacle(path: Path, read: Mapping[str, Path]) -> str | None:
    directory = Path(os.path.realpath(path)).parent
    if str(path) == "-":
        return "standard output holds the result; give the name of a file"
    if path.is_dir():
        return "it is a directory; give the name of a file in it"
    if not directory.is_dir():
        return f"there is no directory {directory}; create it first"
    if not os.access(path if path.exists() else directory, os.W_OK):
        return "permission denied"
    for what, other in read.items():
        if path.exists() and other.exists() and path.samefile(other):
            return f"it is the file with {what}"
    return None


def numbered(path: Path, count: int) -> list[Path]:
    """OUT-1.csv … OUT-count.csv for OUT.csv; where the name holds {k}, the number in its place."""
    if "{k}" in path.name:
        return [path.with_name(path.name.replace("{k}", str(k + 1))) for k in range(count)]
    ends = path.suffixes[-2:] if path.suffix in COMPRESSED else path.suffixes[-1:]
    stem = path.name.removesuffix("".join(ends))
    return [path.with_name(f"{stem}-{k + 1}{''.join(ends)}") for k in range(count)]


def write(request: FitRequest, fit: Fit) -> Failure | None:
    """Write the files asked for, each whole or not at all; what went wrong, if anything did."""
    from mvngrad.io.atomic import write_text

    try:
        if request.trace is not None:
            write_text(request.trace, fit.trace.to_csv())
        if request.output is not None:
            fit.save(request.output)
    except (OSError, ValueError, ImportError) as error:
        return Failure(f"the fit is done, but a file could not be written: {error}")
    return None
