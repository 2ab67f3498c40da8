"""``mvngrad fit``: read, fit, write, print."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mvngrad.cli import files, notes
from mvngrad.cli.failures import INTERRUPTED, NOT_CONVERGED
from mvngrad.cli.output import show
from mvngrad.cli.progress import Progress
from mvngrad.cli.request import Request

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable


def fit_file(request: Request) -> int:
    """Do what is asked; the exit code."""
    files.require_places(request)
    with warnings.catch_warnings(record=True) as caught, Progress() as progress:
        warnings.simplefilter("always")
        data = _read(request, progress)
        fit = _fit(request, data, progress)
    notes.on_warnings(caught, fit)
    problem = files.write(request, fit)
    show(request, fit)
    if problem is not None:
        raise problem
    return exit_code(fit)


def _read(request: Request, progress: Progress) -> CsvTable:
    from mvngrad.io.csv import read_csv

    progress.say(f"reading {request.file}")
    data = read_csv(request.file, request.columns)
    progress.clear()
    notes.on_left_out(data.left_out)
    if request.missing == "drop":
        notes.on_dropped(data.table.rows)
    return data


def _fit(request: Request, data: CsvTable, progress: Progress) -> Fit:
    from mvngrad.errors import MissingValuesError
    from mvngrad.fitting.fit import fit

    table = data.table
    progress.say(f"fitting {len(table.columns)} columns")
    given = {"max_iter": request.max_iter, "tol": request.tol}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return fit(
            table.rows,
            request.covariance,
            columns=table.columns,
            missing=request.missing,  # type: ignore[arg-type]
            method=request.method,  # type: ignore[arg-type]
            threads=request.threads,
            callback=progress.step,
            **options,
        )
    except MissingValuesError as error:
        raise notes.on_holes(data) from error


def exit_code(fit: Fit) -> int:
    """0, 3 or 130: how the fit ended."""
    from mvngrad.fitting.convergence import Status

    codes = {Status.CONVERGED: 0, Status.INTERRUPTED: INTERRUPTED}
    return codes.get(fit.status, NOT_CONVERGED)
