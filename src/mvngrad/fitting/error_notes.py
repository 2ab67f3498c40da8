"""What is said under the tables of their standard errors, or of why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from mvngrad.fitting.estimate_tables import EDGE, MOST_COEFFICIENTS, UNTOLD
from mvngrad.fitting.listing import coefficients
from mvngrad.fitting.plaintext import PlainTable
from mvngrad.fitting.spread import Spread

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.inference.bootstrap import BootstrapIntervals

WAYS = {
    "observed": "from the observed information",
    "expected": "from the expected information",
    "sandwich": "by the sandwich, whatever the distribution of the rows",
}


def source_of_errors(fit: Fit, spread: Spread) -> str:
    """Where they come from, or why there are none."""
    if spread.errors is None:
        return f"No standard errors: {spread.reason}" if spread.reason else ""
    penalised = ", of the penalised likelihood" * bool(fit.prior)
    clustered = " and their dependence in clusters" * spread.clustered
    beside = _of_intervals(spread)
    return f"Standard errors are {WAYS[spread.errors.kind]}{clustered}{penalised}.{beside}"


def _of_intervals(spread: Spread) -> str:
    """How intervals were made, if not from the errors."""
    found = spread.intervals
    if found is None or found.method == "wald":
        return ""
    if found.method == "profile":
        return " Intervals are from the profile of the likelihood."
    refits = cast("BootstrapIntervals", found)
    lost = f", {refits.failed} of which failed" * bool(refits.failed)
    return f" Intervals are percentiles of {refits.n_boot} bootstrap refits{lost}."


def notes_on_errors(
    fit: Fit, spread: Spread, tables: Sequence[PlainTable], rotation: str | None
) -> Iterator[str]:
    """What there is to say of them besides."""
    if spread.errors is None:
        return
    yield from (f"{text[0].upper()}{text[1:]}." for text in spread.said)
    shown = {cell for table in tables for row in table.rows for cell in row[1:]}
    if EDGE in shown:
        yield (
            f'"{EDGE}": there is no noise, the least there can be, where a standard error has no '
            "meaning; the others are given that."
        )
    if UNTOLD in shown:
        yield f'"{UNTOLD}": the data do not tell this estimate, by this model, from others.'
    if rotation is not None:
        yield (
            "Rotated loadings are shown without standard errors; fit.to_frame('estimates') has "
            "those of the loadings before rotation."
        )
    if fit.coefficients is not None and len(coefficients(fit, spread).names) > MOST_COEFFICIENTS:
        yield "Coefficients are too many to list with theirs: fit.to_frame('estimates') has them."
