"""Factors with entries from 1e-150 to 1e150, whose S under- and overflows: right entry by entry.

Where S is well conditioned in units of its own columns, twelve digits of every entry are right
whatever those units. The truth leaves out entries beyond float64's range. Residuals of three
standard deviations keep I − K away from zero. Warnings, of overflow too, fail a test.
"""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import factor_of
from accuracy.truth import entrywise_error, truth

DIGITS = 1e-12
SHAPES = ["diagonal", "lower", "square", "wide"]


def assert_right(units, shape, *, noise=None, d=4, seed=0) -> None:
    rng = np.random.default_rng(seed)
    factor = units[:, None] * factor_of(rng, d, 4.0, shape)
    mu = units * rng.normal(size=d)
    X = mu + 3.0 * rng.normal(size=(6, factor.shape[1])) @ factor.T
    weights = rng.exponential(size=6)
    true = truth(X, mu, factor, noise, weights)
    J, gradient = mg.nll_and_grad(X, mu, factor, noise=noise, weights=weights)
    assert entrywise_error(J, true.nll) < DIGITS
    assert entrywise_error(gradient.mean, true.mean) < DIGITS
    assert entrywise_error(gradient.factor, true.factor) < DIGITS
    assert all(np.isfinite(part).all() for part in (J, gradient.mean, gradient.factor))
    if noise is not None:
        assert entrywise_error(gradient.noise, true.noise) < DIGITS


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e150])
def test_overall_scale(scale, shape):
    assert_right(np.full(4, scale), shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_columns_in_units_of_their_own(seed, shape):
    assert_right(10.0 ** np.random.default_rng(seed).uniform(-150, 150, size=4), shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [1, -1])
def test_columns_from_one_end_of_the_range_to_the_other(order, shape):
    assert_right(10.0 ** np.linspace(-150, 150, 4)[::order], shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_in_units_of_its_own(shape):
    units = 10.0 ** np.array([-150.0, -60.0, 40.0, 150.0])
    assert_right(units, shape, noise=np.array([1.0, 2.0, 3.0, 4.0]) * units**2)


def test_a_triangle_with_entries_anywhere_below_its_diagonal():
    """1e-150 beside 1e150 in one row: the small entry counts for nothing, its gradient does."""
    factor = np.array([[1.5, 0.0, 0.0], [1e-150, 2e150, 0.0], [3e-40, 1e-100, 1e-30]])
    X = 3.0 * np.array([[1.0, -1e150, 2e-30], [2.0, 1e150, 1e-30]])
    true = truth(X, np.zeros(3), factor)
    J, gradient = mg.nll_and_grad(X, np.zeros(3), factor)
    assert entrywise_error(J, true.nll) < DIGITS
    assert entrywise_error(gradient.mean, true.mean) < DIGITS
    assert entrywise_error(gradient.factor, true.factor) < DIGITS


@pytest.mark.parametrize("shape", SHAPES)
def test_units_that_are_powers_of_two_change_no_bit_of_the_gradient(shape):
    rng = np.random.default_rng(4)
    units = 2.0 ** rng.integers(-300, 300, size=4)
    factor = factor_of(rng, 4, 100.0, shape)
    X, mu = rng.normal(size=(9, 4)), rng.normal(size=4)
    _, here = mg.nll_and_grad(X, mu, factor)
    _, there = mg.nll_and_grad(X * units, mu * units, factor * units[:, None])
    np.testing.assert_array_equal(there.mean * units, here.mean)
    np.testing.assert_array_equal(there.factor * units[:, None], here.factor)
