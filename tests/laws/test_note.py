"""Rennie 2006, derivative by derivative: each against a complex step through its definition.

The complex step Im f(x + ih)/h has no cancellation, so h = 1e-30 gives the derivative to rounding
and knows nothing of the formula it checks. Entries of S and M count as independent throughout.
"""

# ruff: noqa: N802 - the note's own symbols

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest

import mvngrad as mg

H = 1e-30
n, d = 7, 3
close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)


def derivative(f, X):
    """∂f/∂X, the shape of f before that of X."""
    X = np.asarray(X, dtype=complex)
    slopes = np.empty((*np.shape(f(X)), *X.shape))
    for index in np.ndindex(X.shape):
        moved = X.copy()
        moved[index] += 1j * H
        slopes[(..., *index)] = np.imag(f(moved)) / H
    return slopes


def logdet(S):
    """log|S| by elimination: a product of pivots, analytic in every entry."""
    S, total = S.copy(), 0.0
    for j in range(len(S)):
        total = total + np.log(S[j, j])
        S[j + 1 :] -= np.outer(S[j + 1 :, j] / S[j, j], S[j])
    return total


def J1(L):
    return n * logdet(L @ L.T)


def J2(X, mu, L):
    return sum((x - mu) @ np.linalg.inv(L @ L.T) @ (x - mu) for x in X)


@pytest.fixture(params=["square", "triangular", "wide"])
def L(request, rng):
    k = d + 2 if request.param == "wide" else d
    full = 2.0 * np.eye(d, k) + 0.5 * rng.standard_normal((d, k))
    return np.tril(full) if request.param == "triangular" else full


@pytest.fixture
def P(L):
    return np.linalg.inv(L @ L.T)


@pytest.fixture
def X(rng):
    return rng.standard_normal((n, d)) + 1.0


@pytest.fixture
def mu(rng):
    return rng.standard_normal(d)


def test_eq_1_likelihood_is_a_product_over_rows(X, mu, L, P):
    rows = [np.exp(-0.5 * (x - mu) @ P @ (x - mu)) for x in X]
    volume = (2 * np.pi) ** (n * d / 2) * np.linalg.det(L @ L.T) ** (n / 2)
    close(mg.nll(X, mu, L), -np.log(np.prod(rows) / volume))


def test_eqs_2_to_4_J_is_C_and_half_of_J1_and_J2(X, mu, L):
    C = 0.5 * n * d * np.log(2 * np.pi)
    close(mg.nll(X, mu, L), C + 0.5 * (J1(L) + J2(X, mu, L)))


def test_eq_4_quadratic_form_as_a_sum_over_indices(X, mu, L, P):
    R = X - mu
    terms = (R[a, b] * P[b, c] * R[a, c] for a, b, c in product(range(n), range(d), range(d)))
    close(J2(X, mu, L), sum(terms))


def test_setup_dS_dLambda(L):
    """∂S_kl/∂Λ_ij = δ_{k=i} Λ_lj + Λ_kj δ_{l=i}"""
    slopes = derivative(lambda L: L @ L.T, L)
    for k, l, i, j in np.ndindex(slopes.shape):
        close(slopes[k, l, i, j], (k == i) * L[l, j] + L[k, j] * (l == i))


def test_setup_d_aMa_dM(rng):
    """∂aᵀMa/∂M_ij = a_i a_j"""
    a, M = rng.standard_normal(d), rng.standard_normal((d, d))
    close(derivative(lambda M: a @ M @ a, M), np.outer(a, a))


def test_setup_d_inverse_dS(L, P):
    """∂(S⁻¹)_kl/∂S_ij = −S⁻¹_ki S⁻¹_jl"""
    slopes = derivative(np.linalg.inv, L @ L.T)
    for k, l, i, j in np.ndindex(slopes.shape):
        close(slopes[k, l, i, j], -P[k, i] * P[j, l])


def test_setup_d_ABA_dB(rng):
    """∂(ABA)_kl/∂B_ij = A_ki A_jl"""
    A, B = rng.standard_normal((2, d, d))
    slopes = derivative(lambda B: A @ B @ A, B)
    for k, l, i, j in np.ndindex(slopes.shape):
        close(slopes[k, l, i, j], A[k, i] * A[j, l])


def test_setup_d_logdet_dS(rng):
    """∂log|S|/∂S_ij = S⁻¹_ji, here for an S that is not symmetric, so that the order shows."""
    S = rng.standard_normal((d, d)) + 4 * np.eye(d)
    close(derivative(logdet, S), np.linalg.inv(S).T)


def test_setup_d_logdet_is_a_trace(rng):
    """∂log|S| = Tr(S⁻¹ ∂S)"""
    S, dS = rng.standard_normal((d, d)) + 4 * np.eye(d), rng.standard_normal((d, d))
    close(np.imag(logdet(S + 1j * H * dS)) / H, np.trace(np.linalg.inv(S) @ dS))


def test_eq_5_dJ1_dLambda_by_the_chain_rule(L, P):
    """∂J₁/∂Λ_ij = n Σ_kl S⁻¹_lk (δ_{k=i} Λ_lj + Λ_kj δ_{l=i})"""
    slopes = derivative(J1, L)
    for i, j in np.ndindex(L.shape):
        terms = (
            P[l, k] * ((k == i) * L[l, j] + L[k, j] * (l == i))
            for k, l in product(range(d), range(d))
        )
        close(slopes[i, j], n * sum(terms))


def test_eq_6_dJ1_dLambda_by_entries(L, P):
    """∂J₁/∂Λ_ij = 2n S⁻¹_i· Λ_·j"""
    slopes = derivative(J1, L)
    for i, j in np.ndindex(L.shape):
        close(slopes[i, j], 2 * n * P[i] @ L[:, j])


def test_eq_7_dJ1_dLambda(L, P):
    """∂J₁/∂Λ = 2n S⁻¹Λ"""
    close(derivative(J1, L), 2 * n * P @ L)


def test_eq_8_dJ2_dmu_by_entries(X, mu, L, P):
    """∂J₂/∂μ_j = −Σ_ac S⁻¹_jc R_ac − Σ_ab R_ab S⁻¹_bj = −2 Σ_ab R_ab S⁻¹_bj,  R = X − μ"""
    R, slopes = X - mu, derivative(lambda mu: J2(X, mu, L), mu)
    for j in range(d):
        first = sum(P[j, c] * R[a, c] for a, c in product(range(n), range(d)))
        second = sum(R[a, b] * P[b, j] for a, b in product(range(n), range(d)))
        close(slopes[j], -first - second)
        close(slopes[j], -2 * second)


def test_eq_9_dJ2_dmu(X, mu, L, P):
    """∂J₂/∂μ = −2 Σ_a (X_a − μ) S⁻¹"""
    close(derivative(lambda mu: J2(X, mu, L), mu), -2 * sum((x - mu) @ P for x in X))


def test_eqs_10_and_11_dJ2_dLambda_by_the_chain_rule(X, mu, L, P):
    """∂J₂/∂Λ_ij = −Σ_abckl R_ab R_ac S⁻¹_bk S⁻¹_lc (δ_{k=i} Λ_lj + Λ_kj δ_{l=i})"""
    A, slopes = (X - mu).T @ (X - mu), derivative(lambda L: J2(X, mu, L), L)
    indices = list(product(range(d), repeat=4))
    for i, j in np.ndindex(L.shape):
        terms = (
            A[b, c] * P[b, k] * P[l, c] * ((k == i) * L[l, j] + L[k, j] * (l == i))
            for b, c, k, l in indices
        )
        close(slopes[i, j], -sum(terms), rtol=1e-11)


def test_eqs_12_and_13_dJ2_dLambda_by_entries(X, mu, L, P):
    """∂J₂/∂Λ_ij = −2 Σ_a S⁻¹_i· R_aᵀR_a S⁻¹Λ_·j = −2 S⁻¹_i· RᵀR S⁻¹Λ_·j"""
    R, slopes = X - mu, derivative(lambda L: J2(X, mu, L), L)
    for i, j in np.ndindex(L.shape):
        close(slopes[i, j], -2 * sum((P[i] @ r) * (r @ P @ L[:, j]) for r in R), rtol=1e-11)
        close(slopes[i, j], -2 * P[i] @ R.T @ R @ P @ L[:, j], rtol=1e-11)


def test_eq_14_dJ2_dLambda(X, mu, L, P):
    """∂J₂/∂Λ = −2 S⁻¹ (X − μ)ᵀ(X − μ) S⁻¹Λ"""
    R, slopes = X - mu, derivative(lambda L: J2(X, mu, L), L)
    close(slopes, -2 * P @ R.T @ R @ P @ L, rtol=1e-11)


def test_gradients_of_J_are_halves_of_eqs_7_9_and_14(X, mu, L):
    _, gradient = mg.nll_and_grad(X, mu, L)
    J2_slopes = derivative(lambda L: J2(X, mu, L), L)
    close(gradient.mean, 0.5 * derivative(lambda mu: J2(X, mu, L), mu), rtol=1e-11)
    close(gradient.factor, 0.5 * (derivative(J1, L) + J2_slopes), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("L", ["square", "triangular"], indirect=True)
def test_gradient_of_a_square_factor_is_how_far_whitened_scatter_is_from_identity(X, mu, L):
    """∂J/∂Λ = nΛ⁻ᵀ(I − K), K = Λ⁻¹AΛ⁻ᵀ/n: the line at the top of the README."""
    inverse = np.linalg.inv(L)
    K = inverse @ (X - mu).T @ (X - mu) @ inverse.T / n
    gradient = mg.nll_and_grad(X, mu, L)[1].factor
    close(gradient, n * inverse.T @ (np.eye(d) - K), rtol=1e-11, atol=1e-11)
