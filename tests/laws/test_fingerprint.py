"""A fingerprint is the same for the same data, however they came; and differs where data do."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.core.fingerprint import Fingerprint
from mvngrad.core.frame import AffineFrame
from mvngrad.core.patterns import Patterns

STRUCTURES = ["full", "diagonal", "ar1", "banded:1"]
NAMES = "abcd"


@pytest.fixture(name="X", params=[0.0, 0.2], ids=["complete", "holes"])
def rows(request, rng):
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) * [1e-3, 1.0, 5.0, 1e3]
    X += [1.0, 1e4, 0.0, 0.0]
    X[rng.random(X.shape) < request.param] = np.nan
    return X


def differences(a, b):
    return list(a.fingerprint.differences(b.fingerprint, NAMES))


def test_structures_do_not_matter(X):
    fits = [mg.fit(X, name) for name in STRUCTURES]
    assert all(differences(a, b) == [] for a in fits for b in fits)


def test_neither_order_nor_weights_written_as_rows_matter(X, rng):
    once = mg.fit(X)
    assert differences(once, mg.fit(X[rng.permutation(60)])) == []
    twice = Fingerprint.of(Patterns.of(np.vstack([X, X])))
    weighted = Fingerprint.of(Patterns.of(X, np.full(60, 2.0)))
    assert list(twice.differences(weighted, NAMES)) == ["the number of rows: 120 and 60"]


def test_moments_and_patterns_of_complete_rows_agree(rng):
    X, w = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)), rng.uniform(0.5, 2.0, 40)
    a = Fingerprint.of(mg.Moments.of(X, w))
    b = Fingerprint.of(Patterns.of(X, w, merged=False))
    c = Fingerprint.of(mg.Moments.of(X, w, "full"))
    assert list(a.differences(b, NAMES)) == list(a.differences(c, NAMES)) == []
    assert a.together == pytest.approx(b.together, rel=1e-10)


def test_frames_do_not_matter(X):
    data = Patterns.of(X)
    other = data.in_frame(AffineFrame(np.ones(4), np.array([4.0, 2.0, 1.0, 0.5])))
    a, b = Fingerprint.of(data), Fingerprint.of(other)
    assert list(a.differences(b, NAMES)) == []


def test_a_design_does_not_matter(X, rng):
    Z = np.column_stack([np.ones(60), rng.normal(size=60)])
    assert differences(mg.fit(X), mg.fit(X, mean=mg.Linear(Z))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: X[1:], "the number of rows: 60 and 59"),
        (lambda X: X * [1.0, 1.0, 1.001, 1.0], "the variance of c: "),
        (lambda X: X + np.array([0.0, 1e-4, 0.0, 0.0]), "the mean of b: "),
        (lambda X: X[:, [1, 0, 2, 3]], "the mean of a, b"),
    ],
)
def test_other_data_are_told(X, change, words):
    found = differences(mg.fit(X), mg.fit(change(X)))
    assert any(text.startswith(words) for text in found), found


def test_weights_are_told(X, rng):
    w = rng.uniform(0.5, 2.0, 60)
    assert differences(mg.fit(X), mg.fit(X, weights=w))[0].startswith("the total weight: 60 and ")
    scaled = mg.fit(X, weights=60 * w / w.sum())
    assert differences(mg.fit(X), scaled)[0] != []


def test_a_shuffled_column_is_told(X, rng):
    there = ~np.isnan(X[:, 0])
    Y = X.copy()
    Y[there, 0] = X[there, 0][::-1]
    assert [t[:25] for t in differences(mg.fit(X), mg.fit(Y))] == ["how the columns go togeth"]


def test_a_hole_is_told(X):
    Y = X.copy()
    Y[np.flatnonzero(~np.isnan(X[:, 3]))[0], 3] = np.nan
    assert "the weight observed of d" in differences(mg.fit(X), mg.fit(Y))[0]


def test_it_comes_back_from_a_file(X, tmp_path):
    fit = mg.fit(X, "diagonal")
    fit.save(tmp_path / "fit.safetensors")
    kept = mg.load(tmp_path / "fit.safetensors")
    assert kept.sample is None
    assert kept.fingerprint.together == fit.fingerprint.together
    assert np.array_equal(kept.fingerprint.variance, fit.fingerprint.variance)
    assert differences(kept, fit) == []
