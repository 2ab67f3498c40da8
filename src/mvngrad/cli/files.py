"""Files written: whether they can be is asked before the fit, so that no work is lost to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvngrad.cli.failures import Failure
from mvngrad.cli.request import Request

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit


def require_places(request: Request) -> None:
    """Refuse paths that cannot be written to, or that would overwrite what is read."""
    for option, path in (("--trace", request.trace), ("--output", request.output)):
        if path is not None:
            reason = _obstacle(path, request.file)
            if reason:
                raise click.BadParameter(f"cannot write {path}: {reason}.", param_hint=option)
    written = [os.path.realpath(p) for p in (request.trace, request.output) if p is not None]
    if len(set(written)) < len(written):
        raise click.UsageError(f"--trace and --output both name {request.trace}.")


def _obstacle(path: Path, data: Path) -> str | None:
    directory = Path(os.path.realpath(path)).parent
    if str(path) == "-":
        return "standard output holds the result; give the name of a file"
    if path.is_dir():
        return "it is a directory; give the name of a file in it"
    if not directory.is_dir():
        return f"there is no directory {directory}; create it first"
    if not os.access(path if path.exists() else directory, os.W_OK):
        return "permission denied"
    if path.exists() and data.exists() and path.samefile(data):
        return "it is the file with the data"
    return None


def write(request: Request, fit: Fit) -> Failure | None:
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
