"""The likelihood ratio against the saturated model: n times the discrepancy F, and about χ²."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from cases import factor_of_condition
from mvngrad.inference.goodness import goodness_of_fit, likelihood_ratio, saturated_loglik


def discrepancy(S, C):
    """F = log|S| − log|C| + tr(S⁻¹C) − d."""
    M = np.linalg.solve(S, C)
    return np.trace(M) - np.linalg.slogdet(M)[1] - len(S)


@pytest.mark.parametrize("n", [30, 100_000])
@pytest.mark.parametrize("noise", [False, True])
def test_statistic_is_n_times_the_discrepancy(n, noise, rng):
    d = 5
    Lambda = factor_of_condition(d, 10.0, rng, 2 if noise else d)
    psi = rng.uniform(0.5, 2.0, d) if noise else None
    S = Lambda @ Lambda.T + (np.diag(psi) if noise else 0.0)
    root = np.linalg.cholesky(S) + 0.1 * rng.normal(size=(d, d))
    data = mg.Moments.from_covariance(root @ root.T, n, mean=np.ones(d))
    test = goodness_of_fit(data, np.ones(d), Lambda, 10, noise=psi)
    assert test.statistic == pytest.approx(n * discrepancy(S, data.cov), rel=1e-9)
    assert test.df == d + d * (d + 1) // 2 - 10
    assert test.pvalue == pytest.approx(stats.chi2(test.df).sf(test.statistic), rel=1e-9)


def test_a_mean_that_is_off_counts(rng):
    X = rng.normal(size=(40, 3))
    data, L = mg.Moments.of(X), np.linalg.cholesky(np.cov(X.T, ddof=0))
    off = goodness_of_fit(data, data.mean + 0.1, L, 6)
    z = np.linalg.solve(L, np.full(3, 0.1))
    assert off.statistic == pytest.approx(40 * z @ z, rel=1e-9)
    assert off.df == 3
    assert goodness_of_fit(data, data.mean, L, 6).statistic == pytest.approx(0.0, abs=1e-10)


def test_units_do_not_matter(rng):
    X, units = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)), np.array([1e-6, 1.0, 1e5])
    tests = []
    for Y in (X, X * units + 7.0):
        data = mg.Moments.of(Y)
        tests.append(goodness_of_fit(data, data.mean, np.diag(np.sqrt(np.diagonal(data.cov))), 6))
    assert tests[0].statistic == pytest.approx(tests[1].statistic, rel=1e-9)


def test_agrees_with_fits(rng):
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    diagonal, full = mg.fit(X, "diagonal"), mg.fit(X)
    data = mg.Moments.of(X)
    assert saturated_loglik(data) == pytest.approx(full.loglik, rel=1e-12)
    of_fits = likelihood_ratio(diagonal.loglik, full.loglik, full.n_params - diagonal.n_params)
    of_data = goodness_of_fit(data, diagonal.mean, diagonal.factor, diagonal.n_params)
    assert of_fits.statistic == pytest.approx(of_data.statistic, rel=1e-9)
    assert of_fits[1] == of_data.df == 6
    R = np.corrcoef(X.T)
    assert of_data.statistic == pytest.approx(-60 * np.linalg.slogdet(R)[1], rel=1e-9)


def test_as_rs_factanal():
    """One factor for six columns, n = 120: STATISTIC (Bartlett's), dof and PVAL of R 4.2."""
    S = np.array(
        [
            [1.00, 0.52, 0.41, 0.36, 0.28, 0.20],
            [0.52, 1.00, 0.48, 0.31, 0.33, 0.25],
            [0.41, 0.48, 1.00, 0.30, 0.27, 0.35],
            [0.36, 0.31, 0.30, 1.00, 0.44, 0.39],
            [0.28, 0.33, 0.27, 0.44, 1.00, 0.42],
            [0.20, 0.25, 0.35, 0.39, 0.42, 1.00],
        ]
    )
    loadings = [0.6287713889, 0.6724099068, 0.6253772685, 0.5777018142, 0.5530855299, 0.5050886292]
    noise = [0.6046465452, 0.5478649083, 0.6089032754, 0.6662606090, 0.6940963976, 0.7448854752]
    data = mg.Moments.from_covariance(S, 120)
    test = goodness_of_fit(
        data, np.zeros(6), np.array(loadings)[:, None], 6 + 12, noise=noise, n_factors=1
    )
    assert test.statistic == pytest.approx(24.61548658, abs=1e-6)
    assert test.df == 9
    assert test.pvalue == pytest.approx(0.00342731, abs=1e-8)
    assert test.correction == "bartlett"


def test_the_correction_brings_the_mean_to_that_of_chi_square():
    """Independence (k = 0) of 8 columns at n = 20: the mean of 2,000 samples, within 4 s.e."""
    rng, n, d, df = np.random.default_rng(3), 20, 8, 28
    plain, corrected = [], []
    for _ in range(2000):
        data = mg.Moments.of(rng.normal(size=(n, d)))
        L = np.diag(np.sqrt(np.diagonal(data.cov)))
        plain.append(goodness_of_fit(data, data.mean, L, 2 * d).statistic)
        corrected.append(goodness_of_fit(data, data.mean, L, 2 * d, n_factors=0).statistic)
    error = np.sqrt(2 * df / 2000)
    assert abs(np.mean(corrected) - df) < 4 * error
    assert np.mean(plain) > df + 20 * error


def test_nothing_to_test():
    assert likelihood_ratio(-10.0, -10.0, 0) == (0.0, 0, 1.0, "none")
    assert likelihood_ratio(-10.0, -10.0 - 1e-9, 3).statistic == 0.0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((-10.0, -11.0, 3), {}, "cannot be less likely than the structure"),
        ((-10.0, np.nan, 3), {}, "cannot be less likely than the structure"),
        ((-10.0, -9.0, -1), {}, "whole numbers, 0 or more; got -1"),
        ((-10.0, -9.0, 1.5), {}, "whole numbers"),
        ((-10.0, -9.0, 3), {"n": 20}, "needs n, d and n_factors"),
        ((-10.0, -9.0, 3), {"n": 3, "d": 6, "n_factors": 1}, "n = 3 is too small"),
    ],
)
def test_what_cannot_be_tested(arguments, options, message):
    with pytest.raises(mg.DataError, match=message):
        likelihood_ratio(*arguments, **options)


def test_singular_scatter_has_no_saturated_model(rng):
    data = mg.Moments.of(rng.normal(size=(3, 4)))
    with pytest.raises(mg.NotPositiveDefiniteError, match="3 rows of 4 columns"):
        goodness_of_fit(data, data.mean, np.eye(4), 8)


def test_more_parameters_than_the_saturated_model():
    data = mg.Moments.from_covariance(np.eye(2), 10)
    with pytest.raises(mg.DataError, match="no more parameters than the saturated"):
        goodness_of_fit(data, np.zeros(2), np.eye(2), 6)
