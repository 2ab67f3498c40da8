"""What J and its gradient may not depend on, and how they follow what they do depend on."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from cases import factor_of_condition, orthogonal

N, D = 25, 4
close = np.testing.assert_allclose


@pytest.fixture(params=["square", "triangular", "wide"], name="L")
def factor(request, rng):
    Lambda = factor_of_condition(D, 100.0, rng, D + 3 if request.param == "wide" else None)
    return np.linalg.qr(Lambda.T, mode="r").T if request.param == "triangular" else Lambda


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((N, D)) + 1.0


@pytest.fixture(name="mu")
def location(rng):
    return rng.standard_normal(D)


def assert_same(a, b, rtol=1e-11):
    """(J, Gradient) twice."""
    assert a[0] == pytest.approx(b[0], rel=rtol)
    for found, expected in zip(a[1], b[1], strict=True):
        if expected is not None:
            close(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=0.0))


def test_gauge(X, mu, L, rng):
    """J(ΛQ) = J(Λ) and ∂J/∂Λ turns with Λ, for orthogonal Q."""
    Q = orthogonal(L.shape[1], rng)
    J, gradient = mg.nll_and_grad(X, mu, L)
    turned = mg.Gradient(gradient.mean, gradient.factor @ Q, None)
    assert_same(mg.nll_and_grad(X, mu, L @ Q), (J, turned))


def test_gradient_is_orthogonal_to_the_gauge(X, mu, L, rng):
    """⟨∂J/∂Λ, ΛΩ⟩ = 0 for antisymmetric Ω: moving along ΛQ changes nothing."""
    M = rng.standard_normal((L.shape[1],) * 2)
    slopes, tangent = mg.nll_and_grad(X, mu, L)[1].factor, L @ (M - M.T)
    assert abs((slopes * tangent).sum()) <= 1e-12 * np.abs(slopes * tangent).sum()


def test_affine_equivariance(X, mu, L, rng):
    """x → Tx + b, μ → Tμ + b, Λ → TΛ: J rises by n log|T|, gradients follow by T⁻ᵀ."""
    T, b = rng.standard_normal((D, D)) + 3 * np.eye(D), rng.standard_normal(D)
    J, gradient = mg.nll_and_grad(X, mu, L)
    moved = mg.nll_and_grad(X @ T.T + b, T @ mu + b, T @ L)
    back = mg.Gradient(T.T @ moved[1].mean, T.T @ moved[1].factor, None)
    shift = N * np.log(abs(np.linalg.det(T)))
    assert_same((moved[0] - shift, back), (J, gradient), rtol=1e-10)


def test_column_permutation(X, mu, L):
    order = [2, 0, 3, 1]
    J, gradient = mg.nll_and_grad(X, mu, L)
    permuted = mg.Gradient(gradient.mean[order], gradient.factor[order], None)
    assert_same(mg.nll_and_grad(X[:, order], mu[order], L[order]), (J, permuted))


def test_row_permutation(X, mu, L, rng):
    assert_same(mg.nll_and_grad(X[rng.permutation(N)], mu, L), mg.nll_and_grad(X, mu, L))


def test_columns_of_zeros_in_the_factor_change_nothing(X, mu, L):
    J, gradient = mg.nll_and_grad(X, mu, L)
    padded = mg.Gradient(gradient.mean, np.hstack([gradient.factor, np.zeros((D, 2))]), None)
    assert_same(mg.nll_and_grad(X, mu, np.hstack([L, np.zeros((D, 2))])), (J, padded))


def test_duplicated_rows_are_weight_two(X, mu, L):
    w = np.ones(N)
    w[:5] = 2.0
    assert_same(mg.nll_and_grad(X, mu, L, weights=w), mg.nll_and_grad(np.vstack([X, X[:5]]), mu, L))


def test_additive_over_rows(X, mu, L):
    J, gradient = mg.nll_and_grad(X, mu, L)
    parts = [mg.nll_and_grad(X[:9], mu, L), mg.nll_and_grad(X[9:], mu, L)]
    total = mg.Gradient(*(sum(p[1][i] for p in parts) for i in range(2)), None)
    assert_same((sum(p[0] for p in parts), total), (J, gradient))


def test_additive_over_single_rows(X, mu, L):
    assert sum(mg.nll(x[None], mu, L) for x in X) == pytest.approx(mg.nll(X, mu, L), rel=1e-12)


@pytest.mark.parametrize("frame", ["diagonal", "full"])
def test_rows_and_moments_agree(X, mu, L, frame, rng):
    w = rng.uniform(0.0, 2.0, N)
    of_rows = mg.nll_and_grad(X, mu, L, weights=w)
    moments = mg.Moments.of(X, w, frame=frame)
    assert_same(mg.nll_and_grad(moments, mu, L), of_rows)
    assert mg.nll(moments, mu, L) == pytest.approx(of_rows[0], rel=1e-12)


def test_factor_gradient_has_every_entry(X, mu, rng):
    """A triangular Λ is a point like any other: entries above the diagonal have their slope."""
    L = np.tril(factor_of_condition(D, 10.0, rng)) + np.eye(D)
    P, A = np.linalg.inv(L @ L.T), (X - mu).T @ (X - mu)
    slopes = mg.nll_and_grad(X, mu, L)[1].factor
    close(slopes, N * P @ L - P @ A @ P @ L, rtol=1e-10)
    assert (np.abs(slopes[np.triu_indices(D, 1)]) > 1e-3).all()


@pytest.mark.parametrize("k", [0, 1, 2, D, D + 1])
def test_noise_is_a_wide_factor(X, mu, k, rng):
    """ΛΛᵀ + diag ψ = WWᵀ, W = [Λ ψ^½]; ∂J/∂ψ_j is ∂J/∂W at its place, over 2ψ_j^½."""
    L, psi = rng.standard_normal((D, k)), rng.uniform(0.5, 2.0, D)
    J, gradient = mg.nll_and_grad(X, mu, L, noise=psi)
    wide = mg.nll_and_grad(X, mu, np.hstack([L, np.diag(np.sqrt(psi))]))
    of_psi = np.diagonal(wide[1].factor[:, k:]) / (2 * np.sqrt(psi))
    assert_same((J, gradient), (wide[0], mg.Gradient(wide[1].mean, wide[1].factor[:, :k], of_psi)))


def test_no_factor_and_noise_is_a_diagonal(X, mu, rng):
    psi = rng.uniform(0.5, 2.0, D)
    J, gradient = mg.nll_and_grad(X, mu, np.empty((D, 0)), noise=psi)
    q = ((X - mu) ** 2).sum(axis=0)
    assert pytest.approx(0.5 * (N * np.log(2 * np.pi * psi) + q / psi).sum(), rel=1e-13) == J
    close(gradient.noise, 0.5 * (N / psi - q / psi**2), rtol=1e-12)
    assert gradient.factor.shape == (D, 0)


def test_noise_may_be_zero_where_the_factor_suffices(X, mu, L):
    plain, silent = mg.nll_and_grad(X, mu, L), mg.nll_and_grad(X, mu, L, noise=np.zeros(D))
    G = np.linalg.inv(L @ L.T)
    G = 0.5 * (N * G - G @ (X - mu).T @ (X - mu) @ G)
    close(silent[1].noise, np.diagonal(G), rtol=1e-9)
    assert_same((silent[0], silent[1]._replace(noise=None)), plain)
    noise = np.array([0.0, 1.0, 0.0, 2.0])
    S = np.linalg.cholesky(L @ L.T + np.diag(noise))
    assert mg.nll(X, mu, L, noise=noise) == pytest.approx(mg.nll(X, mu, S), rel=1e-12)


def test_slope_in_the_mean_is_zero_at_the_mean(X, L):
    gradient = mg.nll_and_grad(X, X.mean(axis=0), L)[1].mean
    deviations = np.sqrt(np.diagonal(np.linalg.inv(L @ L.T)))
    assert (np.abs(gradient) <= 1e-12 * N * deviations).all()
