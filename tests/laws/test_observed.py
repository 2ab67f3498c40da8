"""The likelihood of rows with holes: one specification, and every way to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import mvngrad as mg
from holes import NAN, factor, holed
from mvngrad.core import expected
from mvngrad.core.curvature import curvature_at, curvature_product, marginal_change
from mvngrad.core.expected import (
    diagonal_sums,
    evaluate_observed,
    expected_sums,
    plain_sums,
)
from mvngrad.core.frame import AffineFrame
from mvngrad.core.kernels import tensors
from mvngrad.core.marginal import marginal_sums
from mvngrad.core.patterns import Patterns
from mvngrad.core.whole import compiled_whole, symmetric, symmetric_cotangent, whole, whole_at

close = np.testing.assert_allclose


def design(seed):
    """Rows with holes, weights, μ and L: of any size, in one pattern or all different."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 13))
    n, patterns = int(rng.integers(1, 40)), [1, 3, None][seed % 3]
    X = holed(rng, n, d, rng.uniform(0.0, 0.7), patterns)
    X[0, 0] = 1.0
    weights = rng.exponential(size=n) if seed % 2 else None
    return X, weights, np.nan_to_num(X[0]) + rng.standard_normal(d), factor(rng, d)


def in_frame(data, mu, L):
    return (mu - data.frame.origin) / data.frame.root, L / data.frame.root[:, None]


def same_sums(found, true, n, rtol=1e-12):
    """As whitened sums over rows of weight n, however large."""
    size = n + np.trace(true.scatter)
    for a, b in zip(found, true, strict=True):
        assert np.abs(np.asarray(a) - b).max() <= rtol * size


@pytest.mark.parametrize("seed", range(200))
def test_every_way_is_the_marginal_and_the_density_row_by_row(seed, monkeypatch):
    X, weights, mu, L = design(seed)
    S, w = L @ L.T, np.ones(len(X)) if weights is None else weights
    data = Patterns.of(X, weights)
    at = in_frame(data, mu, L)
    true = marginal_sums(data, *at)
    same_sums(plain_sums(data, *at), true, data.weight)
    monkeypatch.setattr(expected, "KERNEL_WORK", 0.0)
    for safe in (0.0, np.inf):
        monkeypatch.setattr(expected, "SAFE", safe)
        same_sums(expected_sums(data, *at), true, data.weight)
    J = -sum(
        weight * multivariate_normal.logpdf(x[o], mu[o], S[np.ix_(o, o)])
        for x, weight in zip(X, w, strict=True)
        if (o := ~np.isnan(x)).any()
    )
    assert mg.nll(X, mu, L, weights=weights) == pytest.approx(J, rel=1e-11, abs=1e-11)
    assert evaluate_observed(data, *at).nll + data.log_volume == pytest.approx(J, rel=1e-11)


@pytest.mark.parametrize("seed", range(40))
def test_at_a_diagonal_covariance_the_closed_form_is_the_marginal(seed, monkeypatch):
    X, weights, mu, L = design(seed)
    data = Patterns.of(X, weights)
    mu, L = in_frame(data, mu, np.diag(np.diagonal(L)))
    true = marginal_sums(data, mu, L)
    same_sums(expected_sums(data, mu, L), true, data.weight)
    monkeypatch.setattr("mvngrad.core.patterns.CHUNK", 1)
    parts = Patterns.of(np.vstack([X] * 30), None if weights is None else np.tile(weights, 30))
    same_sums(diagonal_sums(parts, mu, np.diagonal(L)), marginal_sums(parts, mu, L), parts.weight)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", ["lower", "wide", "noise"])
def test_gradients_are_slopes(seed, shape):
    """J(x + tv) − J − t⟨∇, v⟩ falls as t²."""
    X, weights, mu, L = design(seed)
    rng, d = np.random.default_rng(seed), X.shape[1]
    Lambda = {"lower": L, "wide": np.hstack([L, rng.standard_normal((d, 2))]), "noise": L[:, :1]}[
        shape
    ]
    noise = np.full(d, 0.7) if shape == "noise" else None
    v_mu, v_L = rng.standard_normal(d), rng.standard_normal(Lambda.shape)
    v_L = np.tril(v_L) if shape == "lower" else v_L
    v_psi = 0.1 * rng.standard_normal(d)

    def value(t):
        psi = None if noise is None else noise + t * v_psi
        return mg.nll(X, mu + t * v_mu, Lambda + t * v_L, noise=psi, weights=weights)

    at, gradient = mg.nll_and_grad(X, mu, Lambda, noise=noise, weights=weights)
    slope = gradient.mean @ v_mu + np.vdot(gradient.factor, v_L)
    slope += 0.0 if noise is None else gradient.noise @ v_psi
    steps = np.array([1e-3, 1e-4])
    errors = np.abs([value(t) - at - t * slope for t in steps])
    assert np.log10(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.15)


def test_without_holes_it_is_the_formula_for_complete_data(rng):
    X, L, mu = rng.standard_normal((40, 4)) + 3.0, factor(rng, 4), rng.standard_normal(4)
    data = Patterns.of(X, frame=AffineFrame.identity(4))
    sums = marginal_sums(data, mu, L)
    Z = np.linalg.solve(L, (X - mu).T).T
    close(sums.scatter, Z.T @ Z, rtol=1e-12)
    close(sums.total, Z.sum(axis=0), rtol=1e-11)
    close(sums.spread, 0.0, atol=1e-12)


def test_rows_with_nothing_say_nothing(rng):
    X, L, mu = holed(rng, 20, 3, 0.3), factor(rng, 3), np.zeros(3)
    padded = np.vstack([X, np.full((4, 3), NAN)])
    assert mg.nll(padded, mu, L) == mg.nll(X, mu, L)
    J, gradient = mg.nll_and_grad(np.full((4, 3), NAN), mu, L)
    assert J == 0.0
    assert not gradient.mean.any()
    assert not gradient.factor.any()


@pytest.mark.parametrize("k", [0, 1])
def test_order_of_columns_does_not_matter(rng, k):
    X, L, mu = holed(rng, 30, 5, 0.35), factor(rng, 5), rng.standard_normal(5)
    order = rng.permutation(5)
    J, gradient = mg.nll_and_grad(X, mu, L)
    other = mg.nll_and_grad(X[:, order], mu[order], L[order])
    assert other[0] == pytest.approx(J, rel=1e-12)
    close(other[1][k], gradient[k][order], atol=1e-11 * np.abs(gradient[k]).max())


# The curvature


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("work", [0.0, np.inf], ids=["compiled", "NumPy"])
def test_curvature_is_the_change_of_the_gradient(seed, work, monkeypatch):
    monkeypatch.setattr("mvngrad.core.curvature.KERNEL_WORK", work)
    X, weights, mu, L = design(seed)
    data, rng, d = Patterns.of(X, weights), np.random.default_rng(seed), X.shape[1]
    mu, L = in_frame(data, mu, L)
    delta, E = rng.standard_normal(d), rng.standard_normal((d, d))
    E = E + E.T
    dg, dG = curvature_product(data, mu, L, delta, E)

    def gradients(t):
        """Seen from the coordinates whitened by L itself."""
        M = np.linalg.cholesky(np.eye(d) + t * E)
        e, W = evaluate_observed(data, mu + t * L @ delta, L @ M), np.linalg.inv(M)
        return W.T @ e.mean, W.T @ e.score.core @ W

    t = 1e-5
    ahead, behind = gradients(t), gradients(-t)
    scale = 1.0 + np.abs(dG).max() + np.abs(dg).max()
    close(dg, (ahead[0] - behind[0]) / (2 * t), atol=1e-6 * scale)
    close(dG, (ahead[1] - behind[1]) / (2 * t), atol=1e-6 * scale)


@pytest.mark.parametrize("seed", range(60))
def test_every_way_to_the_curvature_is_the_marginal(seed, monkeypatch):
    """For several tangents at one point: what is kept of the point is no tangent's own."""
    X, weights, mu, L = design(seed)
    data, rng, d = Patterns.of(X, weights), np.random.default_rng(seed), X.shape[1]
    mu, L = in_frame(data, mu, L)
    monkeypatch.setattr("mvngrad.core.curvature.KERNEL_WORK", 0.0)
    compiled, made = curvature_at(data, mu, L), whole(data, mu, L).product()
    monkeypatch.setattr("mvngrad.core.curvature.KERNEL_WORK", np.inf)
    monkeypatch.setattr("mvngrad.core.curvature.WHOLE", 0)
    monkeypatch.setattr(expected, "BLOCK", [2**17, 2 * d * d][seed % 2])
    blocks = curvature_at(data, mu, L)
    for _ in range(3):
        delta, E = rng.standard_normal(d), rng.standard_normal((d, d))
        E = E + E.T
        true = marginal_change(data, mu, L, delta, E).of_gradients
        size = np.abs(np.concatenate([true[0], true[1].ravel()])).max() + data.weight
        for way in (compiled, made, blocks):
            for a, b in zip(way(delta, E), true, strict=True):
                close(a, b, atol=1e-11 * size)


@pytest.mark.parametrize("seed", range(60))
def test_every_way_to_the_matrix_of_the_curvature_is_the_marginal(seed):
    """Column by column; the compiled one from what rows lack, the other from what they have."""
    X, weights, mu, L = design(seed)
    data, d = Patterns.of(X, weights), X.shape[1]
    mu, L = in_frame(data, mu, L)
    size = d + d * (d + 1) // 2
    true = np.empty((size, size))
    for k, v in enumerate(np.eye(size)):
        change = marginal_change(data, mu, L, v[:d], symmetric(v[d:], d))
        dg, dG = change.of_gradients
        true[:, k] = np.concatenate([dg, symmetric_cotangent(dG)])
    scale = np.abs(true).max() + data.weight
    for way in (whole(data, mu, L), compiled_whole(tensors, data, mu, L)):
        close(way.matrix(), true, atol=1e-11 * scale)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("work", [0.0, np.inf], ids=["compiled", "NumPy"])
def test_what_an_evaluation_made_serves_the_curvature_there(seed, work, monkeypatch):
    X, weights, mu, L = design(seed)
    monkeypatch.setattr(expected, "KERNEL_WORK", work)
    monkeypatch.setattr("mvngrad.core.whole.KERNEL_WORK", work)
    monkeypatch.setattr(expected, "SAFE", np.inf)
    data = Patterns.of(X, weights)
    mu, L = in_frame(data, mu, L)
    made = evaluate_observed(data, mu, L).made
    assert (made is None) == (X.shape[1] == 1)  # of one column S is diagonal
    found, true = whole_at(data, mu, L, made).matrix(), whole(data, mu, L).matrix()
    close(found, true, atol=1e-11 * (np.abs(true).max() + data.weight))


@pytest.mark.parametrize("seed", range(20))
def test_bent_curvature_is_that_of_j_along_the_curve(seed):
    """μ + tLδ and L(I + tE + c(tE)²)Lᵀ, away from any summit."""
    X, weights, mu, L = design(seed)
    data, rng, d = Patterns.of(X, weights), np.random.default_rng(seed), X.shape[1]
    mu, L = in_frame(data, mu, L)
    v, share = rng.standard_normal(d + d * (d + 1) // 2), rng.uniform(0.3, 1.0)
    v /= np.linalg.norm(v)
    E = symmetric(v[d:], d)

    def nll(t):
        S = np.eye(d) + t * E + share * t**2 * E @ E
        return evaluate_observed(data, mu + t * L @ v[:d], L @ np.linalg.cholesky(S)).nll

    H = whole(data, mu, L).bent(evaluate_observed(data, mu, L).score.core, share).matrix()
    t, at = 1e-3, nll(0.0)
    scale = abs(at) + np.abs(H).max() + data.weight
    close(v @ H @ v, (nll(t) - 2.0 * at + nll(-t)) / t**2, atol=1e-4 * scale)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_symmetric_tangents_have_the_metric_of_the_information(d):
    """½‖E‖² = ‖v‖², and the cotangent is the adjoint."""
    rng = np.random.default_rng(d)
    v, G = rng.standard_normal(d * (d + 1) // 2), rng.standard_normal((d, d))
    E, G = symmetric(v, d), G + G.T
    close(0.5 * (E**2).sum(), v @ v)
    close((G * E).sum(), symmetric_cotangent(G) @ v)


@pytest.mark.parametrize("seed", range(30))
def test_curvature_is_symmetric(seed, monkeypatch):
    monkeypatch.setattr("mvngrad.core.curvature.KERNEL_WORK", 0.0 if seed % 2 else np.inf)
    X, weights, mu, L = design(seed)
    data, rng, d = Patterns.of(X, weights), np.random.default_rng(seed), X.shape[1]
    at = in_frame(data, mu, L)
    (a, A), (b, B) = ((rng.standard_normal(d), rng.standard_normal((d, d))) for _ in range(2))
    A, B = A + A.T, B + B.T
    (ga, GA), (gb, GB) = curvature_product(data, *at, a, A), curvature_product(data, *at, b, B)
    size = np.linalg.norm(np.r_[a, A.ravel()]) * np.linalg.norm(np.r_[gb, GB.ravel()])
    assert b @ ga + np.vdot(B, GA) == pytest.approx(a @ gb + np.vdot(A, GB), abs=1e-13 * size)
