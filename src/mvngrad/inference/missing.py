"""What is missing, and whether it is missing at random whatever the values are.

Little's test compares the mean ȳ_p of the rows of each pattern p with the estimates μ, S of all:

    d² = Σ_p n_p (ȳ_p−μ_o)ᵀ S_oo⁻¹ (ȳ_p−μ_o)         o = o_p, the columns the pattern has
    df = Σ_p |o_p| − d

asymptotically χ² if values are missing completely at random (MCAR). (Little 1988)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_factor, as_vector
from mvngrad.core.conditional import distances
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.core.roots import full_rank_root
from mvngrad.core.sorting import Mask
from mvngrad.errors import DataError, NeedsRowsError

Counts = npt.NDArray[np.int64]


class MissingPattern(NamedTuple):
    """Columns as a string, 1 observed and 0 missing; the rows like it; what they lack, by name."""

    observed: str
    rows: int
    missing: tuple[str, ...]


class McarTest(NamedTuple):
    """Little's d², its degrees of freedom, and the χ² probability of as much or more."""

    statistic: float
    df: int
    pvalue: float


class PatternMeans(NamedTuple):
    """Of each pattern its weight n_p (p,) and mean ȳ_p (p, d), NaN where missing; and μ, L."""

    weights: Array
    means: Array
    mean: Array
    root: Array


@dataclass(frozen=True, eq=False)
class MissingReport:
    """Which entries of the data are missing: patterns, coverage, and a test of MCAR.

    Attributes
    ----------
    columns : tuple of str
    observed : (p, d) bool      the patterns, all different, most frequent first
    rows : (p,) int             rows of each, of positive weight
    n_empty : int               rows with nothing observed, which are in no pattern
    means : PatternMeans        what the test needs, in a frame of the data

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [np.nan, 5.0], [3.0, 4.0], [2.0, np.nan]])
    >>> report = MissingReport.of(Patterns.of(X), ("a", "b"), [2.0, 3.0], np.eye(2))
    >>> report.patterns[0]
    MissingPattern(observed='11', rows=2, missing=())
    >>> report.coverage
    array([[0.75, 0.5 ],
           [0.5 , 0.75]])
    >>> report.mcar_test().statistic  # (5−3)² of the row without a; the other means agree
    4.0
    """

    columns: tuple[str, ...]
    observed: Mask
    rows: Counts
    n_empty: int = 0
    means: PatternMeans | None = None
    untested: str = ""

    @classmethod
    def of(
        cls,
        patterns: Patterns | None,
        columns: Sequence[str],
        mean: Any,
        factor: Any,
        noise: Any = None,
        *,
        untested: str = "",
    ) -> MissingReport:
        """The report of sorted rows and an estimate; the rows themselves are not kept.

        Parameters
        ----------
        patterns : Patterns                       None where the rows are not at hand
        columns : sequence of str, d of them
        mean : (d,) array                         μ̂, in the units of the data
        factor, noise : (d, k) and (d,) arrays    Ŝ = ΛΛᵀ + diag ψ
        untested : str                            why there is no test of MCAR, where there is none

        Raises
        ------
        NeedsRowsError
            If there are no patterns to report on.
        """
        if patterns is None:
            raise _needs_rows()
        if len(columns) != patterns.d:
            raise DataError(f"{len(columns)} names were given for {patterns.d} columns.")
        order = np.argsort(-patterns.counts, kind="stable")
        return cls(
            tuple(columns),
            patterns.observed[order],
            patterns.counts[order],
            patterns.n_empty,
            _means(patterns, as_vector(mean, "mean", patterns.d), factor, noise),
            untested,
        )

    @cached_property
    def patterns(self) -> tuple[MissingPattern, ...]:
        """Every pattern with the rows that have it, most frequent first."""
        return tuple(map(self._pattern, self.observed, self.rows.tolist()))

    @property
    def n_obs(self) -> int:
        """Rows of positive weight with something observed."""
        return int(self.rows.sum())

    @property
    def n_complete(self) -> int:
        """Rows of positive weight with everything observed."""
        return int(self.rows[self.observed.all(axis=1)].sum())

    @cached_property
    def counts(self) -> Counts:
        """Rows in which each column is observed (d,)."""
        return self.rows @ self.observed

    @cached_property
    def coverage(self) -> Array:
        """Share of the ``n_obs`` rows in which both columns are observed (d, d).

        On the diagonal, in which the column is. Rows count once each, whatever their weight.
        """
        return self._together / self.n_obs

    @cached_property
    def never_together(self) -> list[tuple[str, str]]:
        """Pairs of columns that no row has both of: of their covariance the data say nothing."""
        i, j = np.nonzero(np.triu(self._together == 0.0, 1))
        return [(self.columns[a], self.columns[b]) for a, b in zip(i, j, strict=True)]

    def mcar_test(self) -> McarTest:
        """d² = Σ_p n_p (ȳ_p−μ_o)ᵀS_oo⁻¹(ȳ_p−μ_o), df = Σ_p|o_p| − d: Little's test of MCAR.

        A small p-value speaks against values missing completely at random; a large one does not
        show that they are, and no test tells values missing at random (what maximum likelihood
        asks for) from those that are not. Weights count as frequencies.

        Returns
        -------
        McarTest
            statistic, df, pvalue. With one pattern only there is nothing to compare: 0, 0, 1.

        Raises
        ------
        NeedsRowsError, DataError
            If the report came without rows, or the mean of the fit is linear in a design.

        Notes
        -----
        S is the maximum-likelihood estimate, of divisor n = Σw; with the divisor n − 1 the
        statistic would be (n−1)/n times as large. Means and a covariance of another model than
        free means and a full covariance are tested along with MCAR. The χ² law asks for many rows
        a pattern; with few the test is conservative. (Little 1988)
        """
        if self.means is None:
            raise _needs_rows()
        if self.untested:
            raise DataError(
                f"Little's test compares means of rows, and {self.untested}. Fit the columns of "
                "the design together with the others: mvngrad.fit(X).missing.mcar_test()."
            )
        from scipy.special import chdtrc

        n, means, mean, root = self.means
        statistic = float(n @ distances(means, mean, root).square)
        df = int(self.observed.sum()) - len(self.columns)
        pvalue = float(chdtrc(df, statistic)) if df > 0 else 1.0
        return McarTest(statistic if df > 0 else 0.0, df, pvalue)

    @cached_property
    def _together(self) -> Array:
        O = self.observed.astype(np.float64)
        return (O.T * self.rows) @ O

    def _pattern(self, observed: Mask, rows: int) -> MissingPattern:
        named = zip(self.columns, observed, strict=True)
        missing = tuple(name for name, there in named if not there)
        return MissingPattern("".join("01"[int(there)] for there in observed), rows, missing)

    def __repr__(self) -> str:
        share = 1.0 - self.counts.sum() / max(self.n_obs * len(self.columns), 1)
        return (
            f"<MissingReport: {share:.1%} missing in {self.n_obs} rows × {len(self.columns)} "
            f"columns, {len(self.rows)} patterns, {self.n_complete} complete rows>"
        )


def _means(patterns: Patterns, mean: Array, factor: Any, noise: Any) -> PatternMeans:
    """Means of the rows of each pattern and the estimate, in the frame of the patterns."""
    frame = patterns.frame
    means = np.where(patterns.observed, patterns.means().kept.z, np.nan)
    root = full_rank_root(as_factor(factor, len(mean)), noise) / frame.root[:, None]
    return PatternMeans(patterns.pattern_weights, means, (mean - frame.origin) / frame.root, root)


def _needs_rows() -> NeedsRowsError:
    return NeedsRowsError(
        "which values are missing is known from the rows alone, and only moments or a saved model "
        "are at hand. Fit the rows themselves: mvngrad.fit(X).missing."
    )
