"""Fit: a frozen record of what was estimated and how, with thin delegations and no computing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mvngrad._version import __version__
from mvngrad.core.frame import read_only
from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Status, Trace
from mvngrad.models.structure import Structure

if TYPE_CHECKING:
    from mvngrad.core.patterns import Patterns
    from mvngrad.distribution import MultivariateNormal
    from mvngrad.inference.missing import MissingReport

Quantity = Literal[
    "mean", "covariance", "correlation", "factor", "noise", "factor_correlation", "trace"
]
NO_NOISE = 1e-6  # of a variance: what is left beside the factors counts as nothing


@dataclass(frozen=True, eq=False)
class Fit:
    """A maximum-likelihood fit of N(μ, S).

    Attributes
    ----------
    mean : (d,) array                 μ̂
    factor : (d, k) array             Λ̂, S = ΛΛᵀ: lower-triangular with positive diagonal, or as
                                      fitted for ``Factor``; of a factor model the loadings
    noise : (d,) array                ψ̂ of a factor model, S = ΛΦΛᵀ + diag ψ; else None
    factor_correlation : (k, k) array correlations of the factors; the identity if exploratory
    heywood : tuple of str            columns whose noise is 0, the edge of the family
    covariance : (d, d) array         Ŝ, with divisor n = Σw: for a full covariance, a free mean
                                      and weights of 1 it is (n−1)/n times ``numpy.cov``
    params : (p,) array               θ̂ of the structure, in the units of the data
    columns : tuple of str
    nll, loglik : float               J and −J at the estimate, constants included
    weight, n_obs, n_empty            Σw; rows with positive weight; rows with nothing observed
    n_starts : int                    starts of which this is the best
    not_identified : tuple of pairs   columns never observed together: their covariance is not
                                      in the data
    n_params : int                    free parameters the data can tell apart, means included
    aic, bic : float                  2J + 2·n_params, 2J + log(weight)·n_params
    status, converged, message        how it ended, in an enum, a flag and words
    optimality : float                ½ squared Newton decrement per unit weight; 0 at a summit
    curvature : float                 smallest eigenvalue of the curvature of J/n at the estimate in
                                      the metric of the information: positive at a local minimum
    trace : Trace                     one row an iteration
    n_iter, n_eval : int
    method : str
    warnings : tuple of str
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
    coefficients: Array | None = None
    factor_correlation: Array | None = None
    pattern_means: Patterns | None = None
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ("mean", "factor", "given_params", "noise", "factor_correlation"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))

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
        return 2.0 * self.nll + 2.0 * self.n_params

    @property
    def bic(self) -> float:
        """−2 loglik + log(weight) n_params."""
        return float(2.0 * self.nll + np.log(self.weight) * self.n_params)

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

    @cached_property
    def missing(self) -> MissingReport:
        """What is missing in the data: patterns, coverage, Little's test of MCAR.

        Raises
        ------
        NeedsRowsError
            For a fit of Moments, and one that was loaded: they have no rows.
        """
        from mvngrad.inference.missing import MissingReport

        return MissingReport.of(self.pattern_means, self.columns, self.mean, self.root)

    def impute(
        self,
        X: Any,
        *,
        draws: int | None = None,
        proper: bool = False,
        weights: Any = None,
        rng: Any = None,
    ) -> Array:
        """X (n, d) with its holes filled: by conditional means, or with ``draws=m`` m times drawn.

        E[x_m | x_o] = μ_m + S_mo S_oo⁻¹(x_o − μ_o), and draws from N(that, S_mm − S_mo S_oo⁻¹S_om).

        Parameters
        ----------
        X : (n, d) array, dataframe or CSV file, NaN or null where missing
        draws : int, optional         how many data sets to draw: (draws, n, d)
        proper : bool                 draw μ and S too, each time by a refit to a bootstrap sample
                                      of X: what multiple imputation asks for (``mvngrad.pool``)
        weights : (n,) array          frequencies of the rows, for the refits of ``proper``
        rng : seed or numpy Generator

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 4.0], [3.0, 4.0], [4.0, np.nan]])
        >>> fit = mg.fit(X)
        >>> S, m = fit.covariance, fit.mean
        >>> bool(np.isclose(fit.impute(X)[4, 1], m[1] + S[1, 0] / S[0, 0] * (4.0 - m[0])))
        True
        """
        from mvngrad.fitting.imputation import impute

        return impute(self, X, draws, proper=proper, weights=weights, rng=rng)

    @property
    def distribution(self) -> MultivariateNormal:
        """N(μ̂, Ŝ)."""
        from mvngrad.distribution import MultivariateNormal

        return MultivariateNormal(self.mean, self.root)

    def summary(self) -> str:
        """A table for the eye: estimates, log-likelihood, and how the fit ended."""
        from mvngrad.fitting.summary import summary

        return summary(self)

    def to_frame(self, what: Quantity = "mean") -> Any:
        """``what`` as a pandas dataframe: mean, covariance, correlation, factor, noise, trace …"""
        from mvngrad.fitting.summary import to_frame

        return to_frame(self, what)

    def save(self, path: str | Path) -> None:
        """Write a model file that ``mvngrad.load`` reads."""
        from mvngrad.io.adapters import adapter

        adapter("modelfile").save(self, path)

    def __repr__(self) -> str:
        return (
            f"<Fit of N(μ, S), {self.structure!r}: {self.n_obs} rows × "
            f"{len(self.columns)} columns, loglik {self.loglik:.6g}, {self.status.name.lower()}>"
        )
