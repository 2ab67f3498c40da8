"""The standard errors and intervals that a summary shows, or in words why it shows none."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from mvngrad.core.patterns import Patterns
from mvngrad.errors import DataError, NeedsRowsError
from mvngrad.fitting.intervals import wald_intervals_of
from mvngrad.fitting.standard_errors import closed_errors, kind_for
from mvngrad.inference.intervals import as_level

if TYPE_CHECKING:
    from mvngrad.fitting.intervals import AnyIntervals
    from mvngrad.fitting.result import Fit
    from mvngrad.inference.complete_errors import CompleteErrors
    from mvngrad.inference.standard_errors import ErrorKind, StandardErrors

# What is worked out without being asked for: about a second on one core.
MOST_DIRECTIONS = 300  # of (μ, S), d + d(d+1)/2: 23 columns
MOST_SUMS = 1e9  # d⁴ for each pattern of holes; of a sandwich, three times directions² for each row


@final
@dataclass(frozen=True, eq=False)
class Spread:
    """Errors and intervals of one kind at one level; or ``reason``, why there are none."""

    level: float
    errors: StandardErrors | CompleteErrors | None = None
    intervals: AnyIntervals | None = None
    reason: str = ""
    said: tuple[str, ...] = ()
    clustered: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """What the columns of an interval are called."""
        tail = 0.5 * (1.0 - self.level)
        return f"[{tail:.6g}", f"{1.0 - tail:.6g}]"


def spread_of(
    fit: Fit,
    level: Any = 0.95,
    kind: Any = None,
    clusters: Any = None,
    *,
    at_any_cost: bool = False,
    intervals: Callable[[], AnyIntervals] | None = None,
) -> Spread:
    """What can be had: of a kind that is asked for whatever it costs, by default what is cheap.

    ``intervals`` makes others than Wald's, to be shown beside the standard errors.

    Raises
    ------
    DataError
        If level, kind or clusters are not what they may be.
    """
    level, meant = as_level(level), kind_for(fit, kind, clusters)
    asked = kind is not None or clusters is not None or at_any_cost or intervals is not None
    reason = _reason(fit, meant, asked=asked)
    if reason:
        return Spread(level, reason=reason)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = wald_intervals_of(fit, level, meant, clusters)
            shown = found if intervals is None else intervals()
    except NeedsRowsError as error:
        return Spread(level, reason=str(error))
    except DataError as error:
        if clusters is not None:
            raise
        return Spread(level, reason=str(error))
    said = tuple(dict.fromkeys(str(w.message) for w in caught))
    return Spread(level, found.errors, shown, said=said, clustered=clusters is not None)


def _reason(fit: Fit, kind: ErrorKind, *, asked: bool) -> str:
    if not fit.converged:
        return "the fit has not converged, and standard errors are those of a maximum."
    if asked or fit.grounds is None or closed_errors(fit, kind) is not None:
        return ""
    return (
        ""
        if _is_cheap(fit, kind)
        else (
            f"with {len(fit.columns)} columns and {fit.n_obs} rows they take longer than the fit; "
            f"fit.summary(kind={kind!r}) has them."
        )
    )


def _is_cheap(fit: Fit, kind: ErrorKind) -> bool:
    d = len(fit.columns)
    assert fit.grounds is not None
    sample, size = fit.grounds.sample, fit.grounds.location.size + d * (d + 1) // 2
    patterns = len(sample.counts) if isinstance(sample, Patterns) else 0
    rows = fit.n_obs if kind == "sandwich" else 0
    return size <= MOST_DIRECTIONS and patterns * d**4 + 3 * rows * size**2 <= MOST_SUMS
