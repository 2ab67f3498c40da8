"""Rubin's rules against hand numbers and their laws; imputations under drawn parameters."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from mvngrad.inference.pooling import pool
from mvngrad.inference.proper import draw_parameters, impute_properly

NAN = np.nan

# Rubin's rules


def test_by_hand():
    """Q = 1, 2, 3 and U = ½: B = 1, T = ½ + 4/3 = 11/6, λ = 8/11, ν = 2·(11/8)² = 121/32."""
    pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    assert pooled.estimate == 2.0
    assert np.isclose(pooled.variance, 11 / 6, rtol=1e-15)
    assert (pooled.within, pooled.between) == (0.5, 1.0)
    assert np.isclose(pooled.df, 121 / 32, rtol=1e-15)
    assert np.isclose(pooled.relative_increase, 8 / 3, rtol=1e-15)
    fraction = (8 / 3 + 2 / (121 / 32 + 3)) / (8 / 3 + 1)
    assert np.isclose(pooled.fraction_missing, fraction, rtol=1e-14)
    assert np.isclose(pooled.standard_error, np.sqrt(11 / 6), rtol=1e-15)


def test_small_samples_by_hand():
    """With ν₀ = 10: ν̂ = (3/11)·10·11/13 = 30/13, 1/ν = 32/121 + 13/30."""
    pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], df_complete=10)
    assert np.isclose(pooled.df, 1.0 / (32 / 121 + 13 / 30), rtol=1e-14)


def test_intervals_are_students():
    pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    theirs = stats.t(121 / 32, 2.0, np.sqrt(11 / 6)).interval(0.9)
    assert np.allclose(pooled.conf_int(0.9), theirs, rtol=1e-9)


def test_data_sets_that_agree_have_nothing_missing():
    pooled = pool([[1.0, 5.0]] * 4, [[2.0, 0.0]] * 4)
    assert np.array_equal(pooled.variance, [2.0, 0.0])
    assert np.isinf(pooled.df).all()
    assert np.array_equal(pooled.fraction_missing, [0.0, 0.0])
    assert np.array_equal(pooled.relative_increase, [0.0, 0.0])
    half = stats.norm.ppf(0.975) * np.sqrt(2.0)
    assert np.allclose(pooled.conf_int(), [[1.0 - half, 1.0 + half], [5.0, 5.0]])


def test_complete_data_keep_their_small_sample_degrees_of_freedom():
    pooled = pool([1.0, 1.0], [2.0, 2.0], df_complete=20)
    assert np.isclose(pooled.df, 20 * 21 / 23)
    assert pooled.fraction_missing == 0.0


def test_all_variance_between():
    pooled = pool([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    assert pooled.df == 2.0
    assert pooled.fraction_missing == 1.0
    assert np.isinf(pooled.relative_increase)


@pytest.fixture(name="drawn")
def estimates(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(6, 3, 2)), rng.uniform(0.5, 2.0, size=(6, 3, 2))


def test_every_entry_is_pooled_on_its_own(drawn):
    Q, U = drawn
    pooled, one = pool(Q, U), pool(Q[:, 2, 1], U[:, 2, 1])
    assert pooled.conf_int().shape == (3, 2, 2)
    for name in ("estimate", "variance", "df", "fraction_missing", "standard_error"):
        assert getattr(pooled, name).shape == (3, 2)
        assert np.isclose(getattr(pooled, name)[2, 1], getattr(one, name), rtol=1e-12)


def test_shift_scale_and_order(drawn, rng):
    Q, U = drawn
    pooled, moved = pool(Q, U, 30), pool(5.0 - 100.0 * Q, 1e4 * U, 30)
    assert np.allclose(moved.estimate, 5.0 - 100.0 * pooled.estimate)
    assert np.allclose(moved.variance, 1e4 * pooled.variance)
    assert np.allclose(moved.df, pooled.df)
    assert np.allclose(moved.fraction_missing, pooled.fraction_missing)
    order = rng.permutation(len(Q))
    assert np.allclose(pool(Q[order], U[order], 30).conf_int(), pooled.conf_int())


def test_degrees_of_freedom_never_exceed_those_of_complete_data(drawn):
    for complete in (3.0, 30.0, 3000.0):
        df = pool(*drawn, complete).df
        assert (df < complete).all()
        assert (df <= pool(*drawn).df).all()
    assert np.allclose(pool(*drawn, 1e12).df, pool(*drawn).df)


def test_unknown_variances_leave_unknown_errors():
    pooled = pool([[1.0, 2.0], [2.0, 2.0]], [[NAN, 1.0], [1.0, 1.0]])
    assert np.array_equal(np.isnan(pooled.standard_error), [True, False])
    assert np.array_equal(np.isnan(pooled.conf_int()[:, 0]), [True, False])
    assert np.array_equal(pooled.estimate, [1.5, 2.0])


@pytest.mark.parametrize(
    ("estimates", "variances", "message"),
    [
        ([1.0], [1.0], "two or more"),
        (1.0, 1.0, "two or more"),
        ([1.0, 2.0], [1.0], "shape of the estimates"),
        ([1.0, NAN], [1.0, 1.0], r"estimates must be finite; got nan at index \(1,\)"),
        ([1.0, 2.0], [1.0, -1.0], "variances must be 0 or more"),
        ([1.0, 2.0], [1.0, np.inf], "variances must be 0 or more"),
        (["a", "b"], [1.0, 1.0], "real numbers"),
    ],
)
def test_what_cannot_be_pooled(estimates, variances, message):
    with pytest.raises(mg.DataError, match=message):
        pool(estimates, variances)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -1.0, NAN, "high"])
def test_levels_that_are_none(level):
    with pytest.raises(mg.DataError, match="level must be"):
        pool([1.0, 2.0], [1.0, 1.0]).conf_int(level)


@pytest.mark.parametrize("df", [0, -1.0, NAN, "many"])
def test_degrees_of_freedom_that_are_none(df):
    with pytest.raises(mg.DataError, match="df_complete must be"):
        pool([1.0, 2.0], [1.0, 1.0], df)


# Imputation under drawn parameters


def moments(rows: np.ndarray, weights: np.ndarray) -> mg.MultivariateNormal:
    """The fit of the complete rows."""
    whole = ~np.isnan(rows).any(axis=1)
    data = mg.Moments.of(rows[whole], weights[whole])
    return mg.MultivariateNormal(data.mean, np.linalg.cholesky(data.cov))


@pytest.fixture(name="X")
def rows_with_holes(rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(80, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    X[rng.random(80) < 0.4, 1] = NAN
    X[5] = NAN
    X.flags.writeable = False
    return X


def test_observed_entries_stay_and_holes_are_filled(X):
    drawn = impute_properly(X, 3, 0, moments)
    assert drawn.shape == (3, *X.shape)
    assert np.isfinite(drawn).all()
    there = ~np.isnan(X)
    assert all(np.array_equal(data[there], X[there]) for data in drawn)
    assert np.array_equal(drawn, impute_properly(X, 3, np.random.default_rng(0), moments))


def test_new_rows_are_filled_from_the_rows_of_the_fit(X):
    assert impute_properly([1.0, NAN], 4, 0, moments, rows=X).shape == (4, 2)
    assert impute_properly([[1.0, NAN]] * 3, 4, 0, moments, rows=X).shape == (4, 3, 2)


def test_samples_are_multinomial_and_leave_empty_rows_out(X, rng):
    seen = []
    w = rng.integers(0, 3, len(X)).astype(float)

    def refit(rows, weights):
        seen.append((rows, weights))
        return moments(rows, weights)

    list(islice(draw_parameters(X, np.random.default_rng(0), refit, weights=w), 5))
    total = w[~np.isnan(X).all(axis=1)].sum()
    for rows, weights in seen:
        assert weights.sum() == total
        assert (weights >= 1.0).all()
        assert not np.isnan(rows).all(axis=1).any()
        assert len(np.unique(rows, axis=0)) == len(rows)


def test_drawn_parameters_spread_as_estimates_do():
    """The variance of bootstrap means is that of a mean, S/n."""
    rng, n = np.random.default_rng(1), 60
    X = rng.normal(size=(n, 2))
    means = [N.mean for N in islice(draw_parameters(X, rng, moments), 400)]
    ratio = np.var(means, axis=0) / (X.var(axis=0) / n)
    assert (stats.chi2(399).cdf(399 * ratio) > 1e-5).all()
    assert (stats.chi2(399).sf(399 * ratio) > 1e-5).all()


def test_proper_draws_vary_more_than_draws_at_the_estimate(X):
    """The mean of the imputed column differs between data sets by what μ and S are unknown, too."""
    N = moments(X, np.ones(len(X)))
    at_estimate = N.impute(X, draws=150, rng=0)[:, :, 1].mean(axis=1).var()
    proper = impute_properly(X, 150, 0, moments)[:, :, 1].mean(axis=1).var()
    assert proper > 1.2 * at_estimate


def test_a_sample_that_cannot_be_fitted_is_replaced(X):
    tries = []

    def refit(rows, weights):
        tries.append(rows)
        if len(tries) % 2:
            raise mg.NotPositiveDefiniteError("a column is constant")
        return moments(rows, weights)

    assert np.isfinite(impute_properly(X, 3, 0, refit)).all()
    assert len(tries) == 6


def test_data_that_cannot_be_fitted_are_said_to_be(X):
    def refit(rows, weights):
        raise mg.DataError("no such structure")

    with pytest.raises(mg.DataError, match="no such structure"):
        impute_properly(X, 3, 0, refit)


def test_rows_with_nothing_observed_are_no_data():
    with pytest.raises(mg.DataError, match="no row has something observed"):
        impute_properly(np.full((3, 2), NAN), 2, 0, moments)


@pytest.mark.parametrize("draws", [0, None, 2.0, True])
def test_draws_are_a_positive_whole_number(X, draws):
    with pytest.raises(mg.DataError, match="draws must be a whole number"):
        impute_properly(X, draws, 0, moments)
