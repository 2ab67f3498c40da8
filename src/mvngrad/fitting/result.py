"""Fit: a frozen record of what was estimated and how, with thin delegations and no computing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from mvngrad.core.ops import Array
from mvngrad.fitting.inferred import Inferred

if TYPE_CHECKING:
    from mvngrad.distribution import MultivariateNormal
    from mvngrad.fitting.summary import FitSummary
    from mvngrad.inference.factors import Factors
    from mvngrad.inference.goodness import Correction, Scaling
    from mvngrad.inference.indices import Goodness
    from mvngrad.inference.missing import MissingReport
    from mvngrad.inference.standard_errors import ErrorKind
    from mvngrad.models.linear import Linear

Quantity = Literal[
    "mean",
    "coefficients",
    "covariance",
    "correlation",
    "factor",
    "noise",
    "factor_correlation",
    "trace",
    "estimates",
]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit(Inferred):
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
    coefficients : (p, d) array, list of (pⱼ,), or (q,) array, where the mean is ``Linear``; then
                                      ``mean`` is that at the weighted average design
    design_names : tuples of str      what the coefficients are of
    columns : tuple of str
    nll, loglik : float               J and −J at the estimate, constants included
    fingerprint : optional            what tells its data from others, for ``mvngrad.compare``
    saturated : float, optional       log-likelihood of the saturated model, for complete data
    penalty, prior : float, tuple     what priors add to J at the estimate, and which they are
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

    @cached_property
    def factors(self) -> Factors:
        """What a factor model says: communalities, rotations, scores.

        Raises
        ------
        DataError
            If the covariance was none of a factor model.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 1)) + rng.normal(size=(200, 5))
        >>> fit = mg.fit(X, mg.FactorAnalytic(1))
        >>> np.allclose(fit.factors.communalities, fit.factor[:, 0] ** 2)
        True
        """
        from mvngrad.fitting.factors import factors_of

        return factors_of(self)

    def goodness(self, correction: Correction | Scaling = "none") -> Goodness:
        """X² = 2 (ℓ_saturated − ℓ), df and p: the structure against any covariance; and indices.

        Parameters
        ----------
        correction : "none", "bartlett", "satorra-bentler" or "yuan-bentler"
            Bartlett's (n − 1 − (2d+5)/6 − 2k/3)/n of it, for factor models of complete data; or,
            where rows may not be normal, scaled by the mean it then has: Satorra and Bentler's of
            complete data, Yuan and Bentler's with holes too. The indices are of "none".

        Returns
        -------
        Goodness
            statistic, df, pvalue, correction; rmsea, rmsea_interval, rmsea_pvalue, cfi, tli, srmr,
            baseline: see ``mvngrad.inference.indices``.

        Raises
        ------
        NeedsRowsError
            If rows had holes and the fit was loaded: the saturated model takes a fit of its own.
        DataError
            If the mean was not free, there was a prior, or nothing is left to test.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> X = np.random.default_rng(0).normal(size=(60, 3))
        >>> test = mg.fit(X, "diagonal").goodness()
        >>> R = np.corrcoef(X.T)
        >>> bool(np.isclose(test.statistic, -60 * np.log(np.linalg.det(R)))), test.df
        (True, 3)
        """
        from mvngrad.fitting.saturated import goodness_of

        return goodness_of(self, correction)

    @cached_property
    def missing(self) -> MissingReport:
        """What is missing in the data: patterns, coverage, Little's test of MCAR.

        Raises
        ------
        NeedsRowsError
            For a fit of Moments, and one that was loaded: they have no rows.
        """
        from mvngrad.inference.missing import MissingReport

        return MissingReport.of(
            self.pattern_means,
            self.columns,
            self.mean,
            self.root,
            untested="" if self.coefficients is None else "here each row has one of its own",
        )

    def impute(
        self,
        X: Any,
        *,
        draws: int | None = None,
        design: Any = None,
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
        design : as for ``Linear``    of these rows, where the mean was linear in one
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

        return impute(self, X, draws, design=design, proper=proper, weights=weights, rng=rng)

    def predict(self, Z: Any) -> Array:
        """μᵢ (n, d) of rows with designs Z, shaped as those that ``Linear`` was given.

        Raises
        ------
        DataError
            If the fit has one mean for all rows, or Z is shaped otherwise.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> Z = np.column_stack([np.ones(20), np.arange(20.0)])
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(20, 2)), mean=mg.Linear(Z))
        >>> np.allclose(fit.predict([[1.0, 5.0]]), np.array([1.0, 5.0]) @ fit.coefficients)
        True
        """
        from mvngrad.models.linear import predicted

        return predicted(self.as_linear(Z), self.coefficients)

    def as_linear(self, Z: Any) -> Linear:
        """Z as designs that the coefficients of this fit are for."""
        from mvngrad.models.linear import linear_like

        return linear_like(Z, self.coefficients, len(self.columns), self.design_names)

    @property
    def distribution(self) -> MultivariateNormal:
        """N(μ̂, Ŝ)."""
        from mvngrad.distribution import MultivariateNormal

        return MultivariateNormal(self.mean, self.root)

    def summary(
        self, level: float = 0.95, kind: ErrorKind | None = None, clusters: Any = None
    ) -> FitSummary:
        """A table for the eye: how the fit ended, estimates, standard errors, intervals, warnings.

        ``print`` shows text, a notebook HTML, ``.to_frame()`` has every estimate in a row. Without
        standard errors where they are not at hand, and says why; where they would take longer than
        the fit, unless ``kind`` asks for them.

        Parameters
        ----------
        level, kind, clusters : as for ``conf_int`` and ``standard_errors``

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> table = fit.summary(level=0.9).to_frame()
        >>> z, row = 1.6448536269514722, table.loc["mean", "x1"]
        >>> bool(np.isclose(row.upper - row.lower, 2 * z * np.sqrt(fit.covariance[0, 0] / 50)))
        True
        """
        from mvngrad.fitting.summary import summary

        return summary(self, level, kind, clusters)

    def to_frame(self, what: Quantity = "mean") -> Any:
        """``what`` as a pandas dataframe: "estimates" is all that ``summary`` has."""
        from mvngrad.fitting.frames import to_frame

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
