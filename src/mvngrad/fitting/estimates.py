"""The record that a Fit is: estimates, how they were reached, and what follows from them."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mvngrad._version import __version__
from mvngrad.core.frame import read_only
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.fitting.convergence import Status, Trace
from mvngrad.models.structure import Structure

if TYPE_CHECKING:
    from mvngrad.core.fingerprint import Fingerprint
    from mvngrad.core.moments import Moments
    from mvngrad.core.patterns import Patterns
    from mvngrad.fitting.grounds import Grounds
    from mvngrad.models.priors import Prior

NO_NOISE = 1e-6  # of a variance: what is left beside the factors counts as nothing


@dataclass(frozen=True, eq=False)
class Estimates(ABC):
    """What was estimated and how; everything that follows from it alone.

    See ``Fit`` for the fields.
    """

    mean: Array
    factor: Array
    structure: Structure
    columns: tuple[str, ...]
    nll: float
    weight: float
    n_obs: int
    n_params: int
    status: Status
    optimality: float
    curvature: float
    trace: Trace
    n_eval: int
    method: str
    seconds: float
    n_empty: int = 0
    n_starts: int = 1
    not_identified: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    given_params: Array | None = None
    noise: Array | None = None
    coefficients: Array | list[Array] | None = None
    design_names: tuple[tuple[str, ...], ...] = ()
    penalty: float = 0.0
    saturated: float | None = None
    prior: tuple[str, ...] = ()
    factor_correlation: Array | None = None
    refit_priors: tuple[Prior, ...] = ()
    weights_kind: str = "frequency"
    given_fingerprint: Fingerprint | None = None
    grounds: Grounds | None = field(default=None, repr=False)
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ("mean", "factor", "given_params", "noise", "factor_correlation"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def sample(self) -> Moments | Patterns | None:
        """What the likelihood is of; None where the fit came from a file."""
        return None if self.grounds is None else self.grounds.sample

    @cached_property
    def fingerprint(self) -> Fingerprint | None:
        """Which data it is of: worked out when asked for, or as a file says."""
        if self.given_fingerprint is not None or self.grounds is None:
            return self.given_fingerprint
        return self.grounds.fingerprint

    @cached_property
    def pattern_means(self) -> Patterns | None:
        """A row for each pattern of holes; None of moments, and of a file."""
        return None if self.grounds is None else self.grounds.pattern_means

    @cached_property
    def params(self) -> Array:
        """θ̂ (p,); of a saturated structure it is worked out from Λ̂ when asked for."""
        if self.given_params is not None:
            return self.given_params
        return self.structure.start_at(self.factor)

    @cached_property
    def root(self) -> Array:
        """A square root of the whole of Ŝ = root·rootᵀ (d, k or more): Λ̂ itself without noise."""
        return self.factor if self.noise is None else self.structure.factor(self.params)

    @cached_property
    def covariance(self) -> Array:
        """Ŝ (d, d)."""
        return self.root @ self.root.T

    @property
    def deviations(self) -> Array:
        """Standard deviations √Ŝⱼⱼ (d,)."""
        return np.sqrt((self.root**2).sum(axis=1))

    @property
    def has_free_mean(self) -> bool:
        """Whether one mean of all rows was estimated: neither known nor linear in a design."""
        # Parameters that no pair of columns tells are not counted, and are of the covariance.
        free = self.n_params + len(self.not_identified) - self.structure.n_params
        return self.coefficients is None and free == len(self.columns)

    @property
    def factor_covariance(self) -> Array | None:
        """Φ̂ (k, k), S = ΛΦΛᵀ + diag ψ: variances of the factors 1 unless ``scale="marker"``."""
        loaded = None if self.noise is None else self.structure.loaded(self.params)
        return None if loaded is None else loaded.factor_covariance

    @property
    def heywood(self) -> tuple[str, ...]:
        """Columns with no noise of their own: the likelihood is highest at the edge, ψ_j = 0."""
        if self.noise is None:
            return ()
        at_edge = self.noise <= NO_NOISE * self.deviations**2
        return tuple(self.columns[j] for j in np.flatnonzero(at_edge).tolist())

    @property
    def correlation(self) -> Array:
        """Ŝ scaled to unit diagonal (d, d)."""
        rows = self.root / self.deviations[:, None]
        correlation = rows @ rows.T
        np.fill_diagonal(correlation, 1.0)
        return correlation

    @property
    def loglik(self) -> float:
        """−J, the log-likelihood, constants included."""
        return -self.nll

    @property
    def aic(self) -> float:
        """−2 loglik + 2 n_params."""
        self.require_frequencies("AIC")
        return 2.0 * self.nll + 2.0 * self.n_params

    @property
    def bic(self) -> float:
        """−2 loglik + log(weight) n_params."""
        self.require_frequencies("BIC")
        return float(2.0 * self.nll + np.log(self.weight) * self.n_params)

    def require_frequencies(self, what: str) -> None:
        """An error where weights are those of a sample: then there is no likelihood of the data."""
        if self.weights_kind == "sampling":
            raise DataError(
                f"{what} needs the likelihood of the data, and with sampling weights what is "
                "maximised is none. Use standard_errors('sandwich') and Wald tests, or "
                "weights_kind='frequency' if the weights are counts."
            )

    @property
    def converged(self) -> bool:
        """Whether the optimality test was met."""
        return self.status is Status.CONVERGED

    @property
    def message(self) -> str:
        """The status in words; with holes, what kind of summit it is and the best of how many."""
        if not (self.converged and self.curvature > 0.0) or self.method == "closed-form":
            return self.status.message
        flat = " up to what the data cannot tell" if self.not_identified else ""
        starts = f"best of {self.n_starts} start{'s' * (self.n_starts > 1)}"
        return f"{self.status.message}; certified local maximum{flat}, {starts}"

    @property
    def n_iter(self) -> int:
        """Iterations after the start."""
        return max(len(self.trace) - 1, 0)
