"""Closed-form estimates from rows, against the same sums to a hundred digits.

    mean         ε|m| + 30 d ε sd                       entry by entry
    covariance   30 d ε sdᵢ sdⱼ                         entry by entry
    factor       ‖L⁻¹(Λ̂Λ̂ᵀ − S)L⁻ᵀ‖ within 30 d ε √cond(S)
    loglik       30 d ε √cond(S) Σ|terms|

The third is the one that sees the smallest eigenvalues. Rows are read a second time, whitened,
once 1 − R² of some column is below 1e-3; until then the scatter of one pass serves.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import CONDITIONS, MEANS, problem
from accuracy.truth import EPS, Estimates, error, estimates, exact, largest

pytestmark = pytest.mark.filterwarnings("ignore::mvngrad.errors.IllConditionedWarning")


def assert_right(X, weights=None, *, true: Estimates | None = None) -> None:
    true = true or estimates(X, weights)
    fit = mg.fit(X, weights=weights)
    sd, unit = true.deviations, 30 * len(true.mean) * EPS
    of_mean = np.abs((exact(fit.mean) - true.mean).astype(float))
    of_covariance = np.abs((exact(fit.covariance) - true.covariance).astype(float))
    assert fit.converged
    assert (of_mean <= EPS * np.abs(fit.mean) + unit * sd).all()
    assert (of_covariance <= unit * np.outer(sd, sd)).all()
    assert whitened_error(fit.factor, true) < unit * true.condition**0.5
    assert error(fit.loglik, true.loglik) < unit * true.condition**0.5 * true.loglik_size


def whitened_error(factor, true: Estimates) -> float:
    """‖L⁻¹(Λ̂Λ̂ᵀ − S)L⁻ᵀ‖."""
    half = true.W @ exact(factor)
    return largest(half @ half.T - exact(np.eye(len(half))))


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_estimates(d, condition):
    for seed, mean in product(range(2), MEANS):
        p = problem(seed, d, condition, mean, "square", n=4 * d + 10)
        assert_right(p.X, p.weights)


@pytest.mark.parametrize("condition", CONDITIONS[1::2])
def test_estimates_of_twenty_columns(condition):
    assert_right(problem(0, 20, condition, 1e8, "square").X)


def test_a_large_mean_and_a_standard_deviation_of_one():
    """As in NIST's NumAcc sets: 1e8 ± 1 by turns, and a column about 1e8 beside one about 0."""
    x = 1e8 + np.tile([-1.0, 1.0], 50)
    rng = np.random.default_rng(0)
    assert_right(x[:, None])
    assert_right(np.column_stack([x + np.round(rng.normal(size=100), 2), rng.normal(size=100)]))


def test_columns_in_very_different_units():
    p = problem(2, 3, 1e6, 1.0, "square", n=30)
    assert_right(p.X * np.array([1e-40, 1.0, 1e60]))


def test_iterations_reach_the_closed_form():
    """In the whitened metric, at the tolerance asked for: optimality is ¼‖I − K‖²."""
    p = problem(0, 4, 1e10, 1e3, "square", n=40)
    fit = mg.fit(p.X, method="l-bfgs", tol=1e-12)
    assert whitened_error(fit.factor, estimates(p.X)) < 4 * 1e-12**0.5
