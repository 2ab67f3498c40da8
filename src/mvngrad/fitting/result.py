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
    from mvngrad.distribution import MultivariateNormal

Quantity = Literal["mean", "covariance", "correlation", "factor", "trace"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A maximum-likelihood fit of N(μ, S).

    Attributes
    ----------
    mean : (d,) array                 μ̂
    factor : (d, k) array             Λ̂, S = ΛΛᵀ: lower-triangular with positive diagonal, or as
                                      fitted for ``Factor``
    covariance : (d, d) array         Ŝ, with divisor n = Σw: for a full covariance, a free mean
                                      and weights of 1 it is (n−1)/n times ``numpy.cov``
    params : (p,) array               θ̂ of the structure, in the units of the data
    columns : tuple of str
    nll, loglik : float               J and −J at the estimate, constants included
    weight, n_obs, n_empty            Σw; rows with positive weight; rows with nothing observed
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
    warnings: tuple[str, ...] = ()
    given_params: Array | None = None
    noise: Array | None = None
    coefficients: Array | None = None
    factor_correlation: Array | None = None
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ("mean", "factor", "given_params"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))

    @cached_property
    def params(self) -> Array:
        """θ̂ (p,); of a saturated structure it is worked out from Λ̂ when asked for."""
        if self.given_params is not None:
            return self.given_params
        return self.structure.start_at(self.factor)

    @cached_property
    def covariance(self) -> Array:
        """Ŝ (d, d)."""
        return self.factor @ self.factor.T

    @property
    def deviations(self) -> Array:
        """Standard deviations √Ŝⱼⱼ (d,)."""
        return np.sqrt((self.factor**2).sum(axis=1))

    @property
    def correlation(self) -> Array:
        """Ŝ scaled to unit diagonal (d, d)."""
        rows = self.factor / self.deviations[:, None]
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
        """The status in words."""
        return self.status.message

    @property
    def n_iter(self) -> int:
        """Iterations after the start."""
        return max(len(self.trace) - 1, 0)

    @property
    def distribution(self) -> MultivariateNormal:
        """N(μ̂, Ŝ)."""
        from mvngrad.distribution import MultivariateNormal

        return MultivariateNormal(self.mean, self.factor)

    def summary(self) -> str:
        """A table for the eye: estimates, log-likelihood, and how the fit ended."""
        from mvngrad.fitting.summary import summary

        return summary(self)

    def to_frame(self, what: Quantity = "mean") -> Any:
        """``what`` as a pandas dataframe: mean, covariance, correlation, factor or trace."""
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
