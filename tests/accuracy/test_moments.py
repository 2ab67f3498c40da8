"""J and its gradients on Moments.

In a frame in which the scatter is O(1)-conditioned the bound is that of rows, 30 d ε √cond(S).
In the plain frame it is 30 d ε cond(S): some digits of nearly collinear columns are gone before
the likelihood is asked for.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import CONDITIONS, MEANS, SHAPES, factor_of, problem
from accuracy.truth import EPS, Truth, relative_errors, truth


def worst(moments: mg.Moments, mean, factor, true: Truth, noise=None) -> float:
    J, gradient = mg.nll_and_grad(moments, mean, factor, noise=noise)
    return max(relative_errors(J, gradient, true).values())


def plain_bound(true: Truth) -> float:
    return 30 * len(true.mean) * EPS * true.condition


def assert_right(p) -> None:
    """In the plain frame, in the full one, and for moments merged from parts in the full one."""
    true = truth(p.X, p.mean, p.factor, None, p.weights)
    plain, full = (mg.Moments.of(p.X, p.weights, frame=frame) for frame in (None, "full"))
    assert worst(plain, p.mean, p.factor, true) < plain_bound(true)
    assert worst(full, p.mean, p.factor, true) < true.bound
    assert worst(in_parts(p, full.frame), p.mean, p.factor, true) < true.bound


def in_parts(p, frame) -> mg.Moments:
    w = np.ones(len(p.X)) if p.weights is None else p.weights
    parts = [slice(start, None, 3) for start in range(3)]
    first, *others = (mg.Moments.of(p.X[part], w[part], frame) for part in parts)
    return sum(others, first)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_moments(d, condition):
    for seed, (mean, shape) in enumerate(product(MEANS, SHAPES)):
        assert_right(problem(seed, d, condition, mean, shape))


@pytest.mark.parametrize("condition", [*CONDITIONS[::2], 1e14])
def test_moments_of_twenty_columns(condition):
    assert_right(problem(1, 20, condition, 1e8, "square"))


@pytest.mark.parametrize("condition", [1.0, 1e7, 1e14])
def test_data_unlike_the_parameters(condition):
    """Nearly collinear data and any Λ: what counts is the conditioning of the scatter there."""
    rng = np.random.default_rng(0)
    for of_data, shape in product([1e4, 1e9, 1e14], SHAPES):
        p = problem(2, 4, of_data, 1e3, "square")
        assert_right(p._replace(factor=factor_of(rng, 4, condition, shape)))


def test_noise():
    p = problem(1, 5, 1e10, 1e3, "square")
    loadings, noise = p.factor[:, :2], np.full(5, 1e-6)
    true = truth(p.X, p.mean, loadings, noise, p.weights)
    full = mg.Moments.of(p.X, p.weights, frame="full")
    assert worst(full, p.mean, loadings, true, noise) < true.bound
