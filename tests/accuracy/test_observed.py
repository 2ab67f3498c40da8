"""With holes too, J and its gradients are right to 30 d ε √cond(S), relative to their terms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import CONDITIONS, MEANS, SHAPES, problem
from accuracy.truth import relative_errors
from accuracy.truth_observed import truth_observed
from mvngrad.core import expected

WAYS = {"NumPy": np.inf, "compiled": 0.0}


@pytest.fixture(params=WAYS, autouse=True)
def way(request, monkeypatch):
    monkeypatch.setattr(expected, "KERNEL_WORK", WAYS[request.param])


def with_holes(X, seed, share=0.35):
    """35 % of the entries missing, and one row with nothing."""
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < share] = np.nan
    X[1] = np.nan
    return X


def assert_right(X, mean, factor, noise=None, weights=None) -> None:
    true = truth_observed(X, mean, factor, noise, weights)
    J, gradient = mg.nll_and_grad(X, mean, factor, noise=noise, weights=weights)
    errors = relative_errors(J, gradient, true)
    assert max(errors.values()) < true.bound, (errors, true.bound)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows_with_holes(d, condition):
    for seed, (mean, shape) in enumerate(product(MEANS, SHAPES)):
        X, mu, factor, weights = problem(seed, d, condition, mean, shape)
        assert_right(with_holes(X, seed), mu, factor, None, weights)


@pytest.mark.parametrize("condition", [1.0, 1e6, 1e12])
def test_twelve_columns(condition):
    X, mu, factor, weights = problem(1, 12, condition, 1e3, "wide")
    assert_right(with_holes(X, 1), mu, factor, None, weights)


@pytest.mark.parametrize("k", [0, 1, 3])
@pytest.mark.parametrize("smallest", [1.0, 1e-8])
def test_noise(k, smallest, rng):
    factor, noise = rng.standard_normal((4, k)), np.array([1.0, smallest, 0.3, 1.0])
    root = np.hstack([factor, np.diag(np.sqrt(noise))])
    X = rng.standard_normal((14, k + 4)) @ root.T
    assert_right(with_holes(X, 3), np.zeros(4), factor, noise, rng.exponential(size=14))


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0])
def test_around_the_switch_to_qr(ratio):
    for seed, (d, shape) in enumerate(product([2, 5], SHAPES)):
        condition = max((expected.SAFE * d * ratio) ** 2, 1.0)
        X, mu, factor, weights = problem(seed, d, condition, 1e3, shape)
        assert_right(with_holes(X, seed), mu, factor, None, weights)


@pytest.mark.parametrize("condition", [1e8, 1e12])
def test_ten_digits_are_left_of_a_gradient_at_a_condition_of_1e12(condition):
    """What P_mm would make of it is good to 7e-6 there."""
    for seed in range(3):
        X, mu, factor, weights = problem(seed, 6, condition, 0.0, "square", n=60)
        X = with_holes(X, seed)
        true = truth_observed(X, mu, factor, None, weights)
        errors = relative_errors(*mg.nll_and_grad(X, mu, factor, weights=weights), true)
        assert max(errors.values()) < 1e-10


def test_many_rows_of_a_pattern_are_merged_without_loss():
    X, mu, factor, weights = problem(1, 3, 1e10, 1e3, "square", n=400)
    X[:150, 0], X[100:300, 2] = np.nan, np.nan
    assert_right(X, mu, factor, None, weights)
