"""What data must satisfy for the likelihood of a model to have a maximum, and errors that help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import DataError, NotPositiveDefiniteError, listed
from mvngrad.models.means import FixedMean, Mean
from mvngrad.models.structure import Structure

EPS = float(np.finfo(float).eps)
HELD = 1e150  # a standard deviation whose square float64 can hold


def scatter_about(moments: Moments, mean: Mean) -> Moments:
    """The moments with A = C + n(m−μ)(m−μ)ᵀ for C where μ is known, else as they are."""
    if not isinstance(mean, FixedMean):
        return moments
    offset = moments.center + moments.frame.whiten(moments.frame.origin - mean.value)
    scatter = moments.spread + moments.weight * np.multiply.outer(offset, offset)
    return replace(moments, spread=scatter)


@dataclass(frozen=True)
class Requirements:
    """A model and the names of its columns, held against data."""

    structure: Structure
    mean: Mean
    columns: Sequence[str]
    regular: bool = False  # a prior keeps S away from singular ones

    @property
    def full(self) -> bool:
        """Whether the model needs a nonsingular scatter."""
        wants = self.structure.saturated or self.structure.equivariance == "affine"
        return wants and not self.regular

    def check(self, moments: Moments) -> None:
        """All that moments alone can tell."""
        if not (moments.weight > 0.0 and np.isfinite(moments.spread).all()):
            raise DataError(f"the moments hold no usable rows: their weight is {moments.weight}.")
        scatter = scatter_about(moments, self.mean)
        self.require_variation(scatter)
        self.require_beyond_factors(scatter)
        if self.full:
            _, pivots = scatter.root_and_pivots
            collinear = pivots <= 16.0 * moments.d * EPS
            if collinear.any():  # a covariance matrix may be definite whatever its sample size
                self.require_rows(scatter)
            self.require_rank(scatter, collinear)

    @property
    def _why_not_constant(self) -> str:
        if self.structure.equivariance == "scalar":
            return "a column without variance has no place in a model of how columns vary"
        return "a variance of 0 makes the likelihood unbounded"

    def require_variation(self, scatter: Moments) -> None:
        """Refuse columns without variance, and variances that float64 cannot hold."""
        rows = np.full(scatter.d, scatter.n_obs)
        self._require_deviations(deviations(scatter), scatter.mean, rows)

    def require_observed(self, patterns: Patterns) -> None:
        """Refuse columns with nothing or nothing varying observed in them."""
        if patterns.weight == 0.0:
            raise DataError("no row has a positive weight and an observed value; need some.")
        counts = np.diagonal(patterns.coverage)
        if not counts.all():
            names = [self.columns[j] for j in np.flatnonzero(counts == 0.0).tolist()]
            raise DataError(
                f"{listed(names)} {'has' if len(names) == 1 else 'have'} no observed value in "
                f"{counted(patterns.n_obs, 'row')}: nothing can be said of "
                f"{'it' if len(names) == 1 else 'them'}. Choose other columns (columns=…)."
            )
        frame, (center, variances) = patterns.frame, patterns.available()
        mean = frame.origin + frame.root * center
        offset = (mean - self.mean.value) / frame.root if isinstance(self.mean, FixedMean) else 0.0
        self._require_deviations(np.sqrt(variances + offset**2) * frame.root, mean, counts)

    def _require_deviations(self, size: Array, mean: Array, counts: npt.NDArray[Any]) -> None:
        constant = size <= 4.0 * EPS * np.abs(mean)
        if constant.any():
            names = [self.columns[j] for j in np.flatnonzero(constant).tolist()]
            rows = " and ".join(
                dict.fromkeys(counted(int(n), "row") for n in counts[constant].tolist())
            )
            raise NotPositiveDefiniteError(
                f"{listed(names)} {'does' if len(names) == 1 else 'do'} not vary over "
                f"{rows}: {self._why_not_constant}. Drop the column "
                "(columns=…), or give more rows.",
                smallest_eigenvalue=0.0,
                columns=names,
            )
        extreme = (size > HELD) | (size < 1.0 / HELD)
        if extreme.any():
            j = int(np.argmax(extreme))
            raise DataError(
                f"{self.columns[j]} has a standard deviation of {size[j]:.3g}, whose square "
                "float64 cannot hold. Rescale the column, for example to units in which it is "
                "near 1."
            )

    def require_rows(self, scatter: Moments) -> None:
        """Refuse fewer rows than a full covariance needs: d, and one for a free mean."""
        least = scatter.d + (not isinstance(self.mean, FixedMean))
        if scatter.n_obs < least:
            raise NotPositiveDefiniteError(
                f"{counted(scatter.n_obs, 'row')} cannot determine a full covariance of "
                f"{counted(scatter.d, 'column')}: its likelihood is unbounded. Give at least "
                f"{least} rows, fewer columns (columns=…), or a smaller model such as "
                "covariance='diagonal'.",
                smallest_eigenvalue=0.0,
                columns=self.columns,
                rank=max(scatter.n_obs + scatter.d - least, 0),
            )

    def require_beyond_factors(self, scatter: Moments) -> None:
        """Refuse so few rows that the factors of the model could hold them all."""
        rank = scatter.n_obs - (not isinstance(self.mean, FixedMean))
        least = min(self.structure.least_rows, scatter.d)
        if rank < least:
            raise NotPositiveDefiniteError(
                f"{counted(scatter.n_obs, 'row')} cannot determine {self.structure!r}: its factors "
                "would hold them all, with no noise, and the likelihood is unbounded. Give at "
                f"least {least + scatter.n_obs - rank} rows, or a smaller rank.",
                smallest_eigenvalue=0.0,
                columns=self.columns,
                rank=max(rank, 0),
            )

    def require_rank(self, scatter: Moments, collinear: npt.NDArray[np.bool_]) -> None:
        """Refuse collinear columns, by name."""
        collinear[0] = False  # with nothing before it, a column is no combination of others
        if not collinear.any():
            return
        j = int(np.argmax(collinear))
        correlation = _correlation(scatter)
        eigenvalues = np.linalg.eigvalsh(correlation)
        share, *_ = np.linalg.lstsq(correlation[:j, :j], correlation[:j, j], rcond=1e-7)
        order = np.argsort(-np.abs(share)).tolist()
        partners = [self.columns[i] for i in order if abs(share[i]) > 1e-4]
        names = [self.columns[j], *partners]
        raise NotPositiveDefiniteError(
            f"{self.columns[j]} is a linear combination of {listed(partners)}: the covariance is "
            f"singular and its likelihood unbounded. Drop one of {listed(names)}, or fit a smaller "
            "model such as covariance='diagonal'.",
            smallest_eigenvalue=float(eigenvalues[0]),
            columns=names,
            rank=int(np.count_nonzero(eigenvalues > 16.0 * len(share) * EPS * eigenvalues[-1])),
        )


def deviations(scatter: Moments) -> Array:
    """Standard deviations in the data's units; in a full frame, their order of magnitude."""
    of_z = np.sqrt(np.clip(np.diagonal(scatter.spread), 0.0, None) / scatter.weight)
    root = scatter.frame.root
    with np.errstate(over="ignore"):
        return of_z * root if scatter.frame.is_diagonal else np.abs(root * of_z).max(axis=1)


def _correlation(scatter: Moments) -> Array:
    S = scatter.cov
    scales = np.sqrt(np.diagonal(S))
    return np.asarray(S / np.multiply.outer(scales, scales))


def counted(number: int, thing: str) -> str:
    """1 row, 2 rows."""
    return f"{number} {thing}{'s' * (number != 1)}"
