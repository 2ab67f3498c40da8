"""Classical tests of means and covariances, of complete data: on moments.

Each is the likelihood ratio X² = −2 log λ of normal data, in closed form, and by default with
Bartlett's correction: another multiplier than n, with which the mean of X² is that of χ² to a
smaller order in 1/n. n = Σw; W, C scatters about the groups' means and about one.

    equal means            X² = n log(|C|/|W|)                        df = d(g − 1)
    equal covariances      X² = n log|W/n| − Σ n_g log|C_g/n_g|       df = (g − 1) d(d + 1)/2
    independent blocks     X² = n (Σ_b log|C_bb| − log|C|)            df = (d² − Σ d_b²)/2
    sphericity             X² = n (d log(tr C/d) − log|C|)            df = d(d + 1)/2 − 1

(Anderson 2003, §8.3–5, §10.2–5, §9.2–4, §10.7; Mardia, Kent & Bibby 1979, §5.3, §12.3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.errors import DataError
from mvngrad.inference.goodness import (
    Correction,
    chi_square_tail,
    log_generalized_variance,
)


class Hypothesis(NamedTuple):
    """X², its degrees of freedom, P(χ² ≥ X²); and which X² it is."""

    statistic: float
    df: int
    pvalue: float
    correction: Correction = "none"


class EqualMeans(NamedTuple):
    """As ``Hypothesis``; and Wilks's Λ = det W/det C with Rao's F of it: NaN where there are holes.

    ``exact`` says whether F has its distribution exactly: with two groups or three, or d ≤ 2.
    """

    statistic: float
    df: int
    pvalue: float
    correction: Correction = "none"
    wilks: float = np.nan
    f_statistic: float = np.nan
    f_df: tuple[float, float] = (np.nan, np.nan)
    f_pvalue: float = np.nan
    exact: bool = False


def equal_means(groups: Sequence[Moments], correction: Correction = "bartlett") -> EqualMeans:
    """X² = −m log Λ, Λ = |W|/|C|, m = n − 1 − (d + g)/2; uncorrected m = n.

    With q = g − 1 and s = √((d²q² − 4)/(d² + q² − 5)), 1 where that is 0/0 or min(d, q) = 1,

        F = (Λ^(−1/s) − 1) df₂/df₁,   df₁ = dq,   df₂ = ms − dq/2 + 1

    Notes
    -----
    Wilks 1932; Bartlett 1938; Rao 1951, and Rao 1973, §8c.5.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(20, 2)), rng.normal(size=(30, 2))
    >>> test = equal_means([mg.Moments.of(a), mg.Moments.of(b)])
    >>> W = 20 * np.cov(a.T, ddof=0) + 30 * np.cov(b.T, ddof=0)
    >>> C = 50 * np.cov(np.vstack([a, b]).T, ddof=0)
    >>> wilks = np.linalg.det(W) / np.linalg.det(C)
    >>> np.allclose([test.wilks, test.statistic], [wilks, -(50 - 1 - 2) * np.log(wilks)])
    True
    >>> np.isclose(test.f_statistic, (1 / wilks - 1) * 47 / 2), test.exact  # Hotelling's T²
    (np.True_, True)
    """
    within, together = _within(groups), sum(groups[1:], start=groups[0])
    n, d, q = together.weight, together.d, len(groups) - 1
    log_wilks = min(log_generalized_variance(within) - log_generalized_variance(together), 0.0)
    m = n - 1.0 - 0.5 * (d + q + 1)
    test = _tested(-log_wilks, d * q, n, m, correction)
    return EqualMeans(*test, *_rao(log_wilks, d, q, m), min(d, q) <= 2)


def equal_covariances(groups: Sequence[Moments], correction: Correction = "bartlett") -> Hypothesis:
    """Box's M of groups, (1 − c) [ Σν_g log|W/Σν_g| − Σ ν_g log|C_g/ν_g| ], ν_g = n_g − 1.

        c = (2d² + 3d − 1)/(6(d + 1)(g − 1)) [ Σ 1/ν_g − 1/Σν_g ]

    Uncorrected: c = 0, and n_g for ν_g.

    Notes
    -----
    With ν_g in place of n_g the test is unbiased (Bartlett 1937; Anderson 2003, §10.2). Box 1949.
    Far from normal data it says more of their tails than of their covariances.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(20, 2)), rng.normal(size=(30, 2))
    >>> A, B = np.cov(a.T), np.cov(b.T)
    >>> log_det = lambda S: np.log(np.linalg.det(S))
    >>> M = 48 * log_det((19 * A + 29 * B) / 48) - 19 * log_det(A) - 29 * log_det(B)
    >>> c = (8 + 6 - 1) / 18 * (1 / 19 + 1 / 29 - 1 / 48)
    >>> test = equal_covariances([mg.Moments.of(a), mg.Moments.of(b)])
    >>> np.isclose(test.statistic, (1 - c) * M), test.df
    (np.True_, 3)
    """
    within, d, g = _within(groups), groups[0].d, len(groups)
    lost = 1.0 if correction == "bartlett" else 0.0
    nu = np.array([group.weight for group in groups]) - lost
    if not (nu > 0.0).all():
        raise DataError(f"each group needs more than one row; got weights {(nu + lost).tolist()}.")
    logs = [_log_det(group, v) for group, v in zip(groups, nu, strict=True)]
    M = nu.sum() * _log_det(within, nu.sum()) - nu @ logs
    spread = (1.0 / nu).sum() - 1.0 / nu.sum()
    c = (2 * d**2 + 3 * d - 1) / (6.0 * (d + 1) * (g - 1)) * spread
    return _tested(M, (g - 1) * d * (d + 1) // 2, 1.0, 1.0 - c, correction)


def independence(
    moments: Moments, blocks: Sequence[Sequence[int]], correction: Correction = "bartlett"
) -> Hypothesis:
    """X² = m (Σ_b log|C_bb| − log|C|), m = n − 3/2 − (d³ − Σd_b³)/(3(d² − Σd_b²)).

    Parameters
    ----------
    blocks : sequences of indices, each column in one; uncorrected: m = n

    Notes
    -----
    Wilks 1935; Box 1949; Anderson 2003, §9.4. Of single columns m = n − 1 − (2d + 5)/6 (Bartlett
    1950).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> test = independence(mg.Moments.of(X), [[0], [1], [2]])
    >>> R = np.corrcoef(X.T)
    >>> np.isclose(test.statistic, -(40 - 1 - 11 / 6) * np.log(np.linalg.det(R))), test.df
    (np.True_, 3)
    """
    d, sizes = moments.d, np.array([len(block) for block in blocks])
    apart = sum(log_generalized_variance(_columns(moments, block)) for block in blocks)
    squares, cubes = d**2 - (sizes**2).sum(), d**3 - (sizes**3).sum()
    m = moments.weight - 1.5 - cubes / (3.0 * squares)
    gain = apart - log_generalized_variance(moments)
    return _tested(gain, int(squares) // 2, moments.weight, m, correction)


def sphericity(moments: Moments, correction: Correction = "bartlett") -> Hypothesis:
    """X² = −m log W, W = |C|/(tr C/d)^d, m = n − 1 − (2d² + d + 2)/(6d): Mauchly's test of S = σ²I.

    Uncorrected: m = n.

    Notes
    -----
    Mauchly 1940; Anderson 2003, §10.7. Units matter: columns are held against each other.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> S = np.cov(X.T)
    >>> W = np.linalg.det(S) / (np.trace(S) / 3) ** 3
    >>> test = sphericity(mg.Moments.of(X))
    >>> np.isclose(test.statistic, -(39 - 23 / 18) * np.log(W)), test.df
    (np.True_, 5)
    """
    d, n = moments.d, moments.weight
    plain = moments.in_frame(moments.frame.restricted("diagonal"))
    variance = float((np.diagonal(plain.spread) * plain.frame.root**2).sum()) / (n * d)
    gain = d * np.log(variance) - log_generalized_variance(moments)
    m = n - 1.0 - (2 * d**2 + d + 2) / (6.0 * d)
    return _tested(gain, d * (d + 1) // 2 - 1, n, m, correction)


def _tested(gain: float, df: int, n: float, m: float, correction: Correction) -> Hypothesis:
    """X² = n·gain, or m·gain if it is to be corrected."""
    if correction == "bartlett" and not m > 0.0:
        raise DataError(
            f"too few rows for Bartlett's correction, whose multiplier is {m:.3g}. Give more rows, "
            "or correction='none'."
        )
    statistic = max(float(gain), 0.0) * float(m if correction == "bartlett" else n)
    return Hypothesis(statistic, df, chi_square_tail(df, statistic), correction)


def _rao(
    log_wilks: float, d: int, q: int, m: float
) -> tuple[float, float, tuple[float, float], float]:
    """Λ, F of it, its degrees of freedom and p."""
    from scipy.special import fdtrc

    of_squares = d**2 + q**2 - 5
    s = np.sqrt((d**2 * q**2 - 4) / of_squares) if of_squares > 0 and min(d, q) > 1 else 1.0
    df = (float(d * q), float(m * s - 0.5 * d * q + 1.0))
    F = float(np.expm1(-log_wilks / s)) * df[1] / df[0]
    p = float(fdtrc(*df, F)) if df[1] > 0.0 else np.nan
    return float(np.exp(log_wilks)), F, df, p


def _within(groups: Sequence[Moments]) -> Moments:
    """Scatter about the groups' own means, all groups together."""
    frame = groups[0].frame
    parts = [group.in_frame(frame) for group in groups]
    return replace(
        parts[0],
        weight=sum(part.weight for part in parts),
        n_obs=sum(part.n_obs for part in parts),
        spread=np.sum([part.spread for part in parts], axis=0),
    )


def _log_det(moments: Moments, nu: float) -> float:
    """log|C/ν|."""
    return log_generalized_variance(moments) + moments.d * float(np.log(moments.weight / nu))


def _columns(moments: Moments, block: Sequence[int]) -> Moments:
    """Moments of some of the columns."""
    plain = moments.in_frame(moments.frame.restricted("diagonal"))
    frame = AffineFrame(plain.frame.origin[block], plain.frame.root[block])
    spread = plain.spread[np.ix_(block, block)]
    return replace(plain, center=plain.center[block], spread=spread, frame=frame)
