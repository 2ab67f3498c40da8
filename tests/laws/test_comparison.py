"""Fits side by side: criteria, likelihood ratios, and what cannot be compared."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from golden.fit_schema1 import COLUMNS, PATH, ROWS, WEIGHTS

NAN = np.nan
LEVEL = np.ones((4, 1))


@pytest.fixture(name="X")
def rows(rng):
    return rng.normal(size=(80, 1)) + rng.normal(size=(80, 4))


@pytest.fixture
def holed(X, rng):
    return np.where(rng.random(X.shape) < 0.15, NAN, X)


# What the table says


@pytest.mark.parametrize("kind", ["X", "holed"])
def test_criteria_are_those_of_the_fits(kind, request):
    rows = request.getfixturevalue(kind)
    fits = [mg.fit(rows, name) for name in ("spherical", "diagonal", "full")]
    table = mg.compare(*fits)
    for row, fit in zip(table.rows, fits, strict=True):
        p, n = fit.n_params, fit.weight
        assert (row.loglik, row.n_params, row.aic, row.bic) == (fit.loglik, p, fit.aic, fit.bic)
        assert row.aicc == pytest.approx(fit.aic + 2 * p * (p + 1) / (n - p - 1), rel=1e-14)
    aic = np.array([fit.aic for fit in fits])
    assert [row.delta for row in table.rows] == pytest.approx(aic - aic.min())
    weights = np.array([row.akaike_weight for row in table.rows])
    assert weights.sum() == pytest.approx(1.0)
    assert np.log(weights[0] / weights[1]) == pytest.approx(0.5 * (aic[1] - aic[0]))


def test_order_is_as_given_and_tests_are_by_size(X):
    fits = [mg.fit(X, name) for name in ("full", "spherical", "diagonal")]
    table = mg.compare(*fits, names=["c", "a", "b"])
    assert [row.name for row in table.rows] == ["c", "a", "b"]
    assert [(test.small, test.big) for test in table.tests] == [("a", "b"), ("b", "c")]
    assert table.df.tolist() == [3, 6]
    alone = mg.compare(fits[1], fits[2])
    assert table.statistic[0] == alone.statistic
    assert table.pvalue.shape == (2,)


def test_the_ratio_of_complete_data_is_that_of_determinants(X):
    table = mg.compare(mg.fit(X), mg.fit(X, "diagonal"))
    expected = -80 * np.linalg.slogdet(np.corrcoef(X.T))[1]
    assert table.statistic == pytest.approx(expected, rel=1e-9)
    assert table.df == 6
    assert table.pvalue == pytest.approx(stats.chi2(6).sf(expected), rel=1e-7)
    assert table.warnings == ()


def test_the_ratio_against_full_is_that_of_goodness(holed):
    small = mg.fit(holed, "compound-symmetry")
    table, test = mg.compare(small, mg.fit(holed)), small.goodness()
    assert table.statistic == pytest.approx(test.statistic, rel=1e-9)
    assert (table.df, table.pvalue) == (test.df, pytest.approx(test.pvalue, rel=1e-6))


def test_means_are_compared_too(X):
    known, free = mg.fit(X, mean=np.zeros(4)), mg.fit(X)
    m, S = X.mean(axis=0), np.cov(X.T, ddof=0)
    hotelling = 80 * np.log1p(m @ np.linalg.solve(S, m))
    table = mg.compare(known, free, names=["known", "free"])
    assert (table.statistic, table.df) == (pytest.approx(hotelling, rel=1e-9), 4)
    assert table.warnings == ()


def test_designs_within_one_another(X, rng):
    Z = np.column_stack([np.ones(80), rng.normal(size=80)])
    small = mg.fit(X, mean=mg.Linear(Z[:, :1], ["one"]))
    big = mg.fit(X, mean=mg.Linear(Z, ["one", "z"]))
    table = mg.compare(small, big)
    assert (table.df, table.warnings) == (4, ())
    assert [row.name for row in table.rows] == ["full (1)", "full (2)"]
    free = mg.compare(mg.fit(X), big)
    assert free.statistic == pytest.approx(table.statistic, rel=1e-9)
    assert "on trust" in free.warnings[0]


# Where χ² does not hold


def test_a_single_variance_of_zero_is_half_a_chi_square(X):
    mixed = mg.RandomEffects(LEVEL) + mg.Spherical()
    table = mg.compare(mg.fit(X, "spherical"), mg.fit(X, mixed))
    assert table.df == 1
    assert table.pvalue == pytest.approx(0.5 * stats.chi2(1).sf(table.statistic), rel=1e-9)
    assert "½ χ²(0) + ½ χ²(1)" in table.warnings[0]
    assert "(½)" in str(table)


def test_a_variance_estimated_at_zero_has_p_one():
    X = np.random.default_rng(5).normal(size=(60, 4))
    X -= 0.5 * X.mean(axis=1, keepdims=True)  # less of a level than by chance
    table = mg.compare(mg.fit(X, "spherical"), mg.fit(X, mg.RandomEffects(LEVEL) + mg.Spherical()))
    assert table.statistic == pytest.approx(0.0, abs=1e-6)
    assert table.pvalue == 1.0


def test_half_of_the_ratios_are_zero_if_the_variance_is():
    rng, zeros, few = np.random.default_rng(1), 0, 100
    for _ in range(few):
        X = rng.normal(size=(50, 4))
        # Without an effect the ratio is 0 where the columns' mean correlation is not positive,
        # and where it is the ratio is that of compound symmetry: the closed form of both.
        small, big = mg.fit(X, "spherical"), mg.fit(X, "compound-symmetry")
        zeros += big.covariance[0, 1] <= 0.0
        if zeros < 3:
            mixed = mg.fit(X, mg.RandomEffects(LEVEL) + mg.Spherical())
            highest = small if big.covariance[0, 1] <= 0.0 else big
            assert mixed.loglik == pytest.approx(highest.loglik, abs=1e-6)
    assert abs(zeros - few / 2) < 4 * np.sqrt(few / 4)


@pytest.mark.parametrize(
    ("small", "big", "words"),
    [
        (mg.FactorAnalytic(0), mg.FactorAnalytic(1), "p too small"),
        (mg.Diagonal(), mg.FactorAnalytic(1), "p too small"),
        (mg.Spherical(), mg.RandomEffects(np.eye(4)[:, :2]) + mg.Spherical(), "p too large"),
    ],
)
def test_boundaries_are_said(X, small, big, words):
    table = mg.compare(mg.fit(X, small), mg.fit(X, big))
    assert "on the boundary" in table.warnings[0]
    assert words in table.warnings[0]
    assert table.pvalue == pytest.approx(stats.chi2(table.df).sf(table.statistic))


def test_one_factor_too_many_has_a_larger_ratio_than_chi_square():
    """The mean over 60 samples of independent columns, beyond 3 s.e. above df."""
    rng, ratios = np.random.default_rng(2), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)  # Heywood cases, by chance
        for _ in range(60):
            data = mg.Moments.of(rng.normal(size=(300, 6)))
            small, big = mg.fit(data, "diagonal"), mg.fit(data, "factor:1")
            ratios.append(mg.compare(small, big).statistic)
    assert np.mean(ratios) > 6 + 3 * np.sqrt(2 * 6 / 60)


def test_heywood_cases_are_said():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)
        fits = [mg.fit(X, mg.FactorAnalytic(1)), mg.fit(X)]
    assert fits[0].heywood
    assert any("edge of its family" in text for text in mg.compare(*fits).warnings)


# What is no test


def test_as_many_parameters_have_no_ratio(X):
    table = mg.compare(mg.fit(X, "ar1"), mg.fit(X, "compound-symmetry"))
    assert np.isnan([table.statistic, table.pvalue]).all()
    assert table.df == 0
    assert "none is a case of the other" in table.tests[0].reason
    assert "No test: ar1 and compound-symmetry have 6 parameters each" in str(table)


def test_what_is_not_known_to_be_nested_is_taken_on_trust(X):
    table = mg.compare(mg.fit(X, "compound-symmetry"), mg.fit(X, mg.FactorAnalytic(1)))
    assert "compound-symmetry is a case of factor:1 is taken on trust" in table.warnings[0]


def test_less_likely_and_larger_is_not_nested(X):
    table = mg.compare(mg.fit(X, "compound-symmetry"), mg.fit(X, "banded:1"))
    assert np.isnan(table.pvalue)
    assert "not nested" in table.tests[0].reason


def test_less_likely_although_nested_is_an_error(X):
    small, big = mg.fit(X, "diagonal"), mg.fit(X)
    wrong = dataclasses.replace(big, nll=small.nll + 1.0)
    with pytest.raises(mg.DataError, match=r"full .* less likely .*n_starts"):
        mg.compare(small, wrong)
    barely = dataclasses.replace(big, nll=small.nll * (1.0 + 1e-12))
    assert mg.compare(small, barely).statistic == 0.0


# What cannot be compared


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: mg.fit(X[:-1]), "the number of rows: 80 and 79"),
        (lambda X: mg.fit(2.0 * X), "the variance of x1, x2, x3 and 1 more"),
        (lambda X: mg.fit(X, weights=np.full(80, 2.0)), "the total weight: 80 and 160"),
        (lambda X: mg.fit(X[:, :3]), "their columns: x1, x2, x3, x4 and x1, x2, x3"),
        (lambda X: mg.fit(X, prior=mg.InverseWishart(shrinkage=0.1)), "Fit without the prior"),
        (lambda X: X, "takes fits"),
    ],
)
def test_what_is_refused(X, change, words):
    with pytest.raises(mg.DataError, match=words):
        mg.compare(mg.fit(X, "diagonal"), change(X))


def test_rows_dropped_are_other_data(holed):
    with pytest.raises(mg.DataError, match="with the same missing"):
        mg.compare(mg.fit(holed), mg.fit(holed, "diagonal", missing="drop"))


def test_names_and_numbers_of_fits(X):
    fit = mg.fit(X)
    with pytest.raises(mg.DataError, match="two fits or more; got 1"):
        mg.compare(fit)
    with pytest.raises(mg.DataError, match="1 names were given for 2 fits"):
        mg.compare(fit, fit, names=["a"])
    with pytest.raises(mg.DataError, match="two fits are named 'a'"):
        mg.compare(fit, fit, names=["a", "a"])


def test_sampling_weights_have_no_likelihood(X):
    fit = mg.fit(X, "diagonal")
    object.__setattr__(fit, "weights_kind", "sampling")
    with pytest.raises(mg.DataError, match="no likelihood"):
        mg.compare(fit, mg.fit(X))


def test_a_fit_that_has_not_converged_is_named(X):
    with pytest.warns(mg.ConvergenceWarning):
        fit = mg.fit(X, "ar1", max_iter=1, method="gradient-descent")
    with pytest.warns(mg.ConvergenceWarning, match="ar1 has not converged"):
        table = mg.compare(fit, mg.fit(X))
    assert "ar1 has not converged" in table.warnings[0]


# Files


def test_files_are_compared_as_fits_are(holed, tmp_path):
    fits = [mg.fit(holed, "diagonal"), mg.fit(holed)]
    for k, fit in enumerate(fits):
        fit.save(tmp_path / f"{k}.safetensors")
    kept = [mg.load(tmp_path / f"{k}.safetensors") for k in range(2)]
    assert mg.compare(*kept).rows == mg.compare(*fits).rows
    assert mg.compare(kept[0], fits[1]).statistic == mg.compare(*fits).statistic
    with pytest.raises(mg.DataError, match="different data"):
        mg.compare(kept[0], mg.fit(holed + 1.0))


def test_files_of_old_cannot_tell_their_data():
    old = mg.load(PATH)
    new = mg.fit(ROWS, "diagonal", weights=WEIGHTS, columns=COLUMNS)
    with pytest.warns(mg.DataWarning, match="cannot be checked"):
        table = mg.compare(new, old)
    assert "taken on trust" in table.warnings[0]
    assert table.df == 3
    other = mg.fit(ROWS, "diagonal", columns=COLUMNS)
    with pytest.raises(mg.DataError, match="the total weight"):
        mg.compare(other, old)


# As text, dataframe and HTML


def test_renderings(X):
    table = mg.compare(mg.fit(X, "diagonal"), mg.fit(X), names=["<a>", "b"])
    frame = table.to_frame()
    assert list(frame.index) == ["<a>", "b"]
    assert frame.loc["b", "aic"] == table.rows[1].aic
    assert "Likelihood ratios" in str(table)
    assert "<a> in b" in str(table)
    html = table._repr_html_()
    assert html.count("<tr>") == 1 + 3 + 2
    assert "&lt;a&gt;" in html
    assert "<a>" not in html
    assert repr(table) == "<Comparison of 2 fits: b has the smallest AIC>"
