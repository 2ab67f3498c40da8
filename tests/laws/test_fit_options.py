"""``fit`` does what its options say, and says what it did."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest

import mvngrad as mg
from cases import factor_of_condition
from mvngrad.fitting.convergence import Status
from mvngrad.fitting.methods import DRIVERS, EM

STEADY = sorted(set(DRIVERS) - EM)  # of complete data EM's first step is the optimum
N, D = 50, 3
close = np.testing.assert_allclose


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((N, D)) @ factor_of_condition(D, 1e4, rng).T + 1.0


@pytest.fixture(name="start")
def far_away():
    return np.array([[5.0, 0.0, 0.0], [-4.0, 0.1, 0.0], [2.0, 3.0, 9.0]])


def test_closed_form_is_mean_and_covariance(X):
    fit = mg.fit(X)
    close(fit.mean, X.mean(axis=0), rtol=1e-14)
    close(fit.covariance, np.cov(X.T, ddof=0), rtol=1e-10)
    assert (fit.method, fit.n_iter, fit.n_eval) == ("closed-form", 0, 1)
    np.testing.assert_array_equal(fit.factor, np.tril(fit.factor))
    assert (np.diagonal(fit.factor) > 0.0).all()


def test_derived_quantities(X):
    fit = mg.fit(X)
    assert (fit.weight, fit.n_obs, fit.n_empty) == (N, N, 0)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-11)
    assert fit.loglik == -fit.nll
    assert fit.aic == pytest.approx(2 * fit.nll + 2 * 9)
    assert fit.bic == pytest.approx(2 * fit.nll + np.log(N) * 9)
    close(fit.deviations, X.std(axis=0), rtol=1e-12)
    close(fit.correlation, np.corrcoef(X.T), rtol=1e-10)
    close(fit.structure.cov(fit.params), fit.covariance, rtol=1e-10)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", mg.Factor()])
def test_weights_are_repetition(X, covariance, rng):
    counts = rng.integers(0, 4, N)
    a, b = mg.fit(X, covariance, weights=counts), mg.fit(np.repeat(X, counts, axis=0), covariance)
    assert (a.weight, a.n_obs) == (counts.sum(), (counts > 0).sum())
    assert a.nll == pytest.approx(b.nll, rel=1e-12)
    close(a.covariance, b.covariance, rtol=1e-8, atol=1e-10)


def test_scaled_weights_scale_the_total_alone(X):
    a, b = mg.fit(X), mg.fit(X, weights=np.full(N, 0.5))
    assert b.nll == pytest.approx(0.5 * a.nll, rel=1e-13)
    close(b.covariance, a.covariance, rtol=1e-12)
    assert b.bic == pytest.approx(2 * b.nll + np.log(0.5 * N) * 9)


@pytest.mark.parametrize("method", DRIVERS)
def test_max_iter_zero_is_the_start(X, start, method):
    with pytest.warns(mg.ConvergenceWarning, match="max_iter"):
        fit = mg.fit(X, mg.Factor(), method=method, start=start, max_iter=0)
    assert (fit.status, fit.n_iter, fit.converged) == (Status.MAX_ITER, 0, False)
    assert len(fit.trace) == 1
    assert any("max_iter" in said for said in fit.warnings)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)


@pytest.mark.parametrize("method", STEADY)
def test_max_iter_bounds_iterations_and_the_best_point_is_kept(X, start, method):
    with pytest.warns(mg.ConvergenceWarning):
        fit = mg.fit(X, mg.Factor(), method=method, start=start, max_iter=2)
    assert fit.n_iter == 2
    assert fit.nll <= min(step.nll for step in fit.trace) * (1 + 1e-14)


@pytest.mark.parametrize("method", STEADY)
def test_callback_stops(X, start, method):
    seen = []
    with pytest.warns(mg.ConvergenceWarning, match="callback"):
        fit = mg.fit(
            X,
            method=method,
            start=start,
            callback=lambda step: seen.append(step) or len(seen) == 3,
        )
    assert fit.status is Status.CALLBACK
    assert seen == list(fit.trace)
    assert [step.iteration for step in seen] == [0, 1, 2]
    assert all(a.n_eval < b.n_eval for a, b in pairwise(seen))
    assert all(a.seconds <= b.seconds for a, b in pairwise(seen))


@pytest.mark.parametrize("method", STEADY)
def test_interrupt_gives_the_best_point_so_far(X, start, method):
    def interrupt(step):
        if step.iteration == 2:
            raise KeyboardInterrupt

    with pytest.warns(mg.ConvergenceWarning, match="interrupted"):
        fit = mg.fit(X, method=method, start=start, callback=interrupt)
    assert fit.status is Status.INTERRUPTED
    assert not fit.converged
    assert fit.nll <= min(step.nll for step in fit.trace) * (1 + 1e-14)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)


def test_an_error_in_a_callback_is_the_callers(X, start):
    def fail(step):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        mg.fit(X, method="l-bfgs", start=start, callback=fail)


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_tol_bounds_optimality(X, start, tol):
    loose = mg.fit(X, mg.Factor(), method="l-bfgs", start=start, tol=tol)
    tight = mg.fit(X, mg.Factor(), method="l-bfgs", start=start)
    assert loose.converged
    assert loose.optimality <= tol
    assert loose.n_iter < tight.n_iter


def test_starts(X):
    """A factor, a mean and a factor, a Fit: from the optimum there is nothing to do."""
    best = mg.fit(X)
    for start in (best, (best.mean, best.factor), best.factor):
        fit = mg.fit(X, mg.Factor(), method="l-bfgs", start=start)
        assert fit.n_iter <= 1
        assert fit.nll == pytest.approx(best.nll, rel=1e-9)
    wide = np.hstack([best.factor, np.ones((D, 2))])
    assert mg.fit(X, mg.Factor(), method="l-bfgs", start=wide).factor.shape == (D, D + 2)


@pytest.mark.parametrize("method", ["closed-form", *DRIVERS])
def test_the_same_fit_twice_is_the_same_to_the_bit(X, method):
    a, b = mg.fit(X, method=method), mg.fit(X, method=method)
    assert (a.nll, a.n_eval) == (b.nll, b.n_eval)
    assert a.factor.tobytes() == b.factor.tobytes()


def test_threads_change_no_bit(X):
    fits = [mg.fit(X, threads=threads) for threads in (1, 2, 3)]
    assert len({fit.factor.tobytes() for fit in fits}) == 1


def test_a_fit_pickles(X):
    fit = mg.fit(X, "diagonal", method="l-bfgs")
    again = pickle.loads(pickle.dumps(fit))
    assert again.nll == fit.nll
    assert again.status is fit.status
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def test_a_callers_structure_is_not_changed(X):
    structure = mg.Factor()
    mg.fit(X, structure)
    assert structure.d is None
    assert structure.k is None


def test_inputs_are_not_written_to(X, start):
    w, X_before, start_before = np.ones(N), X.copy(), start.copy()
    for array in (X, w, start):
        array.flags.writeable = False
    mg.fit(X, weights=w, start=start, method="l-bfgs")
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(start, start_before)


BAD = {
    "covariance must be one of": {"covariance": "round"},
    "method must be one of": {"method": "guess"},
    "mean must": {"mean": "zero"},
    r"mean must have shape \(3,\)": {"mean": [0.0]},
    "tol must be": {"tol": 0.0},
    "max_iter must be": {"max_iter": -1},
    "threads must be": {"threads": 0},
    "one entry a row": {"weights": np.ones(3)},
    "start must have shape": {"start": np.eye(2)},
    "full row rank": {"start": np.ones((3, 3))},
    r"has rank below d = 3": {"covariance": mg.Factor(2)},
}


@pytest.mark.parametrize("message", BAD)
def test_refused(X, message):
    with pytest.raises(ValueError, match=message):
        mg.fit(X, **BAD[message])
