"""``mvngrad fit``: read, fit, write, print."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mvngrad.cli import files, notes
from mvngrad.cli.documents import of_fit
from mvngrad.cli.failures import INTERRUPTED, NOT_CONVERGED
from mvngrad.cli.output import show
from mvngrad.cli.progress import Progress
from mvngrad.cli.reading import read
from mvngrad.cli.request import FitRequest

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable


def fit_file(request: FitRequest) -> int:
    """Do what is asked; the exit code."""
    files.require_places_of_fit(request)
    with warnings.catch_warnings(record=True) as caught, Progress() as progress:
        warnings.simplefilter("always")
        data = _read(request, progress)
        fit = _fit(request, data, progress)
    notes.on_warnings(caught, fit)
    notes.on_starts(request.n_starts, fit)
    problem = files.write(request, fit)
    _show(request, fit)
    if problem is not None:
        raise problem
    return exit_code(fit)


def _read(request: FitRequest, progress: Progress) -> CsvTable:
    data = read(request.file, request.columns, progress)
    notes.on_left_out(data.left_out)
    if request.missing == "drop":
        notes.on_dropped(data.table.rows)
    return data


def _fit(request: FitRequest, data: CsvTable, progress: Progress) -> Fit:
    from mvngrad.errors import MissingValuesError

    try:
        return fit_table(
            data,
            progress,
            covariance=request.covariance,
            missing=request.missing,
            method=request.method,
            max_iter=request.max_iter,
            tol=request.tol,
            n_starts=request.n_starts,
            rng=request.seed,
            threads=request.threads,
        )
    except MissingValuesError as error:
        raise notes.on_holes(data) from error


def fit_table(data: CsvTable, progress: Progress, **options: Any) -> Fit:
    """Fit what was read, with the options that are not None."""
    from mvngrad.fitting.fit import fit

    table = data.table
    progress.say(f"fitting {len(table.columns)} columns")
    given = {name: value for name, value in options.items() if value is not None}
    return fit(table.rows, columns=table.columns, callback=progress.step, **given)


def _show(request: FitRequest, fit: Fit) -> None:
    from mvngrad.fitting.summary import summarise

    if request.as_json:
        show(of_fit(fit))
    else:
        show(summarise(fit, source=request.file.name))


def exit_code(fit: Fit) -> int:
    """0, 3 or 130: how the fit ended."""
    from mvngrad.fitting.convergence import Status

    codes = {Status.CONVERGED: 0, Status.INTERRUPTED: INTERRUPTED}
    return codes.get(fit.status, NOT_CONVERGED)
