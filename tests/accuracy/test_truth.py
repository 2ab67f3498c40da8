"""The reference itself: its gradients are the derivatives of its own J."""

from __future__ import annotations

import numpy as np
import pytest

from accuracy.problems import problem
from accuracy.truth import Truth, error, exact, mp, truth

STEP = mp.mpf(10) ** -25  # central differences then have fifty of a hundred digits


def shifted(p, psi, name: str, index: tuple[int, ...], step) -> Truth:
    inputs = {"mean": exact(p.mean), "factor": exact(p.factor), "noise": exact(psi)}
    inputs[name][index] += step
    return truth(p.X, inputs["mean"], inputs["factor"], inputs["noise"], p.weights)


@pytest.mark.parametrize("name", ["mean", "factor", "noise"])
def test_gradients_are_derivatives_of_j(name):
    p, psi = problem(1, d=2, condition=100.0, mean=1.0, shape="wide"), np.array([0.5, 2.0])
    gradient = getattr(truth(p.X, p.mean, p.factor, psi, p.weights), name)
    for index in np.ndindex(gradient.shape):
        above, below = (shifted(p, psi, name, index, s).nll for s in (STEP, -STEP))
        assert abs((above - below) / (2 * STEP) - gradient[index]) < mp.mpf(10) ** -45


def test_one_column_by_hand():
    x, mu, sd = 0.75, 0.5, 2.0
    true = truth([[x]], [mu], [[sd]])
    z = (mp.mpf(x) - mu) / sd
    assert abs(true.nll - (mp.log(2 * mp.pi) / 2 + mp.log(sd) + z * z / 2)) < mp.mpf(10) ** -90
    assert error([-0.0625], true.mean) == 0.0
    assert error([[float((1 - z * z) / sd)]], true.factor) == 0.0
