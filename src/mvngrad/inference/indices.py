"""How far off a structure is, apart from chance: RMSEA, CFI, TLI, SRMR.

With X² and df of the structure against the saturated model, X_b² and df_b of independence against
it, and n = Σw (lavaan's definitions, of maximum likelihood with the multiplier n):

    RMSEA = √( max(X² − df, 0)/(n df) )
    CFI   = 1 − max(X² − df, 0)/max(X² − df, X_b² − df_b, 0)
    TLI   = 1 − (X² − df) df_b/[ (X_b² − df_b) df ]
    SRMR² = [ Σ_{j≤i} (C_ij − S_ij)²/(C_ii C_jj) + Σ_j (m_j − μ_j)²/C_jj ]/(d(d+1)/2 + d)

C and m are covariance and mean of the saturated model. (Steiger & Lind 1980; Browne & Cudeck 1993;
Bentler 1990, 1995; Tucker & Lewis 1973)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvngrad.core.checks import as_factor, as_number, as_vector
from mvngrad.core.ops import Array
from mvngrad.errors import DataError, NeedsRowsError
from mvngrad.inference.goodness import Correction, GoodnessOfFit, Scaling

CLOSE = 0.05  # an RMSEA that counts as close (Browne & Cudeck 1993)


@dataclass(frozen=True, repr=False)
class Goodness:
    """A likelihood ratio against the saturated model, and indices of it.

    Attributes
    ----------
    statistic, df, pvalue, correction     X², its degrees of freedom and χ² probability; Bartlett's
                                          where that was asked for
    plain : GoodnessOfFit                 the same uncorrected: what the indices are made of
    n : float                             Σw
    baseline : GoodnessOfFit, or None     of independent columns; None of a fit loaded from a file
                                          written before this was kept
    sampled : bool                        by sampling weights: X² then grows with the weights, which
                                          only a scaled statistic makes up for. No index is of that

    Examples
    --------
    >>> test, independent = GoodnessOfFit(30.0, 10, 0.0009), GoodnessOfFit(115.0, 15, 0.0)
    >>> fit = Goodness(test, test, 200.0, independent)
    >>> fit.rmsea == (20 / (200 * 10)) ** 0.5, fit.cfi == 1 - 20 / 100
    (True, True)
    >>> fit.tli == 1 - 20 * 15 / (100 * 10)
    True
    """

    test: GoodnessOfFit
    plain: GoodnessOfFit
    n: float
    baseline: GoodnessOfFit | None
    residual: float | None = None
    sampled: bool = False

    @property
    def statistic(self) -> float:
        """X²."""
        return self.test.statistic

    @property
    def df(self) -> int:
        """Parameters of the saturated model less those of the structure."""
        return self.test.df

    @property
    def pvalue(self) -> float:
        """P(χ² ≥ X²)."""
        return self.test.pvalue

    @property
    def correction(self) -> Correction | Scaling:
        """Which X² it is."""
        return self.test.correction

    @property
    def rmsea(self) -> float:
        """√(max(X² − df, 0)/(n df)); 0 where df is."""
        return rmsea(*self._ratio, self.n)

    @property
    def rmsea_interval(self) -> tuple[float, float]:
        """At 90 %."""
        return rmsea_interval(*self._ratio, self.n)

    @property
    def rmsea_pvalue(self) -> float:
        """Of close fit, RMSEA ≤ 0.05."""
        return rmsea_pvalue(*self._ratio, self.n)

    @property
    def cfi(self) -> float:
        """1 − max(X² − df, 0)/max(X² − df, X_b² − df_b, 0)."""
        return cfi(self.plain, self._baseline)

    @property
    def tli(self) -> float:
        """1 − (X² − df) df_b/[ (X_b² − df_b) df ]."""
        return tli(self.plain, self._baseline)

    @property
    def srmr(self) -> float:
        """Root mean square of standardized residuals, means included.

        Raises
        ------
        NeedsRowsError
            Of a fit that was loaded.
        """
        if self.residual is None:
            raise NeedsRowsError(
                "SRMR compares with the covariance of the data, which a fit that was loaded "
                "has not kept: fit again."
            )
        return self.residual

    @property
    def _ratio(self) -> tuple[float, int]:
        """X² and df, uncorrected."""
        self._require_likelihood()
        return self.plain.statistic, self.plain.df

    def _require_likelihood(self) -> None:
        if self.sampled:
            raise DataError(
                "RMSEA, CFI and TLI are of a likelihood ratio, and with sampling weights there is "
                "no likelihood of the data. The scaled statistic and SRMR hold."
            )

    @property
    def _baseline(self) -> GoodnessOfFit:
        self._require_likelihood()
        if self.baseline is None:
            raise NeedsRowsError(
                "CFI and TLI compare with independent columns, whose variances are not in this "
                "fit: it was loaded from a file of an older mvngrad. Fit again."
            )
        return self.baseline

    def __repr__(self) -> str:
        shown = [] if self.sampled else [f"RMSEA {self.rmsea:.3f}"]
        if self.baseline is not None and not self.sampled:
            shown += [f"CFI {self.cfi:.3f}", f"TLI {self.tli:.3f}"]
        if self.residual is not None:
            shown.append(f"SRMR {self.residual:.3f}")
        test = f"χ² {self.statistic:.2f}, {self.df} df, p {self.pvalue:.3g}"
        return f"<Goodness: {test}; {', '.join(shown)}>"


def rmsea(statistic: float, df: int, n: float) -> float:
    """√(max(X² − df, 0)/(n df)); 0 where df is.

    Examples
    --------
    >>> rmsea(50.0, 10, 400.0) == (40.0 / 4000.0) ** 0.5, rmsea(9.0, 10, 400.0)
    (True, 0.0)
    """
    statistic, df, n = _checked(statistic, df, n)
    return float(np.sqrt(max(statistic - df, 0.0) / (n * df))) if df else 0.0


def rmsea_interval(statistic: float, df: int, n: float, level: float = 0.9) -> tuple[float, float]:
    """√(λ/(n df)) at the λ with P(χ²(df, λ) ≤ X²) = (1 ± level)/2; 0 where there is none.

    Notes
    -----
    X² is about χ² with df degrees of freedom and noncentrality λ = n df RMSEA². (Steiger 1990)

    Examples
    --------
    >>> low, high = rmsea_interval(50.0, 10, 400.0)
    >>> from scipy.stats import ncx2
    >>> [round(float(ncx2.cdf(50.0, 10, 400.0 * 10 * e**2)), 9) for e in (low, high)]
    [0.95, 0.05]
    """
    statistic, df, n = _checked(statistic, df, n)
    if not 0.0 < as_number(level, "level") < 1.0:
        raise DataError(f"level must be between 0 and 1, as 0.9; got {level}.")
    if not df:
        return 0.0, 0.0
    low, high = (_noncentrality(statistic, df, 0.5 * (1.0 + s * level)) for s in (1, -1))
    return float(np.sqrt(low / (n * df))), float(np.sqrt(high / (n * df)))


def rmsea_pvalue(statistic: float, df: int, n: float, close: float = CLOSE) -> float:
    """P(χ²(df, n df close²) ≥ X²): of RMSEA ≤ ``close``.

    Examples
    --------
    >>> from scipy.stats import ncx2
    >>> bool(abs(rmsea_pvalue(30.0, 10, 400.0) - ncx2.sf(30.0, 10, 400.0 * 10 * 0.05**2)) < 1e-12)
    True
    """
    from scipy.special import chndtr

    statistic, df, n = _checked(statistic, df, n)
    return float(1.0 - chndtr(statistic, df, n * df * close**2)) if df else 1.0


def cfi(test: GoodnessOfFit, baseline: GoodnessOfFit) -> float:
    """1 − max(X² − df, 0)/max(X² − df, X_b² − df_b, 0); 1 of a structure that fits beyond chance.

    Examples
    --------
    >>> cfi(GoodnessOfFit(30.0, 10, 0.0), GoodnessOfFit(115.0, 15, 0.0))
    0.8
    """
    excess = max(test.statistic - test.df, 0.0)
    if excess == 0.0:
        return 1.0
    return 1.0 - excess / max(excess, baseline.statistic - baseline.df)


def tli(test: GoodnessOfFit, baseline: GoodnessOfFit) -> float:
    """1 − (X² − df) df_b/[ (X_b² − df_b) df ]; may exceed 1. With df = 0 it is 1.

    Examples
    --------
    >>> tli(GoodnessOfFit(30.0, 10, 0.0), GoodnessOfFit(115.0, 15, 0.0))
    0.7
    """
    below = (baseline.statistic - baseline.df) * test.df
    if not test.df or below == 0.0:
        return 1.0
    return 1.0 - (test.statistic - test.df) * baseline.df / below


def srmr(S: Any, C: Any, mu: Any, m: Any) -> float:
    """√ of [ Σ_{j≤i} (C_ij − S_ij)²/(C_ii C_jj) + Σ_j (m_j − μ_j)²/C_jj ]/(d(d+1)/2 + d).

    Parameters
    ----------
    S, mu : (d, d), (d,)     of the structure
    C, m : (d, d), (d,)      of the saturated model

    Examples
    --------
    >>> import numpy as np
    >>> C = np.array([[4.0, 1.0], [1.0, 1.0]])
    >>> np.isclose(srmr(np.diag([4.0, 1.0]), C, [0.0, 0.0], [0.0, 0.0]), 0.5 / np.sqrt(5))
    np.True_
    """
    d = len(C)
    S, C = as_factor(S, d, name="S"), as_factor(C, d, name="C")
    mu, m = as_vector(mu, "mu", d), as_vector(m, "m", d)
    units: Array = np.sqrt(np.diagonal(C))
    R = (C - S) / np.multiply.outer(units, units)
    squares = (R[np.tril_indices(d)] ** 2).sum() + (((m - mu) / units) ** 2).sum()
    return float(np.sqrt(squares / (d * (d + 1) / 2 + d)))


def _noncentrality(statistic: float, df: int, p: float) -> float:
    """λ with P(χ²(df, λ) ≤ X²) = p; 0 where even λ = 0 has less."""
    from scipy.optimize import brentq
    from scipy.special import chndtr

    def above(nc: float) -> float:
        return float(chndtr(statistic, df, nc)) - p

    if above(0.0) <= 0.0:
        return 0.0
    far = max(statistic, 1.0)
    while above(far) > 0.0:
        far *= 2.0
    return float(brentq(above, 0.0, far, xtol=1e-12 * far, rtol=1e-14))


def _checked(statistic: Any, df: Any, n: Any) -> tuple[float, int, float]:
    statistic, n = as_number(statistic, "statistic"), as_number(n, "n")
    if not (isinstance(df, int | np.integer) and not isinstance(df, bool) and df >= 0):
        raise DataError(f"df must be a whole number, 0 or more; got {df!r:.60}.")
    if not (statistic >= 0.0 and n > 0.0):
        raise DataError(f"X² must not be negative and n positive; got {statistic} and {n}.")
    return statistic, int(df), n
