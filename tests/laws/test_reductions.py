"""Models that are special cases of each other agree where they meet."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from cases import factor_of_condition

N, D = 80, 4
close = np.testing.assert_allclose


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((N, D)) @ factor_of_condition(D, 1e3, rng).T + 2.0


def assert_near(fit, mean, S):
    """In units of S; an optimality of 1e-10 leaves each entry within √(4e-10)."""
    W = np.linalg.inv(np.linalg.cholesky(S))
    close(W @ fit.covariance @ W.T, np.eye(D), atol=3e-5)
    close(W @ fit.mean, W @ mean, atol=3e-5)


@pytest.mark.parametrize("method", ["closed-form", "l-bfgs"])
@pytest.mark.parametrize("k", [None, D + 2])
def test_factor_is_cholesky(X, method, k):
    full, factor = mg.fit(X, "full"), mg.fit(X, mg.Factor(k), method=method)
    assert factor.nll == pytest.approx(full.nll, rel=1e-10)
    assert_near(factor, full.mean, full.covariance)
    assert factor.n_params == full.n_params == D + D * (D + 1) // 2


def test_names_are_structures(X):
    for name, structure in {
        "full": mg.Cholesky(),
        "cholesky": mg.Cholesky(),
        "diagonal": mg.Diagonal(),
        "spherical": mg.Spherical(),
    }.items():
        assert mg.fit(X, name).nll == mg.fit(X, structure).nll


@pytest.mark.parametrize("method", ["closed-form", "l-bfgs"])
def test_diagonal_is_a_product_of_single_columns(X, method):
    fit = mg.fit(X, "diagonal", method=method)
    singles = [mg.fit(X[:, [j]]) for j in range(D)]
    assert fit.nll == pytest.approx(sum(single.nll for single in singles), rel=1e-10)
    close(np.diagonal(fit.covariance), [s.covariance[0, 0] for s in singles], rtol=1e-4)
    assert np.count_nonzero(fit.covariance) == D
    assert fit.n_params == sum(single.n_params for single in singles)


@pytest.mark.parametrize("method", ["closed-form", "l-bfgs"])
def test_spherical_is_one_column_of_all_residuals(X, method):
    fit = mg.fit(X, "spherical", method=method)
    pooled = mg.fit((X - X.mean(axis=0)).reshape(-1, 1), mean=[0.0])
    assert fit.nll == pytest.approx(pooled.nll, rel=1e-10)
    close(fit.covariance, pooled.covariance * np.eye(D), rtol=1e-4)
    assert fit.n_params == D + 1


def test_one_column_is_the_same_under_every_structure(X):
    x = X[:, :1]
    fits = [mg.fit(x, name) for name in ("full", "diagonal", "spherical", mg.Factor(3))]
    for fit in fits:
        assert fit.nll == pytest.approx(fits[0].nll, rel=1e-13)
        close(fit.covariance, [[x.var()]], rtol=1e-12)
        assert fit.n_params == 2


def test_nested_structures_have_nested_likelihoods(X):
    J = [mg.fit(X, name).nll for name in ("full", "diagonal", "spherical")]
    assert J[0] < J[1] < J[2]


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
def test_mean_fixed_at_the_free_estimate_changes_only_the_count(X, covariance):
    free = mg.fit(X, covariance)
    fixed = mg.fit(X, covariance, mean=free.mean)
    assert fixed.nll == pytest.approx(free.nll, rel=1e-13)
    close(fixed.covariance, free.covariance, rtol=1e-10, atol=1e-12)
    assert fixed.n_params == free.n_params - D


@pytest.mark.parametrize("method", ["closed-form", "l-bfgs", "gradient-descent"])
def test_mean_fixed_elsewhere(X, method):
    """Ŝ = A(μ)/n, the scatter about the known mean."""
    mu = np.array([2.0, 2.5, 1.5, 2.0])
    fit = mg.fit(X, mean=mu, method=method)
    assert_near(fit, mu, (X - mu).T @ (X - mu) / N)
    assert fit.nll == pytest.approx(mg.nll(X, mu, fit.factor), rel=1e-12)


def test_fit_of_moments_is_fit_of_rows(X, rng):
    w = rng.uniform(0.0, 2.0, N)
    for data in (
        mg.Moments.of(X, w),
        mg.Moments.of(X[:30], w[:30]) + mg.Moments.of(X[30:], w[30:]),
    ):
        close(mg.fit(data).covariance, mg.fit(X, weights=w).covariance, rtol=1e-9, atol=1e-9)
        assert mg.fit(data).nll == pytest.approx(mg.fit(X, weights=w).nll, rel=1e-12)


def test_fit_of_a_covariance_matrix(X):
    S = np.cov(X.T)
    fit = mg.fit(mg.Moments.from_covariance(S, N, ddof=1))
    close(fit.covariance, S * (N - 1) / N, rtol=1e-12)
    assert fit.nll == pytest.approx(mg.fit(X).nll, rel=1e-12)
    assert fit.n_params == mg.fit(X).n_params
