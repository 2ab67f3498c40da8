"""What a fit says of its own uncertainty: information, standard errors, intervals, tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mvngrad.core.ops import Array
from mvngrad.fitting.estimates import Estimates

if TYPE_CHECKING:
    from mvngrad.fitting.intervals import AnyIntervals, IntervalMethod
    from mvngrad.inference.bootstrap import Progress, Resample
    from mvngrad.inference.complete_errors import CompleteErrors
    from mvngrad.inference.delta import Delta, Function, WaldTest
    from mvngrad.inference.information import Information, Kind
    from mvngrad.inference.score_test import ScoreTest
    from mvngrad.inference.standard_errors import ErrorKind, StandardErrors
    from mvngrad.models.linear import Linear


@dataclass(frozen=True, eq=False)
class Inferred(Estimates, ABC):
    """The part of a ``Fit`` that is about its uncertainty.

    ``kind`` is "observed", the second derivatives of J at the estimate (the default); "expected",
    their expectation given which entries are missing; or "sandwich", H⁻¹BH⁻¹ with B the sum of
    squared contributions of the rows, which holds whatever their distribution: the default, and the
    only one, where weights are those of a sample or rows come in clusters.
    """

    def information(self, kind: Kind = "observed") -> Information:
        """∂²J/∂(β, θ)² at the estimate, and what of the model the data do not tell.

        Returns
        -------
        Information
            ``.matrix`` (q, q) of means or coefficients, then ``params``; ``.eigenvalues`` as shares
            of the information of complete data, ``.rank`` and ``.size``, and ``.identification``:
            what is left open, by name.

        Raises
        ------
        NeedsRowsError
            For a fit that was loaded from a file.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> H = fit.information().matrix
        >>> np.allclose(H[:3, :3], 50 * np.linalg.inv(fit.covariance))     # nS⁻¹ of the mean
        True
        """
        from mvngrad.fitting.standard_errors import information_of

        return information_of(self, kind)

    def standard_errors(
        self, kind: ErrorKind | None = None, *, clusters: Any = None
    ) -> StandardErrors | CompleteErrors:
        """Standard errors by name: .mean .covariance .deviations .correlation .factor …

        Parameters
        ----------
        kind : "observed", "expected" or "sandwich"
            Default: "observed"; "sandwich" where weights are those of a sample, or with clusters.
        clusters : (n,) labels      rows of one label may depend on each other

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> S, errors = fit.covariance, fit.standard_errors()
        >>> np.allclose(errors.mean, np.sqrt(np.diag(S) / 50))
        True
        >>> np.allclose(errors.covariance**2, (np.outer(np.diag(S), np.diag(S)) + S**2) / 50)
        True
        """
        from mvngrad.fitting.standard_errors import standard_errors_of

        return standard_errors_of(self, kind, clusters)

    def cov_params(self, kind: ErrorKind | None = None, *, clusters: Any = None) -> Array:
        """Covariance (q, q) of means or coefficients, then ``params``: the inverse information.

        NaN for parameters that rotations of Λ, an edge of the family or the data leave open.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> np.allclose(fit.cov_params() @ fit.information().matrix, np.eye(9))
        True
        """
        from mvngrad.fitting.standard_errors import uncertainty_of

        return uncertainty_of(self, kind, clusters)[1].of_params

    def score_contributions(self, data: Any = None, *, design: Any = None) -> Array:
        """∂ℓᵢ/∂(β, θ) of each row at the estimate (n, q); of the rows of the fit by default.

        Weighted by the frequencies of the rows they sum to 0, if there is no prior.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> fit = mg.fit(X)
        >>> s = fit.score_contributions()
        >>> np.allclose(s[:, :3], np.linalg.solve(fit.covariance, (X - fit.mean).T).T)
        True
        >>> np.allclose(s.sum(axis=0), 0)
        True
        """
        from mvngrad.fitting.standard_errors import scores_of

        return scores_of(self, data, design)

    def conf_int(
        self,
        level: float = 0.95,
        method: IntervalMethod = "wald",
        *,
        kind: ErrorKind | None = None,
        clusters: Any = None,
        n_boot: int = 999,
        resample: Resample = "cases",
        rng: Any = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> AnyIntervals:
        """Confidence intervals by name: .mean .covariance .deviations .correlation .factor …

        Parameters
        ----------
        level : float
        method : "wald", "profile" or "bootstrap"
            Estimate ± z errors, on the scale on which each is nearest to normal; all values of
            models with J ≤ Ĵ + ½χ²₁(level), each name worked out when it is asked for; or
            percentiles of refits.
        kind, clusters
            As for ``standard_errors``; a case bootstrap draws clusters as a whole.
        n_boot : int                  bootstrap samples
        resample : "cases" or "parametric"
            Rows drawn with replacement, or data from N(μ̂, Ŝ) with the same holes.
        rng : seed or numpy Generator
        threads : int                 for the refits; the result does not depend on it
        progress : callable           called with how many refits are done, and n_boot

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> z, r = 1.959963984540054, fit.correlation[0, 1]
        >>> ends = np.tanh(np.arctanh(r) + np.array([-z, z]) / 50**0.5)
        >>> np.allclose(fit.conf_int().correlation[0, 1], ends)
        True
        >>> s = fit.deviations[0] * np.sqrt(np.expm1(z**2 / 50))
        >>> np.allclose(fit.conf_int(method="profile").mean[0], fit.mean[0] + [-s, s])
        True
        """
        from mvngrad.fitting.intervals import intervals_of

        return intervals_of(
            self,
            level,
            method,
            kind,
            clusters,
            n_boot=n_boot,
            resample=resample,
            rng=rng,
            threads=threads,
            progress=progress,
        )

    def delta(
        self, f: Function | str, kind: ErrorKind | None = None, *, clusters: Any = None
    ) -> Delta:
        """f(μ̂, Ŝ), any smooth function, with its standard error: √(∂f V ∂fᵀ).

        Parameters
        ----------
        f : callable (mean (d,), covariance (d, d)) → array, or a name
            "deviations", "correlations", "partial correlations" or "eigenvalues".

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> difference = fit.delta(lambda mean, S: mean[0] - mean[1])
        >>> S = fit.covariance
        >>> bool(np.isclose(difference.error**2, (S[0, 0] + S[1, 1] - 2 * S[0, 1]) / 50))
        True
        """
        from mvngrad.fitting.standard_errors import delta_of

        return delta_of(self, f, kind, clusters)

    def wald_test(
        self, f: Function, value: Any = 0.0, kind: ErrorKind | None = None, *, clusters: Any = None
    ) -> WaldTest:
        """Test that f(μ, S) = value: (f̂ − value)ᵀV⁻¹(f̂ − value), χ² with rank V degrees of freedom.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
        >>> test = fit.wald_test(lambda mean, S: mean)                  # Hotelling's, n for n − 1
        >>> m, S = fit.mean, fit.covariance
        >>> bool(np.isclose(test.statistic, 50 * m @ np.linalg.solve(S, m))), test.df
        (True, 3)
        """
        from mvngrad.fitting.standard_errors import require_converged
        from mvngrad.inference.delta import wald_test

        require_converged(self, "a Wald test")
        return wald_test(self.delta(f, kind, clusters=clusters), value)

    def score_test(
        self, covariance: Any = "full", mean: Any = "as fitted", kind: Kind = "expected"
    ) -> ScoreTest:
        """Test this model inside a larger one, without fitting that: gᵀH⁻¹g at this estimate.

        Parameters
        ----------
        covariance : structure or name    of the larger model; it must hold this one's covariance
        mean : "as fitted" or "free"      "free" tests a known mean too
        kind : "expected" or "observed"   which information H: the first holds the size of the test
            in small samples better; if values are missing by reason of others (MAR) it is too
            large, and the test shy

        Raises
        ------
        DataError
            If the fit is no maximum of the likelihood: with a prior, sampling weights, or not
            converged; or the other model does not hold it.

        Examples
        --------
        >>> import numpy as np, mvngrad as mg
        >>> X = np.random.default_rng(0).normal(size=(50, 3))
        >>> fit = mg.fit(X, "diagonal")
        >>> test = fit.score_test()                              # n Σ r² of all pairs
        >>> r = np.corrcoef(X.T)[np.tril_indices(3, -1)]
        >>> bool(np.isclose(test.statistic, 50 * (r @ r))), test.df
        (True, 3)
        """
        from mvngrad.fitting.standard_errors import score_test_of

        return score_test_of(self, covariance, mean, kind)

    @abstractmethod
    def as_linear(self, Z: Any) -> Linear:
        """Z as designs that the coefficients of this fit are for."""
