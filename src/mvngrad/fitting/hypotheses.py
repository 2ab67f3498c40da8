"""Tests of means and covariances, of data of any kind: complete by moments, with holes by fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mvngrad.errors import DataError
from mvngrad.fitting.fit import fit
from mvngrad.fitting.groups import blocks_of, groups_of
from mvngrad.fitting.result import Fit
from mvngrad.inference import hypotheses as complete
from mvngrad.inference.goodness import Correction, likelihood_ratio
from mvngrad.inference.hypotheses import EqualMeans, Hypothesis
from mvngrad.models.linear import Linear


def equal_means(*groups: Any, correction: Correction = "bartlett") -> EqualMeans:
    """Whether groups with one covariance have one mean: X² = n log(|C|/|W|), and Rao's F.

    W is the scatter about the groups' own means, C that about one mean of all, Λ = |W|/|C|.

    Parameters
    ----------
    *groups : two or more arrays (n_g, d), dataframes, CSV files or Moments
        Weighted rows: ``Moments.of(X, weights)``.
    correction : "bartlett" or "none"
        Bartlett's multiplier n − 1 − (d + g)/2 in place of n, for complete data.

    Returns
    -------
    EqualMeans
        statistic, df = d(g − 1), pvalue by χ², correction; wilks Λ, f_statistic, f_df, f_pvalue,
        exact. F has its distribution exactly for two groups (where it is Hotelling's T²) or three,
        and for d ≤ 2; use it where it is given.

    Raises
    ------
    DataError
        If there are fewer than two groups, or their columns differ.
    NotPositiveDefiniteError
        If there are too few rows for a covariance.

    Notes
    -----
    With holes it is the ratio of two fits, ``Linear`` in the groups' indicators and one free mean;
    then there is neither correction nor F. Wilks 1932; Bartlett 1938; Rao 1951; Anderson 2003,
    §8.4–5.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)) + [1.0, 0.0]
    >>> test = mg.equal_means(a, b)
    >>> W = 20 * np.cov(a.T, ddof=0) + 30 * np.cov(b.T, ddof=0)
    >>> C = 50 * np.cov(np.vstack([a, b]).T, ddof=0)
    >>> np.isclose(test.wilks, np.linalg.det(W) / np.linalg.det(C)), test.df
    (np.True_, 2)
    >>> bool(test.f_pvalue < 0.01)
    True
    """
    given = groups_of(groups, correction)
    if given.moments is not None:
        return complete.equal_means(given.moments, correction)
    X, Z = given.stacked()
    return EqualMeans(*_ratio([fit(X)], [fit(X, mean=Linear(Z))]))


def equal_covariances(*groups: Any, correction: Correction = "bartlett") -> Hypothesis:
    """Whether groups, each with a mean of its own, have one covariance: Box's M.

    X² = (1 − c) [ Σν_g log|W/Σν_g| − Σ ν_g log|C_g/ν_g| ],   ν_g = n_g − 1

    Parameters
    ----------
    *groups : two or more arrays (n_g, d), dataframes, CSV files or Moments
    correction : "bartlett" or "none"
        Box's 1 − c, and ν_g in place of n_g, for complete data.

    Returns
    -------
    Hypothesis
        statistic, df = (g − 1) d(d + 1)/2, pvalue, correction.

    Raises
    ------
    DataError
        If there are fewer than two groups, or their columns differ.
    NotPositiveDefiniteError
        If a group has too few rows for a covariance.

    Notes
    -----
    With holes it is the ratio of fits to each group by itself and one of all, ``Linear`` in the
    groups' indicators; then there is no correction. Box 1949; Anderson 2003, §10.5. The test is of
    normal data: with heavy tails it rejects too often.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(20, 2)), rng.normal(size=(30, 2))
    >>> A, B = np.cov(a.T, ddof=0), np.cov(b.T, ddof=0)
    >>> log_det = lambda S: np.log(np.linalg.det(S))
    >>> test = mg.equal_covariances(a, b, correction="none")
    >>> plain = 50 * log_det((20 * A + 30 * B) / 50) - 20 * log_det(A) - 30 * log_det(B)
    >>> np.isclose(test.statistic, plain), test.df
    (np.True_, 3)
    """
    given = groups_of(groups, correction)
    if given.moments is not None:
        return complete.equal_covariances(given.moments, correction)
    X, Z = given.stacked()
    return _ratio([fit(X, mean=Linear(Z))], [fit(rows) for rows in given.rows])


def independence(
    data: Any, blocks: Sequence[Sequence[Any]] | None = None, *, correction: Correction = "bartlett"
) -> Hypothesis:
    """Whether blocks of columns are independent: X² = n (Σ_b log|C_bb| − log|C|).

    Parameters
    ----------
    data : array (n, d), dataframe, CSV file or Moments
    blocks : sequences of names or indices, optional
        Each column in one of them. Default: every column by itself.
    correction : "bartlett" or "none"
        The multiplier n − 3/2 − (d³ − Σd_b³)/(3(d² − Σd_b²)) in place of n, for complete data.

    Returns
    -------
    Hypothesis
        statistic, df = (d² − Σ d_b²)/2, pvalue, correction.

    Raises
    ------
    DataError
        If blocks leave a column out, have one twice, or are fewer than two.
    NotPositiveDefiniteError
        If there are too few rows for a covariance.

    Notes
    -----
    With holes it is the ratio of fits to each block by itself and to all columns; then there is no
    correction. Wilks 1935; Bartlett 1950; Anderson 2003, §9.4.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> test = mg.independence(X, [[0, 1], [2]], correction="none")
    >>> S = np.cov(X.T, ddof=0)
    >>> V = np.linalg.det(S) / (np.linalg.det(S[:2, :2]) * S[2, 2])
    >>> np.isclose(test.statistic, -40 * np.log(V)), test.df
    (np.True_, 2)
    """
    given = groups_of([data], correction, least=1)
    places = blocks_of(blocks, given.columns)
    if given.moments is not None:
        return complete.independence(given.moments[0], places, correction)
    X = given.rows[0]
    return _ratio([fit(X[:, block]) for block in places], [fit(X)])


def sphericity(data: Any, *, correction: Correction = "bartlett") -> Hypothesis:
    """Whether S = σ²I, Mauchly's test: X² = −n log W, W = |C|/(tr C/d)^d.

    Parameters
    ----------
    data : array (n, d), dataframe, CSV file or Moments      columns in the same units
    correction : "bartlett" or "none"
        The multiplier n − 1 − (2d² + d + 2)/(6d) in place of n, for complete data.

    Returns
    -------
    Hypothesis
        statistic, df = d(d + 1)/2 − 1, pvalue, correction.

    Raises
    ------
    DataError
        If there is one column only.
    NotPositiveDefiniteError
        If there are too few rows for a covariance.

    Notes
    -----
    With holes it is the ratio of two fits; then there is no correction. For the sphericity that an
    analysis of repeated measurements asks for, test differences or contrasts of the columns,
    orthonormal ones. Mauchly 1940; Anderson 2003, §10.7.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> S = np.cov(X.T)
    >>> W = np.linalg.det(S) / (np.trace(S) / 3) ** 3
    >>> test = mg.sphericity(X)
    >>> np.isclose(test.statistic, -(40 - 1 - 23 / 18) * np.log(W)), test.df
    (np.True_, 5)
    """
    given = groups_of([data], correction, least=1)
    if len(given.columns) < 2:
        raise DataError("one column is spherical, whatever is in it: give two or more.")
    if given.moments is not None:
        return complete.sphericity(given.moments[0], correction)
    X = given.rows[0]
    return _ratio([fit(X, "spherical")], [fit(X)])


def _ratio(small: Sequence[Fit], big: Sequence[Fit]) -> Hypothesis:
    """X² = 2 (ℓ_big − ℓ_small) of fits that together are the one model and the other."""
    df = sum(f.n_params for f in big) - sum(f.n_params for f in small)
    lower, upper = (sum(f.loglik for f in fits) for fits in (small, big))
    statistic, df, pvalue, _ = likelihood_ratio(lower, upper, df)
    return Hypothesis(statistic, df, pvalue, "none")
