"""What selecting a number of factors found: the rank, and the table it was read off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from mvngrad.core.frame import read_only
from mvngrad.core.ops import Array
from mvngrad.fitting.plaintext import PlainTable, Summary, as_text

Criterion = Literal["bic", "aic", "parallel"]


class RankRow(NamedTuple):
    """The fit with ``rank`` factors, and its likelihood ratio against the saturated model, plain.

    Where that has no largest likelihood (n ≤ d), statistic and pvalue are NaN and df is 0.
    """

    rank: int
    loglik: float
    n_params: int
    aic: float
    bic: float
    statistic: float
    df: int
    pvalue: float
    converged: bool


@dataclass(frozen=True, eq=False)
class RankSelection:
    """A number of factors and what it was chosen by.

    Attributes
    ----------
    rank : int
    criterion : "bic", "aic" or "parallel"
    table : tuple of RankRow          one a rank, from 0 on; empty for parallel analysis
    observed : (d,) array             eigenvalues of the correlation matrix of the data, largest
                                      first; empty unless by parallel analysis
    reference : (d,) array            what they have to exceed
    """

    rank: int
    criterion: Criterion
    table: tuple[RankRow, ...] = ()
    observed: Array = field(default_factory=lambda: np.empty(0))
    reference: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        for name in ("observed", "reference"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def summary(self) -> str:
        """A table for the eye: fits by rank, or eigenvalues beside those of noise."""
        table = _fits(self.table) if self.table else _eigenvalues(self.observed, self.reference)
        facts = (("Rank", str(self.rank)), ("Criterion", self.criterion))
        return as_text(Summary("Number of factors", facts, (table,), (), ()))

    def __repr__(self) -> str:
        return f"<RankSelection: {self.rank} factors by {self.criterion}>"


def _fits(rows: tuple[RankRow, ...]) -> PlainTable:
    header = ("Factors", "Log-likelihood", "Parameters", "AIC", "BIC", "χ²", "df", "p")
    cells = (
        (
            str(row.rank) + " (not converged)" * (not row.converged),
            f"{row.loglik:.3f}",
            str(row.n_params),
            f"{row.aic:.3f}",
            f"{row.bic:.3f}",
            f"{row.statistic:.3f}",
            str(row.df),
            f"{row.pvalue:.4g}",
        )
        for row in rows
    )
    return PlainTable("Fits by rank", header, tuple(cells))


def _eigenvalues(observed: Array, reference: Array) -> PlainTable:
    pairs = zip(observed, reference, strict=True)
    rows = tuple((str(j + 1), f"{a:.4f}", f"{b:.4f}") for j, (a, b) in enumerate(pairs))
    return PlainTable("Eigenvalues of the correlation matrix", ("", "Data", "Noise"), rows)
