"""What is missing: patterns, coverage, Little's test against a direct loop, and its size."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from mvngrad.core.expected import expected_sums
from mvngrad.core.patterns import Patterns
from mvngrad.inference.missing import MissingReport

NAN = np.nan
NAMES = ("a", "b", "c")


def rows_with_holes(n: int, rng: np.random.Generator, share: float = 0.3) -> np.ndarray:
    X = rng.normal(size=(n, 3)) @ np.array([[1.0, 0.5, 0.2], [0.0, 1.0, -0.4], [0.0, 0.0, 2.0]])
    X[rng.random(X.shape) < share] = NAN
    return X * [1.0, 1e3, 1e-3] + [0.0, 1e5, 3.0]


def estimate(X: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and factor of maximum likelihood, by EM."""
    data = Patterns.of(X, weights)
    mean, variance = data.available()
    L = np.diag(np.sqrt(variance))
    for _ in range(25):
        s = expected_sums(data, mean, L)
        r = s.total / data.weight
        K = (s.scatter + s.spread) / data.weight - np.outer(r, r)
        mean, L = mean + L @ r, L @ np.linalg.cholesky(K)
    return data.frame.origin + data.frame.root * mean, data.frame.root[:, None] * L


@pytest.fixture(name="X")
def data(rng: np.random.Generator) -> np.ndarray:
    X = rows_with_holes(400, rng)
    X.flags.writeable = False
    return X


@pytest.fixture(name="report")
def report_of_data(X: np.ndarray) -> MissingReport:
    return MissingReport.of(Patterns.of(X), NAMES, *estimate(X))


def littles_loop(X, mean, S, weights=None):
    """d² and df, pattern by pattern as defined."""
    w = np.ones(len(X)) if weights is None else weights
    observed = ~np.isnan(X)
    d2, df = 0.0, -X.shape[1]
    for o in np.unique(observed[observed.any(axis=1)], axis=0):
        rows = (observed == o).all(axis=1)
        away = np.average(X[rows][:, o], axis=0, weights=w[rows]) - mean[o]
        d2 += w[rows].sum() * away @ np.linalg.solve(S[np.ix_(o, o)], away)
        df += o.sum()
    return d2, df


# What is missing


def test_patterns_are_those_of_the_rows(X, report):
    observed = ~np.isnan(X)
    keys = ["".join("01"[int(there)] for there in row) for row in observed if row.any()]
    assert {p.observed: p.rows for p in report.patterns} == {k: keys.count(k) for k in set(keys)}
    assert all(first.rows >= then.rows for first, then in pairwise(report.patterns))
    for pattern in report.patterns:
        lacking = [n for n, bit in zip(NAMES, pattern.observed, strict=True) if bit == "0"]
        assert pattern.missing == tuple(lacking)


def test_counts_and_coverage_are_those_of_the_rows(X, report):
    O = (~np.isnan(X)).astype(float)
    O = O[O.any(axis=1)]
    assert np.array_equal(report.counts, O.sum(axis=0))
    assert np.allclose(report.coverage, O.T @ O / len(O), rtol=1e-14)
    assert report.n_obs == len(O)
    assert report.n_obs + report.n_empty == len(X)
    assert report.n_complete == O.all(axis=1).sum()


def test_columns_never_seen_together():
    X = np.array([[1.0, NAN, 2.0], [NAN, 3.0, 1.0], [2.0, NAN, 0.0], [NAN, 1.0, NAN]])
    report = MissingReport.of(Patterns.of(X), NAMES, np.zeros(3), np.eye(3))
    assert report.never_together == [("a", "b")]
    whole = MissingReport.of(Patterns.of(np.ones((2, 3))), NAMES, np.zeros(3), np.eye(3))
    assert whole.never_together == []


def test_it_says_what_it_is(report):
    assert "missing in" in repr(report)
    assert f"{len(report.patterns)} patterns" in repr(report)


def test_it_pickles(report):
    again = pickle.loads(pickle.dumps(report))
    assert again.patterns == report.patterns
    assert again.mcar_test() == report.mcar_test()


# Little's test


def test_littles_test_is_the_loop(X, report):
    mean, factor = estimate(X)
    d2, df = littles_loop(X, mean, factor @ factor.T)
    test = report.mcar_test()
    assert np.isclose(test.statistic, d2, rtol=1e-8)
    assert test.df == df
    assert np.isclose(test.pvalue, stats.chi2(df).sf(d2), rtol=1e-6)


def test_rows_merged_into_their_moments_have_the_same_mean(X):
    at = estimate(X)
    merged, apart = (Patterns.of(X, merged=merged) for merged in (True, False))
    assert len(merged.kept.z) < len(apart.kept.z)
    tests = [MissingReport.of(data, NAMES, *at).mcar_test() for data in (merged, apart)]
    assert np.allclose(*tests, rtol=1e-10)


def test_weights_are_frequencies(X, rng):
    w = rng.integers(0, 4, len(X)).astype(float)
    at = estimate(X, w)
    weighted = MissingReport.of(Patterns.of(X, w), NAMES, *at).mcar_test()
    repeated = MissingReport.of(Patterns.of(np.repeat(X, w.astype(int), axis=0)), NAMES, *at)
    assert np.allclose(weighted, repeated.mcar_test(), rtol=1e-9)
    assert np.isclose(weighted.statistic, littles_loop(X, at[0], at[1] @ at[1].T, w)[0], rtol=1e-8)


def test_units_and_a_rotated_factor_change_nothing(X, report, rng):
    mean, factor = estimate(X)
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    scales = np.array([1e6, 1e-3, 7.0])
    moved = MissingReport.of(
        Patterns.of(X * scales - 5.0), NAMES, mean * scales - 5.0, (scales[:, None] * factor) @ Q
    )
    assert np.allclose(moved.mcar_test(), report.mcar_test(), rtol=1e-6)


def test_noise_is_part_of_the_covariance(X):
    mean, factor = estimate(X)
    noise = 0.1 * (factor**2).sum(axis=1)
    both = np.linalg.cholesky(factor @ factor.T + np.diag(noise))
    split, whole = (
        MissingReport.of(Patterns.of(X), NAMES, mean, *at) for at in ((factor, noise), (both,))
    )
    assert np.isclose(split.mcar_test().statistic, whole.mcar_test().statistic, rtol=1e-9)


def test_its_size_under_mcar():
    rng, reps = np.random.default_rng(0), 150
    pvalues = []
    for _ in range(reps):
        X = rng.normal(size=(120, 3)) @ np.array([[1.0, 0.5, 0.2], [0.0, 1.0, -0.4], [0, 0, 1]])
        X[rng.random(120) < 0.3, 0] = NAN
        X[rng.random(120) < 0.3, 1] = NAN
        pvalues.append(MissingReport.of(Patterns.of(X), NAMES, *estimate(X)).mcar_test().pvalue)
    rejected = int((np.array(pvalues) < 0.1).sum())
    assert stats.binomtest(rejected, reps, 0.1).pvalue > 1e-4
    assert stats.kstest(pvalues, "uniform").pvalue > 1e-4


def test_its_power_where_holes_follow_the_values(rng):
    X = rng.normal(size=(300, 3))
    X[:, 1] += X[:, 0]
    X[X[:, 0] > 0.5, 1] = NAN
    assert MissingReport.of(Patterns.of(X), NAMES, *estimate(X)).mcar_test().pvalue < 1e-6


def test_one_pattern_leaves_nothing_to_compare(rng):
    X = rng.normal(size=(20, 3))
    report = MissingReport.of(Patterns.of(X), NAMES, X.mean(axis=0) + 1e-9, np.eye(3))
    assert report.mcar_test() == (0.0, 0, 1.0)


# What comes in


def test_without_rows_there_is_no_report(report):
    with pytest.raises(mg.NeedsRowsError, match=r"Fit the rows themselves"):
        MissingReport.of(None, NAMES, np.zeros(3), np.eye(3))
    only_patterns = MissingReport(NAMES, report.observed, report.rows)
    with pytest.raises(mg.NeedsRowsError, match="rows"):
        only_patterns.mcar_test()


@pytest.mark.parametrize(
    ("names", "mean", "factor", "message"),
    [
        (("a",), np.zeros(3), np.eye(3), "1 names"),
        (NAMES, np.zeros(2), np.eye(3), "mean must have shape"),
        (NAMES, [NAN, 0.0, 0.0], np.eye(3), "mean must be finite"),
        (NAMES, np.zeros(3), np.eye(2), "factor must have shape"),
    ],
)
def test_estimates_of_another_shape_are_refused(X, names, mean, factor, message):
    with pytest.raises(mg.DataError, match=message):
        MissingReport.of(Patterns.of(X), names, mean, factor)
