"""``mvngrad fit``: read, fit, write, print."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mvngrad.cli import files, notes
from mvngrad.cli.apart import Apart, require_errors_possible, set_apart, spread_for
from mvngrad.cli.documents import of_fit
from mvngrad.cli.failures import DATA, INTERRUPTED, NOT_CONVERGED, USAGE, Failure
from mvngrad.cli.output import show
from mvngrad.cli.progress import Progress
from mvngrad.cli.reading import read
from mvngrad.cli.request import FitRequest

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.io.csv import CsvTable
    from mvngrad.io.table import Table
    from mvngrad.models.factor_analytic import FactorAnalytic
    from mvngrad.models.linear import Linear
    from mvngrad.models.priors import InverseWishart


def fit_file(request: FitRequest) -> int:
    """Do what is asked; the exit code."""
    files.require_places_of_fit(request)
    if request.rotate and not request.covariance.startswith(("factor:", "ppca:")):
        raise Failure("--rotate is for the loadings of --covariance factor:N or ppca:N.", USAGE)
    require_errors_possible(request)
    if request.loadings is not None and request.covariance != FitRequest.covariance:
        raise Failure(
            f"--loadings says what the covariance is; leave --covariance {request.covariance} out.",
            USAGE,
        )
    with warnings.catch_warnings(record=True) as caught, Progress() as progress:
        warnings.simplefilter("always")
        data = _read(request, progress)
        apart = set_apart(request, data, _columns(request))
        fit = _fit(request, data, apart, progress)
    notes.on_warnings(caught, fit)
    notes.on_starts(request.n_starts, fit)
    problem = files.write(request, fit)
    _show(request, fit, apart)
    if problem is not None:
        raise problem
    return exit_code(fit)


def _read(request: FitRequest, progress: Progress) -> CsvTable:
    data = read(request.file, _columns(request), progress)
    used = {*_in_formula(request), request.clusters}
    notes.on_left_out([name for name in data.left_out if name not in used])
    if request.missing == "drop":
        notes.on_dropped(data.table.rows)
    return data


def _in_formula(request: FitRequest) -> list[str]:
    """The columns that the means are made of."""
    from mvngrad.io.formula import is_formula, variables_of

    mean = request.mean
    return variables_of(mean) if mean is not None and is_formula(mean) else []


def _fit(request: FitRequest, data: CsvTable, apart: Apart, progress: Progress) -> Fit:
    from mvngrad.errors import MissingValuesError

    data = data._replace(table=apart.table)
    table, mean, covariance = data.table, None, _covariance(request, data)
    if request.mean is not None:
        table, mean = _with_design(data, request.mean, every=request.columns is not None)
    try:
        return fit_table(
            table,
            progress,
            covariance=covariance,
            mean=mean,
            weights=apart.weights,
            weights_kind=request.weights_kind,
            prior=_prior(request),
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


def _covariance(request: FitRequest, data: CsvTable) -> str | FactorAnalytic:
    """The name of a structure, or confirmatory factor analysis by a file of loadings."""
    if request.loadings is None:
        if request.correlated:
            raise Failure("--correlated is for the factors of --loadings.", USAGE)
        return request.covariance
    from mvngrad.io.loadings import read_loadings
    from mvngrad.models.factor_analytic import FactorAnalytic

    found = read_loadings(request.loadings)
    if found.columns != data.table.columns:
        raise Failure(f"{request.loadings} and the data differ in columns.", DATA)
    return FactorAnalytic(pattern=found.pattern, correlated=request.correlated)


def _columns(request: FitRequest) -> tuple[str, ...] | None:
    """The columns to read: those asked for, or those of a file of loadings."""
    if request.loadings is None:
        return request.columns
    if request.columns is not None:
        raise Failure("--loadings names the columns; leave --columns out.", USAGE)
    from mvngrad.io.loadings import read_loadings

    return read_loadings(request.loadings).columns


def _factors(request: FitRequest) -> tuple[str, ...] | None:
    """What a file of loadings calls its factors, where it names all of them."""
    if request.loadings is None:
        return None
    from mvngrad.io.loadings import read_loadings

    names = read_loadings(request.loadings).factors
    return names if all(names) else None


def _prior(request: FitRequest) -> InverseWishart | None:
    from mvngrad.models.priors import InverseWishart

    given: Any = request.shrinkage
    return None if given is None else InverseWishart(shrinkage=given)


def _with_design(data: CsvTable, formula: str, *, every: bool) -> tuple[Table, Linear]:
    """The responses, and the design of their means."""
    from mvngrad.io.formula import designed_csv, is_formula
    from mvngrad.models.linear import Linear

    if not is_formula(formula):
        raise Failure(f"--mean takes a formula such as '~ age + sex'; got {formula!r}.", USAGE)
    table, design, names = designed_csv(data, formula, every=every)
    return table, Linear(design, names)


def fit_table(table: Table, progress: Progress, **options: Any) -> Fit:
    """Fit what was read, with the options that are not None."""
    from mvngrad.fitting.fit import fit

    progress.say(f"fitting {len(table.columns)} columns")
    given = {name: value for name, value in options.items() if value is not None}
    return fit(table.rows, columns=table.columns, callback=progress.step, **given)


def _show(request: FitRequest, fit: Fit, apart: Apart) -> None:
    from mvngrad.fitting.summary import summarise

    names = _factors(request)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spread = spread_for(request, fit, apart)
        said = (
            of_fit(fit, request.rotate, names, spread)
            if request.as_json
            else summarise(fit, spread, request.file.name, request.rotate, names)
        )
    notes.on_warnings(caught, fit)
    show(said)


def exit_code(fit: Fit) -> int:
    """0, 3 or 130: how the fit ended."""
    from mvngrad.fitting.convergence import Status

    codes = {Status.CONVERGED: 0, Status.INTERRUPTED: INTERRUPTED}
    return codes.get(fit.status, NOT_CONVERGED)
