"""Tests of means and covariances: what they reduce to, what they do not see, and R's numbers."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mvngrad as mg
from commandline import PENGUINS

NAN = np.nan


def log_det(S):
    return np.linalg.slogdet(S)[1]


@pytest.fixture(name="groups")
def three_groups(rng):
    root = rng.normal(size=(3, 3))
    return [rng.normal(size=(n, 3)) @ root + rng.normal(size=3) for n in (20, 30, 25)]


@pytest.fixture(name="holed")
def with_holes(groups, rng):
    return [np.where(rng.random(X.shape) < 0.15, NAN, X) for X in groups]


TESTS = {
    "means": mg.equal_means,
    "covariances": mg.equal_covariances,
    "independence": lambda *groups, **options: mg.independence(groups[0], **options),
    "sphericity": lambda *groups, **options: mg.sphericity(groups[0], **options),
}


# What they reduce to


def test_one_column_is_the_analysis_of_variance(groups):
    one = [X[:, 0] for X in groups]
    test, expected = mg.equal_means(*(x[:, None] for x in one)), stats.f_oneway(*one)
    assert test.exact
    assert (test.f_statistic, test.f_pvalue) == pytest.approx(tuple(expected), rel=1e-9)
    assert test.f_df == (2, 72)


def test_two_groups_are_hotellings(groups):
    a, b, _ = groups
    S = (19 * np.cov(a.T) + 29 * np.cov(b.T)) / 48
    shift = a.mean(axis=0) - b.mean(axis=0)
    T2 = 20 * 30 / 50 * shift @ np.linalg.solve(S, shift)
    test = mg.equal_means(a, b)
    assert test.exact
    assert test.f_df == (3, 46)
    assert test.f_statistic == pytest.approx(T2 * 46 / (48 * 3), rel=1e-9)


def test_means_are_the_ratio_of_two_fits(groups):
    X = np.vstack(groups)
    Z = np.repeat(np.eye(3), [20, 30, 25], axis=0)
    gain = mg.fit(X, mean=mg.Linear(Z)).loglik - mg.fit(X).loglik
    test = mg.equal_means(*groups, correction="none")
    assert (test.statistic, test.df) == (pytest.approx(2 * gain, rel=1e-9), 6)
    assert test.wilks == pytest.approx(np.exp(-2 * gain / 75), rel=1e-9)


def test_one_column_of_variances_is_bartletts(groups):
    one = [X[:, 0] for X in groups]
    nu = np.array([19, 29, 24])
    c = ((1 / nu).sum() - 1 / nu.sum()) / 6  # Bartlett divides by 1 + c, Box multiplies by 1 − c
    test = mg.equal_covariances(*(x[:, None] for x in one))
    assert test.statistic == pytest.approx(stats.bartlett(*one).statistic * (1 - c**2), rel=1e-9)


def test_two_blocks_of_one_are_a_correlation(rng):
    X = rng.normal(size=(40, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    r = np.corrcoef(X.T)[0, 1]
    test = mg.independence(X, correction="none")
    assert (test.statistic, test.df) == (pytest.approx(-40 * np.log1p(-(r**2)), rel=1e-9), 1)


def test_plain_ratios_are_those_of_fits(groups):
    X = groups[0]
    full = mg.fit(X)
    for test, covariance in ((mg.independence, "diagonal"), (mg.sphericity, "spherical")):
        table = mg.compare(mg.fit(X, covariance), full)
        found = test(X, correction="none")
        assert (found.statistic, found.df) == (pytest.approx(table.statistic), table.df)
        assert found.pvalue == pytest.approx(table.pvalue)


# What they do not see


@pytest.mark.parametrize("name", ["means", "covariances", "independence"])
@pytest.mark.parametrize("kind", ["groups", "holed"])
def test_units_do_not_matter(name, kind, request):
    given = request.getfixturevalue(kind)
    units = np.array([1e-4, 1.0, 1e5])
    a = TESTS[name](*given)
    b = TESTS[name](*(X * units + [1.0, 0.0, 1e5] for X in given))
    assert b.statistic == pytest.approx(a.statistic, rel=1e-6)


@pytest.mark.parametrize("name", ["means", "covariances"])
def test_combinations_of_columns_do_not_matter(name, groups, rng):
    T = rng.normal(size=(3, 3)) + 2.0 * np.eye(3)
    a, b = TESTS[name](*groups), TESTS[name](*(X @ T for X in groups))
    assert b.statistic == pytest.approx(a.statistic, rel=1e-8)


def test_sphericity_does_not_see_rotations(groups, rng):
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    a, b = mg.sphericity(groups[0]), mg.sphericity(3.0 * groups[0] @ Q + 7.0)
    assert b.statistic == pytest.approx(a.statistic, rel=1e-9)


@pytest.mark.parametrize("name", TESTS)
def test_rows_moments_and_dataframes_are_one(name, groups):
    frames = [pd.DataFrame(X, columns=list("abc")) for X in groups]
    found = TESTS[name](*groups)
    assert TESTS[name](*frames) == found
    moments = TESTS[name](*map(mg.Moments.of, groups))
    assert moments.statistic == pytest.approx(found.statistic, rel=1e-12)


@pytest.mark.parametrize("name", TESTS)
def test_groups_come_in_any_order(name, groups):
    if name in {"means", "covariances"}:
        a, b = TESTS[name](*groups), TESTS[name](*groups[::-1])
        assert b.statistic == pytest.approx(a.statistic, rel=1e-9)


def test_frames_do_not_matter(groups):
    full = [mg.Moments.of(X, None, "full") for X in groups]
    for name, test in TESTS.items():
        assert test(*full).statistic == pytest.approx(test(*groups).statistic, rel=1e-9), name


def test_nothing_apart_is_nothing():
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert mg.sphericity(X).statistic == pytest.approx(0.0, abs=1e-12)
    assert mg.independence(X).statistic == pytest.approx(0.0, abs=1e-12)
    assert mg.equal_means(X, X, X).pvalue == pytest.approx(1.0)
    assert mg.equal_covariances(X, X + 3.0).pvalue == pytest.approx(1.0)


# Holes


def test_holes_are_ratios_of_fits(holed):
    X, a = np.vstack(holed), holed[0]
    Z = np.repeat(np.eye(3), [20, 30, 25], axis=0)
    one, each = mg.fit(X, mean=mg.Linear(Z)), [mg.fit(rows) for rows in holed]
    separate = sum(fit.loglik for fit in each)
    free = mg.fit(a).loglik
    blocks = mg.fit(a[:, :2]).loglik + mg.fit(a[:, 2:]).loglik
    for test, gain, df in (
        (mg.equal_means(*holed), one.loglik - mg.fit(X).loglik, 6),
        (mg.equal_covariances(*holed), separate - one.loglik, 12),
        (mg.independence(a, [[0, 1], [2]]), free - blocks, 2),
        (mg.sphericity(a), free - mg.fit(a, "spherical").loglik, 5),
    ):
        assert (test.statistic, test.df) == (pytest.approx(2 * gain, rel=1e-9), df)
        assert test.pvalue == pytest.approx(stats.chi2(df).sf(2 * gain), rel=1e-6)
    assert np.isnan(mg.equal_means(*holed).f_statistic)


def test_independence_by_names(holed):
    frame = pd.DataFrame(holed[0], columns=list("abc"))
    by_name = mg.independence(frame, [["a", "b"], ["c"]])
    assert by_name == mg.independence(holed[0], [[0, 1], [-1]])


# The mean of X² over samples under the null, which the correction brings to df: within 4 s.e.


@pytest.mark.parametrize("name", TESTS)
def test_the_correction_brings_the_mean_to_that_of_chi_square(name):
    rng, plain, corrected = np.random.default_rng(7), [], []
    for _ in range(1500):
        groups = [mg.Moments.of(rng.normal(size=(n, 4))) for n in (15, 20)]
        plain.append(TESTS[name](*groups, correction="none"))
        corrected.append(TESTS[name](*groups))
    df = plain[0].df
    error = np.sqrt(2 * df / 1500)
    assert abs(np.mean([test.statistic for test in corrected]) - df) < 4 * error
    assert np.mean([test.statistic for test in plain]) > df + 6 * error


# R 4: manova, bartlett.test and mauchly.test of 342 penguins of three species


def penguins():
    with PENGUINS.open() as file:
        lines = list(csv.DictReader(file))
    names = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    kinds = sorted({line["species"] for line in lines})
    whole = [line for line in lines if line[names[0]] not in {"", "NA"}]
    return [
        np.array([[float(line[n]) for n in names] for line in whole if line["species"] == kind])
        for kind in kinds
    ]


def test_as_r_says():
    groups = penguins()
    test = mg.equal_means(*groups)
    assert test.wilks == pytest.approx(0.018785430461, rel=1e-9)
    assert test.f_statistic == pytest.approx(528.87049012, rel=1e-9)
    assert test.f_df == (8, 672)
    assert test.f_pvalue == pytest.approx(4.16010718756e-284, rel=1e-6)
    Y = np.vstack(groups) / [1.0, 1.0, 10.0, 100.0]
    W = np.exp(-mg.sphericity(Y).statistic / (341 - (2 * 16 + 4 + 2) / 24))
    assert pytest.approx(0.00319029345709, rel=1e-9) == W
    nu = np.array([len(X) - 1 for X in groups])
    c = ((1 / nu).sum() - 1 / nu.sum()) / 6
    lengths = mg.equal_covariances(*(X[:, :1] for X in groups))
    assert lengths.statistic == pytest.approx(5.61785346777 * (1 - c**2), rel=1e-9)


# What cannot be tested


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (mg.equal_means, "two groups or more are to be compared; got 1"),
        (lambda X: mg.equal_means(X, X[:, :2]), "the same columns in one order; got x1, x2, x3"),
        (lambda X: mg.equal_means(X, X, correction="box"), "must be 'bartlett' or 'none'"),
        (lambda X: mg.independence(X, [[0, 1]]), "every column must be in one block"),
        (lambda X: mg.independence(X, [[0, 1], [1, 2]]), "every column must be in one block"),
        (lambda X: mg.independence(X, [[0, 1, 2]]), "two blocks of columns or more; got one"),
        (lambda X: mg.independence(X, [[0, 1], ["c"]]), "there is no column 'c'"),
        (lambda X: mg.independence(X[:, :1]), "two blocks of columns or more; got one"),
        (lambda X: mg.sphericity(X[:, :1]), "one column is spherical"),
        (lambda X: mg.equal_covariances(X, X[:1]), "more than one row"),
        (
            lambda X: mg.equal_means(mg.Moments.of(X), np.where(X > 1.0, NAN, X)),
            "rows of all groups are needed",
        ),
        (
            lambda X: mg.equal_means(X, mg.Moments.from_covariance(np.eye(3), 20)),
            "without their mean",
        ),
    ],
)
def test_what_is_refused(groups, call, words):
    with pytest.raises(mg.DataError, match=words):
        call(groups[0])


def test_too_few_rows(groups):
    with pytest.raises(mg.NotPositiveDefiniteError, match="3 rows of 3 columns"):
        mg.equal_covariances(groups[0], groups[1][:3])
