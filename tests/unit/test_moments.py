"""Moments: the digits they keep, the arrays they take, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

import mvngrad as mg
from mvngrad.core.frame import AffineFrame


def digits(found, exact):
    """Correct decimal digits, as in NIST's StRD."""
    error = abs(mpf(float(found)) - exact) / abs(exact)
    return 16.0 if error == 0 else float(-mp.log10(error))


# NIST StRD, univariate: NumAcc3 and NumAcc4 have exact mean and standard deviation 0.1.
@pytest.mark.parametrize(("start", "mean"), [(1000000.2, 1000000.2), (10000000.2, 10000000.2)])
def test_numacc(start, mean):
    x = np.concatenate([[start], np.tile([start - 0.1, start + 0.1], 500)])
    moments = mg.Moments.of(x[:, None])
    with mp.workdps(50):
        values = [mpf(v) for v in x.tolist()]
        exact_mean = mp.fsum(values) / len(values)
        exact = mp.fsum((v - exact_mean) ** 2 for v in values)
        assert digits(moments.mean[0], exact_mean) >= 15
        assert digits(moments.scatter[0, 0], exact) >= 14
    assert moments.mean[0] == pytest.approx(mean, rel=1e-15)
    assert np.sqrt(moments.scatter[0, 0] / 1000) == pytest.approx(0.1, rel=1e-8)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("ordered", [False, True])
def test_digits_do_not_depend_on_the_mean(offset, ordered, rng):
    X = rng.standard_normal((500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.1]])
    X = (X[np.argsort(X[:, 0])] if ordered else X) + offset
    moments = mg.Moments.of(X)
    with mp.workdps(50):
        M = mp.matrix(X.tolist())
        means = [mp.fsum(M[:, j]) / 500 for j in range(2)]
        for i, j in ((0, 0), (0, 1), (1, 1)):
            exact = mp.fsum((M[r, i] - means[i]) * (M[r, j] - means[j]) for r in range(500))
            assert digits(moments.scatter[i, j], exact) >= 13
        assert all(digits(moments.mean[j], means[j]) >= 12 for j in range(2) if offset)


def test_an_outlying_first_block_costs_no_digits(rng):
    X = rng.standard_normal((5000, 2))
    X[:64] += 1e9
    w = np.ones(5000)
    w[:64] = 1e-9
    m = w @ X / w.sum()
    expected = (X - m).T @ ((X - m) * w[:, None])
    moments = mg.Moments.of(X, w)
    np.testing.assert_allclose(moments.scatter, expected, rtol=1e-11)
    assert (np.abs(moments.mean - m) <= 1e-12 * np.sqrt(np.diagonal(moments.cov))).all()


def test_float32_is_accumulated_in_float64(rng):
    X = (rng.standard_normal((1_000_000, 2), dtype=np.float32) + np.float32(1e4)).astype(np.float32)
    exact = X.astype(np.float64)
    moments = mg.Moments.of(X)
    np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(np.diagonal(moments.cov), exact.var(axis=0), rtol=1e-11)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "int8", "int64", "uint8", "bool", ">f8", ">i4"]
)
def test_dtypes(dtype, rng):
    X = rng.integers(0, 2 if dtype == "bool" else 9, (50, 3)).astype(dtype)
    a, b = mg.Moments.of(X), mg.Moments.of(X.astype(np.float64))
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scatter, b.scatter)


def strided(X):
    room = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan)
    room[::2, ::3] = X
    return room[::2, ::3]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda X: X[::-1][::-1],
    "negative strides": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "lists": lambda X: X.tolist(),
    "masked": np.ma.asarray,
}


@pytest.mark.parametrize("n", [50, 30_000])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, n, rng):
    X = rng.standard_normal((n, 4)) + 10.0
    a, b = mg.Moments.of(LAYOUTS[layout](X)), mg.Moments.of(X)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-15)
    np.testing.assert_allclose(a.scatter, b.scatter, atol=1e-14 * b.scatter.max())


def test_memmap(tmp_path, rng):
    X = rng.standard_normal((100, 3))
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(mg.Moments.of(mapped).scatter, mg.Moments.of(X).scatter)
    del mapped


def test_inputs_are_neither_written_to_nor_kept(rng):
    X, w = rng.standard_normal((50, 3)), rng.uniform(0, 1, 50)
    X_before, w_before = X.copy(), w.copy()
    X.flags.writeable = w.flags.writeable = False
    moments = mg.Moments.of(X, w)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(w, w_before)
    for array in (moments.center, moments.spread, moments.frame.origin, moments.frame.root):
        assert not array.flags.writeable
        assert not np.shares_memory(array, X)


def test_scatter_is_symmetric_to_the_bit(rng):
    for n in (5, 500, 30_000):
        scatter = mg.Moments.of(rng.standard_normal((n, 6)) + 3.0, rng.uniform(0, 1, n)).scatter
        np.testing.assert_array_equal(scatter, scatter.T)


def test_one_row():
    moments = mg.Moments.of([[3.0, 4.0]])
    assert (moments.weight, moments.n_obs, moments.d) == (1.0, 1, 2)
    np.testing.assert_array_equal(moments.mean, [3.0, 4.0])
    np.testing.assert_array_equal(moments.scatter, np.zeros((2, 2)))


def test_from_covariance_is_of_rows_with_that_covariance(rng):
    X = rng.standard_normal((30, 3)) * [1e-3, 1.0, 1e5] + 2.0
    a = mg.Moments.of(X)
    b = mg.Moments.from_covariance(np.cov(X.T), 30, X.mean(axis=0), ddof=1)
    assert (b.weight, b.n_obs) == (30.0, 30)
    np.testing.assert_allclose(b.mean, a.mean)
    np.testing.assert_allclose(b.scatter, a.scatter, rtol=1e-12)
    np.testing.assert_allclose((a + b).cov, a.cov, rtol=1e-12)


def test_from_covariance_without_a_mean_reports_zero():
    moments = mg.Moments.from_covariance([[4.0, 1.0], [1.0, 9.0]], 20)
    np.testing.assert_array_equal(moments.mean, [0.0, 0.0])
    np.testing.assert_allclose(moments.cov, [[4.0, 1.0], [1.0, 9.0]])


BAD_COVARIANCES = {
    "square": ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 10, {}),
    r"symmetric; got S\[0, 1\] = 0.5": ([[1.0, 0.5], [0.2, 1.0]], 10, {}),
    r"n must be finite and larger than ddof=1.0; got 1.0": (np.eye(2), 1, {"ddof": 1}),
    "got nan": (np.eye(2), np.nan, {}),
    r"finite; got nan at index \(0, 0\)": ([[np.nan]], 10, {}),
    r"mean must have shape \(2,\)": (np.eye(2), 10, {"mean": [0.0]}),
}


@pytest.mark.parametrize("message", BAD_COVARIANCES)
def test_from_covariance_refuses(message):
    S, n, options = BAD_COVARIANCES[message]
    with pytest.raises(mg.DataError, match=message):
        mg.Moments.from_covariance(S, n, **options)


BAD_ROWS = {
    "shape": (np.zeros(3), None),
    "empty": (np.zeros((0, 3)), None),
    "complex": (np.zeros((3, 2), complex), None),
    "text": ([["a", "b"]], None),
    r"weights must have one entry a row, shape \(2,\)": ([[1.0], [2.0]], [1.0]),
    "not negative; got -1.0 at row 1": ([[1.0], [2.0]], [1.0, -1.0]),
    "weights must be finite": ([[1.0], [2.0]], [1.0, np.nan]),
    "no row has a positive weight": ([[1.0], [2.0]], [0.0, 0.0]),
    "column 1 is infinite at row 1": ([[1.0, 2.0], [2.0, np.inf]], None),
}


@pytest.mark.parametrize("message", BAD_ROWS)
def test_rows_refused(message):
    X, w = BAD_ROWS[message]
    with pytest.raises(mg.DataError, match=message):
        mg.Moments.of(X, w)


def test_no_overflow_in_a_frame_that_fits_and_an_error_in_one_that_does_not():
    X = [[1.7e308], [-1.7e308]]
    moments = mg.Moments.of(X)
    assert moments.mean == 0.0
    assert moments.spread * (moments.frame.root / 1.7e308) ** 2 == pytest.approx(2.0)
    with pytest.raises(mg.DataError, match="overflows"):
        mg.Moments.of(X, frame=AffineFrame.identity(1))


def test_missing_values_are_counted_and_named():
    X = np.ones((10, 3))
    X[3, 1] = X[5, 1] = np.nan
    with pytest.raises(mg.MissingValuesError, match=r"2 of 10 rows .* column 1"):
        mg.Moments.of(X)


def test_adding_and_framing_refuse_strangers():
    a = mg.Moments.of(np.eye(3))
    with pytest.raises(mg.DataError, match="3 and of 2 columns"):
        a + mg.Moments.of(np.eye(2))
    with pytest.raises(TypeError):
        a + 1
    with pytest.raises(mg.DataError, match="frame"):
        mg.Moments.of(np.eye(3), frame="round")
    with pytest.raises(mg.DataError, match="frame has 2 columns"):
        mg.Moments.of(np.eye(3), frame=AffineFrame.identity(2))
    with pytest.raises(mg.DataError, match="iterator"):
        mg.Moments.of(iter([]))
