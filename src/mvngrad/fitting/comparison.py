"""compare: fits of the same data side by side, and likelihood ratios of those that are nested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import ConvergenceWarning, DataError, DataWarning, listed, warn
from mvngrad.fitting.comparable import differing, require_comparable
from mvngrad.fitting.listing import pandas
from mvngrad.fitting.nested import Nested, nested
from mvngrad.fitting.plaintext import PlainTable, Summary, as_text, short_names
from mvngrad.fitting.result import Fit
from mvngrad.inference.comparison import ComparedModel, Model, NestedTest, compared
from mvngrad.models.named import name_of

HEADER = ("", "loglik", "parameters", "AIC", "BIC", "AICc", "ΔAIC", "weight")


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Fits of the same data side by side.

    Attributes
    ----------
    rows : tuple of ComparedModel     name, loglik, n_params, aic, bic, aicc, delta (AIC less the
                                      smallest) and akaike_weight of each fit, in the order given
    tests : tuple of NestedTest       likelihood ratios of neighbours by number of parameters
    n_obs, columns                    of the data
    statistic, df, pvalue             of the one test of two fits; of more fits arrays, a test each
    warnings : tuple of str           what to mind, boundaries and assumptions among it
    """

    rows: tuple[ComparedModel, ...]
    tests: tuple[NestedTest, ...]
    n_obs: int
    columns: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def statistic(self) -> float | Array:
        """X² = 2 (ℓ_big − ℓ_small); NaN where there is no test."""
        return self._of_tests("statistic")

    @property
    def df(self) -> int | Array:
        """Parameters of the larger less those of the smaller."""
        return self._of_tests("df")

    @property
    def pvalue(self) -> float | Array:
        """P of as large a ratio if the smaller is right; NaN where there is no test."""
        return self._of_tests("pvalue")

    def _of_tests(self, name: str) -> Any:
        values = [getattr(test, name) for test in self.tests]
        return values[0] if len(values) == 1 else np.array(values)

    def to_frame(self) -> Any:
        """The rows as a pandas dataframe, by name.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return pandas().DataFrame(self.rows, columns=list(ComparedModel._fields)).set_index("name")

    def __str__(self) -> str:
        return as_text(self.summary()).rstrip("\n")

    def __repr__(self) -> str:
        best = min(self.rows, key=lambda row: row.aic)
        return f"<Comparison of {len(self.rows)} fits: {best.name} has the smallest AIC>"

    def _repr_html_(self) -> str:
        """Tables for notebooks, and below them what to mind."""
        return self.summary()._repr_html_()

    def summary(self) -> Summary:
        """The table, the tests, and what to mind, as an object that renders as text."""
        tables = [_table(self.rows)]
        shown = [test for test in self.tests if not test.reason]
        tables += [_tests(shown)] if shown else []
        notes = [f"No test: {test.reason}." for test in self.tests if test.reason]
        facts = (("Rows", str(self.n_obs)), ("Columns", str(len(self.columns))))
        return Summary("Models compared", facts, tuple(tables), self.warnings, tuple(notes))


def compare(*fits: Fit, names: Sequence[str] | None = None) -> Comparison:
    """AIC, BIC, AICc and Akaike weights of fits, and likelihood ratios of nested ones.

    X² = 2 (ℓ_big − ℓ_small), χ² with p_big − p_small degrees of freedom

    Parameters
    ----------
    *fits : two or more Fits of the same data
    names : sequence of str, optional      default: the structures

    Returns
    -------
    Comparison
        rows, tests, statistic, df, pvalue, warnings, to_frame(); prints as a table.

    Raises
    ------
    DataError
        If the fits are of different columns, rows or weights, or one had a prior; if fewer than
        two are given; or if the larger of two that are known to be nested is less likely.

    Warns
    -----
    ConvergenceWarning
        If a fit has not converged.
    DataWarning
        If a fit came from a file that does not say which data it is of.

    Notes
    -----
    The tests take neighbours by number of parameters to be nested, the smaller a case of the
    larger. For structures of this library that is looked up where it can be; where it cannot,
    ``warnings`` says that it was taken on trust. Information criteria ask for no nesting.

    χ² holds where the smaller model lies inside the larger (Wilks 1938). Where it lies on its
    boundary ``warnings`` says so: with variances of 0 p is too large, with fewer factors too small
    (Hayashi, Bentler & Yuan 2007). For a single variance, ½ χ²(0) + ½ χ²(1) is used, half the p of
    χ²(1) (Self & Liang 1987, case 5).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(100, 3)) + [0.0, 1.0, 2.0]
    >>> small, big = mg.fit(X, "diagonal"), mg.fit(X)
    >>> table = mg.compare(small, big)
    >>> table.statistic == 2 * (big.loglik - small.loglik), table.df
    (True, 3)
    >>> print(table)
    Models compared
    <BLANKLINE>
    Rows  100    Columns  3
    <BLANKLINE>
                loglik  parameters     AIC     BIC    AICc  ΔAIC  weight
    --------------------------------------------------------------------
    diagonal  -429.781           6  871.56  887.19  872.47  0.00   0.939
    full      -429.514           9  877.03  900.47  879.03  5.46   0.061
    <BLANKLINE>
    Likelihood ratios
                         χ²  df       p
    -----------------------------------
    diagonal in full  0.535   3  0.9111
    """
    _require_fits(fits)
    models = _models(fits, names)
    _require_same_data(fits, models)
    for fit, model in zip(fits, models, strict=True):
        if not fit.converged:
            warn(f"{model.name} has not converged: {fit.status.message}", ConvergenceWarning)
    order = sorted(range(len(fits)), key=lambda i: models[i].n_params)
    found = [nested(fits[i], fits[j], models[i], models[j]) for i, j in pairwise(order)]
    return Comparison(
        compared(models),
        tuple(pair.test for pair in found),
        fits[0].n_obs,
        fits[0].columns,
        tuple(dict.fromkeys([*_of_each(fits, models), *_of_pairs(found)])),
    )


def _require_fits(fits: Sequence[Any]) -> None:
    for fit in fits:
        if not isinstance(fit, Fit):
            raise DataError(f"mvngrad.compare takes fits, as mvngrad.fit gives; got {fit!r:.60}.")
    if len(fits) < 2:
        raise DataError(f"a comparison needs two fits or more; got {len(fits)}.")


def _models(fits: Sequence[Fit], names: Sequence[str] | None) -> list[Model]:
    given = _names(fits) if names is None else [str(name) for name in names]
    if len(given) != len(fits):
        raise DataError(f"{len(given)} names were given for {len(fits)} fits; one for each.")
    twice = [name for j, name in enumerate(given) if name in given[:j]]
    if twice:
        raise DataError(f"two fits are named {twice[0]!r}; names must differ.")
    return [
        Model(name, fit.loglik, fit.n_params, fit.weight)
        for name, fit in zip(given, fits, strict=True)
    ]


def _names(fits: Sequence[Fit]) -> list[str]:
    """What structures are called, numbered where two are called the same."""
    plain = [name_of(fit.structure) for fit in fits]
    counts = [plain[: i + 1].count(name) for i, name in enumerate(plain)]
    return [
        f"{name} ({count})" if plain.count(name) > 1 else name
        for name, count in zip(plain, counts, strict=True)
    ]


def _require_same_data(fits: Sequence[Fit], models: Sequence[Model]) -> None:
    for fit, model in zip(fits, models, strict=True):
        require_comparable(fit, model.name)
    first = next((i for i, fit in enumerate(fits) if fit.fingerprint is not None), 0)
    for fit, model in zip(fits, models, strict=True):
        found = differing(fits[first], fit)
        if found:
            raise DataError(
                f"{models[first].name} and {model.name} are fits to different data, whose "
                f"likelihoods cannot be compared. They differ in {'; '.join(found)}. Fit both to "
                "the same rows, columns and weights, with the same missing=…."
            )
    unknown = [m.name for fit, m in zip(fits, models, strict=True) if fit.fingerprint is None]
    if unknown:
        text = (
            f"{listed(unknown)} came from a file of an older mvngrad, which does not say what data "
            "it is of. That they are the same cannot be checked"
        )
        warn(text, DataWarning)


def _of_each(fits: Sequence[Fit], models: Sequence[Model]) -> Iterator[str]:
    for fit, model in zip(fits, models, strict=True):
        if not fit.converged:
            yield f"{model.name} has not converged: its likelihood may be larger than it says"
        if fit.fingerprint is None:
            yield f"{model.name} does not say which data it is of: that is taken on trust"
        if fit.heywood:
            yield (
                f"{model.name} has no noise in {listed(fit.heywood)}, the edge of its family: "
                "likelihood ratios with it are not quite χ²"
            )


def _of_pairs(found: Sequence[Nested]) -> Iterator[str]:
    for pair in found:
        yield from pair.warnings


# As tables


def _table(rows: Sequence[ComparedModel]) -> PlainTable:
    names = short_names([row.name for row in rows])
    cells = (
        (
            name,
            f"{row.loglik:.3f}",
            str(row.n_params),
            *(_shown(x) for x in (row.aic, row.bic, row.aicc, row.delta)),
            f"{row.akaike_weight:.3f}",
        )
        for name, row in zip(names, rows, strict=True)
    )
    return PlainTable("", HEADER, tuple(cells))


def _tests(tests: Sequence[NestedTest]) -> PlainTable:
    cells = (
        (
            " in ".join(short_names([test.small, test.big])),
            f"{test.statistic:.3f}",
            str(test.df),
            f"{test.pvalue:.4g}" + " (½)" * (test.reference == "mixture"),
        )
        for test in tests
    )
    return PlainTable("Likelihood ratios", ("", "χ²", "df", "p"), tuple(cells))


def _shown(x: float) -> str:
    return f"{x:.2f}" if np.isfinite(x) else "–"
