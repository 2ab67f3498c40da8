"""S = ΛΛᵀ + diag ψ, fast and by specification, and both against mpmath."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from accuracy.truth import EPS, cholesky, exact, inverse_lower, log_diagonal
from mvngrad.core.likelihood import Score, evaluate
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.moments import Moments
from mvngrad.core.operators import DenseCovariance, triangular

D, K = 9, 3
NOISES = ["even", "small", "one zero", "k zeros", "all small", "ten decades"]


def problem(kind, rng):
    Lambda = rng.standard_normal((D, K))
    psi = rng.uniform(0.3, 2.0, D)
    if kind == "small":
        psi[[1, 4]] = 1e-8, 1e-5
    if kind == "one zero":
        psi[2] = 0.0
    if kind == "k zeros":
        psi[:K] = 0.0
    if kind == "all small":
        psi *= 1e-8
    if kind == "ten decades":
        psi *= 10.0 ** -np.arange(D)
    return Lambda, psi


def condition(Lambda, psi):
    S = Lambda @ Lambda.T + np.diag(psi)
    s = np.sqrt(np.diagonal(S))
    values = np.linalg.svd(_wide(Lambda, psi) / s[:, None], compute_uv=False)
    return (values[0] / values[-1]) ** 2


@pytest.mark.parametrize("kind", NOISES)
def test_fast_and_specification_agree_with_the_truth(kind, rng):
    """L⁻ᵀL⁻¹ = S⁻¹ and log|S|, in standard deviations, within 30 d ε √cond of what cancels."""
    Lambda, psi = problem(kind, rng)
    S = exact(Lambda) @ exact(Lambda).T + np.diag(exact(psi))
    L = cholesky(S)
    W = inverse_lower(L)
    P = W.T @ W
    size = np.sqrt(np.diagonal(P).astype(float))
    B = rng.standard_normal((D, 4))
    truth = P @ exact(B)
    bound = 30.0 * D * EPS * np.sqrt(condition(Lambda, psi))
    for fast in (LowRankCovariance.of(Lambda, psi), DenseCovariance.of_factor(_wide(Lambda, psi))):
        whole = fast.whiten(np.eye(D))
        gap = (exact(whole.T @ whole) - P).astype(float) / np.multiply.outer(size, size)
        assert np.abs(gap).max() <= bound
        found = fast.unwhiten(fast.whiten(B))
        scale = size[:, None] * np.sqrt((size**2) @ B**2)
        assert np.abs((exact(found) - truth).astype(float) / scale).max() <= bound
        logs = log_diagonal(L)
        assert abs(float(fast.logdet - 2 * logs.sum())) <= bound * (1 + float(np.abs(logs).sum()))


@pytest.mark.parametrize("kind", NOISES)
def test_score_is_the_same_by_either_root(kind, rng):
    """G of rows drawn from S: its products, its diagonal, J."""
    Lambda, psi = problem(kind, rng)
    wide = _wide(Lambda, psi)
    X = rng.standard_normal((40, D + K)) @ wide.T
    data = Moments.of(X)
    data = data.in_frame(mg.AffineFrame.identity(D))
    fast = evaluate(data, np.zeros(D), LowRankCovariance.of(Lambda, psi))
    slow = evaluate(data, np.zeros(D), DenseCovariance.of_factor(wide))
    cond = condition(Lambda, psi)
    assert fast.nll == pytest.approx(slow.nll, abs=30 * D * EPS * cond * 40 * D)
    size = np.sqrt(np.diagonal(slow.covariance.unwhiten(slow.covariance.whiten(np.eye(D)))))
    gap = (fast.score.dense() - slow.score.dense()) / np.multiply.outer(size, size)
    assert np.abs(gap).max() <= 30 * D * EPS * cond * 40
    gap = (fast.score.diagonal() - np.diagonal(slow.score.dense())) / size**2
    assert np.abs(gap).max() <= 30 * D * EPS * cond * 40


def test_diagonal_of_any_core(rng):
    """diag(L⁻ᵀML⁻¹), against the dense product."""
    S = LowRankCovariance.of(*problem("small", rng))
    M = rng.standard_normal((D, D))
    G = Score(M + M.T, S)
    np.testing.assert_allclose(G.diagonal(), np.diagonal(G.dense()), rtol=1e-9)


@pytest.mark.parametrize("k", [0, 1, D, D + 3])
def test_any_width(k, rng):
    Lambda, psi = rng.standard_normal((D, k)), rng.uniform(0.5, 1.0, D)
    psi[0] *= 1.0 if k == 0 else 0.0
    S = LowRankCovariance.of(Lambda, psi)
    L = triangular(S, D).root(D)
    np.testing.assert_allclose(S.whiten(L) @ S.whiten(L).T, np.eye(D), atol=1e-11)
    assert S.logdet == pytest.approx(2 * np.log(np.diagonal(L)).sum(), abs=1e-11)


@pytest.mark.parametrize("k", [0, 2])
def test_too_many_zeros_are_refused(k, rng):
    psi = np.ones(D)
    psi[: k + 1] = 0.0
    with pytest.raises(mg.NotPositiveDefiniteError, match="rows of Λ are linearly dependent"):
        LowRankCovariance.of(rng.standard_normal((D, k)), psi)


def _wide(Lambda, psi):
    return np.hstack([Lambda, np.diag(np.sqrt(psi))])
