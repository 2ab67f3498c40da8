"""Information, scores, errors and tests of a Fit: what it is made from goes to ``inference``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, lower_root
from mvngrad.core.patterns import Patterns
from mvngrad.errors import ConvergenceWarning, DataError, DataWarning, warn
from mvngrad.fitting.grounds import estimate_of, rows_named, rows_of, with_design
from mvngrad.inference.complete_errors import CompleteErrors
from mvngrad.inference.contributions import Rows, contributions, meat
from mvngrad.inference.delta import READY, Delta, Function, delta
from mvngrad.inference.directions import Directions
from mvngrad.inference.information import Information, Kind
from mvngrad.inference.score_test import ScoreTest, packed_gradient, score_test
from mvngrad.inference.standard_errors import ErrorKind, StandardErrors
from mvngrad.inference.uncertainty import Uncertainty
from mvngrad.models.factor import Factor
from mvngrad.models.means import FixedMean, FreeMean
from mvngrad.models.named import structure_named
from mvngrad.models.penalised import Penalised
from mvngrad.models.structure import Structure

if TYPE_CHECKING:
    from mvngrad.fitting.inferred import Inferred

MANY = 250  # entries of S from which the closed form takes the place of a matrix
OTHER_DATA = 1e-3  # |Σ w s + ∂J|/n, whitened, that rounding does not reach


def information_of(fit: Inferred, kind: Any) -> Information:
    """Observed or expected."""
    require_information(kind)
    at = estimate_of(fit)
    if kind == "expected" and _has_holes(fit):
        warn(
            "the expected information holds if no value, seen or not, is a reason for a hole "
            "(MCAR); kind='observed' also if values that are seen are (MAR)",
            DataWarning,
        )
    return Information.of(Directions.of(at), kind)


def require_information(kind: object) -> None:
    """Refuse what is neither."""
    if kind not in get_args(Kind):
        raise DataError(f"kind must be 'observed' or 'expected'; got {kind!r:.60}.")


def _has_holes(fit: Inferred) -> bool:
    return fit.grounds is not None and isinstance(fit.grounds.sample, Patterns)


def kind_for(fit: Inferred, kind: Any, clusters: Any = None) -> ErrorKind:
    """The kind asked for; by default what weights and clusters allow."""
    sampled = fit.weights_kind == "sampling"
    if kind is None:
        return "sandwich" if sampled or clusters is not None else "observed"
    if kind not in get_args(ErrorKind):
        raise DataError(f"kind must be 'observed', 'expected' or 'sandwich'; got {kind!r:.60}.")
    if sampled and kind != "sandwich":
        raise DataError(
            f"with sampling weights the information says nothing of the spread of estimates; got "
            f"kind={kind!r}. Use kind='sandwich'."
        )
    if clusters is not None and kind != "sandwich":
        raise DataError(f"clusters are for kind='sandwich'; got kind={kind!r}.")
    return cast(ErrorKind, kind)


def uncertainty_of(fit: Inferred, kind: Any, clusters: Any = None) -> tuple[ErrorKind, Uncertainty]:
    """A root of the covariance of the estimates, of the kind that was meant."""
    kind = kind_for(fit, kind, clusters)
    if not fit.converged:
        return kind, _of_no_maximum(fit)
    information = information_of(fit, "observed" if kind == "sandwich" else kind)
    root = information.root
    if kind == "sandwich":
        root = information.sandwich_root(_meat(fit, information.directions, clusters))
    return kind, Uncertainty(information.directions, root, information.blind)


def _of_no_maximum(fit: Inferred) -> Uncertainty:
    """Nothing is told: the information says something of estimates at a maximum only."""
    warn(
        f"standard errors are those of a maximum, and NaN of this fit: {fit.message}",
        ConvergenceWarning,
    )
    directions = Directions.of(estimate_of(fit))
    everything = np.eye(sum(directions.sizes))
    return Uncertainty(directions, everything[:, :0], everything)


def require_converged(fit: Inferred, what: str) -> None:
    """Refuse where a number is asked for that only a maximum has."""
    if not fit.converged:
        raise DataError(
            f"{what} is made at a maximum, and the fit has not converged: standard errors are NaN. "
            f"{fit.message}."
        )


def standard_errors_of(fit: Inferred, kind: Any, clusters: Any) -> StandardErrors | CompleteErrors:
    """``Fit.standard_errors``."""
    closed = None if clusters is not None else closed_errors(fit, kind_for(fit, kind))
    return pushed_errors(fit, kind, clusters) if closed is None else closed


def pushed_errors(fit: Inferred, kind: Any, clusters: Any) -> StandardErrors:
    """By the information of all directions of the model."""
    kind, of = uncertainty_of(fit, kind, clusters)
    return StandardErrors(kind, of, fit.coefficients, _turned(fit), fit.heywood)


def _turned(fit: Inferred) -> tuple[int, ...] | None:
    """The shape of Λ where any rotation of it does as well."""
    return fit.factor.shape if isinstance(fit.structure, Factor) else None


def closed_errors(fit: Inferred, kind: ErrorKind) -> CompleteErrors | None:
    """Of complete rows and a free covariance, where the information is a large matrix."""
    d, grounds = len(fit.columns), fit.grounds
    if grounds is None or kind == "sandwich" or d * (d + 1) // 2 <= MANY or fit.prior:
        return None
    whole = isinstance(grounds.sample, Moments) and fit.structure.saturated and fit.converged
    if not whole or not isinstance(grounds.mean, FreeMean | FixedMean) or grounds.regressed:
        return None
    free = isinstance(grounds.mean, FreeMean)
    return CompleteErrors(kind, lower_root(fit.root), fit.weight, free, _turned(fit))


def delta_of(fit: Inferred, f: Function | str, kind: Any, clusters: Any) -> Delta:
    """``Fit.delta``."""
    if isinstance(f, str):
        if f not in READY:
            raise DataError(
                f"a function by name is one of {', '.join(map(repr, READY))}; got {f!r:.60}."
            )
        f = READY[f]
    elif not callable(f):
        raise DataError(f"delta takes a function f(mean, covariance) or a name; got {f!r:.60}.")
    return delta(uncertainty_of(fit, kind, clusters)[1], f, fit.mean, fit.covariance)


def scores_of(fit: Inferred, data: Any, design: Any) -> Array:
    """``Fit.score_contributions``."""
    if data is None:
        rows = rows_of(fit)
    else:
        linear = None if fit.coefficients is None else fit.as_linear(design)
        rows = with_design(fit, rows_named(fit, data), linear)
    return contributions(estimate_of(fit), rows)


def score_test_of(fit: Inferred, covariance: Any, mean: Any, kind: Any) -> ScoreTest:
    """``Fit.score_test``: the alternative at the estimate of the null."""
    _require_a_maximum(fit)
    at = estimate_of(fit)
    structure = covariance if isinstance(covariance, Structure) else structure_named(covariance)
    structure = structure.sized(len(fit.columns))
    theta = structure.start_at(fit.root)
    gap = np.abs(structure.cov(theta) - fit.covariance).max()
    if not gap <= 1e-6 * np.abs(fit.covariance).max():
        raise DataError(
            f"the covariance of the fit, {fit.structure!r}, is not one of {structure!r}: a score "
            "test is of a model inside a larger one. Name one that holds it, as 'full'."
        )
    wider = replace(at, structure=structure, theta=theta)
    if mean not in ("as fitted", "free"):
        raise DataError(f"mean must be 'as fitted' or 'free'; got {mean!r:.60}.")
    require_information(kind)
    if mean == "free" and fit.coefficients is not None:
        raise DataError("mean='free' is one mean for all rows, and no case of it is linear.")
    if mean == "free":
        wider = replace(wider, mean=FreeMean())
    return score_test(at, wider, kind)


def _require_a_maximum(fit: Inferred) -> None:
    """Of the likelihood: else the gradient is not that of the hypothesis alone."""
    fit.require_frequencies("a score test")
    if fit.prior:
        raise DataError(
            f"a score test is at a maximum of the likelihood, and the fit is with "
            f"{' and '.join(fit.prior)}. Fit without the prior."
        )
    if not fit.converged:
        raise DataError(
            f"a score test is at a maximum of the likelihood, and the fit has not converged: "
            f"{fit.message}."
        )


def _meat(fit: Inferred, directions: Directions, clusters: Any) -> Array:
    rows = rows_of(fit)
    squared = fit.weights_kind == "sampling"
    numbers = None if clusters is None else numbered(clusters, rows)
    B, total = meat(directions, rows, squared=squared, clusters=numbers)
    at = directions.estimate
    of_data = replace(at, data=at.data.data) if isinstance(at.data, Penalised) else at
    then = directions.projected(packed_gradient(of_data)[None])[0]
    if np.linalg.norm(total + then) > OTHER_DATA * fit.weight:
        raise DataError(
            "the data given to fit are no longer those that it was made from: the gradient of "
            "their likelihood at the estimate is another. They were changed in place, or the file "
            "was. Fit them anew."
        )
    return B


def numbered(clusters: Any, rows: Rows) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Two or more clusters of rows, or of all the data they were kept from, numbered from 0."""
    labels, n = np.asarray(clusters), len(rows.X)
    if rows.kept is not None and labels.shape == rows.kept.shape:
        labels = labels[rows.kept]
    if labels.shape != (n,):
        raise DataError(f"clusters must be one label a row, ({n},); got shape {labels.shape}.")
    listed, numbers = labels.tolist(), dict[Any, int]()
    row = next((i for i, label in enumerate(listed) if _is_missing(label)), None)
    if row is not None:
        raise DataError(f"row {row}, counted from 0, has no cluster; every row needs a label.")
    found = np.array([numbers.setdefault(label, len(numbers)) for label in listed], dtype=np.intp)
    if len(numbers) < 2:
        raise DataError(
            f"all rows are in one cluster, {labels[0]!r:.60}, and one cluster does not show how "
            "clusters differ. Give two or more, best some thirty; or leave clusters out."
        )
    return found


def _is_missing(label: Any) -> bool:
    """None, NaN, or what dataframes have for them."""
    absent = label is None or type(label).__name__ in ("NAType", "NaTType")
    return absent or (isinstance(label, float) and math.isnan(label))
