"""What is read off a fitted factor model: loadings, communalities, rotations, scores, residuals.

    x = μ + Λf + e,   f ~ N(0, Φ),   e ~ N(0, Ψ),   S = ΛΦΛᵀ + Ψ

Plain arrays in, plain arrays out: the model may be fitted here, elsewhere, or made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from mvngrad.core.checks import as_factor, as_vector, require_no_infinity
from mvngrad.core.conditional import as_points
from mvngrad.core.frame import read_only
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.roots import full_rank_root
from mvngrad.errors import DataError
from mvngrad.inference.loadings import as_loadings, correlation_root
from mvngrad.inference.rotation import Method, rotate
from mvngrad.inference.scores import Joint, bartlett, regression
from mvngrad.io.data import as_table
from mvngrad.io.table import as_names, default_names

ScoreMethod = Literal["regression", "bartlett"]


@dataclass(frozen=True, eq=False)
class Factors:
    """Loadings, uniquenesses and correlations of factors; made by ``Factors.of``.

    Attributes
    ----------
    factor : (d, k) array          Λ, in the units of the data
    noise : (d,) array             ψ, variances left unexplained, in squared units of the data
    correlation : (k, k) array     Φ of the factors, whose variances are 1
    mean : (d,) array              μ
    columns : tuple of str
    standardized : bool            whether loadings, uniquenesses and communalities are given in
                                   units of the columns' standard deviations √Sⱼⱼ

    Examples
    --------
    >>> import numpy as np
    >>> Lambda, psi = np.array([[2.0], [1.0], [3.0]]), np.array([5.0, 1.0, 1.0])
    >>> factors = Factors.of(Lambda, psi)
    >>> factors.communalities, factors.communality_shares  # λⱼ², λⱼ²/(λⱼ² + ψⱼ)
    (array([4., 1., 9.]), array([0.44444444, 0.5       , 0.9       ]))
    >>> np.allclose(factors.covariance, Lambda @ Lambda.T + np.diag(psi))
    True
    """

    factor: Array
    noise: Array
    correlation: Array
    mean: Array
    columns: tuple[str, ...]
    standardized: bool = False

    def __post_init__(self) -> None:
        for name in ("factor", "noise", "correlation", "mean"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def of(
        cls,
        loadings: Any,
        noise: Any,
        correlation: Any = None,
        mean: Any = None,
        columns: Sequence[Any] | None = None,
        *,
        standardized: bool = False,
    ) -> Factors:
        """Factors of Λ (d, k), ψ (d,), Φ (k, k) or I, and μ (d,) or 0, in the units of the data.

        Raises
        ------
        NotPositiveDefiniteError
            If S = ΛΦΛᵀ + Ψ is singular, or Φ is.
        DataError
            If shapes disagree, ψ is negative, or Φ is no correlation matrix.
        """
        Lambda = as_loadings(loadings).copy()
        d, k = Lambda.shape
        R = correlation_root(correlation, k)
        full_rank_root(Lambda @ R, noise, name="loadings")
        names = default_names(d) if columns is None else as_names(columns)
        if len(names) != d:
            raise DataError(f"columns names {len(names)} columns, the loadings have {d} rows.")
        return cls(
            Lambda,
            as_vector(noise, "noise", d).copy(),
            _correlation(R @ R.T),
            np.zeros(d) if mean is None else as_vector(mean, "mean", d).copy(),
            names,
            standardized,
        )

    def standardize(self) -> Factors:
        """The same factors, seen in units of the columns' standard deviations: S of unit diagonal.

        ``factor``, ``noise`` and ``mean`` stay what they are, and so do scores.
        """
        return replace(self, standardized=True)

    @property
    def loadings(self) -> Array:
        """Λ (d, k), or Λⱼ/√Sⱼⱼ if ``standardized``."""
        return self.factor / self._units[:, None]

    @property
    def uniquenesses(self) -> Array:
        """ψ (d,), or the shares ψⱼ/Sⱼⱼ if ``standardized``."""
        return self.noise / self._units**2

    @property
    def communalities(self) -> Array:
        """diag ΛΦΛᵀ (d,): the variance of each column that the factors explain."""
        return self._explained / self._units**2

    @property
    def communality_shares(self) -> Array:
        """diag ΛΦΛᵀ/diag S (d,): squared multiple correlations of the columns with the factors."""
        return self._explained / (self._explained + self.noise)

    @property
    def variance_explained(self) -> Array:
        """diag ΦΛᵀΛ (k,): they sum to the communalities' sum.

        Of correlated factors each has half of what it shares with another, and may in principle
        have less than nothing.
        """
        L = self.loadings
        return (L * (L @ self.correlation)).sum(axis=0)

    @property
    def variance_shares(self) -> Array:
        """diag ΦΛᵀΛ/tr S (k,), in the units of ``loadings``."""
        total = (self._explained + self.noise) / self._units**2
        return self.variance_explained / total.sum()

    @property
    def covariance(self) -> Array:
        """S = ΛΦΛᵀ + Ψ (d, d), in the units of the data."""
        return self._common @ self._common.T + np.diag(self.noise)

    @property
    def deviations(self) -> Array:
        """√Sⱼⱼ (d,)."""
        return np.sqrt(self._explained + self.noise)

    def rotate(self, method: Method = "varimax", **options: Any) -> Factors:
        """Λ → ΛU, Φ → U⁻¹ΦU⁻ᵀ: the same S with loadings that are easier to read.

        U is chosen on loadings in units of standard deviations, so that it does not depend on the
        units of the data. Factors come by the variance they explain there, largest first, and with
        loadings whose sum there is not negative.

        Parameters
        ----------
        method : "varimax", "quartimax", "oblimin" or "promax"
        **options                those of ``mvngrad.inference.rotation.varimax`` and so on:
                                 kaiser, gamma (oblimin), power (promax), n_starts, tol, max_iter

        Examples
        --------
        >>> import numpy as np
        >>> Lambda = np.array([[0.6, 0.5], [0.7, 0.4], [0.5, -0.6], [0.4, -0.5]])
        >>> factors = Factors.of(Lambda, [0.4, 0.4, 0.3, 0.5])
        >>> oblique = factors.rotate("oblimin")
        >>> np.allclose(oblique.covariance, factors.covariance), factors.rotate().correlation[0, 1]
        (True, np.float64(0.0))
        """
        units = self.deviations[:, None]
        found = rotate(self.factor / units, method, correlation=self.correlation, **options)
        return replace(self, factor=found.loadings * units, correlation=found.correlation)

    def scores(self, X: Any, method: ScoreMethod = "regression") -> Array:
        """Estimates of f for rows of X, from what of them is observed.

        regression   E[f | x_o] = ΦΛ_oᵀS_oo⁻¹(x_o − μ_o)
        bartlett     (Λ_oᵀΨ_o⁻¹Λ_o)⁻¹Λ_oᵀΨ_o⁻¹(x_o − μ_o) = (Λ_oᵀS_oo⁻¹Λ_o)⁻¹Λ_oᵀS_oo⁻¹(x_o − μ_o)

        Parameters
        ----------
        X : (n, d) array, or one row (d,)      in the units of the data, NaN where missing
        method : "regression" or "bartlett"
            Regression scores are closest to f in mean square, and shrunk towards 0; those of a row
            with nothing observed are 0. Bartlett's are unbiased given f, and more variable. They
            need as many observed entries as factors, with independent loadings: a row without has
            NaN for all its scores (some direction of f is correlated with x_o by 1e-8 or less).

        Returns
        -------
        (n, k) array, or (k,)

        Raises
        ------
        DataError
            If X has not d entries a row, or one is infinite.

        Notes
        -----
        Costs a QR of d columns a pattern of missing values. Thurstone 1935; Bartlett 1937.

        Examples
        --------
        >>> import numpy as np
        >>> Lambda, psi = np.array([[2.0], [1.0], [3.0]]), np.array([5.0, 1.0, 1.0])
        >>> factors, x = Factors.of(Lambda, psi), np.array([1.0, np.nan, 2.0])
        >>> w = Lambda[[0, 2], 0] / psi[[0, 2]]
        >>> np.isclose(factors.scores(x, "bartlett"), w @ x[[0, 2]] / (w @ Lambda[[0, 2], 0]))
        array([ True])
        >>> np.isclose(factors.scores(x), w @ x[[0, 2]] / (1.0 + w @ Lambda[[0, 2], 0]))
        array([ True])
        """
        if method not in ("regression", "bartlett"):
            raise DataError(f"method must be 'regression' or 'bartlett'; got {method!r:.60}.")
        rows, single = as_points(self._named(X), len(self.mean))
        require_no_infinity(rows, columns=self.columns)
        joint = Joint(self.mean, self._common, self.noise, self._root)
        scores = regression(joint, rows) if method == "regression" else bartlett(joint, rows)
        return scores[0] if single else scores

    def _named(self, X: Any) -> Any:
        """The columns of a dataframe by name, if they have names here; whatever else as it is."""
        by_name = hasattr(X, "columns") and self.columns != default_names(len(self.mean))
        return as_table(X, self.columns).rows if by_name else X

    def residual_correlation(self, S: Any) -> Array:
        """corr(S) − corr(ΛΦΛᵀ + Ψ) (d, d): what of the correlations the factors do not explain.

        Parameters
        ----------
        S : (d, d) array, or Moments       a covariance or a correlation matrix of the data

        Examples
        --------
        >>> import numpy as np
        >>> factors = Factors.of([[0.6], [0.8]], [0.64, 0.36])
        >>> factors.residual_correlation([[4.0, 1.2], [1.2, 1.0]]).round(12)  # 0.6 − 0.6·0.8
        array([[0.  , 0.12],
               [0.12, 0.  ]])
        """
        d = len(self.mean)
        S = S.cov if isinstance(S, Moments) else as_factor(S, d, name="S")
        if S.shape != (d, d):
            raise DataError(
                f"S must have shape ({d}, {d}), as the loadings have rows; got {S.shape}."
            )
        return _correlation(S) - _correlation(self.covariance)

    # The arithmetic

    @cached_property
    def _root(self) -> Array:
        """R (k, k), Φ = RRᵀ."""
        return correlation_root(self.correlation, len(self.correlation))

    @cached_property
    def _common(self) -> Array:
        """ΛR (d, k)."""
        return self.factor @ self._root

    @property
    def _explained(self) -> Array:
        return (self._common**2).sum(axis=1)

    @property
    def _units(self) -> Array:
        return self.deviations if self.standardized else np.ones(len(self.mean))

    def __repr__(self) -> str:
        d, k = self.factor.shape
        correlated = " correlated" * bool((self.correlation != np.eye(k)).any())
        return (
            f"<Factors: {k}{correlated} for {d} columns, "
            f"{self.communality_shares.mean():.1%} of their variance explained>"
        )


def _correlation(S: Array) -> Array:
    """S scaled to unit diagonal."""
    variances = np.diagonal(S)
    if not (variances > 0.0).all():
        j = int(np.argmin(variances))
        raise DataError(f"variances must be positive; got S[{j}, {j}] = {variances[j]}.")
    scales = np.sqrt(variances)
    correlation: Array = S / scales[:, None] / scales
    np.fill_diagonal(correlation, 1.0)
    return correlation
