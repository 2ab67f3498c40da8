"""What a fit with holes says of its end is true: no saddle, limit or stop passes for a summit."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from holes import MURRAY, NAN, holed
from mvngrad.core import threads
from mvngrad.core.lanczos import lanczos
from mvngrad.core.patterns import Patterns
from mvngrad.core.threads import default_threads
from mvngrad.fitting.convergence import Status
from mvngrad.models.structure import Structure


class TwoPairs(Structure):
    """Two pairs of columns with correlations tanh(a − b) and tanh(b − a), and one scale."""

    equivariance = "scalar"

    def cov(self, theta):
        r = np.tanh(theta[0] - theta[1])
        S = np.eye(4)
        S[0, 1] = S[1, 0] = r
        S[2, 3] = S[3, 2] = -r
        return np.exp(theta[2]) * S

    def push(self, theta, v):
        S, dS = self.cov(theta), np.zeros((4, 4))
        slope = np.exp(theta[2]) / np.cosh(theta[0] - theta[1]) ** 2 * (v[0] - v[1])
        dS[0, 1] = dS[1, 0] = slope
        dS[2, 3] = dS[3, 2] = -slope
        return dS + v[2] * S

    def pull(self, theta, score):
        G, basis = score.dense(), np.eye(3)
        return np.array([np.vdot(G, self.push(theta, e)) for e in basis])

    def start(self, S):
        return np.array([0.0, 0.0, np.log(np.diagonal(S).mean())])


def test_a_saddle_that_a_symmetry_hides_is_left():
    X = np.hstack([MURRAY, MURRAY])
    fit = mg.fit(X, TwoPairs(), mean=np.zeros(4), method="l-bfgs")
    at_saddle = mg.nll(X, np.zeros(4), np.sqrt(2.5) * np.eye(4))
    assert fit.converged
    assert fit.nll < at_saddle - 0.05
    assert fit.curvature > 0.1


class Nowhere(TwoPairs):
    """Its curvature has no value."""

    def pull_tangent(self, theta, score, v):  # noqa: ARG002
        return np.full(3, np.nan)


@pytest.mark.parametrize("method", ["newton", "l-bfgs"])
def test_a_curvature_without_value_ends_the_fit(method, rng):
    with pytest.warns(mg.ConvergenceWarning):
        fit = mg.fit(holed(rng, 60, 4, 0.2), Nowhere(), method=method)
    assert fit.status is Status.STALLED


def pair(i, j, r, d, n=100):
    """Rows that have columns i and j only, with correlation r exactly."""
    z = np.random.default_rng(3 * i + j).normal(size=(n, 2))
    z = np.linalg.qr(z - z.mean(axis=0))[0] * n**0.5
    rows = np.full((n, d), NAN)
    rows[:, [i, j]] = z @ np.linalg.cholesky([[1.0, r], [r, 1.0]]).T
    return rows


@pytest.mark.parametrize("method", ["auto", "newton"])
@pytest.mark.parametrize("d", [3, 4])
def test_pairs_that_contradict_each_other_have_no_maximum(method, d):
    """With a fourth column, never seen with the first, as without."""
    rows = [pair(0, 1, 0.9, d), pair(0, 2, 0.9, d), pair(1, 2, -0.9, d)]
    rows += [pair(1, 3, 0.3, d), pair(2, 3, 0.2, d)] if d == 4 else []
    with pytest.raises(mg.NotPositiveDefiniteError, match="contradict"):
        mg.fit(np.vstack(rows), method=method)


def test_curvature_is_of_what_the_data_can_tell(rng):
    X = rng.standard_normal((60, 3))
    X[:30, 0], X[30:, 1] = NAN, NAN
    with pytest.warns(mg.NotIdentifiedWarning):
        fit = mg.fit(X)
    assert fit.curvature > 0.1
    assert fit.n_params == 8  # of 9, one covariance is in no row


def test_a_column_that_few_rows_have_is_no_constant(rng):
    """Its values stand in none of the rows from which the frame is taken."""
    n = 100_000
    X = np.column_stack([rng.standard_normal(n), np.full(n, NAN)])
    X[np.arange(5, n, 393)[:200], 1] = 1e8 + rng.standard_normal(200)
    _, variance = Patterns.of(X).available()
    assert np.isfinite(variance).all()
    with pytest.warns(mg.NotIdentifiedWarning):
        assert mg.fit(X).converged


@pytest.mark.parametrize("max_iter", [20, 25, 30])
def test_a_stop_on_the_way_is_no_verdict(max_iter):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    X = np.column_stack([X, X.sum(axis=1) + 2e-7 * rng.standard_normal(200)])
    X[rng.random(X.shape) < 0.15] = NAN
    with pytest.warns((mg.ConvergenceWarning, mg.IllConditionedWarning)):
        assert mg.fit(X, max_iter=max_iter).status is Status.MAX_ITER


def test_rows_with_nothing_leave_complete_data_complete(rng):
    X = rng.standard_normal((50, 3))
    X[4] = NAN
    fit = mg.fit(X, method="closed-form")
    assert (fit.n_obs, fit.n_empty) == (49, 1)
    assert fit.nll == mg.fit(np.delete(X, 4, axis=0)).nll


def test_interrupted_in_a_later_start_keeps_the_best_so_far():
    """The first start has its summit; the saddle it begins at is not an iteration to tell of."""

    def interrupt(step):
        if step.iteration == 0:
            raise KeyboardInterrupt

    with pytest.warns(mg.ConvergenceWarning, match="interrupted"):
        fit = mg.fit(MURRAY, n_starts=5, rng=0, callback=interrupt)
    assert (fit.status, fit.n_starts) == (Status.INTERRUPTED, 2)
    assert fit.loglik == pytest.approx(-29.974286410465, abs=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5, 60])
def test_lanczos_finds_the_smallest_eigenvalue(size, rng):
    A = rng.standard_normal((size, size))
    A = A + A.T + 3.0 * np.eye(size)
    value, v = lanczos(lambda u: A @ u, None, rng.standard_normal(size))
    smallest = np.linalg.eigvalsh(A)[0]
    assert value == pytest.approx(smallest, rel=0.1, abs=1e-8)
    assert v @ A @ v == pytest.approx(value, rel=1e-8)


def test_threads_asked_for_hold_in_every_iteration(rng, monkeypatch):
    monkeypatch.setattr(threads, "_usable_cores", lambda: 8)
    monkeypatch.setattr(threads._pin, "limit_outside", lambda: 8)
    seen = set()
    mg.fit(holed(rng, 60, 3, 0.3), threads=3, callback=lambda _: seen.add(default_threads()))
    assert seen == {3}
    assert default_threads() == 8


@pytest.mark.parametrize("blocks", [2, 3, 4, 5])
def test_what_no_row_tells_is_left_out_of_the_curvature(blocks, rng):
    """Pairs of columns in b sets of rows, never together: 1/b of all rows tell of each."""
    Y = rng.standard_normal((blocks, 15, blocks, 2))
    Y[~np.eye(blocks, dtype=bool)[:, None, :, None].repeat(15, 1).repeat(2, 3)] = NAN
    with pytest.warns(mg.NotIdentifiedWarning, match="never observed together") as said:
        fit = mg.fit(Y.reshape(15 * blocks, 2 * blocks))
    assert fit.curvature == pytest.approx(1.0 / blocks, rel=1e-6)
    assert len(said) == 1
