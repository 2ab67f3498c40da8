"""What a fit says for itself: facts, tables, warnings and notes of a plain `Summary`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from mvngrad.core.roots import correlation_condition
from mvngrad.errors import DataError
from mvngrad.fitting.factor_tables import factor_tables
from mvngrad.fitting.numbers import aligned, fixed, general, paired
from mvngrad.fitting.plaintext import (
    Facts,
    PlainTable,
    Summary,
    as_text,
    percent,
    short_names,
)
from mvngrad.fitting.requirements import counted
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.named import name_of

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit

MOST_COLUMNS = 40  # of which mean and deviation are listed
MOST_CORRELATED = 15  # up to which the correlation matrix is shown whole
STRONGEST = 15  # correlations listed otherwise


def summary(fit: Fit) -> str:
    """A table for the eye: how the fit ended, its likelihood, means, deviations, correlations."""
    return as_text(summarise(fit))


def summarise(
    fit: Fit,
    source: str | None = None,
    rotation: str | None = None,
    factors: Sequence[str] | None = None,
) -> Summary:
    """The summary as an object; ``source`` and ``factors`` name the data and what loads on them."""
    return Summary(
        "Multivariate normal, fitted by maximum likelihood",
        _facts(fit, source),
        tuple(_tables(fit, rotation, factors)),
        fit.warnings,
        _notes(fit),
    )


# What is said


class Holes(NamedTuple):
    """Entries missing in the rows a fit used, their share; patterns, and rows without a hole."""

    cells: int
    share: float
    patterns: int
    complete_rows: int


def holes(fit: Fit) -> Holes | None:
    """What was missing; None where the fit came without rows, as from moments or a file."""
    if fit.pattern_means is None:
        return None
    observed, counts = fit.pattern_means.observed, fit.pattern_means.counts
    absent = observed.shape[1] - observed.sum(axis=1)
    cells = int(counts @ absent)
    share = cells / (int(counts.sum()) * observed.shape[1])
    return Holes(cells, share, len(counts), int(counts[absent == 0].sum()))


def _facts(fit: Fit, source: str | None) -> Facts:
    found = holes(fit)
    missing, maximum = _with_holes(fit, found) if found and found.cells else ((), ())
    return (
        *([("Data", source)] if source else []),
        ("Rows", _rows(fit)),
        ("Columns", str(len(fit.columns))),
        *missing,
        ("Covariance", covariance_name(fit)),
        ("Parameters", str(fit.n_params)),
        ("Method", fit.method),
        ("Time", f"{fit.seconds:.3f} s"),
        ("Log-likelihood", fixed(fit.loglik, 3)),
        *([("Penalised", fixed(fit.loglik - fit.penalty, 3))] if fit.prior else []),
        *_chi_square(fit),
        ("AIC", fixed(fit.aic, 3)),
        ("BIC", fixed(fit.bic, 3)),
        ("Status", status_name(fit)),
        *maximum,
        ("Iterations", f"{fit.n_iter} ({fit.n_eval} evaluation{'s' * (fit.n_eval != 1)})"),
        ("Optimality", f"{fit.optimality:.1e}" if fit.optimality else "0"),
    )


def _chi_square(fit: Fit) -> Facts:
    """Against the saturated model, where there is something left to test."""
    if fit.saturated is None or not (test := fit.goodness()).df:
        return ()
    return (("Chi-square", f"{test.statistic:.2f}, {test.df} df, p {test.pvalue:.3g}"),)


def _with_holes(fit: Fit, found: Holes) -> tuple[Facts, Facts]:
    """What is missing, and what the summit is worth: with holes there may be several."""
    missing = f"{percent(found.share)}, {counted(found.patterns, 'pattern')}"
    kind = "local, certified" if fit.converged else "not certified"
    several = f"best of {fit.n_starts} starts, {kind.removeprefix('local, ')}"
    return (("Missing", missing),), (("Maximum", several if fit.n_starts > 1 else kind),)


def _rows(fit: Fit) -> str:
    weight = f" (total weight {general(fit.weight)})" * (fit.weight != fit.n_obs)
    return f"{fit.n_obs}{weight}" + f" and {fit.n_empty} empty" * (fit.n_empty > 0)


def covariance_name(fit: Fit) -> str:
    """The structure as ``mvngrad.fit`` calls it."""
    by_pattern = getattr(fit.structure, "pattern", None) is not None
    return "factors by a pattern" if by_pattern else name_of(fit.structure)


def status_name(fit: Fit) -> str:
    """The status in a few words."""
    name = fit.status.name.lower().replace("_", " ")
    return name if fit.converged else f"not converged ({name})"


def _tables(fit: Fit, rotation: str | None, factors: Sequence[str] | None) -> Iterator[PlainTable]:
    yield _moments_table(fit)
    if fit.coefficients is not None:
        yield coefficient_table(fit)
    if fit.noise is not None:
        yield from factor_tables(fit, rotation, factors)
    if len(fit.columns) > 1 and not isinstance(fit.structure, Diagonal | Spherical):
        whole = len(fit.columns) <= MOST_CORRELATED
        yield _correlation_matrix(fit) if whole else _strongest_correlations(fit)


def _moments_table(fit: Fit) -> PlainTable:
    pairs = [paired(m, s) for m, s in zip(fit.mean, fit.deviations, strict=True)][:MOST_COLUMNS]
    columns = [aligned(column) for column in zip(*pairs, strict=True)]
    rows = list(zip(short_names(fit.columns), *columns, strict=False))
    if len(fit.columns) > MOST_COLUMNS:
        rows.append((f"… and {len(fit.columns) - MOST_COLUMNS} more", "", ""))
    deviation = "sd" if fit.coefficients is None else "residual sd"
    return PlainTable("", ("column", "mean", deviation), tuple(rows))


def coefficient_table(fit: Fit) -> PlainTable:
    """Coefficients by name: columns side by side where they share a design, else in a list."""
    names, given = short_names(fit.columns), fit.coefficients
    title, of = "Coefficients", fit.design_names
    if isinstance(given, list):
        rows = [
            (f"{column}: {name}", f"{value:.4g}")
            for column, labels, beta in zip(names, of, given, strict=True)
            for name, value in zip(short_names(labels), beta.tolist(), strict=True)
        ]
        return PlainTable(title, ("", "value"), tuple(rows))
    header = ("", "value") if given is None or given.ndim == 1 else ("", *names)
    values = np.atleast_2d(given.T).T.tolist() if given is not None else []
    lines = zip(short_names(of[0]), values, strict=True)
    return PlainTable(title, header, tuple((n, *(f"{x:.4g}" for x in line)) for n, line in lines))


def _correlation_matrix(fit: Fit) -> PlainTable:
    """The lower triangle, its first row and last column left away: they hold only ones."""
    names, R = short_names(fit.columns), fit.correlation
    rows = tuple(
        (names[i], *(f"{r:z.3f}" for r in R[i, :i]), *[""] * (len(names) - 1 - i))
        for i in range(1, len(names))
    )
    title = f"Correlations (condition number {correlation_condition(fit.root):.3g})"
    return PlainTable(title, ("", *names[:-1]), rows)


def _strongest_correlations(fit: Fit) -> PlainTable:
    names, R = short_names(fit.columns), fit.correlation
    i, j = np.tril_indices(len(names), -1)
    order = np.argsort(-np.abs(R[i, j]), kind="stable")[:STRONGEST]
    rows = tuple((names[j[k]], names[i[k]], f"{R[i[k], j[k]]:.3f}") for k in order)
    title = f"The {STRONGEST} strongest of {len(i)} correlations"
    return PlainTable(title, ("column", "with", "correlation"), rows)


def _notes(fit: Fit) -> tuple[str, ...]:
    n, free = general(fit.weight), fit.n_params == fit.structure.n_params + len(fit.columns)
    found = holes(fit)
    whole = found is None or not found.cells
    as_numpy = (
        whole and fit.structure.saturated and free and not fit.prior and fit.weight == fit.n_obs
    )
    beside = ": (n-1)/n times those of numpy.cov" if as_numpy else ""
    divisor = f"Covariances have the divisor n = {n}{beside}."
    return (*_empty_rows(fit.n_empty), *_priors(fit), divisor)


def _priors(fit: Fit) -> tuple[str, ...]:
    if not fit.prior:
        return ()
    said = (
        f"The likelihood is penalised: what is largest is the log-likelihood less "
        f"{fixed(fit.penalty, 3)}, for {' and '.join(fit.prior)}. AIC and BIC take no notice of it."
    )
    return (said,)


def _empty_rows(count: int) -> tuple[str, ...]:
    have = "has" if count == 1 else "have"
    said = f"{counted(count, 'row')} {have} nothing observed, and no part in the fit."
    return (said,) if count else ()


# As dataframes


def to_frame(fit: Fit, what: str) -> Any:
    """A pandas dataframe of any ``Quantity``: the mean, coefficients, loadings, the trace …

    Raises
    ------
    DataError
        If ``what`` is none of these.
    ImportError
        If pandas is not installed.
    """
    from mvngrad.fitting.result import Quantity

    if what not in get_args(Quantity):
        choices = ", ".join(map(repr, get_args(Quantity)))
        raise DataError(f"what must be one of {choices}; got {what!r}.")
    pd, names = _pandas(), list(fit.columns)
    if what == "trace":
        return pd.DataFrame(fit.trace.to_dict())
    if what == "coefficients":
        return _coefficient_frame(fit, pd)
    values = getattr(fit, what)
    if values is None:
        raise DataError(f"{fit.structure!r} is no factor model: this fit has no {what}.")
    if values.ndim == 1:
        return pd.DataFrame({what: values}, index=names)
    factors = [f"f{k + 1}" for k in range(values.shape[1])]
    across = factors if what in {"factor", "factor_correlation"} else names
    return pd.DataFrame(
        values, index=across if what == "factor_correlation" else names, columns=across
    )


def _coefficient_frame(fit: Fit, pd: Any) -> Any:
    """A row a coefficient; a column for each of the data where they share a design."""
    if fit.coefficients is None:
        raise DataError("this fit has one mean for all rows, to_frame('mean'); no coefficients.")
    if isinstance(fit.coefficients, list):
        pairs = zip(fit.columns, fit.design_names, strict=True)
        index = pd.MultiIndex.from_tuples([(c, name) for c, names in pairs for name in names])
        return pd.DataFrame({"coefficient": np.concatenate(fit.coefficients)}, index=index)
    shared = fit.coefficients.ndim == 2
    across = list(fit.columns) if shared else ["coefficient"]
    return pd.DataFrame(fit.coefficients, index=list(fit.design_names[0]), columns=across)


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        message = "to_frame needs pandas: pip install pandas"
        raise ImportError(message) from error
