"""Every estimate of a fit in rows: block by block, with standard error, z, p and interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from mvngrad.core.ops import Array, Mask
from mvngrad.fitting.spread import Spread

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit

Index = npt.NDArray[np.intp]

FIELDS = ("estimate", "std_err", "z", "pvalue", "lower", "upper")


@final
@dataclass(frozen=True, eq=False)
class Listing:
    """Estimates of one kind: ``block`` is the attribute of the fit that they are entries of.

    names       of each, as ("x1",), or ("x1", "x2") of a pair of columns
    error       NaN where there is none; 0 where the estimate is fixed
    tested      whether it is a question if it be 0: not of variances
    find        the ends of the intervals (m, 2): worked out when they are looked at
    """

    block: str
    names: Sequence[tuple[str, ...]]
    estimate: Array
    error: Array
    tested: Mask
    find: Callable[[], Array]

    @cached_property
    def ends(self) -> Array:
        """Lower and upper (m, 2)."""
        return self.find()

    @property
    def z(self) -> Array:
        """estimate/error; NaN where there is no error, or nothing to ask."""
        there = self.tested & (self.error > 0.0)
        return np.where(there, self.estimate / np.where(there, self.error, 1.0), np.nan)

    @property
    def pvalue(self) -> Array:
        """2Φ(−|z|): of both sides."""
        return 2.0 * ndtr(-np.abs(self.z))

    def some(self, of: Index) -> Listing:
        """Those of these numbers, in that order."""
        names = [self.names[k] for k in of.tolist()]
        estimate, error, tested = self.estimate[of], self.error[of], self.tested[of]
        return Listing(self.block, names, estimate, error, tested, lambda: self.ends[of])

    @property
    def fields(self) -> Array:
        """(m, 6): in the order of ``FIELDS``."""
        parts = (self.estimate, self.error, self.z, self.pvalue, *self.ends.T)
        return np.column_stack(parts)


Pick = Callable[[Any], Array]


def _listing(
    fit: Fit, spread: Spread, block: str, names: Sequence[tuple[str, ...]], pick: Pick, tested: Any
) -> Listing:
    """Entries that ``pick`` takes of an attribute, of its errors and of its intervals."""
    estimate, size = pick(getattr(fit, block)), len(names)
    errors = spread.errors
    error = np.full(size, np.nan) if errors is None else pick(getattr(errors, block))

    def ends() -> Array:
        found = spread.intervals
        return np.full((size, 2), np.nan) if found is None else pick(getattr(found, block))

    return Listing(block, names, estimate, error, np.broadcast_to(tested, size), ends)


def no_ends(of: Listing) -> Array:
    """Where there are no intervals."""
    return np.full((len(of.names), 2), np.nan)


def means(fit: Fit, spread: Spread) -> Listing:
    """μ̂."""
    return _listing(fit, spread, "mean", [(c,) for c in fit.columns], np.asarray, True)


def deviations(fit: Fit, spread: Spread) -> Listing:
    """√Ŝⱼⱼ."""
    return _listing(fit, spread, "deviations", [(c,) for c in fit.columns], np.asarray, False)


def coefficients(fit: Fit, spread: Spread) -> Listing:
    """Of a linear mean, column by column."""
    given, of = fit.coefficients, fit.design_names
    assert given is not None
    pick: Pick = np.asarray
    names: list[tuple[str, ...]]
    if isinstance(given, list):
        names = [(c, n) for c, own in zip(fit.columns, of, strict=True) for n in own]
        pick = np.concatenate
    elif given.ndim == 2:
        names = [(c, n) for c in fit.columns for n in of[0]]
        pick = _by_columns
    else:
        names = [(n,) for n in of[0]]
    return _listing(fit, spread, "coefficients", names, pick, True)


def _by_columns(x: Array) -> Array:
    """(p, d, …) as (dp, …)."""
    return np.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:])


def covariances(fit: Fit, spread: Spread) -> Listing:
    """Ŝ, each pair of columns once."""
    return _pairs(fit, spread, "covariance", fit.columns, 0)


def correlations(fit: Fit, spread: Spread) -> Listing:
    """Those of pairs of columns."""
    return _pairs(fit, spread, "correlation", fit.columns, 1)


def factor_correlations(fit: Fit, spread: Spread) -> Listing:
    """Those of pairs of factors."""
    assert fit.factor_correlation is not None
    names = factor_names(len(fit.factor_correlation))
    return _pairs(fit, spread, "factor_correlation", names, 1)


def _pairs(fit: Fit, spread: Spread, block: str, of: Sequence[str], k: int) -> Listing:
    i, j = np.triu_indices(len(of), k)
    names = [(of[a], of[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True)]
    return _listing(fit, spread, block, names, lambda x: x[i, j], i != j)


def loadings(fit: Fit, spread: Spread) -> Listing:
    """Λ̂ of a factor model, factor by factor."""
    names = [(c, f) for f in factor_names(fit.factor.shape[1]) for c in fit.columns]
    return _listing(fit, spread, "factor", names, _by_columns, True)


def noises(fit: Fit, spread: Spread) -> Listing:
    """ψ̂."""
    return _listing(fit, spread, "noise", [(c,) for c in fit.columns], np.asarray, False)


def factor_names(k: int) -> list[str]:
    """What factors are called."""
    return [f"f{m + 1}" for m in range(k)]


def everything(fit: Fit, spread: Spread) -> Iterator[Listing]:
    """All of the above that the fit has."""
    yield means(fit, spread)
    if fit.coefficients is not None:
        yield coefficients(fit, spread)
    yield from (of(fit, spread) for of in (deviations, covariances, correlations))
    if fit.noise is not None:
        yield from (of(fit, spread) for of in (loadings, noises))
        if factors_are_correlated(fit):
            yield factor_correlations(fit, spread)


def factors_are_correlated(fit: Fit) -> bool:
    """Whether there is anything in their correlation matrix."""
    R = fit.factor_correlation
    return R is not None and not np.array_equal(R, np.eye(len(R)))


def estimates_frame(fit: Fit, spread: Spread) -> Any:
    """All of it as a pandas dataframe: index (block, name), a column for each of ``FIELDS``."""
    pd = pandas()
    listings = list(everything(fit, spread))
    index = pd.MultiIndex.from_tuples(
        [(of.block, ", ".join(names)) for of in listings for names in of.names],
        names=("block", "name"),
    )
    return pd.DataFrame(
        np.vstack([of.fields for of in listings]), index=index, columns=list(FIELDS)
    )


def pandas() -> Any:
    """The library, where it is installed."""
    try:
        return import_module("pandas")
    except ImportError as error:
        message = "to_frame needs pandas: pip install pandas"
        raise ImportError(message) from error
