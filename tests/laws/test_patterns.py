"""Patterns are a commutative monoid, and know nothing of how their rows came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mvngrad as mg
from holes import NAN, factor, holed
from mvngrad.core import patterns as module
from mvngrad.core.expected import evaluate_observed
from mvngrad.core.patterns import Patterns


def answers(data, mu, L):
    """J and its gradients in the units of the data."""
    frame = data.frame
    e = evaluate_observed(data, (mu - frame.origin) / frame.root, L / frame.root[:, None])
    return np.concatenate([[e.nll + data.log_volume], e.mean, e.score.core.ravel()])


def assert_same(a, b, rng):
    """Whatever parameters are asked about."""
    assert (a.n_obs, a.n_empty) == (b.n_obs, b.n_empty)
    assert a.weight == pytest.approx(b.weight, rel=1e-13)
    np.testing.assert_array_equal(a.observed, b.observed)
    np.testing.assert_array_equal(a.counts, b.counts)
    mu, L = rng.standard_normal(a.d), factor(rng, a.d)
    found, true = answers(a, mu, L), answers(b, mu, L)
    np.testing.assert_allclose(found, true, atol=1e-12 * np.abs(true).max())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from([1, 4, None]))
def test_of_a_plus_of_b_is_of_a_and_b(seed, cut, patterns):
    rng = np.random.default_rng(seed)
    X, w = holed(rng, 61, 3, 0.4, patterns), rng.exponential(size=61)
    X[0, 0] = 1.0
    parts = Patterns.of(X[:cut], w[:cut]) + Patterns.of(X[cut:], w[cut:])
    assert_same(parts, Patterns.of(X, w), rng)


def test_chunks_in_any_number(rng):
    X = holed(rng, 500, 4, 0.3)
    chunks = Patterns.of(iter(np.array_split(X, 7)))
    assert_same(chunks, Patterns.of(X), rng)


def test_merging_rows_of_a_pattern_changes_nothing(rng):
    X, w = holed(rng, 3000, 4, 0.2), rng.exponential(size=3000)
    merged, kept = Patterns.of(X, w), Patterns.of(X, w, merged=False)
    assert len(merged.kept.z) < 400 < len(kept.kept.z)
    assert_same(merged, kept, rng)
    assert_same(merged + merged, Patterns.of(np.vstack([X, X]), np.r_[w, w]), rng)


def test_weights_are_repetition(rng):
    X, w = holed(rng, 40, 3, 0.3), rng.integers(0, 4, size=40)
    a, b = Patterns.of(X, w.astype(float)), Patterns.of(np.repeat(X, w, axis=0))
    mu, L = np.zeros(3), factor(rng, 3)
    np.testing.assert_allclose(answers(a, mu, L), answers(b, mu, L), rtol=1e-10, atol=1e-10)
    assert a.weight == b.weight


def test_threads_and_chunks_of_a_plan_give_the_same_bits(rng, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 600)
    X = holed(rng, 1000, 3, 0.3)
    one, two = Patterns.of(X, threads=1), Patterns.of(X, threads=2)
    for a, b in zip(one.kept, two.kept, strict=True):
        assert a.tobytes() == b.tobytes()
    assert_same(one, Patterns.of(X, merged=False), rng)


@pytest.mark.parametrize("collinear", [False, True])
def test_rows_read_in_blocks_of_any_size_are_kept_alike(rng, monkeypatch, collinear):
    """Those as they are and those that are replaced, by Cholesky or by QR, alone or together."""
    X, w = holed(rng, 900, 4, 0.3), rng.exponential(size=900)
    X[:, 3] = X[:, 0] + 1e-6 * X[:, 3] if collinear else X[:, 3]
    whole = Patterns.of(X, w)
    assert len(whole.kept.z) < 400 < whole.n_obs
    for size in (1, 100, 2000):
        monkeypatch.setattr("mvngrad.core.grouping.BLOCK", size)
        for a, b in zip(Patterns.of(X, w).kept, whole.kept, strict=True):
            assert a.tobytes() == b.tobytes()
    assert_same(whole, Patterns.of(X, w, merged=False), rng)


@pytest.mark.parametrize(
    "kind", ["float64", "float32", "Fortran", "strided", "collinear", "weighted"]
)
def test_the_compiled_loop_keeps_the_rows_that_numpy_keeps(rng, monkeypatch, kind):
    """Those that are replaced by QR among them, and more rows than one sum runs over."""
    X, w = holed(rng, 4000, 4, 0.2), None
    if kind == "collinear":
        X[:, 3] = X[:, 0] + 1e-6 * X[:, 3]
    if kind == "weighted":
        w = rng.exponential(size=len(X)) * (rng.random(len(X)) < 0.9)
    X = X.astype(np.float32) if kind == "float32" else X
    X = np.asfortranarray(X) if kind == "Fortran" else X
    X = np.repeat(X, 2, axis=1)[:, ::2] if kind == "strided" else X
    monkeypatch.setattr("mvngrad.core.grouping.KERNEL_WORK", np.inf)
    true = Patterns.of(X, w)
    monkeypatch.setattr("mvngrad.core.grouping.KERNEL_WORK", 0.0)
    found = Patterns.of(X, w)
    if kind in {"Fortran", "strided"}:
        plain = Patterns.of(np.ascontiguousarray(X)).kept
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found.kept, plain, strict=True))
    assert len(true.kept.z) < 400 < 3 * 256 < true.counts.max()
    np.testing.assert_array_equal(found.starts, true.starts)
    for a, b in zip(found.kept, true.kept, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max())


@pytest.mark.parametrize("work", [0.0, np.inf], ids=["compiled", "NumPy"])
def test_units_by_powers_of_two_and_shifts_change_no_bit(rng, monkeypatch, work):
    monkeypatch.setattr("mvngrad.core.grouping.KERNEL_WORK", work)
    X = np.round(holed(rng, 200, 3, 0.3) * 2**20) / 2**20
    units, shift = 2.0 ** np.array([20.0, -20.0, 3.0]), 2.0**26
    a, b = Patterns.of(X), Patterns.of((X + shift) * units)
    assert a.kept.z.tobytes() == b.kept.z.tobytes()


@pytest.mark.parametrize("d", [1, 7, 8, 9, 16, 17, 30, 64, 65, 130])
def test_patterns_of_any_width(d, rng):
    X = holed(rng, 50, d, 0.3)
    data = Patterns.of(X, merged=False)
    expected = {tuple(row) for row in ~np.isnan(X) if row.any()}
    assert {tuple(row) for row in data.observed} == expected
    assert data.n_obs + data.n_empty == 50
    for observed, kept in data.each:
        assert not kept.z[:, ~observed].any()


def test_coverage_counts_pairs(rng):
    X = holed(rng, 300, 4, 0.4)
    O = ~np.isnan(X)
    np.testing.assert_array_equal(Patterns.of(X).coverage, O.T.astype(int) @ O.astype(int))


def test_available_means_and_variances(rng):
    X = holed(rng, 300, 4, 0.4, 5)
    data = Patterns.of(X)
    mean, variance = data.available()
    frame = data.frame
    np.testing.assert_allclose(frame.origin + frame.root * mean, np.nanmean(X, 0), rtol=1e-12)
    np.testing.assert_allclose(frame.root**2 * variance, np.nanvar(X, 0), rtol=1e-10)


def test_integers_have_no_holes():
    data = Patterns.of(np.arange(12).reshape(4, 3))
    assert data.observed.tolist() == [[True, True, True]]


def test_infinity_is_an_error():
    with pytest.raises(mg.DataError, match="column 1 is infinite at row 2"):
        Patterns.of(np.array([[1.0, 2.0], [NAN, 1.0], [1.0, np.inf]]))
