"""Where J is least: K = I there, every method gets there, and from any start.

Complete data whose ML covariance is nonsingular: J is not convex in Λ, yet every stationary point
of full row rank is a global minimum, and they are all Λ̂Q. So every run must end at the same J.
"""

# ruff: noqa: N802 - J is what the note calls it

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import mvngrad as mg
from cases import factor_of_condition, orthogonal
from mvngrad.core.ops import lower_root
from mvngrad.fitting.methods import DRIVERS

N, D = 60, 3
MONOTONE = sorted(set(DRIVERS) - {"barzilai-borwein"})


@pytest.fixture(autouse=True)
def one_blas_thread():
    """On a busy machine BLAS threads wait for each other at every small step of SciPy's drivers."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((N, D)) @ factor_of_condition(D, 100.0, rng).T + 5.0


def whitened_scatter(X, fit):
    L = lower_root(fit.factor)
    Z = np.linalg.solve(L, (X - fit.mean).T)
    return Z @ Z.T / len(X)


@pytest.mark.parametrize("covariance", ["full", mg.Factor(), mg.Factor(D + 2)])
def test_scatter_whitened_by_the_fit_is_the_identity(X, covariance):
    fit = mg.fit(X, covariance)
    np.testing.assert_allclose(whitened_scatter(X, fit), np.eye(D), atol=1e-11)
    _, gradient = mg.nll_and_grad(X, fit.mean, fit.factor)
    scale = N * np.linalg.norm(np.linalg.pinv(fit.factor), 2)
    assert np.abs(gradient.mean).max() <= 1e-11 * scale
    assert np.abs(gradient.factor).max() <= 1e-11 * scale
    assert fit.converged
    assert fit.optimality <= 1e-20


@pytest.mark.parametrize("covariance", ["diagonal", "spherical"])
def test_variances_whitened_by_the_fit_are_one(X, covariance):
    K = np.diagonal(whitened_scatter(X, mg.fit(X, covariance)))
    expected = K if covariance == "diagonal" else K.mean(keepdims=True)
    np.testing.assert_allclose(expected, 1.0, rtol=1e-12)


def test_any_perturbation_raises_J(X, rng):
    fit = mg.fit(X)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            T = size * rng.standard_normal((D, D))
            factor = fit.factor + fit.factor @ (T + T.T)
            assert mg.nll(X, fit.mean, factor) > fit.nll
            mean = fit.mean + fit.factor @ (size * rng.standard_normal(D))
            assert mg.nll(X, mean, fit.factor) > fit.nll


def test_gauge_perturbations_do_not(X, rng):
    fit = mg.fit(X)
    turned = fit.factor @ orthogonal(D, rng)
    assert mg.nll(X, fit.mean, turned) == pytest.approx(fit.nll, rel=1e-13)


def test_J_falls_short_by_what_optimality_says(X, rng):
    """optimality ≈ (J − Ĵ)/n near the optimum, in any units."""
    best = mg.fit(X)
    start = best.mean + 0.05 * best.factor @ np.ones(D), best.factor @ (1.05 * np.eye(D))
    step = mg.fit(X, mg.Factor(), method="gradient-descent", start=start).trace[0]
    assert (step.nll - best.nll) / N == pytest.approx(0.5 * step.gradient_norm**2, rel=0.3)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", mg.Factor(), mg.Factor(6)])
@pytest.mark.parametrize("method", DRIVERS)
def test_every_method_reaches_it(X, method, covariance):
    fit, best = mg.fit(X, covariance, method=method), mg.fit(X, covariance)
    assert fit.converged
    assert fit.optimality <= 1e-10
    assert fit.curvature > 0.0
    assert 0.0 <= (fit.nll - best.nll) / N + 1e-14 * abs(best.nll) <= 2e-10
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)


@pytest.mark.parametrize(
    ("covariance", "k", "starts"),
    [(mg.Factor(), D, 100), ("full", D, 100), (mg.Factor(D + 2), D + 2, 20)],
    ids=str,
)
def test_from_a_hundred_random_starts(X, covariance, k, starts, rng):
    best = mg.fit(X)
    for _ in range(starts):
        start = rng.standard_normal((D, k)) * np.exp(rng.standard_normal((D, 1)))
        mean = best.mean + 5.0 * rng.standard_normal(D)
        fit = mg.fit(X, covariance, method="l-bfgs", start=(mean, start))
        assert fit.converged
        assert fit.nll == pytest.approx(best.nll, rel=1e-8)
        assert_same_covariance(fit, best)


@pytest.mark.parametrize("method", sorted(set(DRIVERS) - {"l-bfgs"}))
@pytest.mark.parametrize("covariance", [mg.Factor(), "full"], ids=str)
def test_every_method_from_random_starts(X, covariance, method, rng):
    best = mg.fit(X)
    for _ in range(3):
        fit = mg.fit(X, covariance, method=method, start=random_start(rng))
        assert fit.converged
        assert fit.nll == pytest.approx(best.nll, rel=1e-8)
        assert_same_covariance(fit, best)


def random_start(rng):
    """Any orientation, well away from singular: gradient descent takes thousands of steps there."""
    return rng.standard_normal((D, D)) + 3.0 * orthogonal(D, rng)


def assert_same_covariance(fit, best):
    """ΛΛᵀ = Ŝ, in units of Ŝ: ½‖r‖² + ¼‖I − K‖² ≤ tol bounds each entry by √(4·tol)."""
    K = np.linalg.solve(best.factor, np.linalg.solve(best.factor, fit.covariance).T)
    np.testing.assert_allclose(K, np.eye(D), atol=3e-5)
    assert np.abs(np.linalg.solve(best.factor, fit.mean - best.mean)).max() <= 2e-5


@pytest.mark.parametrize("method", MONOTONE)
@pytest.mark.parametrize("covariance", [mg.Factor(), "full", "diagonal"], ids=str)
def test_J_never_rises_along_the_trace(X, covariance, method, rng):
    fit = mg.fit(X, covariance, method=method, start=random_start(rng))
    J = np.array([step.nll for step in fit.trace])
    assert (np.diff(J) <= 1e-13 * np.abs(J[1:])).all()
    assert len(J) == fit.n_iter + 1


def test_barzilai_borwein_stays_below_its_recent_past(X, rng):
    fit = mg.fit(X, mg.Factor(), method="barzilai-borwein", start=random_start(rng))
    J = np.array([step.nll for step in fit.trace])
    for i in range(1, len(J)):
        assert J[i] <= J[max(0, i - 10) : i].max() + 1e-12 * abs(J[i])


@pytest.mark.parametrize("method", DRIVERS)
def test_units_change_no_iteration(X, method):
    """Data times powers of two, from the start times the same: the same run, bit for bit."""
    units = 2.0 ** np.array([-20, 3, 30])
    start = np.diag(X.std(axis=0)) + 0.1 * np.tril(np.ones((D, D)), -1) * X.std(axis=0)[:, None]
    plain = mg.fit(X, mg.Factor(), method=method, start=start)
    scaled = mg.fit(X * units, mg.Factor(), method=method, start=units[:, None] * start)
    assert (scaled.n_eval, scaled.n_iter) == (plain.n_eval, plain.n_iter)
    np.testing.assert_array_equal(scaled.factor, units[:, None] * plain.factor)
    norms = [[step.gradient_norm for step in fit.trace] for fit in (plain, scaled)]
    assert norms[0] == norms[1]


@pytest.mark.filterwarnings("ignore::mvngrad.IllConditionedWarning")
@pytest.mark.parametrize("covariance", [mg.Factor(), "full"], ids=str)
def test_conditioning_changes_no_effort(covariance, rng):
    """From Λ₀ = L̂M with the same M, evaluations are those of cond(S) = 1, give or take rounding."""
    Z, starts = rng.standard_normal((200, D)), rng.standard_normal((8, D, D)) + 2 * np.eye(D)
    effort = []
    for condition in (1.0, 1e4, 1e8, 1e12):
        X = Z @ np.linalg.qr(factor_of_condition(D, condition, rng).T, mode="r")
        L = mg.fit(X).factor
        fits = [mg.fit(X, covariance, method="l-bfgs", start=L @ M) for M in starts]
        effort.append(sum(fit.n_eval for fit in fits))
    assert max(effort) <= 1.5 * effort[0]
