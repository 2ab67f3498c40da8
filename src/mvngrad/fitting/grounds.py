"""What a fit was made from, kept for what is asked of it later: the data, the mean, the terms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import numpy as np
from numpy.typing import NDArray

from mvngrad.core.checks import as_weights
from mvngrad.core.fingerprint import Fingerprint
from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, lower_root
from mvngrad.core.patterns import Patterns, of_complete
from mvngrad.errors import DataError, NeedsRowsError
from mvngrad.fitting.regression import Regressed
from mvngrad.inference.contributions import Rows
from mvngrad.inference.estimate import Estimate
from mvngrad.io.data import as_table
from mvngrad.io.formula import designed, is_formula
from mvngrad.models.data import Complete, Observed
from mvngrad.models.linear import Linear
from mvngrad.models.means import Mean
from mvngrad.models.penalised import penalised
from mvngrad.models.penalty import Penalty
from mvngrad.models.ridge import LoadingRidge

if TYPE_CHECKING:
    from mvngrad.fitting.estimates import Estimates

WeightsKind = Literal["frequency", "sampling"]


def require_weights_kind(kind: object) -> None:
    """Refuse what is neither."""
    if kind not in get_args(WeightsKind):
        raise DataError(f"weights_kind must be 'frequency' or 'sampling'; got {kind!r:.60}.")


@final
@dataclass(frozen=True, eq=False)
class Source:
    """The arguments of ``fit`` that rows come from."""

    data: Any
    mean: Any
    weights: Any
    missing: Any
    columns: Sequence[Any] | None


@final
@dataclass(frozen=True, eq=False)
class Grounds:
    """What ``fit`` was given, as it was used, and the rows themselves as they came.

    sample        moments, or patterns of rows with holes; of regressions their residuals
    mean          as a structure, in the units of the sample
    location      μ̂ (d,), or M̂ (d, P)
    regressed     the regression there is, if any
    source        the caller's data, weights, missing, columns and mean: rows are read anew from it
    """

    sample: Moments | Patterns
    mean: Mean
    location: Array
    regressed: Regressed | None = None
    penalty: Penalty | None = None
    source: Source | None = None

    @property
    def observed(self) -> Moments | Patterns:
        """The data themselves, of regressions too."""
        return self.sample if self.regressed is None else self.regressed.observed

    @property
    def fingerprint(self) -> Fingerprint:
        """Which data they are."""
        return Fingerprint.of(self.observed)

    @property
    def pattern_means(self) -> Patterns | None:
        """What a report on missing values is made of, where there were rows."""
        if self.source is None or isinstance(self.source.data, Moments):
            return None
        data = self.observed
        return of_complete(data) if isinstance(data, Moments) else data.means()


def estimate_of(fit: Estimates) -> Estimate:
    """A fit as inference sees it."""
    grounds = grounds_of(fit)
    root = lower_root(fit.root)
    regressed = grounds.regressed
    mean, average = grounds.mean, None
    if regressed is not None:
        of = regressed.regression
        mean, average = of.linear.of_coefficients(of.basis, len(root)), of.average
    data = seen_from(grounds, root)
    ridge = None
    if grounds.penalty is not None and grounds.penalty.ridge.any():
        ridge = LoadingRidge(fit.structure, grounds.penalty.ridge)
    return Estimate(
        penalised(data, grounds.penalty),
        grounds.location,
        root,
        fit.structure,
        fit.params,
        mean,
        average,
        separate=regressed is not None and regressed.found is not None,
        ridge=ridge,
        columns=fit.columns,
    )


def grounds_of(fit: Estimates) -> Grounds:
    """What the fit was made from, or an error where it came without."""
    if fit.grounds is None:
        raise NeedsRowsError(
            "this fit came from a model file, which holds estimates and no data: standard errors "
            "and tests need the data. Fit them anew, with start= this fit."
        )
    return fit.grounds


def seen_from(grounds: Grounds, root: Array) -> Complete | Observed:
    """The data in the frame of N(location, root·rootᵀ) itself."""
    sample, regressed = grounds.sample, grounds.regressed
    if isinstance(sample, Moments):
        separate = regressed is not None and regressed.found is not None
        origin = np.zeros(len(root)) if separate else grounds.location
        return Complete(sample.in_frame(AffineFrame(origin, root)))
    outer = sample.frame
    inner = AffineFrame(outer.whiten(grounds.location - outer.origin), np.tril(outer.whiten(root)))
    return Observed(sample, inner, regressed.design if regressed else None)


def rows_of(fit: Estimates) -> Rows:
    """The rows that the fit was made from, read anew where they are not an array."""
    source = None if fit.grounds is None else fit.grounds.source
    if source is None or isinstance(source.data, Moments):
        kind = "a model file" if source is None else "moments"
        raise NeedsRowsError(
            f"this needs the rows of the data, and the fit came from {kind}: fit the rows "
            f"themselves{', with start= this fit' * (source is None)}."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say of the data was said by the fit
        return _read(fit, source)


def _read(fit: Estimates, source: Source) -> Rows:
    mean, data = source.mean, source.data
    if isinstance(mean, str) and is_formula(mean):
        (X, _), design, of = designed(data, mean, source.columns)
        mean = Linear(design, of)
    else:
        X = as_table(data, source.columns).rows
    rows = with_design(fit, X, mean if isinstance(mean, Linear) else None)
    rows = rows._replace(weights=as_weights(source.weights, len(X)))
    if source.missing != "drop":
        return rows
    there = ~np.isnan(X).any(axis=1)
    weights, zeta = (None if part is None else part[there] for part in rows[1:3])
    return Rows(rows.X[there], weights, zeta, there)


def with_design(fit: Estimates, X: Any, linear: Linear | None) -> Rows:
    """Rows (n, d), with the ζ of their designs where the fit has a linear mean."""
    regressed = None if fit.grounds is None else fit.grounds.regressed
    X = np.asarray(X, dtype=np.float64)
    if regressed is None or linear is None:
        return Rows(X)
    linear.require_shape(*X.shape)
    return Rows(X, None, linear.joint() @ np.linalg.pinv(regressed.regression.basis))


def rows_named(fit: Estimates, X: Any) -> NDArray[Any]:
    """The columns of the fit in other data, by name where these have names."""
    if hasattr(X, "columns") or isinstance(X, str) or hasattr(X, "__fspath__"):
        return as_table(X, fit.columns).rows
    return as_table(X).rows
