"""Wald intervals on the scale on which an estimate is nearest to normal.

    g(f) ± z se(f) g′(f), taken back by g⁻¹          z the normal quantile at (1 + level)/2

    means, covariances, loadings, coefficients       g = identity
    variances, standard deviations, noise            g = log            never below 0
    correlations                                     g = artanh         Fisher's z: within ±1

(Fisher 1921; Lehmann & Casella 1998, §1.8)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
from scipy.special import ndtri

from mvngrad.core.checks import as_number
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.complete_errors import CompleteErrors
from mvngrad.inference.standard_errors import StandardErrors


class Scale(NamedTuple):
    """g, its inverse and its derivative."""

    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slope: Callable[[Array], Array]


IDENTITY = Scale(lambda f: f, lambda g: g, np.ones_like)
LOG = Scale(np.log, np.exp, lambda f: 1.0 / f)
FISHER_Z = Scale(np.arctanh, np.tanh, lambda f: 1.0 / ((1.0 - f) * (1.0 + f)))


def as_level(level: Any) -> float:
    """A confidence level between 0 and 1."""
    level = as_number(level, "level")
    if not 0.0 < level < 1.0:
        raise DataError(f"level must be between 0 and 1, as 0.95; got {level!r}.")
    return level


def wald(estimate: Any, error: Any, level: float, scale: Scale = IDENTITY) -> Array:
    """Lower and upper ends (…, 2); NaN where there is no error.

    Examples
    --------
    >>> wald(2.0, 0.5, 0.95).round(3)
    array([1.02, 2.98])
    >>> ends = wald(2.0, 0.5, 0.95, LOG)                # 2 exp(± 1.96 · 0.5/2)
    >>> bool(np.isclose(ends[0] * ends[1], 2.0 ** 2))
    True
    """
    estimate, error = np.asarray(estimate, dtype=np.float64), np.asarray(error, dtype=np.float64)
    z = float(ndtri(0.5 + 0.5 * as_level(level)))
    with np.errstate(all="ignore"):
        reach = z * error * scale.slope(estimate)
        at = scale.to(estimate)
        ends = np.stack([scale.back(at - reach), scale.back(at + reach)], axis=-1)
        known = np.stack([estimate, estimate], axis=-1)
    return np.where((error == 0.0)[..., None], known, ends)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Intervals:
    """Confidence intervals by name: shapes of the estimates and 2 at the end, lower and upper.

    level, method            0.95, and "wald"
    mean (d, 2), covariance (d, d, 2), deviations (d, 2), correlation (d, d, 2)
    factor (d, k, 2), noise (d, 2), factor_correlation (k, k, 2), coefficients

    Variances are on the log scale, correlations on Fisher's z; NaN where there is no error.
    """

    level: float
    errors: StandardErrors | CompleteErrors = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    method: str = "wald"

    def __repr__(self) -> str:
        mean = np.array2string(self.mean, precision=4, threshold=12, edgeitems=3)
        others = [n for n, value in self.values.items() if n != "mean" and value is not None]
        names = " ".join(f".{name}" for name in others)
        return f"<Intervals, {self.method}, level {self.level:g}: mean {mean}, and {names}>"

    def _of(self, name: str, scale: Scale = IDENTITY) -> Any:
        value, error = self.values.get(name), getattr(self.errors, name)
        if value is None or error is None:
            return None
        if isinstance(value, list):
            pairs = zip(value, error, strict=True)
            return [wald(v, e, self.level, scale) for v, e in pairs]
        return wald(value, error, self.level, scale)

    @cached_property
    def mean(self) -> Array:
        """Of μ."""
        return np.asarray(self._of("mean"))

    @cached_property
    def covariance(self) -> Array:
        """Of S: variances on the log scale."""
        ends = np.asarray(self._of("covariance"))
        j = np.arange(len(ends))
        variances = self.values["covariance"][j, j]
        ends[j, j] = wald(variances, self.errors.covariance[j, j], self.level, LOG)
        return ends

    @cached_property
    def deviations(self) -> Array:
        """Of standard deviations."""
        return np.asarray(self._of("deviations", LOG))

    @cached_property
    def correlation(self) -> Array:
        """Of correlations; 1 on the diagonal."""
        return np.asarray(self._of("correlation", FISHER_Z))

    @cached_property
    def factor(self) -> Array:
        """Of Λ."""
        return np.asarray(self._of("factor"))

    @cached_property
    def noise(self) -> Array | None:
        """Of ψ."""
        found: Array | None = self._of("noise", LOG)
        return found

    @cached_property
    def factor_correlation(self) -> Array | None:
        """Of correlations of factors."""
        found: Array | None = self._of("factor_correlation", FISHER_Z)
        return found

    @cached_property
    def coefficients(self) -> Any:
        """Of coefficients."""
        return self._of("coefficients")
