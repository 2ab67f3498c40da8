"""What a fit says for itself: facts, tables, warnings and notes of a plain `Summary`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

from mvngrad.core.roots import correlation_condition
from mvngrad.fitting.error_notes import notes_on_errors, source_of_errors
from mvngrad.fitting.estimate_tables import coefficient_table, correlation_tables, moments_table
from mvngrad.fitting.factor_tables import factor_tables
from mvngrad.fitting.listing import estimates_frame
from mvngrad.fitting.numbers import fixed, general
from mvngrad.fitting.plaintext import Facts, PlainTable, Summary, percent
from mvngrad.fitting.requirements import counted
from mvngrad.fitting.spread import Spread, spread_of
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.named import name_of

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit
    from mvngrad.inference.standard_errors import ErrorKind


@final
@dataclass(frozen=True, eq=False, repr=False)
class FitSummary:
    """What a fit says for itself: printed as text, shown by a notebook as HTML, or as a dataframe.

    said                          title, facts, tables, warnings and notes, as plain words
    fit, level, kind, clusters    what it is of
    """

    said: Summary
    fit: Fit
    level: float
    kind: ErrorKind | None
    clusters: Any

    def __str__(self) -> str:
        return str(self.said)

    def __repr__(self) -> str:
        return repr(self.said)

    def _repr_html_(self) -> str:
        return self.said._repr_html_()

    def to_frame(self) -> Any:
        """Every estimate with error, z, p and interval, as a pandas dataframe.

        Index (block, name): ``mean``, ``coefficients``, ``deviations``, ``covariance``,
        ``correlation``, ``factor``, ``noise``, ``factor_correlation``, as the fit calls them, those
        it has. Columns ``estimate``, ``std_err``, ``z`` and ``pvalue`` (of the question whether it
        be 0), ``lower`` and ``upper``; NaN where there is no error or nothing to ask.
        """
        spread = spread_of(self.fit, self.level, self.kind, self.clusters, at_any_cost=True)
        return estimates_frame(self.fit, spread)


def summary(
    fit: Fit, level: Any = 0.95, kind: ErrorKind | None = None, clusters: Any = None
) -> FitSummary:
    """``Fit.summary``."""
    said = summarise(fit, spread_of(fit, level, kind, clusters))
    return FitSummary(said, fit, level, kind, clusters)


def summarise(
    fit: Fit,
    spread: Spread | None = None,
    source: str | None = None,
    rotation: str | None = None,
    factors: Sequence[str] | None = None,
) -> Summary:
    """The summary in parts; ``source`` and ``factors`` name the data and what loads on them."""
    spread = spread_of(fit) if spread is None else spread
    tables, facts = tuple(_tables(fit, spread, rotation, factors)), _facts(fit, source)
    return Summary(
        "Multivariate normal, fitted by maximum likelihood",
        facts,
        tables,
        fit.warnings,
        (
            *_empty_rows(fit.n_empty),
            *_priors(fit),
            f"{_divisor(fit)} {source_of_errors(fit, spread)}".rstrip(),
            *notes_on_errors(fit, spread, tables, rotation),
        ),
        [name for name, _ in facts].index("Log-likelihood"),
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
        *_criteria(fit),
        ("Status", status_name(fit)),
        *maximum,
        ("Iterations", f"{fit.n_iter} ({fit.n_eval} evaluation{'s' * (fit.n_eval != 1)})"),
        ("Optimality", f"{fit.optimality:.1e}" if fit.optimality else "0"),
        *_condition(fit),
    )


def _criteria(fit: Fit) -> Facts:
    """None where weights are those of a sample: there is no likelihood of the data then."""
    if fit.weights_kind == "sampling":
        return (("Weights", "of a sample"),)
    return (("AIC", fixed(fit.aic, 3)), ("BIC", fixed(fit.bic, 3)))


def _condition(fit: Fit) -> Facts:
    """Of the correlations: of S itself it would depend on units."""
    if not _is_correlated(fit):
        return ()
    return (("Condition", f"{correlation_condition(fit.root):.3g}, of correlations"),)


def _chi_square(fit: Fit) -> Facts:
    """Against the saturated model, where there is something left to test."""
    if fit.saturated is None or fit.weights_kind == "sampling" or not (test := fit.goodness()).df:
        return ()
    return (("Chi-square", f"{test.statistic:.2f}, {test.df} df, p {test.pvalue:.3g}"),)


def _with_holes(fit: Fit, found: Holes) -> tuple[Facts, Facts]:
    """What is missing, and what the summit is worth: with holes there may be several."""
    cells = f"{counted(found.cells, 'cell')} ({percent(found.share)})"
    missing = f"{cells}, {counted(found.patterns, 'pattern')}"
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


def _tables(
    fit: Fit, spread: Spread, rotation: str | None, factors: Sequence[str] | None
) -> Iterator[PlainTable]:
    yield moments_table(fit, spread)
    if fit.coefficients is not None:
        yield coefficient_table(fit, spread)
    if fit.noise is not None:
        yield from factor_tables(fit, spread, rotation, factors)
    if _is_correlated(fit):
        yield from correlation_tables(fit, spread)


def _is_correlated(fit: Fit) -> bool:
    return len(fit.columns) > 1 and not isinstance(fit.structure, Diagonal | Spherical)


def _divisor(fit: Fit) -> str:
    n, free = general(fit.weight), fit.n_params == fit.structure.n_params + len(fit.columns)
    found = holes(fit)
    whole = found is None or not found.cells
    as_numpy = (
        whole and fit.structure.saturated and free and not fit.prior and fit.weight == fit.n_obs
    )
    beside = ": (n-1)/n times those of numpy.cov" if as_numpy else ""
    return f"Covariances have the divisor n = {n}{beside}."


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
