"""Tables of a factor model: loadings, what the factors leave, their correlations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.fitting.estimate_tables import pair_table, without_error
from mvngrad.fitting.listing import factor_correlations
from mvngrad.fitting.plaintext import PlainTable, short_names
from mvngrad.fitting.spread import Spread

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit


def factor_tables(
    fit: Fit, spread: Spread, rotation: Any = None, called: Sequence[str] | None = None
) -> Iterator[PlainTable]:
    """In units of the columns' standard deviations, as estimated with errors, or rotated."""
    factors, rotated = fit.factors.standardize(), ""
    if rotation is not None:
        if getattr(fit.structure, "pattern", None) is not None:
            raise DataError(
                "loadings by a pattern are not rotated: the pattern says what they are."
            )
        factors, rotated = factors.rotate(rotation), f", rotated by {rotation}"
    title = f"Loadings, columns at unit variance{rotated}"
    across = short_names(called or [f"f{k + 1}" for k in range(factors.loadings.shape[1])])
    values = np.column_stack([factors.loadings, factors.uniquenesses])
    errors = None if rotation is not None else _errors(spread)
    yield _loading_table(title, fit, (*across, "uniqueness"), values, errors, factors)
    R = factors.correlation
    if np.array_equal(R, np.eye(len(R))):
        return
    if spread.errors is None or rotation is not None:
        rows = tuple((a, *(f"{r:z.3f}" for r in own)) for a, own in zip(across, R, strict=True))
        yield PlainTable("Correlations of the factors", ("", *across), rows)
        return
    of = factor_correlations(fit, spread)
    calls = dict(zip((f"f{k + 1}" for k in range(len(across))), across, strict=True))
    of = replace(of, names=[(calls[a], calls[b]) for a, b in of.names])
    yield pair_table("Correlations of the factors", of, spread, "factor")


def _errors(spread: Spread) -> Array | None:
    """Of loadings and uniquenesses side by side (d, k + 1)."""
    errors = spread.errors
    if errors is None or errors.loadings is None or errors.communalities is None:
        return None
    return np.column_stack([errors.loadings, errors.communalities])


def _loading_table(
    title: str, fit: Fit, across: Sequence[str], values: Array, errors: Array | None, factors: Any
) -> PlainTable:
    shares = [f"{x:.3f}" for x in factors.variance_shares]
    names, last = short_names(fit.columns), len(across) - 1
    if errors is None:
        rows = [(n, *(f"{x:z.3f}" for x in own)) for n, own in zip(names, values, strict=True)]
        rows.append(("share of variance", *shares, ""))
        return PlainTable(title, ("", *across), tuple(rows))

    def cells(j: int) -> Iterator[str]:
        for k, (x, e) in enumerate(zip(values[j].tolist(), errors[j].tolist(), strict=True)):
            at_edge = k == last and fit.columns[j] in fit.heywood
            yield f"{x:z.3f}"
            yield f"{e:.3f}" if e > 0.0 else without_error(e, at_edge=at_edge)

    header = [word for name in across for word in (name, "std err")]
    rows = [(name, *cells(j)) for j, name in enumerate(names)]
    rows.append(("share of variance", *(word for x in shares for word in (x, "")), "", ""))
    return PlainTable(title, ("", *header), tuple(rows), together=2)
