"""Moments are a commutative monoid, and know nothing of how their rows came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mvngrad as mg
from mvngrad.core import passes
from mvngrad.core.frame import AffineFrame

N, D = 60, 3


def assert_same(a: mg.Moments, b: mg.Moments, rtol=1e-13):
    """Equal in the units of their standard deviations."""
    deviations = np.sqrt(np.diagonal(b.cov))
    assert a.weight == pytest.approx(b.weight, rel=rtol)
    assert a.n_obs == b.n_obs
    assert (np.abs(a.mean - b.mean) <= rtol * (deviations + np.abs(b.mean))).all()
    gap = np.abs(a.scatter - b.scatter)
    assert (gap <= 10 * rtol * b.weight * np.outer(deviations, deviations)).all()


def assert_identical(a: mg.Moments, b: mg.Moments):
    assert (a.weight, a.n_obs) == (b.weight, b.n_obs)
    for name in ("center", "spread"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()
    assert a.frame.equals(b.frame)


@pytest.fixture(name="X")
def rows(rng):
    mixing = np.array([[1.0, 0.0, 0.0], [5.0, 20.0, 0.0], [0.01, -0.02, 0.05]])
    return rng.standard_normal((N, D)) @ mixing.T + np.array([0.0, 1e3, -7.0])


def test_definition(X, rng):
    w = rng.uniform(0.0, 2.0, N)
    a = mg.Moments.of(X, w)
    m = w @ X / w.sum()
    assert a.weight == pytest.approx(w.sum())
    np.testing.assert_allclose(a.mean, m, rtol=1e-13)
    np.testing.assert_allclose(a.scatter, (X - m).T @ ((X - m) * w[:, None]), rtol=1e-11)
    np.testing.assert_allclose(a.cov, a.scatter / a.weight)


@pytest.mark.parametrize("frame", ["diagonal", "full"])
def test_of_a_plus_of_b_is_of_both(X, frame):
    a, b = mg.Moments.of(X[:20], frame=frame), mg.Moments.of(X[20:], frame=frame)
    assert_same(a + b, mg.Moments.of(X, frame=frame))


def test_identity(X):
    nothing = mg.Moments(0.0, 0, np.zeros(D), np.zeros((D, D)), AffineFrame.identity(D))
    a = mg.Moments.of(X)
    assert_identical(a + nothing, a)
    assert_identical(nothing.in_frame(a.frame) + a, a)
    assert_same(nothing + a, a)


def test_associative_and_commutative(X):
    a, b, c = (mg.Moments.of(part) for part in np.split(X, [5, 30]))
    assert_same((a + b) + c, a + (b + c))
    assert_same(a + b, b + a)


@given(cuts=st.lists(st.integers(1, N - 1), max_size=6), order=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_chunks_in_any_order(cuts, order):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) + np.array([0.0, 1e3, -7.0])
    chunks = np.split(X, sorted(set(cuts)))
    order.shuffle(chunks)
    assert_same(mg.Moments.of(iter(chunks)), mg.Moments.of(X))


def test_iterator_of_chunks_with_weights(X, rng):
    w = rng.uniform(0.0, 2.0, N)
    chunks, weights = iter(np.split(X, [7, 40])), iter(np.split(w, [7, 40]))
    assert_same(mg.Moments.of(chunks, weights), mg.Moments.of(X, w))


def test_permuted_rows(X, rng):
    assert_same(mg.Moments.of(X[rng.permutation(N)]), mg.Moments.of(X))


def test_permuted_columns(X):
    order = [2, 0, 1]
    a, b = mg.Moments.of(X), mg.Moments.of(X[:, order])
    np.testing.assert_allclose(b.mean, a.mean[order], rtol=1e-12)
    np.testing.assert_allclose(b.scatter, a.scatter[np.ix_(order, order)], rtol=1e-12)


def test_weights_are_repetition(X, rng):
    counts = rng.integers(0, 4, N)
    a, b = mg.Moments.of(X, counts), mg.Moments.of(np.repeat(X, counts, axis=0))
    assert (a.n_obs, b.n_obs) == ((counts > 0).sum(), counts.sum())
    assert a.weight == b.weight
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-13)
    np.testing.assert_allclose(a.scatter, b.scatter, rtol=1e-10)


@pytest.mark.parametrize("junk", [1e9, np.nan, np.inf, -np.inf])
def test_weight_zero_is_a_row_left_out(X, junk):
    w = np.ones(N)
    w[[0, 17]] = 0.0
    spoilt = X.copy()
    spoilt[[0, 17]] = junk
    assert_same(mg.Moments.of(spoilt, w), mg.Moments.of(X[w > 0.0]))


def test_fractional_weights_scale(X, rng):
    w = rng.uniform(0.1, 2.0, N)
    a, b = mg.Moments.of(X, w), mg.Moments.of(X, 0.25 * w)
    np.testing.assert_allclose(b.cov, a.cov, rtol=1e-12)
    assert b.weight == pytest.approx(0.25 * a.weight)


def test_frames_agree(X):
    assert_same(mg.Moments.of(X, frame="full"), mg.Moments.of(X, frame="diagonal"), rtol=1e-12)
    assert_same(mg.Moments.of(X, frame=AffineFrame.identity(D)), mg.Moments.of(X), rtol=1e-11)


def test_in_frame_round_trip(X, rng):
    a = mg.Moments.of(X)
    diagonal = AffineFrame(a.mean + 1.0, np.array([0.5, 8.0, 0.25]))
    assert_same(a.in_frame(diagonal).in_frame(a.frame), a)
    np.testing.assert_array_equal(a.in_frame(diagonal).in_frame(a.frame).spread, a.spread)
    triangular = AffineFrame(a.mean - 1.0, np.linalg.cholesky(a.cov))
    assert_same(a.in_frame(triangular), a, rtol=1e-12)
    assert_same(a.in_frame(triangular).in_frame(a.frame), a, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [N, 40_000])
def test_units_by_powers_of_two_change_no_bit(n, weighted, rng):
    X = rng.standard_normal((n, 7)) + 3.0
    units = 2.0 ** np.array([-450, -300, -20, 0, 1, 300, 450])
    w = rng.uniform(0.0, 2.0, n) if weighted else None
    a, b = mg.Moments.of(X, w), mg.Moments.of(X * units, w)
    assert a.center.tobytes() == b.center.tobytes()
    assert a.spread.tobytes() == b.spread.tobytes()
    np.testing.assert_array_equal(b.mean, a.mean * units)


def test_number_of_threads_changes_no_bit(rng, monkeypatch):
    bounds = [(i, i + 997) for i in range(0, 11 * 997, 997)]
    monkeypatch.setattr(passes, "chunk_bounds", lambda *_: bounds)
    X = rng.standard_normal((11 * 997, 5)) + 1.0
    w = rng.uniform(0.0, 2.0, len(X))
    one = mg.Moments.of(X, w, threads=1)
    for threads in (2, 3):
        assert_identical(mg.Moments.of(X, w, threads=threads), one)


def test_chunks_of_the_plan_agree_with_one_pass(rng):
    X = rng.standard_normal((300_000, 12)) + 5.0
    many = mg.Moments.of(X, threads=2)
    assert_identical(mg.Moments.of(X, threads=1), many)
    m = X.mean(axis=0)
    np.testing.assert_allclose(many.mean, m, rtol=1e-13)
    np.testing.assert_allclose(many.scatter, (X - m).T @ (X - m), atol=1e-10 * len(X))
