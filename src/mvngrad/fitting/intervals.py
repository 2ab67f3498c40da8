"""Confidence intervals of a Fit: Wald's, from the profile of the likelihood, or bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from mvngrad.errors import DataError
from mvngrad.fitting.standard_errors import pushed_errors, standard_errors_of
from mvngrad.inference.intervals import Intervals, as_level

if TYPE_CHECKING:
    from mvngrad.fitting.inferred import Inferred
    from mvngrad.inference.bootstrap import BootstrapIntervals
    from mvngrad.inference.profile import ProfileIntervals

    AnyIntervals: TypeAlias = Intervals | ProfileIntervals | BootstrapIntervals

IntervalMethod = Literal["wald", "profile", "bootstrap"]


def intervals_of(
    fit: Inferred, level: Any, method: Any, kind: Any, clusters: Any, **asked: Any
) -> AnyIntervals:
    """``Fit.conf_int``."""
    level = as_level(level)
    if method not in get_args(IntervalMethod):
        raise DataError(f"method must be 'wald', 'profile' or 'bootstrap'; got {method!r:.60}.")
    if method == "wald":
        return wald_intervals_of(fit, level, kind, clusters)
    if kind is not None:
        raise DataError(
            f"kind={kind!r:.60} is of standard errors, which method={method!r} does without."
        )
    if method == "bootstrap":  # it and the profile load optimisers, which Wald's do without
        from mvngrad.fitting.bootstrap import Asked, bootstrap_of

        return bootstrap_of(fit, level, Asked(clusters=clusters, **asked))
    if clusters is not None:
        raise DataError(
            "clusters have no likelihood to profile: use method='bootstrap', or 'wald' with "
            "kind='sandwich'."
        )
    fit.require_frequencies("a profile of the likelihood")
    from mvngrad.inference.profile import ProfileIntervals

    errors = pushed_errors(fit, "observed", None)
    return ProfileIntervals(level, errors, estimates(fit), fit.columns)


def wald_intervals_of(fit: Inferred, level: float, kind: Any, clusters: Any) -> Intervals:
    """Those that standard errors make."""
    return Intervals(level, standard_errors_of(fit, kind, clusters), estimates(fit))


def estimates(fit: Inferred) -> dict[str, Any]:
    """What intervals are of, by name."""
    names = ("mean", "covariance", "deviations", "correlation", "factor", "noise")
    return {name: getattr(fit, name) for name in (*names, "factor_correlation", "coefficients")}
