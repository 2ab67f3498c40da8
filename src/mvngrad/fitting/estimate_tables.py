"""Tables of estimates: means and deviations, coefficients, correlations, with errors if known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.fitting.listing import Listing, coefficients, correlations, deviations, means, no_ends
from mvngrad.fitting.numbers import aligned, decimals, digits_of_error, measured, paired
from mvngrad.fitting.plaintext import PlainTable, short_names
from mvngrad.fitting.spread import Spread
from mvngrad.inference.intervals import Intervals

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit

MOST_COLUMNS = 40  # of which mean and deviation are listed
MOST_COEFFICIENTS = 40  # listed with their errors; more are shown side by side
MOST_CORRELATED = 15  # up to which the correlation matrix is shown whole
MOST_PAIRS = 15  # of columns, up to which each has its interval: 6 columns
FEW_PAIRS = 3  # up to which there is no need of a matrix beside the list
STRONGEST = 15  # correlations listed of many columns

FIXED, EDGE, UNTOLD = "fixed", "edge", "not told"  # in place of a standard error


# Means and deviations


def moments_table(fit: Fit, spread: Spread) -> PlainTable:
    """A row a column of the data; the digits of each number are those that its error leaves."""
    mu, sigma = means(fit, spread), deviations(fit, spread)
    deviation = "sd" if fit.coefficients is None else "residual sd"
    shown = range(min(len(fit.columns), MOST_COLUMNS))
    if spread.errors is None:
        header: tuple[str, ...] = ("column", "mean", deviation)
        cells: list[tuple[str, ...]] = [paired(mu.estimate[j], sigma.estimate[j]) for j in shown]
    else:
        header = ("column", "mean", "std err", *spread.ends, deviation, "std err")
        cells = [
            (
                *_with_error(mu, j, sigma.estimate[j], mu.ends[j].tolist()),
                *_with_error(sigma, j, sigma.estimate[j], []),
            )
            for j in shown
        ]
    rows = list(zip(short_names(fit.columns), *_columns(cells), strict=False))
    if len(fit.columns) > MOST_COLUMNS:
        rows.append((f"… and {len(fit.columns) - MOST_COLUMNS} more", *[""] * len(header[1:])))
    return PlainTable("", header, tuple(rows))


def _with_error(of: Listing, k: int, unit: float, ends: list[float]) -> tuple[str, ...]:
    """Estimate, error and ends; where there is no error, the unit decides on digits."""
    estimate, error = float(of.estimate[k]), float(of.error[k])
    if not error > 0.0:
        return paired(estimate, unit)[0], without_error(error), *[""] * len(ends)
    return tuple(_by_error([estimate, error, *ends], error))


def _by_error(numbers: list[float], error: float) -> list[str]:
    """With the digits that the error leaves; nothing in place of an end that there is not."""
    return _known(measured(numbers, error, digits_of_error(error)))


def _known(said: Sequence[str]) -> list[str]:
    return ["" if number == "nan" else number for number in said]


def without_error(error: float, *, at_edge: bool = False) -> str:
    """The word in place of a standard error that is 0 or NaN."""
    return FIXED if error == 0.0 else EDGE if at_edge else UNTOLD


def _columns(cells: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [_under_one_another(column) for column in zip(*cells, strict=True)]


def _under_one_another(column: Sequence[str]) -> list[str]:
    """Numbers by their decimal points, words and nothing as they are."""
    numbers = iter(aligned([cell for cell in column if cell[-1:].isdigit()]))
    return [next(numbers) if cell[-1:].isdigit() else cell for cell in column]


# Lists: estimate, error, z, p, interval


def list_header(spread: Spread, *names: str, value: str = "estimate") -> tuple[str, ...]:
    """Of a list of estimates whose rows have these names."""
    if spread.errors is None:
        return (*names, value)
    ends = () if spread.intervals is None else spread.ends
    return (*names, value, "std err", "z", "P>|z|", *ends)


def list_cells(of: Listing, digits: int | None = None) -> list[tuple[str, ...]]:
    """A row each; with the decimals given, or those that the error of each leaves."""

    def cells(k: int) -> tuple[str, ...]:
        estimate, error = float(of.estimate[k]), float(of.error[k])
        if not error > 0.0:
            alone = f"{estimate:.4g}" if digits is None else f"{estimate:z.{digits}f}"
            return alone, without_error(error), "", "", "", ""
        numbers = [estimate, error, *of.ends[k].tolist()]
        fixed = None if digits is None else [f"{x:z.{digits}f}" for x in numbers]
        said = _by_error(numbers, error) if fixed is None else _known(fixed)
        return *said[:2], f"{of.z[k]:z.2f}", p_value(of.pvalue[k]), *said[2:]

    return [cells(k) for k in range(len(of.names))]


def p_value(p: float) -> str:
    """Three decimals; what is not nothing does not look like it."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


# Coefficients


def coefficient_table(fit: Fit, spread: Spread) -> PlainTable:
    """A list with errors, column by column; without, side by side where columns share a design."""
    of = coefficients(fit, spread)
    if spread.errors is None or len(of.names) > MOST_COEFFICIENTS:
        return _bare_coefficients(fit, of)
    cells = list(zip(*_columns(list_cells(of)), strict=True))
    header = list_header(spread, "", value="coefficient")
    if len(of.names[0]) == 1:
        names = short_names([name for (name,) in of.names])
        rows = [(name, *own) for name, own in zip(names, cells, strict=True)]
        return PlainTable("Coefficients", header, tuple(rows))
    return PlainTable("Coefficients", header, tuple(_grouped(of, cells, len(header))))


def _grouped(
    of: Listing, cells: Sequence[tuple[str, ...]], width: int
) -> Iterator[tuple[str, ...]]:
    """The name of each column on a line of its own, its coefficients below."""
    pairs = zip(of.names, cells, strict=True)
    for column, own in itertools.groupby(pairs, key=lambda pair: pair[0][0]):
        yield short_names([column])[0], *[""] * (width - 1)
        for (_, name), numbers in own:
            yield f"  {short_names([name])[0]}", *numbers


def _bare_coefficients(fit: Fit, of: Listing) -> PlainTable:
    names, given = short_names(fit.columns), fit.coefficients
    title = "Coefficients"
    if isinstance(given, list) or given is None or given.ndim == 1:
        labels = [": ".join(short_names(names)) for names in of.names]
        values = zip(labels, of.estimate.tolist(), strict=True)
        return PlainTable(title, ("", "value"), tuple((n, f"{x:.4g}") for n, x in values))
    lines = zip(short_names(fit.design_names[0]), given.tolist(), strict=True)
    rows = tuple((n, *(f"{x:.4g}" for x in line)) for n, line in lines)
    return PlainTable(title, ("", *names), rows)


# Correlations


def correlation_tables(fit: Fit, spread: Spread) -> Iterator[PlainTable]:
    """The matrix, and a list of intervals where pairs are few; of many columns the strongest."""
    of = correlations(fit, spread)
    if len(fit.columns) > MOST_CORRELATED:
        yield _strongest(of, spread)
        return
    few = len(of.names) <= MOST_PAIRS and fit.noise is None  # those of factors follow from loadings
    listed = few and spread.errors is not None
    if not listed or len(of.names) > FEW_PAIRS:
        yield _matrix(short_names(fit.columns), fit.correlation)
    if listed:
        title = "Correlations, pair by pair" if len(of.names) > FEW_PAIRS else "Correlations"
        yield pair_table(title, of, spread)


def pair_table(title: str, of: Listing, spread: Spread, first: str = "column") -> PlainTable:
    """Correlations of pairs, all with the decimals that show two digits of their errors."""
    told = of.error[of.error > 0.0]
    digits = decimals(float(np.median(told)), 2, least=3) if len(told) else 3
    header = list_header(spread, first, "with", value="correlation")
    pairs = zip(of.names, list_cells(of, digits), strict=True)
    rows = [(*short_names(names), *own)[: len(header)] for names, own in pairs]
    return PlainTable(title, header, tuple(rows), names=2)


def _matrix(names: Sequence[str], R: Array) -> PlainTable:
    """The lower triangle, its first row and last column left away: they hold only ones."""
    rows = tuple(
        (names[i], *(f"{r:z.3f}" for r in R[i, :i]), *[""] * (len(names) - 1 - i))
        for i in range(1, len(names))
    )
    return PlainTable("Correlations", ("", *names[:-1]), rows)


def _strongest(of: Listing, spread: Spread) -> PlainTable:
    """Without intervals that would have to be searched for, of all pairs."""
    if not isinstance(spread.intervals, Intervals):
        spread, of = replace(spread, intervals=None), replace(of, find=lambda: no_ends(of))
    order = np.argsort(-np.abs(of.estimate), kind="stable")[:STRONGEST]
    some = of.some(order)
    return pair_table(f"The {STRONGEST} strongest of {len(of.names)} correlations", some, spread)
