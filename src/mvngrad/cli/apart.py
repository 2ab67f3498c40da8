"""Columns that are no part of what is fitted, weights and labels of rows; and what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mvngrad.cli.failures import DATA, USAGE, Failure
from mvngrad.cli.progress import Progress
from mvngrad.cli.request import FitRequest

if TYPE_CHECKING:
    import numpy as np

    from mvngrad.core.ops import Array
    from mvngrad.fitting.intervals import AnyIntervals
    from mvngrad.fitting.result import Fit
    from mvngrad.fitting.spread import Spread
    from mvngrad.io.csv import CsvTable
    from mvngrad.io.table import Table


class Apart(NamedTuple):
    """The columns to fit, weights (n,) and labels (n,) of the rows."""

    table: Table
    weights: Array | None
    labels: np.ndarray[Any, Any] | None


def require_errors_possible(request: FitRequest) -> None:
    """Refuse options that contradict each other, before anything is read."""
    if request.weights_kind is not None and request.weights is None:
        raise Failure("--weights-kind is for --weights COLUMN.", USAGE)
    if request.clusters is not None and request.se not in (None, "sandwich"):
        raise Failure(f"--clusters is for --se sandwich; leave --se {request.se} out.", USAGE)
    if request.n_boot is not None and request.ci != "bootstrap":
        raise Failure("--n-boot is for --ci bootstrap.", USAGE)
    if request.ci != "wald" and request.se == "none":
        raise Failure(f"--ci {request.ci} is shown beside standard errors; leave --se out.", USAGE)
    if request.ci == "profile" and (request.clusters or request.weights_kind == "sampling"):
        raise Failure(
            "--ci profile is of the likelihood, and with clusters or weights of a sample there is "
            "none; use --ci bootstrap.",
            USAGE,
        )


def set_apart(request: FitRequest, data: CsvTable, asked: Sequence[str] | None) -> Apart:
    """Weights and labels by name, and the table without them."""
    from mvngrad.io.csv import read_words
    from mvngrad.io.table import Table

    named = {"--weights": request.weights, "--clusters": request.clusters}
    apart = {option: name for option, name in named.items() if name is not None}
    for option, name in apart.items():
        if asked is not None and name in asked:
            raise Failure(f"{option} {name} is one of the columns to fit; name it once.", USAGE)
    table, columns = data.table, data.table.columns
    kept = [j for j, name in enumerate(columns) if name not in apart.values()]
    if not kept:
        raise Failure(f"{data.source.path} has no other column of numbers to fit.", DATA)
    found = read_words(data, list(dict.fromkeys(apart.values())))
    if len(kept) < len(columns):
        table = Table(table.rows[:, kept], tuple(columns[j] for j in kept))
    weights, labels = (found.get(name) if name is not None else None for name in named.values())
    _require_whole(data, "--weights", request.weights, weights)
    _require_whole(data, "--clusters", request.clusters, labels)
    if weights is not None and weights.dtype == object:
        raise Failure(f"--weights {request.weights}: that column holds words, not numbers.", DATA)
    _require_no_debt(data, request.weights, weights)
    return Apart(table, weights, labels)


def _require_whole(data: CsvTable, option: str, name: str | None, values: Any) -> None:
    """An error that names the first line without a value."""
    import numpy as np

    if values is None:
        return
    gone = [i for i, x in enumerate(values.tolist()) if x is None or x != x]  # noqa: PLR0124
    if gone:
        line = data.lines_of(gone[:1])[0]
        raise Failure(
            f"{option} {name} has no value in line {line} of {data.source.path} "
            f"({len(gone)} in all). Every row needs one.",
            DATA,
        )
    assert np.shape(values) == (len(data.table.rows),)


def _require_no_debt(data: CsvTable, name: str | None, weights: Array | None) -> None:
    """An error that names the first line with a weight below 0."""
    below = [] if weights is None else (weights < 0.0).nonzero()[0].tolist()
    if below:
        assert weights is not None
        raise Failure(
            f"--weights {name} is {weights[below[0]]:.6g} in line {data.lines_of(below[:1])[0]} of "
            f"{data.source.path} ({len(below)} below 0 in all). A weight of 0 leaves a row out.",
            DATA,
        )


def spread_for(request: FitRequest, fit: Fit, apart: Apart) -> Spread:
    """Standard errors and intervals as asked for."""
    from mvngrad.fitting.spread import Spread, spread_of

    if request.se == "none":
        return Spread(request.level)
    labels = apart.labels
    if request.ci == "wald":
        return spread_of(fit, request.level, request.se, labels)
    with Progress() as progress:
        intervals = partial(_intervals, request, fit, labels, progress)
        return spread_of(fit, request.level, request.se, labels, intervals=intervals)


def _intervals(
    request: FitRequest, fit: Fit, labels: np.ndarray[Any, Any] | None, progress: Progress
) -> AnyIntervals:
    """By the profile of the likelihood, or a bootstrap."""
    if request.ci == "profile":
        return fit.conf_int(request.level, "profile")
    return fit.conf_int(
        request.level,
        "bootstrap",
        clusters=labels,
        n_boot=999 if request.n_boot is None else request.n_boot,
        rng=request.seed,
        threads=request.threads,
        progress=progress.refit,
    )
