"""``mvngrad impute``: read, fit or load, fill, write."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvngrad.cli import files, notes
from mvngrad.cli.failures import INTERRUPTED, USAGE, Failure
from mvngrad.cli.fit import exit_code, fit_table
from mvngrad.cli.output import unread_is_fine
from mvngrad.cli.progress import Progress
from mvngrad.cli.reading import read, read_for_model
from mvngrad.cli.request import ImputeRequest

if TYPE_CHECKING:
    from mvngrad.core.ops import Array
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable

NOTHING = "there is nothing to fill: the file is written as it is"
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def impute_file(request: ImputeRequest) -> int:
    """Do what is asked; the exit code."""
    places = _places(request)
    with warnings.catch_warnings(), Progress() as progress:
        warnings.simplefilter("ignore")  # what ours say is in the fit, and told below
        model = _model(request)
        data = _read(request, model, progress)
        fit = model or _fit(request, data, progress)
        progress.say("filling in")
        unfilled = _write(data, _completed(request, data, fit), places)
    _tell(data, fit if model is None else None, unfilled)
    return 0 if fit is None or model is not None else exit_code(fit)


# What is asked for


def _places(request: ImputeRequest) -> list[Path | None]:
    """Where completed data go, one place each; None is standard output."""
    if request.proper and request.draws is None:
        raise click.UsageError("--proper draws the parameters anew for every file: add --draws M.")
    if request.model is not None:
        _require_nothing_to_fit(request)
    if request.output is None or str(request.output) == "-":
        if (request.draws or 1) > 1:
            raise click.UsageError(f"--draws {request.draws} needs --output for so many files.")
        return [None]
    paths = [request.output]
    if request.draws is not None:
        paths = files.numbered(request.output, request.draws)
    kept = {"the data": request.file} | ({"the model": request.model} if request.model else {})
    files.require_places("--output", paths, kept)
    return list(paths)


def _require_nothing_to_fit(request: ImputeRequest) -> None:
    given = {
        "--columns": request.columns,
        "--covariance": request.covariance,
        "--n-starts": request.n_starts,
    }
    for option, value in given.items():
        if value is not None:
            raise click.UsageError(f"{option} is for a fit, and --model brings one.")


# Data and model


def _model(request: ImputeRequest) -> Fit | None:
    if request.model is None:
        return None
    from mvngrad.modelfile import load

    return load(request.model)


def _read(request: ImputeRequest, model: Fit | None, progress: Progress) -> CsvTable:
    from mvngrad.io.header import UnknownColumnError

    if model is None:
        return read(request.file, request.columns, progress)
    try:
        return read_for_model(request.file, model.columns, progress)
    except UnknownColumnError as error:
        raise Failure(f"{error} The model in {request.model} needs it.", USAGE) from error


def _fit(request: ImputeRequest, data: CsvTable, progress: Progress) -> Fit | None:
    """The fit, or none where nothing is to be filled."""
    if not _has_holes(data):
        return None
    fit = fit_table(
        data.table,
        progress,
        covariance=request.covariance,
        n_starts=request.n_starts,
        rng=request.seed,
        threads=request.threads,
    )
    if exit_code(fit) == INTERRUPTED:
        raise Failure("interrupted before the fit was done; nothing was written.", INTERRUPTED)
    return fit


def _has_holes(data: CsvTable) -> bool:
    return bool(notes.incomplete(data.table.rows).any())


def _completed(request: ImputeRequest, data: CsvTable, fit: Fit | None) -> Iterator[Array]:
    """The rows with their holes filled, as many times as asked, one at a time."""
    import numpy as np

    rows, rng = data.table.rows, np.random.default_rng(request.seed)
    for _ in range(request.draws or 1):
        if fit is None:
            yield rows
        elif request.draws is None:
            yield fit.impute(rows)
        else:
            yield fit.impute(rows, draws=1, proper=request.proper, rng=rng)[0]


# Writing


def _write(data: CsvTable, completed: Iterator[Array], places: list[Path | None]) -> Counter[int]:
    """Write every file; how many holes are left, by position of the column."""
    from mvngrad.cli.rewrite import Original

    original = Original(data)
    for place, rows in zip(places, completed, strict=True):
        with _opened(place) as stream:
            for text in original.encoded(rows):
                stream.write(text)
    return original.unfilled


@contextmanager
def _opened(place: Path | None) -> Iterator[Any]:
    """A stream of bytes: a file that is there once it is whole, or standard output."""
    import pyarrow as pa

    from mvngrad.io.atomic import replacement

    if place is None:
        with unread_is_fine():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    elif place.exists() and not place.is_file():  # a device or a pipe
        with place.open("wb") as stream:
            yield stream
    else:
        with (
            replacement(place) as temporary,
            pa.output_stream(str(temporary), COMPRESSION.get(place.suffix), 2**16) as stream,
        ):
            yield stream


# What is said about it


def _tell(data: CsvTable, fit: Fit | None, unfilled: Counter[int]) -> None:
    """On stderr: what was filled, what was not, and what to think of the fit."""
    import numpy as np

    from mvngrad.fitting.requirements import counted

    count = int(np.isnan(data.table.rows).sum())
    rows = counted(int(notes.incomplete(data.table.rows).sum()), "row")
    notes.note(f"filled {counted(count, 'missing value')} in {rows}" if count else NOTHING)
    names = [f"{data.header.names[j]} ({unfilled[j]})" for j in sorted(unfilled)]
    if names:
        notes.note(f"left missing, in columns without numbers or not asked for: {', '.join(names)}")
    for text in fit.warnings if fit is not None else ():
        notes.warning(text)
