"""Files whose first rows mislead: sorted, constant at first, far off, or left out by weight 0.

The truth is that of the distinct rows with their counts as weights, so long files cost it nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from accuracy.test_fit import assert_right as assert_estimates_right
from accuracy.truth import EPS, estimates, largest, relative_errors, truth


def files():
    rng = np.random.default_rng(0)
    rows = 1e3 + rng.normal(size=(40, 3)) @ np.array([[1, 1, 0.5], [0, 1e-4, 0], [0, 0, 0.2]])
    firsts = {
        "constant": np.column_stack([np.full((5, 2), 1e3), rng.normal(size=5)]),
        "all equal": rows[:1].repeat(5, axis=0),
        "collinear": rows[:5, :1] * np.array([2.0, 1.0, 1.0]),
        "far off": 1e6 * rows[:5],
    }
    long = {name: np.tile(first, (1000, 1)) for name, first in firsts.items()}
    rest = np.tile(rows, (1000, 1))
    ordered = rows[np.argsort(rows[:, 0])].repeat(300, axis=0)
    return {"sorted": ordered} | {name: np.vstack([first, rest]) for name, first in long.items()}


FILES = files()


def counted(X):
    return np.unique(X, axis=0, return_counts=True)


@pytest.mark.filterwarnings("ignore::mvngrad.errors.IllConditionedWarning")
@pytest.mark.parametrize("name", FILES)
def test_estimates(name):
    rows, counts = counted(FILES[name])
    assert_estimates_right(FILES[name], true=estimates(rows, counts))


@pytest.mark.parametrize("name", FILES)
def test_moments_in_the_full_frame(name):
    rows, counts = counted(FILES[name])
    at = estimates(rows, counts)
    mu, factor = at.mean.astype(float), at.L.astype(float)
    true = truth(rows, mu, factor, None, counts)
    J, gradient = mg.nll_and_grad(mg.Moments.of(FILES[name], frame="full"), mu, factor)
    assert max(relative_errors(J, gradient, true).values()) < true.bound


@pytest.mark.parametrize("off", [1.0, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize(("d", "n"), [(2, 200_000), (20, 20_000)])
def test_a_chunk_is_not_summed_about_its_first_rows(d, n, off):
    rng = np.random.default_rng(1)
    first, rest = off + rng.normal(size=(64, d)), rng.normal(size=(40, d))
    X = np.vstack([first, np.tile(rest, (n // 40, 1))])
    counts = np.concatenate([np.ones(64), np.full(40, float(n // 40))])
    true = truth(np.vstack([first, rest]), np.zeros(d), np.eye(d), None, counts)
    J, gradient = mg.nll_and_grad(X, np.zeros(d), np.eye(d))
    assert max(relative_errors(J, gradient, true).values()) < true.bound


@pytest.mark.parametrize("frame", [None, "full"])
@pytest.mark.parametrize("sentinel", [1e8, 1e30, 1e160, -1e300])
def test_rows_of_weight_zero_count_for_nothing(sentinel, frame):
    """A code for "missing" in rows that weights leave out must not become the origin."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(200, 3))
    X = np.vstack([np.full((100, 3), sentinel), rows])
    moments = mg.Moments.of(X, np.repeat([0.0, 1.0], [100, 200]), frame)
    true = estimates(rows)
    unit = 30 * 3 * EPS
    assert np.abs(moments.mean - true.mean.astype(float)).max() < unit
    assert largest(true.W @ (moments.cov - true.covariance) @ true.W.T) < unit
