"""Bad input: the right answer, or an error of ours that says what and where and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import mvngrad as mg
from mvngrad.errors import DataError, MissingValuesError, NotPositiveDefiniteError

X = np.random.default_rng(20060818).normal(size=(30, 3))
ONES = np.ones(30)
EYE = np.eye(3)
ZERO = np.zeros(3)


def column(j: int, value: Any) -> np.ndarray:
    Y = X.copy()
    Y[:, j] = value
    return Y


def cell(i: int, j: int, value: float) -> np.ndarray:
    Y = X.copy()
    Y[i, j] = value
    return Y


def weight(rows: Any, value: float) -> np.ndarray:
    w = ONES.copy()
    w[rows] = value
    return w


# name: (data, error, what its message must say)
BAD_DATA: dict[str, tuple[Any, type[Exception], str]] = {
    "no rows": (np.empty((0, 3)), DataError, "empty"),
    "no columns": (np.empty((3, 0)), DataError, "empty"),
    "one row": (X[:1], NotPositiveDefiniteError, "do not vary over 1 row"),
    "two rows": (X[:2], NotPositiveDefiniteError, r"2 rows cannot.*diagonal"),
    "n = d": (X[:3], NotPositiveDefiniteError, "at least 4 rows"),
    "1-D": (X[:, 0], DataError, "reshape"),
    "3-D": (X[None], DataError, r"\(1, 30, 3\)"),
    "a number": (3.0, DataError, r"\(n, d\)"),
    "None": (None, DataError, "NoneType"),
    "a dict": ({"a": [1, 2]}, DataError, "dict"),
    "a fit": (mg.fit(X), DataError, "got a Fit"),
    "a generator": ((x for x in [X]), DataError, "generator"),
    "ragged": ([[1, 2], [3]], DataError, "one length"),
    "all-missing column": (column(1, np.nan), DataError, "x2 has no observed value.*columns=…"),
    "all missing": (X * np.nan, DataError, "no row has a positive weight and an observed value"),
    "inf": (cell(7, 2, np.inf), DataError, "x3 is infinite at row 7"),
    "-inf": (cell(7, 2, -np.inf), DataError, "-inf"),
    "constant": (column(1, 3.0), NotPositiveDefiniteError, "x2 does not vary"),
    "constant 0.1": (column(1, 0.1), NotPositiveDefiniteError, "x2 does not vary"),
    "all rows alike": (np.broadcast_to(X[:1], (30, 3)), NotPositiveDefiniteError, "x1, x2, x3"),
    "duplicate": (column(1, X[:, 0]), NotPositiveDefiniteError, "x2 is a linear comb.* of x1"),
    "collinear": (column(2, X[:, 0] - 2 * X[:, 1]), NotPositiveDefiniteError, "x3.*x2, x1"),
    "collinear, far": (column(2, X[:, 0] + 1e8), NotPositiveDefiniteError, "x3.*x1"),
    "rounded away": (X + 1e16, NotPositiveDefiniteError, "not vary"),
    "complex": (X + 1j, DataError, "imaginary"),
    "objects": (X.astype(object), DataError, "astype"),
    "None inside": (np.array([[1, None], [2, 3]], object), DataError, "object"),
    "strings": (np.array([["a", "b"]]), DataError, "text"),
    "dates": (np.array([["2020-01-01"]], dtype="M8[D]"), DataError, "datetime64"),
    "structured": (np.zeros(3, dtype=[("a", "f8")]), DataError, "real numbers"),
    "sparse": (scipy.sparse.csr_matrix(X), DataError, "toarray"),
    "1e300": (X * 1e300, DataError, r"x1.*e+.*Rescale"),
    "1e-300": (X * 1e-300, DataError, r"x1.*e-.*Rescale"),
    "one huge": (X * np.array([1.0, 1e200, 1.0]), DataError, "x2.*Rescale"),
    "text table": (pd.DataFrame({"t": ["x"] * 30}), DataError, "no numeric column"),
    "equal names": (pd.DataFrame(X, columns=["a", "a", "b"]), DataError, "'a' occurs twice"),
    "no such file": ("nofile.csv", DataError, "nofile.csv"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_gets_help(name: str) -> None:
    data, error, message = BAD_DATA[name]
    with pytest.raises(error, match=f"(?s){message}"):
        mg.fit(data)


# With missing="raise": (data, what the message must say)
REFUSED: dict[str, tuple[Any, str]] = {
    "NaN": (cell(4, 1, np.nan), r"1 of 30 rows.*x2.*row 4.*missing='drop'"),
    "all-missing column": (column(1, np.nan), "30 of 30 rows.*x2"),
    "all missing": (X * np.nan, "30 of 30"),
    "masked": (np.ma.masked_array(X, X > 1.5), "missing value"),
    "null": (
        pd.DataFrame({"a": pd.array([1, 2, None, 4], dtype="Int64"), "b": [1.0, 5, 3, 9]}),
        "in a; the first is row 2",
    ),
    "polars null": (pl.DataFrame({"u": [1.0, None, 3.0, 4.0], "v": [1.0, 2, 4, 3]}), "in u"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_missing_values_are_refused_on_request(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(MissingValuesError, match=f"(?s){message}"):
        mg.fit(data, missing="raise")


HOLES: dict[str, Any] = {
    "NaN": cell(4, 1, np.nan),
    "masked": np.ma.masked_array(X, X > 1.5),
    "null": pd.DataFrame(
        {"a": pd.array([1, 2, None, 4, 3], dtype="Int64"), "b": [1.0, 5, 3, 9, 2]}
    ),
    "polars null": pl.DataFrame({"u": [1.0, None, 3.0, 4.0, 2.0], "v": [1.0, 2, 4, 3, 4]}),
}


@pytest.mark.parametrize("name", HOLES)
def test_missing_values_are_fitted(name: str) -> None:
    fit = mg.fit(HOLES[name])
    assert fit.converged
    assert fit.n_obs == len(HOLES[name])


GOOD_DATA: dict[str, Any] = {
    "n = d + 1": X[:4],
    "integers": np.arange(30).reshape(10, 3) ** 2 % 7,
    "bytes": (np.abs(X) * 50).astype("u1"),
    "booleans": X > 0,
    "float16": X.astype("f2"),
    "float32": X.astype("f4"),
    "longdouble": X.astype(np.longdouble),
    "nothing masked": np.ma.masked_array(X),
    "lists": X.tolist(),
    "strides": X[::-1, ::-1],
    "Fortran": np.asfortranarray(X),
    "1e120": X * 1e120,
    "1e-120": X * 1e-120,
    "mean 1e12": X + 1e12,
    "an outlier": cell(0, 0, 1e15),
    "series": pd.Series(X[:, 0]),
    "pandas": pd.DataFrame(X),
    "polars": pl.DataFrame(X),
    "lazy": pl.DataFrame(X).lazy(),
}


@pytest.mark.parametrize("name", GOOD_DATA)
def test_odd_but_good_data_fit(name: str) -> None:
    data = GOOD_DATA[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.IllConditionedWarning)
        fit = mg.fit(data)
    rows = np.asarray(data.collect() if isinstance(data, pl.LazyFrame) else data, dtype=float)
    rows = rows.reshape(len(rows), -1)
    expected = np.atleast_2d(np.cov(rows.T, ddof=0))
    deviations = np.sqrt(np.diagonal(expected))
    assert fit.converged
    assert (np.abs(fit.covariance - expected) <= 1e-3 * np.outer(deviations, deviations)).all()


def test_text_columns_of_a_dataframe_are_left_out_with_a_warning() -> None:
    table = pd.DataFrame({"a": X[:, 0], "t": ["x"] * 30, "b": X[:, 1]})
    with pytest.warns(mg.DataWarning, match="left out columns without numbers: t"):
        fit = mg.fit(table)
    assert fit.columns == ("a", "b")


# name: (arguments of fit beside X, error, what its message must say)
BAD_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "weight negative": ({"weights": weight(3, -1.0)}, DataError, "got -1.0 at row 3"),
    "weight NaN": ({"weights": weight(3, np.nan)}, DataError, "nan at row 3"),
    "weight inf": ({"weights": weight(3, np.inf)}, DataError, "inf at row 3"),
    "weights all 0": ({"weights": 0 * ONES}, DataError, "positive weight"),
    "weights short": ({"weights": ONES[:5]}, DataError, r"\(30,\).*\(5,\)"),
    "weights text": ({"weights": "a"}, DataError, "not a name"),
    "weights complex": ({"weights": ONES + 1j}, DataError, "real"),
    "two weighted rows": ({"weights": weight(slice(2, 30), 0.0)}, NotPositiveDefiniteError, "2 r"),
    "start NaN": ({"start": EYE * np.nan, "method": "l-bfgs"}, DataError, "start must be finite"),
    "start singular": ({"start": np.ones((3, 3))}, NotPositiveDefiniteError, "full row rank"),
    "start zero": ({"start": np.zeros((3, 3))}, NotPositiveDefiniteError, "full row rank"),
    "start thin": ({"start": np.ones((3, 2))}, NotPositiveDefiniteError, "full row rank"),
    "start shape": ({"start": np.eye(2)}, DataError, r"\(3, k\)"),
    "start text": ({"start": "x"}, DataError, "start must be real"),
    "method": ({"method": "newtonn"}, DataError, "one of auto"),
    "covariance": ({"covariance": "arr1"}, DataError, "'diagonal'"),
    "mean text": ({"mean": "zero"}, DataError, "'free'"),
    "mean short": ({"mean": [1, 2]}, DataError, r"\(3,\)"),
    "mean NaN": ({"mean": [1, 2, np.nan]}, DataError, "finite"),
    "tol 0": ({"tol": 0}, DataError, "tol"),
    "tol NaN": ({"tol": np.nan}, DataError, "tol"),
    "max_iter -1": ({"max_iter": -1}, DataError, "max_iter"),
    "threads 0": ({"threads": 0}, DataError, "threads"),
    "threads text": ({"threads": "x"}, DataError, "threads"),
    "columns too few": ({"columns": ["a", "b"]}, DataError, "2 columns"),
    "columns beyond": ({"columns": [0, 9]}, DataError, "column 9"),
    "columns twice": ({"columns": [0, 0]}, DataError, "twice"),
    "missing": ({"missing": "skip"}, DataError, "'drop'"),
    "thin factor": ({"covariance": mg.Factor(2)}, DataError, "k ≥ 3"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options_get_help(name: str) -> None:
    options, error, message = BAD_OPTIONS[name]
    with pytest.raises(error, match=f"(?s){message}"):
        mg.fit(X, **options)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_start_however_far_arrives(scale: float) -> None:
    fit = mg.fit(X, method="l-bfgs", start=scale * EYE)
    assert fit.converged
    assert fit.nll == pytest.approx(mg.fit(X).nll, rel=1e-9)


BAD_NLL: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "mean short": (lambda: mg.nll(X, [0, 0], EYE), DataError, r"mean.*\(3,\)"),
    "mean text": (lambda: mg.nll(X, "abc", EYE), DataError, "mean must be real"),
    "factor short": (lambda: mg.nll(X, ZERO, np.eye(2)), DataError, r"\(3, k\)"),
    "factor NaN": (lambda: mg.nll(X, ZERO, EYE * np.nan), DataError, r"\(0, 0\)"),
    "factor thin": (lambda: mg.nll(X, ZERO, EYE[:, :2]), NotPositiveDefiniteError, "noise"),
    "singular": (lambda: mg.nll(X, ZERO, np.ones((3, 3))), NotPositiveDefiniteError, "singular"),
    "zero": (lambda: mg.nll(X, ZERO, 0 * EYE), NotPositiveDefiniteError, "row 0"),
    "inf": (lambda: mg.nll(cell(4, 1, np.inf), ZERO, EYE), DataError, "row 4"),
    "overflow": (lambda: mg.nll(X * 1e200, ZERO, EYE), DataError, "overflows"),
    "noise negative": (lambda: mg.nll(X, ZERO, EYE, noise=[-1, 0, 0]), DataError, "index 0"),
    "weights of moments": (
        lambda: mg.nll(mg.Moments.of(X), ZERO, EYE, weights=ONES),
        DataError,
        r"Moments\.of",
    ),
}


@pytest.mark.parametrize("name", BAD_NLL)
def test_bad_arguments_of_nll_get_help(name: str) -> None:
    call, error, message = BAD_NLL[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()


BAD_COVARIANCE: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "n = 1, singular": (np.ones((2, 2)), 1, NotPositiveDefiniteError, "1 row cannot"),
    "n a list": (EYE, [9.0], DataError, "one number"),
    "n = 0": (EYE, 0, DataError, "larger than ddof"),
    "n text": (EYE, "x", DataError, "n must be real"),
    "asymmetric": ([[1, 2], [0, 1]], 9, DataError, r"S\[0, 1\] = 2.0"),
    "not square": (np.ones((2, 3)), 9, DataError, "square"),
    "NaN": ([[1, np.nan], [np.nan, 1]], 9, DataError, r"\(0, 1\)"),
    "indefinite": ([[1, 2], [2, 1]], 9, NotPositiveDefiniteError, "eigenvalue of -1"),
    "negative variance": ([[-1, 0], [0, 1]], 9, DataError, r"S\[0, 0\] = -1"),
    "zero": (np.zeros((2, 2)), 9, NotPositiveDefiniteError, "not vary"),
    "singular": (np.ones((2, 2)), 9, NotPositiveDefiniteError, "x2.*x1"),
}


@pytest.mark.parametrize("name", BAD_COVARIANCE)
def test_bad_covariance_matrices_get_help(name: str) -> None:
    S, n, error, message = BAD_COVARIANCE[name]
    with pytest.raises(error, match=f"(?s){message}"):
        mg.fit(mg.Moments.from_covariance(S, n))


def test_collinearity_is_described_by_the_exception() -> None:
    with pytest.raises(NotPositiveDefiniteError) as caught:
        mg.fit(pd.DataFrame(column(2, X[:, 0] - 2 * X[:, 1]), columns=["a", "b", "c"]))
    assert set(caught.value.columns) == {"a", "b", "c"}
    assert caught.value.rank == 2
    assert caught.value.smallest_eigenvalue == pytest.approx(0.0, abs=1e-12)


def test_names_where_values_belong():
    frame = pd.DataFrame(X, columns=list("abc")).assign(w=1.0)
    with pytest.raises(DataError, match=r"weights=data\['w'\].*columns"):
        mg.fit(frame, weights="w")
    with pytest.raises(DataError, match="columns is empty"):
        mg.fit(frame, columns=[])
    with pytest.raises(DataError, match="no column at all"):
        mg.fit(pd.DataFrame())


def test_columns_of_objects_may_be_numbers():
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["d"] = pd.Series([1.0, None, 2.5] * 10, dtype=object)
    frame["e"] = pd.Series(["u", "v", None] * 10)
    with pytest.warns(mg.DataWarning) as said:
        mg.fit(frame)
    assert [str(each.message).split(":")[0] for each in said] == [
        "left out columns without numbers", "d"
    ]  # fmt: skip
    assert "data['d'].astype(float)" in str(said[1].message)
