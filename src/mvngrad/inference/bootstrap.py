"""Bootstrap intervals: how estimates vary from sample to sample, drawn anew and fitted anew.

    cases        rows, or whole clusters of them, drawn with replacement: as frequencies
    parametric   data drawn from N(μ̂, Ŝ), with the same holes

    percentile   the (1 ± level)/2 quantiles of the replicates θ*

Percentiles follow any monotone change of scale and keep to what an estimate may be. (Efron 1979;
Davison & Hinkley 1997, §5.3)

Each replicate has a stream of random numbers of its own, so that they are the same whatever the
number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from operator import add
from typing import Any, Literal, TypeVar, final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.threads import map_reduce
from mvngrad.errors import DataError, NotPositiveDefiniteError

Resample = Literal["cases", "parametric"]
Progress = Callable[[int, int], object]
Result = TypeVar("Result")
Index = npt.NDArray[np.intp]

MOST_FAILED = 0.1  # of the replicates: what is left is no sample of them any more


def replicates(
    replicate: Callable[[np.random.Generator], Result],
    n_boot: int,
    rng: np.random.Generator,
    threads: int,
    progress: Progress | None = None,
) -> list[Result]:
    """Results of n_boot draws, in order, but for those that cannot be fitted.

    ``progress`` is called with how many are done and n_boot, from one thread at a time.

    Raises
    ------
    DataError
        If more than a tenth of them cannot.

    Examples
    --------
    >>> import numpy as np
    >>> draws = [replicates(lambda rng: rng.normal(), 5, np.random.default_rng(0), threads)
    ...          for threads in (1, 2)]
    >>> draws[0] == draws[1]
    True
    """
    lock, done, failed = threading.Lock(), [0], [0]

    def one(own: np.random.Generator) -> list[Result]:
        found, why = _tried(replicate, own)
        with lock:
            done[0] += 1
            failed[0] += not found
            if (
                failed[0] > MOST_FAILED * n_boot
            ):  # at once: those that fail are those that take long
                raise _too_many(failed[0], done[0], why)
            if progress is not None:
                progress(done[0], n_boot)
        return found

    return map_reduce(one, rng.spawn(n_boot), add, threads)


def _tried(
    replicate: Callable[[np.random.Generator], Result], rng: np.random.Generator
) -> tuple[list[Result], str]:
    """A replicate, or none and why."""
    try:
        return [replicate(rng)], ""
    except (DataError, NotPositiveDefiniteError) as error:
        return [], str(error)


def _too_many(failed: int, done: int, why: str) -> DataError:
    return DataError(
        f"{failed} of the first {done} bootstrap samples could not be fitted, more than a tenth of "
        f"all, the last one because: {why} Give more rows, fit a smaller model, or use "
        "resample='parametric' or method='profile'."
    )


def draw_frequencies(weights: Array, rng: np.random.Generator) -> Array:
    """How often each row is drawn (n,): multinomial, n = Σw rounded, in proportion to weights."""
    total = float(weights.sum())
    return rng.multinomial(max(round(total), 1), weights / total).astype(np.float64)


def draw_clusters(numbers: Index, rng: np.random.Generator) -> Array:
    """How often each row is drawn (n,), clusters as a whole; numbers (n,) from 0."""
    count = int(numbers.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1.0 / count))
    return drawn[numbers].astype(np.float64)


def draw_moments(mean: Array, root: Array, n: float, rng: np.random.Generator) -> Moments:
    """Moments of n rows of N(μ, LLᵀ): m ~ N(μ, S/n) and C ~ Wishart of n − 1, as LTTᵀLᵀ.

    T is lower-trapezoidal (d, ν), ν = n − 1 or d, with χ² of n − 1 − j degrees of freedom squared
    on its diagonal and N(0, 1) below. (Bartlett 1933)
    """
    d = len(mean)
    width = min(d, max(int(np.ceil(n - 1.0)), 0))
    T = np.tril(rng.standard_normal((d, width)), -1)
    j = np.arange(width)
    T[j, j] = np.sqrt(rng.chisquare(n - 1.0 - j))
    center = rng.standard_normal(d) / np.sqrt(n)
    return Moments(n, max(round(n), 1), center, T @ T.T, AffineFrame(mean, root))


def aligned(Lambda: Array, like: Array, *, ordered: bool) -> tuple[Index, Array]:
    """Order and signs (k,) of the columns of Λ in which they are nearest to those of ``like``.

    Columns that are ``ordered``, as by a pattern, keep their order.
    """
    inner = like.T @ Lambda
    j = np.arange(len(inner))
    order = j
    if not ordered:
        lengths = np.linalg.norm(Lambda, axis=0)
        order = linear_sum_assignment(-np.abs(inner) / np.where(lengths > 0.0, lengths, 1.0))[1]
    return order, np.where(inner[j, order] < 0.0, -1.0, 1.0)


@final
@dataclass(frozen=True, eq=False)
class BootstrapIntervals:
    """Bootstrap intervals by name: shapes of the estimates, and 2 at the end.

    level, method, resample                              0.95, "bootstrap", "cases" or "parametric"
    n_boot, failed                                       replicates, and how many had no estimate
    draws                                                the others, by name (n_boot − failed, …)
    mean, covariance, deviations, correlation, factor, noise, factor_correlation, coefficients

    Columns of loadings are those nearest to the estimate's, whatever their order and signs.
    """

    level: float
    resample: Resample
    n_boot: int
    draws: dict[str, Any] = field(repr=False)
    method: str = "bootstrap"

    @property
    def failed(self) -> int:
        """Replicates that could not be fitted."""
        return self.n_boot - len(self.draws["mean"])

    @cached_property
    def mean(self) -> Array:
        """Of μ."""
        return self._percentiles(self.draws["mean"])

    @cached_property
    def covariance(self) -> Array:
        """Of S."""
        return self._percentiles(self.draws["covariance"])

    @cached_property
    def deviations(self) -> Array:
        """Of standard deviations."""
        return self._percentiles(self._deviations)

    @cached_property
    def correlation(self) -> Array:
        """Of correlations; 1 on the diagonal."""
        s = self._deviations
        found = self._percentiles(self.draws["covariance"] / (s[:, :, None] * s[:, None, :]))
        found[np.diag_indices(len(found))] = 1.0
        return found

    @property
    def _deviations(self) -> Array:
        return np.sqrt(np.diagonal(self.draws["covariance"], axis1=1, axis2=2))

    @cached_property
    def factor(self) -> Array:
        """Of Λ."""
        return self._percentiles(self.draws["factor"])

    @cached_property
    def noise(self) -> Array | None:
        """Of ψ."""
        return self._if_any("noise")

    @cached_property
    def factor_correlation(self) -> Array | None:
        """Of correlations of factors."""
        return self._if_any("factor_correlation")

    @cached_property
    def coefficients(self) -> Any:
        """Of coefficients."""
        found = self.draws["coefficients"]
        if isinstance(found, list):
            return [self._percentiles(part) for part in found]
        return self._if_any("coefficients")

    def _if_any(self, name: str) -> Array | None:
        return None if self.draws[name] is None else self._percentiles(self.draws[name])

    def _percentiles(self, draws: Array) -> Array:
        """The p(B + 1)-th smallest of B, p = (1 ± level)/2 (…, 2)."""
        p = 0.5 + 0.5 * self.level * np.array([-1.0, 1.0])
        return np.moveaxis(np.quantile(draws, p, axis=0, method="weibull"), 0, -1)
