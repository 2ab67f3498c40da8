"""Choosing the number of factors: the noise of parallel analysis, and criteria over fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

import mvngrad as mg
from mvngrad.fitting.parallel import correlation_eigenvalues, leading, noise_eigenvalues

NAN = np.nan


def rows_with_factors(n, d, k, rng, noise=0.6):
    """d columns, d/k to each of k factors."""
    Lambda = np.zeros((d, k))
    Lambda[np.arange(d), np.arange(d) % k] = 0.8
    return rng.normal(size=(n, k)) @ Lambda.T + noise * rng.normal(size=(n, d))


def principal_components(data, k, **options):
    """S = W Wᵀ + σ²I at its maximum, in closed form: a stand-in for factor models.

    W = U_k(E_k − σ²I)^½, σ² the mean of the other eigenvalues (Tipping & Bishop 1999, eq. 7).
    """
    d = data.d
    values, vectors = np.linalg.eigh(data.cov)
    values, vectors = values[::-1], vectors[:, ::-1]
    values = np.append(values[:k], np.full(d - k, values[k:].mean()))
    factor = vectors * np.sqrt(values)
    fitted = mg.fit(data, "spherical", **options)
    nll = mg.nll(data, data.mean, factor)
    n_params = d + d * k - k * (k - 1) // 2 + 1
    return replace(fitted, factor=factor, nll=nll, n_params=n_params)


def independent(data, k, **options):
    """No factors at all, as k = 0 is."""
    assert k == 0
    return mg.fit(data, "diagonal", **options)


# The noise


@pytest.mark.parametrize(("n", "d"), [(12, 4), (40, 6), (5, 8)])
def test_noise_is_that_of_rows(n, d):
    """Each eigenvalue, drawn by its scatter and by rows: Kolmogorov and Smirnov see one law."""
    rng = np.random.default_rng([n, d])
    drawn = noise_eigenvalues(n, d, 2000, rng)
    rows = [np.corrcoef(rng.normal(size=(n, d)).T) for _ in range(2000)]
    brute = np.linalg.eigvalsh(rows)[:, ::-1]
    for j in range(min(d, n - 1)):
        assert stats.ks_2samp(drawn[:, j], brute[:, j]).pvalue > 1e-4
    assert np.allclose(drawn[:, n - 1 :], 0.0, atol=1e-12)


def test_eigenvalues_sum_to_the_number_of_columns(rng):
    drawn = noise_eigenvalues(20.5, 7, 50, rng)
    assert np.allclose(drawn.sum(axis=1), 7.0)
    assert (np.diff(drawn, axis=1) <= 0.0).all()
    X = rng.normal(size=(30, 7)) * 10.0 ** np.arange(-3.0, 4.0)
    observed = correlation_eigenvalues(mg.Moments.of(X))
    assert np.allclose(observed, np.linalg.eigvalsh(np.corrcoef(X.T))[::-1])
    full = correlation_eigenvalues(mg.Moments.of(X, frame="full"))
    assert np.allclose(observed, full)


def test_bits_do_not_depend_on_threads():
    drawn = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            drawn.append(noise_eigenvalues(400, 150, 2, np.random.default_rng(0)))
    assert np.array_equal(*drawn)


def test_the_largest_follows_marchenko_and_pastur():
    """(1 + √(d/n))² in the limit."""
    largest = noise_eigenvalues(2000, 200, 5, np.random.default_rng(0))[:, 0]
    assert largest.mean() == pytest.approx((1.0 + np.sqrt(0.1)) ** 2, rel=0.02)


def test_leading_stops_at_the_first_that_does_not_exceed():
    assert leading(np.array([3.0, 1.0, 0.9]), np.array([2.0, 1.1, 0.5])) == 1
    assert leading(np.array([1.0, 1.0]), np.array([1.1, 0.9])) == 0
    assert leading(np.array([2.0, 1.0]), np.array([1.0, 0.5])) == 2


# Parallel analysis


@pytest.mark.parametrize("k", [1, 2, 3])
def test_parallel_analysis_finds_the_factors(k, rng):
    X = rows_with_factors(300, 12, k, rng)
    chosen = mg.select_rank(X, criterion="parallel", rng=0)
    assert chosen.rank == k
    assert chosen.table == ()
    assert (chosen.observed[:k] > chosen.reference[:k]).all()
    assert chosen.observed[k] <= chosen.reference[k]


def test_parallel_analysis_of_noise_errs_as_often_as_the_quantile_says():
    rng = np.random.default_rng(1)
    wrong = sum(
        mg.select_rank(rng.normal(size=(50, 6)), criterion="parallel", rng=rng).rank > 0
        for _ in range(200)
    )
    assert 1 <= wrong <= 25  # 10 expected, and the reference itself is of 100 draws


def test_moments_are_enough_and_units_do_not_matter(rng):
    X = rows_with_factors(100, 6, 2, rng)
    one = mg.select_rank(X, criterion="parallel", rng=5)
    two = mg.select_rank(mg.Moments.of(1e3 * X - 7.0), criterion="parallel", rng=5)
    assert one.rank == two.rank
    assert np.allclose(one.observed, two.observed)
    assert np.array_equal(one.reference, two.reference)
    weighted = mg.select_rank(X, criterion="parallel", rng=5, weights=np.full(100, 1.0))
    assert np.array_equal(weighted.reference, one.reference)


def test_a_higher_quantile_asks_for_more(rng):
    X = rows_with_factors(60, 6, 2, rng)
    low, high = (mg.select_rank(X, None, "parallel", quantile=q, rng=5) for q in (0.5, 0.99))
    assert (high.reference >= low.reference).all()
    assert high.rank <= low.rank
    assert mg.select_rank(X, 1, "parallel", rng=5).rank == 1


def test_parallel_analysis_and_holes(rng):
    X = rows_with_factors(200, 6, 2, rng)
    X[::9, 1] = NAN
    with pytest.raises(mg.MissingValuesError, match="missing='drop', or choose by"):
        mg.select_rank(X, criterion="parallel")
    kept = mg.select_rank(X, criterion="parallel", missing="drop", rng=0)
    there = ~np.isnan(X).any(axis=1)
    same = mg.select_rank(X[there], criterion="parallel", rng=0)
    assert np.array_equal(kept.observed, same.observed)
    assert np.array_equal(kept.reference, same.reference)


# Criteria


@pytest.mark.parametrize("criterion", ["bic", "aic"])
def test_the_rank_is_where_the_criterion_is_smallest(criterion, rng):
    X = rows_with_factors(400, 9, 2, rng)
    chosen = mg.select_rank(X, 5, criterion, fit_rank=principal_components)
    values = [getattr(row, criterion) for row in chosen.table]
    assert chosen.rank == int(np.argmin(values))
    assert chosen.rank == 2 or criterion == "aic"
    assert [row.rank for row in chosen.table] == list(range(6))


def test_rows_of_the_table_are_what_they_say(rng):
    X = rows_with_factors(100, 6, 1, rng)
    chosen = mg.select_rank(X, fit_rank=principal_components)
    full = mg.fit(X)
    assert len(chosen.table) == 3  # ranks 0, 1 and 6 // 3
    for row in chosen.table:
        fitted = principal_components(mg.Moments.of(X), row.rank)
        assert row.loglik == pytest.approx(fitted.loglik)
        assert (row.n_params, row.converged) == (fitted.n_params, True)
        assert row.aic == pytest.approx(-2.0 * row.loglik + 2.0 * row.n_params)
        assert row.bic == pytest.approx(-2.0 * row.loglik + np.log(100) * row.n_params)
        assert row.statistic == pytest.approx(2.0 * (full.loglik - row.loglik))
        assert row.df == full.n_params - row.n_params
        assert row.pvalue == pytest.approx(stats.chi2(row.df).sf(row.statistic))


def test_factor_analysis_is_the_default(rng):
    X = rows_with_factors(400, 9, 2, rng)
    chosen = mg.select_rank(X)
    assert chosen.rank == 2
    assert chosen.table[0].loglik == pytest.approx(mg.fit(X, "diagonal").loglik)
    assert (np.diff([row.loglik for row in chosen.table]) > 0.0).all()
    assert [row.df for row in chosen.table] == [36, 27, 19, 12]  # ((d−k)² − d − k)/2


def test_options_reach_the_fits_and_complete_rows_are_read_once(rng):
    X, seen = rows_with_factors(50, 3, 1, rng), []
    w = rng.integers(1, 4, 50).astype(float)

    def stand_in(data, k, **options):
        seen.append((data, k, options))
        return mg.fit(data, "diagonal", **options)

    chosen = mg.select_rank(
        X, 1, fit_rank=stand_in, weights=w, columns=["a", "b", "c"], tol=1e-8, rng=3
    )
    assert chosen.rank == 0  # a tie
    for data, k, options in seen:
        assert isinstance(data, mg.Moments)
        assert data.weight == w.sum()
        assert options == {"columns": ("a", "b", "c"), "tol": 1e-8, "rng": 3}
        assert k in (0, 1)


def test_holes_are_fitted_as_they_are(rng):
    X = rows_with_factors(60, 3, 1, rng)
    X[::7, 0] = NAN
    chosen = mg.select_rank(X, 0, fit_rank=independent)
    full, diagonal = mg.fit(X), mg.fit(X, "diagonal")
    assert chosen.table[0].loglik == pytest.approx(diagonal.loglik)
    assert chosen.table[0].statistic == pytest.approx(2.0 * (full.loglik - diagonal.loglik))
    assert chosen.table[0].df == 3


def test_more_columns_than_rows_have_no_saturated_model(rng):
    X = rng.normal(size=(5, 6))
    row = mg.select_rank(X, 0, fit_rank=independent).table[0]
    assert np.isnan(row.statistic)
    assert np.isnan(row.pvalue)
    assert np.isfinite(row.bic)


def test_summaries(rng):
    X = rows_with_factors(100, 6, 2, rng)
    fits = mg.select_rank(X, fit_rank=principal_components)
    assert f"{fits.table[1].bic:.3f}" in fits.summary()
    parallel = mg.select_rank(X, criterion="parallel", rng=0)
    assert f"{parallel.observed[0]:.4f}" in parallel.summary()
    assert repr(parallel) == "<RankSelection: 2 factors by parallel>"
    with pytest.raises(ValueError, match="read-only"):
        parallel.observed[0] = 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "kaiser"}, "criterion must be one of 'bic', 'aic', 'parallel'"),
        ({"max_rank": 3, "fit_rank": principal_components}, "max_rank must be a whole number"),
        ({"max_rank": 1.5, "fit_rank": principal_components}, "max_rank must be a whole number"),
        ({"covariance": "full"}, "give fit_rank instead"),
        ({"criterion": "parallel", "n_simulations": 0}, "n_simulations must be a whole number"),
        ({"criterion": "parallel", "quantile": 95}, "quantile must be between 0 and 1"),
        ({"criterion": "parallel", "tol": 1e-8}, "no use for 'tol'"),
        ({"criterion": "parallel", "rng": "x"}, "rng must be a seed"),
    ],
)
def test_what_cannot_be_selected(options, message, rng):
    with pytest.raises(mg.DataError, match=message):
        mg.select_rank(rng.normal(size=(20, 3)), **options)


def test_noise_needs_two_rows():
    with pytest.raises(mg.DataError, match="weight 2 or more; got n = 1"):
        noise_eigenvalues(1.0, 3, 10, np.random.default_rng(0))
