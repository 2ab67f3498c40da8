"""Fits of rows with holes end at a certified summit of the observed-data likelihood."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest

import mvngrad as mg
from holes import MURRAY, NAN, holed
from mvngrad.core import threads
from mvngrad.core.expected import evaluate_observed
from mvngrad.fitting import whitened
from mvngrad.fitting.convergence import Status
from mvngrad.fitting.methods import DRIVERS
from mvngrad.fitting.placing import WARM_UP
from mvngrad.models.data import Complete, Observed

close = np.testing.assert_allclose
STRUCTURES = ["full", "diagonal", "spherical", mg.Factor(), mg.Factor(6)]


@pytest.fixture(name="X")
def rows(rng):
    return holed(rng, 120, 4, 0.25)


def whitened_gradient(fit, X, weights=None):
    """|L⁻¹-whitened gradient| a row, of a full covariance."""
    _, g = mg.nll_and_grad(X, fit.mean, fit.factor, weights=weights)
    n = fit.weight
    of_cov = fit.factor.T @ g.factor / n
    of_cov = of_cov + np.tril(of_cov, -1).T - np.triu(of_cov, 1)
    return np.sqrt(np.sum((fit.factor.T @ g.mean / n) ** 2) + np.sum(np.tril(of_cov) ** 2))


@pytest.mark.parametrize("covariance", STRUCTURES, ids=str)
@pytest.mark.parametrize("method", DRIVERS)
def test_every_method_reaches_the_same_summit(X, method, covariance):
    fit, best = mg.fit(X, covariance, method=method), mg.fit(X, covariance)
    assert fit.converged
    assert fit.curvature > 0.0
    assert fit.nll == pytest.approx(best.nll, abs=1e-8)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)
    close(fit.covariance, best.covariance, atol=1e-5 * np.abs(best.covariance).max())


def test_the_gradient_is_zero(X, rng):
    w = rng.exponential(size=len(X))
    assert whitened_gradient(mg.fit(X), X) <= 1e-8
    assert whitened_gradient(mg.fit(X, weights=w), X, w) <= 1e-8


def test_no_point_nearby_is_higher(X, rng):
    fit = mg.fit(X)
    for _ in range(20):
        mean = fit.mean + 1e-3 * fit.factor @ rng.standard_normal(4)
        factor = fit.factor @ (np.eye(4) + 1e-3 * rng.standard_normal((4, 4)))
        assert mg.nll(X, mean, factor) > fit.nll


@pytest.mark.parametrize("method", ["em", "accelerated-em", "auto", "newton"])
def test_the_nll_never_rises(X, method):
    trace = mg.fit(X, method=method).trace
    assert all(b.nll <= a.nll + 1e-11 * abs(a.nll) for a, b in pairwise(trace))


def test_em_converges_at_the_rate_that_curvature_tells(rng):
    fit = mg.fit(holed(rng, 400, 3, 0.4), method="em")
    norms = [step.gradient_norm for step in fit.trace]
    rate = (norms[-1] / norms[-5]) ** 0.25
    assert 1.0 - fit.curvature == pytest.approx(rate, abs=0.02)


def test_without_holes_it_is_the_closed_form(rng):
    X = rng.standard_normal((60, 3))
    best = mg.fit(X)
    with_empty = mg.fit(np.vstack([X, np.full((3, 3), NAN)]))
    close(with_empty.covariance, best.covariance, rtol=1e-7, atol=1e-9)
    assert (with_empty.n_obs, with_empty.n_empty) == (60, 3)
    assert with_empty.nll == pytest.approx(best.nll, abs=1e-9)


def test_a_monotone_pattern_has_a_closed_form(rng):
    """Two columns, the second with holes: moments of the first, regression of the second."""
    X = rng.standard_normal((80, 2)) @ np.array([[1.0, 0.0], [0.8, 0.6]]).T + 2.0
    X[50:, 1] = NAN
    fit, both = mg.fit(X), X[:50]
    slope, level = np.polyfit(both[:, 0], both[:, 1], 1)
    left = np.var(both[:, 1] - level - slope * both[:, 0])
    m, v = X[:, 0].mean(), X[:, 0].var()
    close(fit.mean, [m, level + slope * m], rtol=1e-8)
    close(fit.covariance, [[v, slope * v], [slope * v, left + slope**2 * v]], rtol=1e-10)
    assert (fit.n_iter, fit.method) == (0, "closed-form")


@pytest.mark.parametrize("d", [1, 3, 6])
def test_the_closed_form_of_monotone_holes_is_the_summit(rng, d):
    X = holed(rng, 150, d, 0.0)[:, rng.permutation(d)]
    for j, end in enumerate(rng.permutation(np.linspace(60, 150, d).astype(int))):
        X[end:, j] = NAN
    w = rng.exponential(size=150)
    fit, other = mg.fit(X, weights=w), mg.fit(X, weights=w, method="newton", start=np.eye(d))
    assert fit.n_iter <= 1 < other.n_iter or d == 1
    assert fit.nll == pytest.approx(other.nll, abs=1e-9)


def test_weights_are_repetition(X, rng):
    w = rng.integers(0, 4, size=len(X))
    a, b = mg.fit(X, weights=w), mg.fit(np.repeat(X, w, axis=0))
    assert a.nll == pytest.approx(b.nll, abs=1e-8)
    close(a.mean, b.mean, rtol=1e-6)


def test_a_known_mean_stays(X):
    fit = mg.fit(X, mean=np.zeros(4))
    assert not fit.mean.any()
    assert fit.converged
    assert fit.nll > mg.fit(X).nll


@pytest.mark.parametrize("covariance", ["full", "diagonal", mg.Factor()], ids=str)
def test_units_change_nothing_but_units(X, covariance):
    X = np.round(X * 2**20) / 2**20
    units, shift = 2.0 ** np.array([20.0, -20.0, 3.0, 0.0]), 2.0**26
    a, b = mg.fit(X, covariance), mg.fit((X + shift) * units, covariance)
    assert (a.n_iter, a.n_eval) == (b.n_iter, b.n_eval)
    np.testing.assert_array_equal(b.factor, a.factor * units[:, None])
    close(b.mean / units - shift, a.mean, atol=1e-7)


def test_the_same_fit_twice_is_the_same_to_the_bit(X):
    a, b = mg.fit(X, n_starts=3, rng=1), mg.fit(X, n_starts=3, rng=1)
    assert a.factor.tobytes() == b.factor.tobytes()


# False summits, and none


@pytest.mark.parametrize("method", ["auto", *DRIVERS])
def test_a_saddle_is_left(method):
    """Murray (1977): at ρ = 0 the gradient is zero, J is 0.059 above its two minima."""
    fit = mg.fit(MURRAY, method=method)
    assert fit.converged
    assert fit.loglik == pytest.approx(-29.974286410465, abs=1e-9)
    assert abs(fit.correlation[0, 1]) == pytest.approx(0.5, abs=1e-5)
    assert fit.curvature > 0.1
    assert mg.fit(MURRAY, "diagonal").loglik == pytest.approx(-30.033342386268, abs=1e-9)


def test_the_best_of_some_starts(rng):
    X = MURRAY + 0.05 * rng.standard_normal(MURRAY.shape)
    one, many = mg.fit(X), mg.fit(X, n_starts=10, rng=0)
    assert many.n_starts == 10
    assert many.nll <= one.nll + 1e-9
    assert "certified local maximum, best of 10 starts" in many.message


def test_columns_never_observed_together_are_named(rng):
    X = rng.standard_normal((60, 3))
    X[:30, 0], X[30:, 1] = NAN, NAN
    with pytest.warns(mg.NotIdentifiedWarning, match="x1 and x2"):
        fit = mg.fit(X)
    assert fit.converged
    assert fit.not_identified == (("x1", "x2"),)
    assert np.isfinite(fit.covariance).all()
    assert "up to what the data cannot tell" in fit.message
    assert fit.missing.never_together == [("x1", "x2")]


@pytest.mark.parametrize("method", ["auto", "em", "newton", "l-bfgs"])
def test_an_unbounded_likelihood_is_an_error_that_names_columns(rng, method):
    X = rng.standard_normal((60, 3))
    X = np.column_stack([X, 2.0 * X[:, 1] + 1.0])
    X[rng.random(X.shape) < 0.3] = NAN
    with pytest.raises(mg.NotPositiveDefiniteError, match=r"x2, x4|x4, x2") as caught:
        mg.fit(X, method=method)
    assert set(caught.value.columns) == {"x2", "x4"}


def test_a_nearly_singular_case_with_monotone_holes(rng):
    X = rng.standard_normal((13, 5))
    for j, k in enumerate([13, 11, 9, 8, 7]):
        X[k:, j] = NAN
    fit = mg.fit(X)
    assert fit.converged
    assert whitened_gradient(fit, X) <= 1e-8


def test_slow_convergence_says_why(rng):
    """Two columns that only six rows have together."""
    X = rng.standard_normal((2000, 2)) @ np.array([[1.0, 0.3], [0.0, 1.0]])
    X[:997, 0], X[1003:, 1] = NAN, NAN
    with pytest.warns(mg.NotIdentifiedWarning, match="of the information is missing"):
        assert mg.fit(X).converged


# The record


def test_callback_max_iter_and_interrupt(X):
    with pytest.warns(mg.ConvergenceWarning, match="max_iter"):
        assert mg.fit(X, max_iter=1).status is Status.MAX_ITER
    with pytest.warns(mg.ConvergenceWarning, match="callback"):
        stopped = mg.fit(X, callback=lambda step: step.iteration == 2)
    assert stopped.n_iter == 2

    def interrupt(step):
        if step.iteration == 2:
            raise KeyboardInterrupt

    with pytest.warns(mg.ConvergenceWarning, match="interrupted"):
        assert mg.fit(X, callback=interrupt).status is Status.INTERRUPTED


@pytest.mark.parametrize("k", range(1, 12))
def test_interrupted_inside_an_evaluation(X, monkeypatch, k):
    """On the way to the start there is nothing to return; from there on the best point so far."""
    steps, calls = len(mg.fit(X).trace) - 1, 0
    assert steps >= 3

    def evaluate(*at):
        nonlocal calls
        calls += 1
        if calls == k:
            raise KeyboardInterrupt
        return evaluate_observed(*at)

    monkeypatch.setattr(whitened, "evaluate_observed", evaluate)
    if k <= WARM_UP:
        with pytest.raises(KeyboardInterrupt):
            mg.fit(X)
        assert_let_go()
        return
    ends = k > WARM_UP + steps
    said = nullcontext() if ends else pytest.warns(mg.ConvergenceWarning, match="interrupted")
    with said:
        fit = mg.fit(X)
    assert fit.status is (Status.CONVERGED if ends else Status.INTERRUPTED)
    if not ends:
        assert len(fit.trace) == k - WARM_UP  # the start, and a step each
        assert fit.nll <= fit.trace[-1].nll * (1 + 1e-14)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)
    assert_let_go()


def assert_let_go():
    """BLAS has the threads it had, and no limit is left behind."""
    assert (threads._pin.inside, threads._limit.get()) == (0, None)


def test_a_fit_pickles_and_comes_back_from_a_file(X, tmp_path):
    fit = mg.fit(X, n_starts=2, rng=0)
    again = pickle.loads(pickle.dumps(fit))
    assert again.missing.mcar_test() == fit.missing.mcar_test()
    fit.save(tmp_path / "fit.safetensors")
    loaded = mg.load(tmp_path / "fit.safetensors")
    assert (loaded.n_starts, loaded.n_empty) == (2, 0)
    assert loaded.factor.tobytes() == fit.factor.tobytes()
    with pytest.raises(mg.NeedsRowsError):
        loaded.missing.mcar_test()


def test_imputing_by_a_fit(X):
    fit = mg.fit(X)
    filled, there = fit.impute(X), ~np.isnan(X)
    np.testing.assert_array_equal(filled[there], X[there])
    np.testing.assert_array_equal(filled, fit.distribution.impute(X))
    draws = fit.impute(X, draws=3, proper=True, rng=0)
    assert draws.shape == (3, *X.shape)
    assert np.isfinite(draws).all()
    with pytest.raises(mg.DataError, match="draws=20"):
        fit.impute(X, proper=True)


def test_the_data_of_objectives_are_alike():
    """What Objective asks for, both give."""
    asked = {"weight", "center", "frame", "volume", "evaluation", "curvature", "expected"}
    assert asked <= set(dir(Complete)) & set(dir(Observed))
