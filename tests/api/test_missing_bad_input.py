"""Bad and degenerate rows with holes: the right answer, or an error that names the column."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mvngrad as mg
from mvngrad.errors import (
    ConvergenceWarning,
    DataError,
    DataWarning,
    MissingValuesError,
    NeedsRowsError,
    NotIdentifiedWarning,
    NotPositiveDefiniteError,
)

NAN = np.nan
N, D = 40, 3
RNG = np.random.default_rng(19770601)
Z = RNG.normal(size=(N, D)) @ np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.4], [0.0, 0.0, 1.0]])
GONE = RNG.random(Z.shape) < 0.2
H = np.where(GONE, NAN, Z)
ONES = np.ones(N)
WHOLE = ~GONE.any(axis=1)
FIRST = np.arange(N)[:, None]
TABLE = pd.DataFrame(H, columns=list("abc"))
POLARS = pl.DataFrame(H, schema=list("abc"), orient="row")
INTEGERS = np.round(10 * Z).astype(int)
NULLABLE = pd.DataFrame(
    {
        name: pd.array([None if gone else k for k, gone in zip(ks, gs, strict=True)], dtype="Int64")
        for name, ks, gs in zip("abc", INTEGERS.T.tolist(), GONE.T.tolist(), strict=True)
    }
)
REFERENCE = mg.fit(H)


def column(j: int, values: Any) -> np.ndarray:
    """The rows with holes, another column j under the same holes."""
    Y = Z.copy()
    Y[:, j] = values
    return np.where(GONE, NAN, Y)


def seen(j: int, k: int) -> np.ndarray:
    """Column j observed in k rows only."""
    Y = H.copy()
    Y[:, j] = NAN
    Y[: 3 * k : 3, j] = Z[: 3 * k : 3, j]
    return Y


def holes(X: Any, share: float, seed: int = 0) -> np.ndarray:
    X = np.asarray(X, dtype=float)
    return np.where(np.random.default_rng(seed).random(X.shape) < share, NAN, X)


def disjoint(blocks: int, width: int = 2, rows: int = 15) -> np.ndarray:
    """Blocks of columns, no two of which have a row in common."""
    Y = np.random.default_rng(3).normal(size=(blocks, rows, blocks, width))
    Y[~np.eye(blocks, dtype=bool)[:, None, :, None].repeat(rows, 1).repeat(width, 3)] = NAN
    return Y.reshape(blocks * rows, blocks * width)


def cell(value: float, X: np.ndarray = H) -> np.ndarray:
    Y = X.copy()
    Y[7, 2] = value
    return Y


def weight(rows: Any, value: float, rest: float = 1.0) -> np.ndarray:
    w = np.full(N, rest)
    w[rows] = value
    return w


def quiet_fit(*args: Any, **options: Any) -> mg.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotIdentifiedWarning)
        return mg.fit(*args, **options)


EMPTY = np.where(FIRST < 5, NAN, H)
REPEATED = np.c_[Z, Z[:, 0]]
SUMMED = np.c_[Z, Z[:, 0] + Z[:, 1] - Z[:, 2]]
FEW = np.array([[-3.0, NAN, 3.0], [-2.5, -0.5, -1.0], [-6.5, -2.5, NAN]])
NOTHING = r"no row has a positive weight and an observed value"

# Tests, and cases by name, that are known to fail: none of them should stay.
# name: (data, options of fit, error, what its message must say)
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    # Nothing, or too little, observed
    "all NaN": (H * NAN, {}, DataError, NOTHING),
    "all NaN in a dataframe": (TABLE * NAN, {}, DataError, NOTHING),
    "all masked": (np.ma.masked_all((5, 3)), {}, DataError, NOTHING),
    "no value in a column": (column(1, NAN), {}, DataError, r"x2 has no observed.*columns=…"),
    "no value in a named column": (TABLE.assign(b=NAN), {}, DataError, "b has no observed value"),
    "no value in two columns": (
        np.c_[Z, ONES * NAN, ONES * NAN],
        {},
        DataError,
        "x4, x5 have no observed value.*them",
    ),
    "all null, Float64": (
        TABLE.assign(e=pd.array([pd.NA] * N, dtype="Float64")),
        {},
        DataError,
        "e has no observed value in 40 rows",
    ),
    "one value in a column": (seen(1, 1), {}, NotPositiveDefiniteError, "x2 does not vary over 1"),
    "two values in a column": (seen(1, 2), {}, NotPositiveDefiniteError, "x2.*too few.*diagonal"),
    "three values in a column": (seen(1, 3), {}, NotPositiveDefiniteError, "x2.*too few.*Drop"),
    "one row": (H[WHOLE][:1], {}, NotPositiveDefiniteError, "x1, x2, x3 do not vary over 1 row"),
    "one row with a hole": ([[1.0, NAN, 3.0]], {}, DataError, "x2 has no observed value in 1 row"),
    "two rows": ([[1, 2, NAN], [2, NAN, 3]], {}, NotPositiveDefiniteError, "x2, x3 do not vary"),
    "three rows": (FEW, {}, NotPositiveDefiniteError, r"x1.*columns=….*diagonal"),
    "three rows, newton": (
        [[1.0, -2.0, 7.0], [2.0, 0.0, -4.0], [-6.0, -8.0, NAN]],
        {"method": "newton"},
        NotPositiveDefiniteError,
        "linearly dependent.*too few such rows",
    ),
    "two complete rows, two columns": (
        [[1, 2], [3, NAN], [NAN, 5], [2, 4], [NAN, 1.0]],
        {},
        NotPositiveDefiniteError,
        "x1.*too few such rows",
    ),
    "every row empty but one": (
        np.where(np.flatnonzero(WHOLE)[0] == FIRST, H, NAN),
        {},
        NotPositiveDefiniteError,
        "do not vary over 1 row",
    ),
    "fewer rows than columns": (
        holes(np.random.default_rng(7).normal(size=(6, 8)), 0.2, 7),
        {},
        NotPositiveDefiniteError,
        "too few such rows.*diagonal",
    ),
    "a column of one value": ([[1.0], [NAN]], {}, NotPositiveDefiniteError, "x1 does not vary"),
    "one row, alike many times": (np.tile([[1, 2, NAN]], (9, 1)), {}, DataError, "x3 has no obs"),
    # Constant, collinear
    "constant": (column(1, 3.0), {}, NotPositiveDefiniteError, "x2 does not vary over"),
    "constant 0.1": (column(1, 0.1), {}, NotPositiveDefiniteError, "x2 does not vary.*columns=…"),
    "constant, diagonal": (
        column(1, 3.0),
        {"covariance": "diagonal"},
        NotPositiveDefiniteError,
        "x2 does not vary",
    ),
    "constant at a known mean": (
        column(1, 3.0),
        {"mean": [0.0, 3.0, 0.0]},
        NotPositiveDefiniteError,
        "x2 does not vary",
    ),
    "repeated": (np.c_[H, H[:, 0]], {}, NotPositiveDefiniteError, "x1.*collinear.*Drop"),
    "repeated, other holes": (holes(REPEATED, 0.2, 5), {}, NotPositiveDefiniteError, "x1.*linear"),
    "a sum, other holes": (holes(SUMMED, 0.15, 6), {}, NotPositiveDefiniteError, "x4.*collinear"),
    "a sum, Factor": (
        holes(SUMMED, 0.15, 6),
        {"covariance": mg.Factor()},
        NotPositiveDefiniteError,
        "x4.*collinear",
    ),
    "rounded away": (H + 1e16, {}, NotPositiveDefiniteError, "x1, x2, x3 do not vary"),
    # Infinite, huge
    "inf": (cell(np.inf), {}, DataError, "x3 is infinite at row 7"),
    "-inf": (cell(-np.inf), {}, DataError, "x3.*-inf.*NaN"),
    "inf in a dataframe": (
        pd.DataFrame(cell(np.inf), columns=list("abc")),
        {},
        DataError,
        "c is infinite at row 7",
    ),
    "1e152": (H * 1e152, {}, DataError, r"x1.*e\+15.*Rescale"),
    "1e-152": (H * 1e-152, {}, DataError, r"x1.*e-15.*Rescale"),
    # Weights
    "weight NaN": (H, {"weights": weight(3, NAN)}, DataError, "nan at row 3"),
    "weight null": (
        TABLE,
        {"weights": pd.array([None, *ONES[1:]], dtype="Float64")},
        DataError,
        "nan at row 0",
    ),
    "weight negative": (H, {"weights": -ONES}, DataError, "-1.0 at row 0"),
    "weights 0": (H, {"weights": 0 * ONES}, DataError, "no row has a positive weight"),
    "weights on empty rows": (
        EMPTY,
        {"weights": weight(slice(5), 1.0, rest=0.0)},
        DataError,
        NOTHING,
    ),
    "weights 0 where complete, dropped": (
        H,
        {"weights": 1.0 - WHOLE, "missing": "drop"},
        DataError,
        "positive weight",
    ),
    "weights 0 on a column": (
        seen(1, 1),
        {"weights": weight(0, 0.0)},
        DataError,
        "x2 has no observed value",
    ),
    # Not numbers
    "objects": (H.astype(object), {}, DataError, "dtype object.*astype"),
    "None inside": ([[1.0, None], [2.0, 3.0]], {}, DataError, "dtype object.*astype"),
    "strings": (H.astype(str), {}, DataError, "text"),
    "dates": (np.array([["NaT", "2020-01-01"]], dtype="M8[D]"), {}, DataError, "datetime64"),
    "complex": (H + 0j, {}, DataError, "imaginary"),
    "an object dataframe": (
        TABLE.astype(object).where(TABLE.notna(), None),
        {},
        DataError,
        "no numeric column; it has a, b, c",
    ),
    "dates asked for": (
        TABLE.assign(day=pd.date_range("2020-01-01", periods=N)),
        {"columns": ["a", "day"]},
        DataError,
        "'day' holds Datetime.*not numbers",
    ),
    "one axis": (H[:, 0], {}, DataError, "reshape"),
    # Options
    "FIML": (H, {"missing": "FIML"}, DataError, "'fiml', 'drop' or 'raise'"),
    "missing None": (H, {"missing": None}, DataError, "got None"),
    "raise": (H, {"missing": "raise"}, MissingValuesError, "missing='drop'"),
    "drop leaves nothing": (
        np.where(np.arange(D) == FIRST % D, NAN, Z),
        {"missing": "drop"},
        DataError,
        "no complete row is left of 40: each has a missing value",
    ),
    "drop, no value in a column": (
        TABLE.assign(b=NAN),
        {"missing": "drop"},
        DataError,
        "no value at all in b",
    ),
    "closed form": (H, {"method": "closed-form"}, DataError, "method='auto'"),
    "method": (H, {"method": "EM"}, DataError, "one of auto.*em"),
    "thin factor": (H, {"covariance": mg.Factor(2)}, DataError, "k ≥ 3"),
    "start NaN": (H, {"start": np.full((D, D), NAN)}, DataError, "start must be finite"),
    "start singular": (H, {"start": np.ones((D, D))}, NotPositiveDefiniteError, "full row rank"),
    "start shape": (H, {"start": np.eye(2)}, DataError, r"\(3, k\)"),
    "start mean NaN": (H, {"start": ([NAN] * D, np.eye(D))}, DataError, "start mean.*finite"),
    "n_starts 0": (H, {"n_starts": 0}, DataError, "n_starts.*1 or more"),
    "n_starts 1.5": (H, {"n_starts": 1.5}, DataError, "n_starts.*whole"),
    "rng": (H, {"rng": "garbage", "n_starts": 2}, DataError, "rng"),
    "rng negative": (H, {"rng": -1, "n_starts": 2}, DataError, "rng"),
    "mean NaN": (H, {"mean": [0.0, NAN, 0.0]}, DataError, "mean must be finite"),
    "mean short": (H, {"mean": [0.0, 0.0]}, DataError, r"\(3,\)"),
    "columns beyond": (H, {"columns": [0, 9]}, DataError, "column 9"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_with_holes_get_help(name: str) -> None:
    data, options, error, message = BAD[name]
    with pytest.raises(error, match=f"(?s){message}"):
        mg.fit(data, **options)


def test_an_unbounded_likelihood_is_described_by_the_exception() -> None:
    table = pd.DataFrame(holes(SUMMED, 0.15, 6), columns=list("abcd"))
    with pytest.raises(NotPositiveDefiniteError) as caught:
        mg.fit(table)
    assert set(caught.value.columns) == set("abcd")
    assert caught.value.rank == 3
    assert caught.value.smallest_eigenvalue == pytest.approx(0.0, abs=1e-8)


# The same data, otherwise: (data, options), estimates as for the plain array to a tolerance
SAME: dict[str, tuple[Any, dict[str, Any], float]] = {
    "lists": (H.tolist(), {}, 1e-7),
    "masked": (np.ma.masked_array(Z, GONE), {}, 1e-7),
    "masked, inf beneath": (np.ma.masked_array(np.where(GONE, np.inf, Z), GONE), {}, 1e-7),
    "masked float32": (np.ma.masked_array(Z.astype("f4"), GONE), {}, 1e-5),
    "float32": (H.astype("f4"), {}, 1e-5),
    "float16": (H.astype("f2"), {}, 1e-2),
    "longdouble": (H.astype(np.longdouble), {}, 1e-7),
    "strides": (np.asfortranarray(H)[::-1], {}, 1e-7),
    "mean 1e12": (H + 1e12, {}, 1e-3),
    "empty rows": (np.vstack([H, np.full((3, D), NAN)]), {}, 1e-7),
    "a dataframe": (TABLE, {}, 1e-7),
    "Float64": (TABLE.astype("Float64"), {}, 1e-7),
    "convert_dtypes": (TABLE.convert_dtypes(), {}, 1e-7),
    "pyarrow-backed": (TABLE.astype("double[pyarrow]"), {}, 1e-7),
    "polars NaN": (POLARS, {}, 1e-7),
    "polars null": (POLARS.with_columns(pl.all().fill_nan(None)), {}, 1e-7),
    "polars lazy": (POLARS.lazy(), {}, 1e-7),
    "Arrow table": (
        pa.table({name: pa.array(TABLE[name], from_pandas=True) for name in TABLE}),
        {},
        1e-7,
    ),
    "weights 3": (H, {"weights": 3 * ONES}, 1e-7),
    "weights 1e-150": (H, {"weights": 1e-150 * ONES}, 1e-7),
    "weights 1e-300": (H, {"weights": 1e-300 * ONES}, 1e-7),
    "weights 1e300": (H, {"weights": 1e300 * ONES}, 1e-7),
    "weights on empty rows too": (
        np.vstack([H, np.full((1, D), NAN)]),
        {"weights": [*ONES, 100.0]},
        1e-7,
    ),
    "inf of weight 0": (
        np.vstack([H, [np.inf, NAN, 1.0]]),
        {"weights": [*ONES, 0.0]},
        1e-7,
    ),
    "start far": (H, {"start": 1e50 * np.eye(D)}, 1e-7),
    "start small": (H, {"start": 1e-100 * np.eye(D)}, 1e-7),
    "start 1e200": (H, {"start": 1e200 * np.eye(D)}, 1e-7),
    "start 1e-200": (H, {"start": 1e-200 * np.eye(D)}, 1e-7),
    "start mean far": (H, {"start": ([1e8] * D, np.eye(D))}, 1e-7),
    "start near singular": (H, {"start": np.ones((D, D)) + 1e-5 * np.tri(D)}, 1e-7),
    "start a fit": (H, {"start": REFERENCE}, 1e-7),
    "three starts": (H, {"n_starts": 3, "rng": 0}, 1e-7),
    "Factor": (H, {"covariance": mg.Factor()}, 1e-7),
    "Factor of 5": (H, {"covariance": mg.Factor(5)}, 1e-7),
    "em": (H, {"method": "em"}, 1e-7),
    "newton": (H, {"method": "newton"}, 1e-7),
    "gradient descent": (H, {"method": "gradient-descent"}, 1e-7),
    "tol beyond rounding": (H, {"tol": 1e-300}, 1e-7),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_data_otherwise_fit_the_same(name: str) -> None:
    data, options, tolerance = SAME[name]
    fit = mg.fit(data, **options)
    assert fit.converged
    assert fit.optimality <= 1e-10
    assert fit.curvature == pytest.approx(REFERENCE.curvature, abs=1e3 * tolerance)
    assert fit.n_obs == N
    assert fit.covariance == pytest.approx(REFERENCE.covariance, abs=tolerance)


@pytest.mark.parametrize(
    "scales", [[1e120] * D, [1e-120] * D, [1.0, 1e8, 1.0], [1e100, 1.0, 1e-100]]
)
def test_units_do_not_matter(scales: list[float]) -> None:
    fit = mg.fit(H * scales)
    assert fit.converged
    assert fit.deviations / scales == pytest.approx(REFERENCE.deviations, rel=1e-7)
    assert fit.correlation == pytest.approx(REFERENCE.correlation, abs=1e-7)


# name: (data, options) that are odd, and have a maximum
ODD: dict[str, tuple[Any, dict[str, Any]]] = {
    "three complete rows, two columns": (
        [[1, 2], [3, NAN], [NAN, 5], [2, 4], [NAN, 1.0], [0, 3]],
        {},
    ),
    "one column": (H[:, :1], {}),
    "a column of two values": ([[1.0], [NAN], [2.0]], {}),
    "an outlier": (np.where((FIRST == 0) & (np.arange(D) == np.argmin(GONE[0])), 1e12, H), {}),
    "only 0 and 1": (np.where(GONE, NAN, Z > 0), {}),
    "nullable integers": (NULLABLE, {}),
    "nullable integers, Arrow": (NULLABLE.astype("int64[pyarrow]"), {}),
    "masked integers": (np.ma.masked_array(INTEGERS, GONE), {}),
    "few rows, diagonal": (
        holes(np.random.default_rng(7).normal(size=(6, 8)), 0.2, 7),
        {"covariance": "diagonal"},
    ),
    "few rows, spherical": (
        holes(np.random.default_rng(7).normal(size=(6, 8)), 0.2, 7),
        {"covariance": "spherical"},
    ),
    "collinear, diagonal": (holes(SUMMED, 0.15, 6), {"covariance": "diagonal"}),
    "known mean": (H, {"mean": np.zeros(D)}),
    "known mean, far": (H, {"mean": [1e6, 0.0, 0.0]}),
    "known mean, spherical": (H, {"mean": np.zeros(D), "covariance": "spherical"}),
    "known mean, diagonal, one value": (
        [[1.0, 2.0], [NAN, 3.0]],
        {"mean": [0.0, 0.0], "covariance": "diagonal"},
    ),
    "constant, known mean elsewhere": (column(1, 3.0), {"mean": np.zeros(D)}),
    "drop": (H, {"missing": "drop"}),
    "columns around a missing one": (column(1, NAN), {"columns": [0, 2]}),
    "outrageous weights": (H, {"weights": weight(slice(20), 1e15)}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_data_with_holes_fit(name: str) -> None:
    data, options = ODD[name]
    fit = mg.fit(data, **options)
    assert fit.converged
    assert fit.optimality <= 1e-10
    assert fit.curvature > 0.0
    assert np.isfinite(fit.mean).all()
    assert np.linalg.eigvalsh(fit.correlation)[0] > 0.0


def test_a_diagonal_covariance_takes_columns_one_by_one() -> None:
    fit = mg.fit(H, "diagonal")
    assert fit.mean == pytest.approx(np.nanmean(H, axis=0))
    assert fit.deviations == pytest.approx(np.nanstd(H, axis=0))


# What the data cannot tell


@pytest.mark.parametrize("blocks", [2, 3])
@pytest.mark.parametrize("structure", ["full", "Factor"])
def test_columns_never_together_are_named(blocks: int, structure: str) -> None:
    covariance = mg.Factor() if structure == "Factor" else structure
    with pytest.warns(NotIdentifiedWarning, match="never observed together: x1 and x3, x1 and x4"):
        fit = mg.fit(disjoint(blocks), covariance)
    assert fit.converged
    assert fit.optimality <= 1e-10
    assert np.isfinite(fit.covariance).all()
    assert len(fit.not_identified) == 2 * blocks * (blocks - 1)
    assert list(fit.not_identified) == fit.missing.never_together
    apart = [
        mg.fit(disjoint(blocks)[15 * k : 15 * (k + 1), 2 * k : 2 * k + 2]) for k in range(blocks)
    ]
    assert fit.loglik == pytest.approx(sum(part.loglik for part in apart))


@pytest.mark.parametrize("structure", ["diagonal", "spherical"])
def test_a_structure_without_covariances_has_none_to_identify(structure: str) -> None:
    assert mg.fit(disjoint(2), structure).not_identified == ()


def test_pairs_that_contradict_each_other_are_no_quiet_success() -> None:
    fit = failed = None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            fit = mg.fit(contradictory())
        except NotPositiveDefiniteError as error:
            failed = error
    assert failed or said
    assert failed or fit.optimality <= 1e-10 or not fit.converged


def contradictory() -> np.ndarray:
    """Three columns seen in pairs, with correlations 0.9, 0.9 and −0.9: no maximum inside."""
    parts = []
    for first, second, r in ((0, 1, 0.9), (0, 2, 0.9), (1, 2, -0.9)):
        z = np.random.default_rng(3 * first + second).normal(size=(20, 2))
        z = np.linalg.qr(z - z.mean(axis=0))[0] * np.sqrt(20.0)
        part = np.full((20, D), NAN)
        part[:, [first, second]] = z @ np.linalg.cholesky([[1.0, r], [r, 1.0]]).T
        parts.append(part)
    return np.vstack(parts)


def test_much_missing_information_is_a_warning() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2)) @ [[1.0, 0.7], [0.0, 0.7]]
    X[3:150, 0] = X[150:, 1] = NAN
    with pytest.warns(NotIdentifiedWarning, match="of the information is missing"):
        fit = mg.fit(X)
    assert fit.curvature < 0.02
    assert "of the information is missing" in fit.warnings[0]


@pytest.mark.parametrize("limit", [0, 1])
def test_a_fit_cut_short_says_so(limit: int) -> None:
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        fit = mg.fit(H, max_iter=limit)
    assert not fit.converged
    assert np.isfinite(fit.covariance).all()


LEFT_OUT: dict[str, Any] = {
    "null column, pandas": TABLE.assign(e=None),
    "null column, polars": POLARS.with_columns(e=pl.lit(None)),
    "dates": TABLE.assign(e=pd.date_range("2020-01-01", periods=N)),
    "booleans": TABLE.assign(e=pd.array([True, False, None, True] * 10, dtype="boolean")),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_columns_without_numbers_are_left_out_with_a_warning(name: str) -> None:
    with pytest.warns(DataWarning, match="left out columns without numbers: e"):
        fit = mg.fit(LEFT_OUT[name])
    assert fit.columns == ("a", "b", "c")
    assert fit.nll == pytest.approx(REFERENCE.nll)


# After the fit

MODEL = mg.fit(TABLE)
NORMAL = MODEL.distribution

# name: (call, error, what its message must say)
BAD_CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "impute too narrow": (lambda: MODEL.impute(H[:, :2]), DataError, r"3 entries.*\(40, 2\)"),
    "impute too wide": (lambda: MODEL.impute(np.c_[H, H]), DataError, r"\(40, 6\)"),
    "impute without a column": (
        lambda: MODEL.impute(TABLE[["a", "b"]]),
        DataError,
        "no column 'c'",
    ),
    "impute inf": (lambda: MODEL.impute(cell(np.inf)), DataError, "infinite at row 7"),
    "impute one axis": (lambda: MODEL.impute([1.0, NAN, 2.0]), DataError, r"\(n, d\)"),
    "impute None": (lambda: MODEL.impute(None), DataError, "NoneType"),
    "impute no rows": (lambda: MODEL.impute(np.empty((0, 3))), DataError, "empty"),
    "impute no file": (lambda: MODEL.impute("nofile.csv"), DataError, "nofile.csv"),
    "draws 0": (lambda: MODEL.impute(H, draws=0), DataError, "draws.*1 or more; got 0"),
    "draws 1.5": (lambda: MODEL.impute(H, draws=1.5), DataError, "whole number"),
    "draws text": (lambda: MODEL.impute(H, draws="x"), DataError, "'x'"),
    "proper without draws": (lambda: MODEL.impute(H, proper=True), DataError, "draws=20"),
    "proper, draws 0": (lambda: MODEL.impute(H, proper=True, draws=0), DataError, "got 0"),
    "proper, nothing observed": (
        lambda: MODEL.impute(H * NAN, proper=True, draws=2),
        DataError,
        "no row has something observed",
    ),
    "impute rng": (lambda: MODEL.impute(H, draws=2, rng="x"), DataError, "rng"),
    "conditional short": (lambda: NORMAL.conditional([1.0, NAN]), DataError, r"3 entries.*\(2,\)"),
    "conditional long": (lambda: NORMAL.conditional([NAN] * 4), DataError, r"\(4,\)"),
    "conditional rows": (lambda: NORMAL.conditional(H), DataError, "one point"),
    "conditional complete": (lambda: NORMAL.conditional([1, 2, 3]), DataError, "nothing.*NaN"),
    "conditional inf": (lambda: NORMAL.conditional([NAN, np.inf, 0]), DataError, "infinite"),
    "logpdf inf": (lambda: NORMAL.logpdf(cell(-np.inf)), DataError, "infinite at row 7"),
    "mahalanobis short": (lambda: NORMAL.mahalanobis([1.0, NAN]), DataError, "3 entries"),
    "nll inf": (lambda: mg.nll(cell(np.inf), np.zeros(D), np.eye(D)), DataError, "row 7"),
    "nll overflow": (lambda: mg.nll(H * 1e200, np.zeros(D), np.eye(D)), DataError, "overflow"),
    "gradient overflow": (
        lambda: mg.nll_and_grad(H * 1e200, np.zeros(D), np.eye(D)),
        DataError,
        "overflow",
    ),
    "moments": (lambda: mg.Moments.of(H), MissingValuesError, "missing value.*row"),
    "pool one": (lambda: mg.pool([1.0], [1.0]), DataError, "two or more.*draws=20"),
    "pool a number": (lambda: mg.pool(1.0, 1.0), DataError, "two or more"),
    "pool shapes": (lambda: mg.pool([1.0, 2.0], [1.0]), DataError, r"\(2,\).*\(1,\)"),
    "pool NaN": (lambda: mg.pool([1.0, NAN], [1.0, 1.0]), DataError, "nan at index"),
    "pool negative": (lambda: mg.pool([1.0, 2.0], [1.0, -1.0]), DataError, "-1.0 at index"),
    "pool level": (lambda: mg.pool([1.0, 2], [1.0, 1]).conf_int(95), DataError, "between 0 and 1"),
    "missing of moments": (
        lambda: mg.fit(mg.Moments.of(Z)).missing,
        NeedsRowsError,
        r"mvngrad\.fit\(X\)\.missing",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls_after_a_fit_get_help(name: str) -> None:
    call, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()


def test_rows_of_which_nothing_is_known_are_filled_with_the_mean() -> None:
    assert MODEL.impute(H * NAN) == pytest.approx(np.tile(MODEL.mean, (N, 1)))
    assert (MODEL.impute(Z) == Z).all()


def test_dataframes_are_imputed_by_name() -> None:
    filled = MODEL.impute(H)
    for table in (TABLE[["c", "a", "b"]], TABLE.assign(z=1.0), POLARS, TABLE.astype("Float64")):
        assert np.array_equal(MODEL.impute(table), filled)


def test_nothing_observed_is_no_evidence() -> None:
    assert NORMAL.logpdf([NAN] * D) == 0.0
    assert NORMAL.mahalanobis([NAN] * D) == 0.0
    assert NORMAL.degrees_of_freedom([NAN] * D) == 0
    assert NORMAL.conditional([NAN] * D).mean == pytest.approx(MODEL.mean)
    assert mg.nll(H * NAN, MODEL.mean, MODEL.factor) == 0.0
    assert mg.fit(EMPTY).n_empty == 5 + int(GONE[5:].all(axis=1).sum())


def test_complete_data_have_one_pattern_and_nothing_to_test() -> None:
    report = mg.fit(Z).missing
    assert [p.observed for p in report.patterns] == ["111"]
    assert report.mcar_test() == (0.0, 0, 1.0)


def test_a_fit_with_holes_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(MODEL))
    assert np.array_equal(again.covariance, MODEL.covariance)
    assert again.missing.mcar_test() == MODEL.missing.mcar_test()
    assert str(again.summary()) == str(MODEL.summary())


def test_a_fit_with_holes_can_be_saved(tmp_path: Path) -> None:
    for k, fit in enumerate((MODEL, quiet_fit(disjoint(2)))):
        fit.save(tmp_path / f"{k}.safetensors")
        again = mg.load(tmp_path / f"{k}.safetensors")
        for name in ("curvature", "n_empty", "n_starts", "not_identified", "warnings", "message"):
            assert getattr(again, name) == getattr(fit, name), name
        assert np.array_equal(again.covariance, fit.covariance)
        with pytest.raises(NeedsRowsError, match="saved model"):
            again.missing  # noqa: B018
    assert np.array_equal(mg.load(tmp_path / "0.safetensors").impute(H), MODEL.impute(H))


def test_saddles_are_left_at_any_tolerance() -> None:
    pairs = [(2, NAN), (-2, NAN), (NAN, 2), (NAN, -2)]
    murray = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), *pairs, *pairs])
    for tol in (1.0, 1e-10, 1e-300):
        fit = mg.fit(murray, tol=tol)
        assert fit.loglik > -30.0
        assert fit.curvature > 0.1
