"""J and its gradients on rows are right to 30 d ε √cond(S), relative to their terms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import CONDITIONS, MEANS, SHAPES, factor_of, problem
from accuracy.truth import EPS, relative_errors, truth


def assert_right(X, mean, factor, noise=None, weights=None, true=None) -> None:
    true = true or truth(X, mean, factor, noise, weights)
    J, gradient = mg.nll_and_grad(X, mean, factor, noise=noise, weights=weights)
    errors = relative_errors(J, gradient, true)
    assert max(errors.values()) < true.bound, (errors, true.bound)
    assert mg.nll(X, mean, factor, noise=noise, weights=weights) == J


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows(d, condition):
    for seed, (mean, shape) in enumerate(product(MEANS, SHAPES)):
        assert_right(*unpacked(problem(seed, d, condition, mean, shape)))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows_of_twenty_columns(condition):
    for i, shape in enumerate(SHAPES):
        turn = i + CONDITIONS.index(condition)
        assert_right(*unpacked(problem(turn, 20, condition, MEANS[turn % 3], shape)))


def unpacked(p):
    return p.X, p.mean, p.factor, None, p.weights


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0])
def test_around_the_switch_from_whitened_scatter_to_whitened_rows(ratio):
    for seed, (d, shape) in enumerate(product([2, 5], SHAPES)):
        condition = max((2 * d * ratio) ** 2, 1.0)
        assert_right(*unpacked(problem(seed, d, condition, 1e3, shape)))


@pytest.mark.parametrize("condition", [1.0, 1e6, 1e12])
def test_data_unlike_the_parameters(condition):
    rng = np.random.default_rng(0)
    for shape, size in product(SHAPES, [1e-6, 1.0, 1e6]):
        factor = factor_of(rng, 4, condition, shape)
        assert_right(1e3 + size * rng.normal(size=(9, 4)), np.full(4, 1e3), factor)


@pytest.mark.parametrize("shape", SHAPES)
def test_units_of_columns(shape):
    rng = np.random.default_rng(1)
    for condition in (1.0, 1e4, 1e8):
        units = 10.0 ** rng.uniform(-3, 3, size=4)
        factor = units[:, None] * factor_of(rng, 4, condition, shape)
        X = rng.normal(size=(12, factor.shape[1])) @ factor.T
        assert_right(X + 100.0 * units, 100.0 * units, factor)


@pytest.mark.parametrize("seed", range(4))
def test_rows_and_weights_of_very_different_size(seed):
    p = problem(seed, 3, 1e4, 0.0, "square", n=20)
    rng = np.random.default_rng(seed)
    assert_right(p.X * 10.0 ** rng.uniform(-6, 6, size=(20, 1)), p.mean, p.factor)
    assert_right(p.X, p.mean, p.factor, None, 10.0 ** rng.uniform(-12, 12, size=20))


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("smallest", [1.0, 1e-4, 1e-8])
def test_noise(smallest, mean):
    rng = np.random.default_rng(2)
    for d, k in [(1, 0), (2, 0), (2, 1), (5, 0), (5, 2), (5, 7), (20, 3)]:
        loadings, noise = rng.normal(size=(d, k)), smallest * rng.uniform(1, 2, size=d)
        X = mean + rng.normal(size=(2 * d, k + d)) @ np.hstack([loadings, np.diag(noise**0.5)]).T
        assert_right(X, np.full(d, mean), loadings, noise, rng.exponential(size=2 * d))


def test_noise_of_zero_where_the_factor_fills_in():
    rng = np.random.default_rng(3)
    for zeros in range(3):
        loadings, noise = rng.normal(size=(4, 2)), np.full(4, 1e-8)
        noise[:zeros] = 0.0
        assert_right(rng.normal(size=(9, 4)), np.zeros(4), loadings, noise)


@pytest.mark.parametrize(("d", "copies"), [(2, 1000), (5, 5000), (20, 12_000)])
def test_many_rows(d, copies):
    """Repeated rows are weights to the truth; the last case is long enough for the kernel."""
    p = problem(1, d, 1e6, 1e3, "square", n=45)
    true = truth(p.X, p.mean, p.factor, None, np.full(45, float(copies)))
    assert_right(np.tile(p.X, (copies, 1)), p.mean, p.factor, true=true)


def test_the_bound_is_not_idle():
    """Sums of squares about the origin, or a dense inverse, would fail it by far."""
    p = problem(0, 5, 1e10, 1e3, "square")
    true = truth(p.X, p.mean, p.factor)
    S, R = p.factor @ p.factor.T, p.X - p.mean
    dense = (len(R) * np.eye(5) - np.linalg.solve(S, R.T @ R)) @ np.linalg.solve(S, p.factor)
    naive = mg.nll_and_grad(p.X, p.mean, p.factor)[1]._replace(factor=dense)
    assert relative_errors(0.0, naive, true)["factor"] > 10 * true.bound > 10 * EPS
