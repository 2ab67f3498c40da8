"""The public door: what ``nll`` and ``nll_and_grad`` take, give back and refuse."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg

X = np.array([[1.0, 2.0], [0.5, 0.0], [-1.0, 1.0]])
MU = np.zeros(2)
L = np.array([[2.0, 0.0], [1.0, 1.0]])


def test_shapes_and_types():
    J, gradient = mg.nll_and_grad(X, MU, np.ones((2, 3)) + np.eye(2, 3))
    assert type(J) is float
    assert type(mg.nll(X, MU, L)) is float
    assert isinstance(gradient, mg.Gradient)
    assert gradient.mean.shape == (2,)
    assert gradient.factor.shape == (2, 3)
    assert gradient.noise is None
    assert mg.nll_and_grad(X, MU, L, noise=[1.0, 2.0])[1].noise.shape == (2,)


def test_lists_and_integers_do():
    assert mg.nll([[1, 2], [3, 4]], [0, 0], [[2, 0], [1, 1]]) == mg.nll(
        np.array([[1.0, 2.0], [3.0, 4.0]]), MU, L
    )


def test_one_column_one_row():
    expected = 0.5 * (np.log(2 * np.pi * 9.0) + 4.0 / 9.0)
    assert mg.nll([[2.0]], [0.0], [[3.0]]) == pytest.approx(expected)
    assert mg.nll([[2.0]], [0.0], [[-3.0]]) == pytest.approx(expected)


def test_inputs_are_not_written_to():
    arrays = [X.copy(), MU.copy(), L.copy(), np.ones(2), np.ones(3)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    rows, mu, factor, noise, weights = arrays
    mg.nll_and_grad(rows, mu, factor, noise=noise, weights=weights)
    mg.nll_and_grad(mg.Moments.of(rows), mu, factor, noise=noise)
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_gradient_is_the_callers_own():
    mu, factor = MU.copy(), L.copy()
    _, gradient = mg.nll_and_grad(X, mu, factor)
    gradient.mean[:] = gradient.factor[:] = 0.0
    np.testing.assert_array_equal(factor, L)
    np.testing.assert_array_equal(mu, MU)


BAD = {
    r"mean must have shape \(2,\)": (X, np.zeros(3), L, {}),
    "mean must be finite": (X, [0.0, np.nan], L, {}),
    r"factor must have shape \(2, k\)": (X, MU, np.eye(3), {}),
    r"factor must be finite; got inf at index \(0, 1\)": (X, MU, [[1.0, np.inf], [0, 1]], {}),
    r"noise must have shape \(2,\)": (X, MU, L, {"noise": 1.0}),
    "noise must not be negative; got -1.0 at index 1": (X, MU, L, {"noise": [0.0, -1.0]}),
    "weights must have one entry": (X, MU, L, {"weights": [1.0]}),
    "no row has a positive weight": (X, MU, L, {"weights": np.zeros(3)}),
    "data must be real numbers": (X.astype(complex), MU, L, {}),
    "shape": (X[0], MU, L, {}),
    "infinite": (np.where(X == 0.0, np.inf, X), MU, L, {}),
    "Moments carry their weights": (mg.Moments.of(X), MU, L, {"weights": np.ones(3)}),
}


@pytest.mark.parametrize("message", BAD)
def test_refused(message):
    rows, mu, factor, options = BAD[message]
    for function in (mg.nll, mg.nll_and_grad):
        with pytest.raises(mg.DataError, match=message):
            function(rows, mu, factor, **options)


def test_a_missing_value_leaves_the_likelihood_of_the_rest():
    holed = np.array([[1.0, np.nan], [np.nan, np.nan]])
    S = np.asarray(L) @ np.asarray(L).T
    expected = 0.5 * (np.log(2 * np.pi * S[0, 0]) + (1.0 - MU[0]) ** 2 / S[0, 0])
    assert mg.nll(holed, MU, L) == pytest.approx(expected, rel=1e-14)


SINGULAR = {
    "fewer columns": (np.ones((2, 1)), None),
    "no columns": (np.empty((2, 0)), None),
    "a row of zeros": ([[1.0, 2.0], [0.0, 0.0]], None),
    "rows in proportion": ([[1.0, 2.0], [2.0, 4.0]], None),
    "wide, rows in proportion": ([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], None),
    "triangular, zero pivot": ([[1.0, 0.0], [1.0, 0.0]], None),
    "no noise where it is needed": (np.ones((2, 1)), [0.0, 0.0]),
    "noise zero and no columns": (np.empty((2, 0)), [1.0, 0.0]),
}


@pytest.mark.parametrize("case", SINGULAR)
def test_singular_covariances_are_refused(case):
    factor, noise = SINGULAR[case]
    for data in (X, mg.Moments.of(X)):
        with pytest.raises(mg.NotPositiveDefiniteError):
            mg.nll(data, MU, factor, noise=noise)


def test_tiny_and_huge_units():
    """A change of units by c adds n d log c; nothing over- or underflows on the way."""
    plain = mg.nll(X, MU, L)
    for c in (1e-150, 1e-100, 1e100, 1e150):
        assert mg.nll(c * X, MU, c * L) == pytest.approx(plain + 6 * np.log(c), rel=1e-13)
        np.testing.assert_allclose(
            mg.nll_and_grad(c * X, MU, c * L)[1].factor,
            mg.nll_and_grad(X, MU, L)[1].factor / c,
            rtol=1e-12,
        )
