"""Tables of a factor model: loadings, what the factors leave, their correlations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mvngrad.errors import DataError
from mvngrad.fitting.plaintext import PlainTable, short_names

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit


def factor_tables(
    fit: Fit, rotation: Any = None, called: Sequence[str] | None = None
) -> Iterator[PlainTable]:
    """In units of the columns' standard deviations, as estimated or rotated."""
    factors, rotated = fit.factors.standardize(), ""
    if rotation is not None:
        if getattr(fit.structure, "pattern", None) is not None:
            raise DataError(
                "loadings by a pattern are not rotated: the pattern says what they are."
            )
        factors, rotated = factors.rotate(rotation), f", rotated by {rotation}"
    names = short_names(fit.columns)
    across = tuple(short_names(called or [f"f{k + 1}" for k in range(factors.loadings.shape[1])]))
    rows = tuple(
        (name, *(f"{x:z.3f}" for x in own), f"{u:z.3f}")
        for name, own, u in zip(names, factors.loadings, factors.uniquenesses, strict=True)
    )
    shares = ("share of variance", *(f"{x:.3f}" for x in factors.variance_shares), "")
    title = f"Loadings, columns at unit variance{rotated}"
    yield PlainTable(title, ("", *across, "uniqueness"), (*rows, shares))
    R = factors.correlation
    if not np.array_equal(R, np.eye(len(R))):
        pairs = tuple((a, *(f"{r:z.3f}" for r in own)) for a, own in zip(across, R, strict=True))
        yield PlainTable("Correlations of the factors", ("", *across), pairs)
