"""Profile-likelihood intervals: all values that a model with J at most Ĵ + ½χ²₁(level) can have.

    lower, upper = min, max of f over {J ≤ Ĵ + ½χ²₁(level)}

Ends follow f through any change of scale or units, and keep to what f may be. With a prior J is J
and its terms. (Venzon & Moolgavkar 1988; Pawitan 2001, §9.8)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
from scipy.special import ndtri

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.chart import Chart
from mvngrad.inference.ends import Ends
from mvngrad.inference.quantities import (
    FisherZ,
    Linear,
    LogDeviation,
    OfTheta,
    Product,
    RootEntry,
    of_entry,
)
from mvngrad.inference.standard_errors import StandardErrors
from mvngrad.inference.uncertainty import loaded_at

Found = Callable[..., Array]


@final
@dataclass(frozen=True, eq=False)
class ProfileIntervals:
    """Profile-likelihood intervals by name: shapes of the estimates, and 2 at the end.

    level, method                                        0.95, and "profile"
    mean, covariance, deviations, correlation, factor, noise, factor_correlation, coefficients
    edges                                                ends found so far that are edges, in words

    A name is worked out when it is asked for, entry by entry. NaN where the data do not tell, and,
    with a warning, where an end was not found. A noise of 0, or a correlation of factors of ±1, is
    an end where the likelihood there is still high enough.
    """

    level: float
    errors: StandardErrors = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    columns: tuple[str, ...] = field(repr=False)
    method: str = "profile"

    @cached_property
    def ends(self) -> Ends:
        """At ½χ²₁(level) = ½z² above Ĵ."""
        chart = Chart.about(self.errors.of.estimate)
        return Ends(chart, 0.5 * float(ndtri(0.5 + 0.5 * self.level)) ** 2)

    @property
    def edges(self) -> tuple[str, ...]:
        """Ends found so far that are edges of what an estimate may be."""
        return tuple(self.ends.edges)

    @property
    def chart(self) -> Chart:
        """Coordinates of the model."""
        return self.ends.chart

    @property
    def has_loadings(self) -> bool:
        """Whether ``factor`` can be profiled: not what is reported in a form of its own."""
        by_pattern = getattr(self.chart.at.structure, "pattern", None) is not None
        return self.values["noise"] is None or by_pattern

    @cached_property
    def mean(self) -> Array:
        """Of μ."""
        at, unit, mean = self.chart.at, np.eye(len(self.columns)), self.values["mean"]

        def ends(name: str, j: int) -> Array:
            g = unit[j] if at.average is None else np.multiply.outer(unit[j], at.average)
            return self.ends.of(Linear.of(self.chart, mean[j], at.mean.pull(g)), name)

        return self._each("mean", ends)

    @cached_property
    def covariance(self) -> Array:
        """Of S."""
        L = self.chart.at.root
        found = self._pairs(
            "covariance", lambda name, i, j: self.ends.of(Product(L[i], L[j]), name)
        )
        found[np.diag_indices(len(L))] = self.deviations**2
        return found

    @cached_property
    def deviations(self) -> Array:
        """Of standard deviations."""
        L = self.chart.at.root
        return self._each(
            "deviations", lambda name, j: self.ends.of(LogDeviation(L[j]), name, np.exp)
        )

    @cached_property
    def correlation(self) -> Array:
        """Of correlations; 1 on the diagonal."""
        L = self.chart.at.root
        return self._pairs(
            "correlation", lambda name, i, j: self.ends.of(FisherZ(L[i], L[j]), name, np.tanh)
        )

    @cached_property
    def factor(self) -> Array:
        """Of Λ: the triangular root, or loadings by a pattern."""
        at = self.chart.at
        if self.values["noise"] is None:
            L = at.root
            return self._each("factor", lambda name, i, j: self.ends.of(RootEntry(L[i], j), name))
        if not self.has_loadings:
            raise DataError(
                "loadings of an exploratory model are told apart by a rotation that changes with "
                "the parameters, and a profile along it is not supported. Use method='wald' or "
                "'bootstrap', or give a pattern of loadings."
            )
        return self._each(
            "factor",
            lambda name, i, j: self.ends.of(self._of_loaded(lambda m: m[0][i, j]), name),
        )

    @cached_property
    def noise(self) -> Array | None:
        """Of ψ: 0 is an end where it is possible."""
        psi = self.values["noise"]
        if psi is None:
            return None
        theta = self.chart.at.theta
        if len(theta) >= len(psi) and np.allclose(theta[-len(psi) :] ** 2, psi, rtol=1e-9):
            named = enumerate(self._names("noise", psi.shape))
            return np.array([self._of_entry(j - len(psi), name) for j, name in named])
        return self._each(
            "noise",
            lambda name, j: self.ends.of(self._of_loaded(lambda m: np.log(m[1][j])), name, np.exp),
        )

    @cached_property
    def factor_correlation(self) -> Array | None:
        """Of correlations of factors."""
        if self.values["factor_correlation"] is None:
            return None
        return self._pairs(
            "factor_correlation",
            lambda name, i, j: self.ends.of_bounded(
                self._of_loaded(lambda m: np.arctanh(m[2][i, j])), name
            ),
        )

    @cached_property
    def coefficients(self) -> Any:
        """Of coefficients."""
        values, errors = self.values["coefficients"], self.errors.coefficients
        if values is None:
            return None
        unit = iter(np.eye(self.chart.at.n_mean))

        def ends(value: Array, error: Array) -> Array:
            def of(name: str, *index: int) -> Array:
                return self.ends.of(Linear.of(self.chart, value[index], next(unit)), name)

            return self._filled("coefficients", value, error, of)

        if not isinstance(values, list):
            return ends(values, errors)
        return [ends(value, error) for value, error in zip(values, errors, strict=True)]

    # Entries of θ

    def _of_loaded(self, f: Callable[[tuple[Array, ...]], Any]) -> OfTheta:
        """A function of Λ, ψ and Φ."""
        at = self.chart.at
        like = loaded_at(at, 0.0)[0]
        return OfTheta.of(self.chart, lambda theta: float(f(loaded_at(at, theta - at.theta, like))))

    def _of_entry(self, k: int, name: str) -> Array:
        """Of the square of an entry of θ."""
        return self.ends.of_signed(of_entry(self.chart, k), name)

    # One entry of a name after the other

    def _each(self, name: str, ends: Found) -> Array:
        """Ends of all entries."""
        return self._filled(name, self.values[name], getattr(self.errors, name), ends)

    def _pairs(self, name: str, ends: Found) -> Array:
        """Ends of the entries below the diagonal of a symmetric matrix; 1 on it, for now."""
        value, error = self.values[name], getattr(self.errors, name)
        below = np.where(np.tri(len(value), k=-1), error, 0.0)
        found = self._filled(name, np.where(np.eye(len(value)), 1.0, value), below, ends)
        i, j = np.triu_indices(len(value), 1)
        found[i, j] = found[j, i]
        return found

    def _filled(self, name: str, value: Array, error: Array, ends: Found) -> Array:
        """Ends where there is an error; the value itself where that is 0, and NaN where it is."""
        found = np.stack([value, value], axis=-1)
        indices = list(np.ndindex(value.shape))
        for index, named in zip(indices, self._names(name, value.shape), strict=True):
            if np.isnan(error[index]):
                found[index] = np.nan
            elif error[index] != 0.0:
                found[index] = ends(named, *index)
        return found

    def _names(self, name: str, shape: tuple[int, ...]) -> list[str]:
        """Names of entries: that of a column where it counts columns."""
        d = len(self.columns)

        def of(axis: int, k: int) -> str:
            return self.columns[k] if shape[axis] == d else f"{k + 1}"

        return [
            f"{name} ({', '.join(of(axis, k) for axis, k in enumerate(index))})"
            for index in np.ndindex(shape)
        ]
