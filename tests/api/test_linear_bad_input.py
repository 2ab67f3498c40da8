"""Designs as people give them: the right answer, or words that help."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mvngrad as mg
from mvngrad.errors import DataError, NeedsRowsError, NotPositiveDefiniteError

N, D = 30, 2


@pytest.fixture(name="X")
def responses(rng):
    return rng.normal(size=(N, D))


@pytest.fixture(name="Z")
def covariates(rng):
    return np.column_stack([np.ones(N), rng.normal(size=N)])


def refused(X, Z, match, error=DataError, **options):
    with pytest.raises(error, match=match):
        mg.fit(X, mean=mg.Linear(Z), **options)


def test_shapes(X, Z):
    refused(X, Z[:-1], "the design has 29 rows, the data have 30")
    refused(X, Z[:, 0], r"got shape \(30,\)")
    refused(X, [Z, Z, Z], "the design is for 3 columns, the data have 2")
    refused(X, np.ones((N, 3, 2)), "the design is for 3 columns")
    refused(X, [Z, Z[:-1]], "as many rows")
    refused(X, np.ones((N, 0)), "none of them 0")


def test_values(X, Z):
    Z = Z.copy()
    Z[3, 1] = np.nan
    refused(X, Z, r"got nan at index \(3, 1\).*Only responses may be missing")
    refused(X, np.array([["a", "b"]] * N), "must be real numbers")


def test_rank(X, Z):
    refused(X, np.column_stack([Z, 2 * Z[:, 1]]), "z3 is zero or a linear combination")
    refused(X, np.column_stack([Z, np.zeros(N)]), "z3 is zero")
    refused(X, [Z, np.column_stack([Z, Z[:, 1]])], "the design of x2 is rank deficient")


def test_what_the_rows_of_a_column_do_not_determine(X, Z):
    X = X.copy()
    group = (np.arange(N) < 10).astype(float)
    X[group == 1.0, 1] = np.nan
    refused(X, np.column_stack([Z, group]), "the rows that have x2 do not determine")


def test_exact_fits_are_unbounded(X, Z):
    refused(
        np.column_stack([X, Z[:, 1] * 3]), Z, "x3 is a linear function", NotPositiveDefiniteError
    )
    holed = np.column_stack([X, Z[:, 1] * 3])
    holed[0, 0] = np.nan
    refused(holed, Z, "x3 is a linear function", NotPositiveDefiniteError)


def test_too_few_rows(X, Z):
    refused(X[:3], Z[:3], "Give at least 4 rows", NotPositiveDefiniteError)


def test_moments_have_no_rows(X, Z):
    with pytest.raises(NeedsRowsError, match="needs the rows"):
        mg.fit(mg.Moments.of(X), mean=mg.Linear(Z))


def test_holes(X, Z):
    X = X.copy()
    X[1, 0] = np.nan
    with pytest.raises(mg.MissingValuesError, match="row 1"):
        mg.fit(X, mean=mg.Linear(Z), missing="raise")
    dropped = mg.fit(X, mean=mg.Linear(Z), missing="drop")
    assert dropped.n_obs == N - 1
    assert dropped.nll == pytest.approx(
        mg.fit(np.delete(X, 1, 0), mean=mg.Linear(np.delete(Z, 1, 0))).nll
    )
    X[2] = np.inf, 1.0
    refused(X, Z, "x1 is infinite at row 2")


def test_the_fit_answers(X, Z, tmp_path):
    X = X.copy()
    X[::4, 0] = np.nan
    fit = mg.fit(X, mean=mg.Linear(Z, names=["one", "dose"]), columns=["a", "b"])
    assert "dose" in str(fit.summary())
    assert list(fit.to_frame("coefficients").index) == ["one", "dose"]
    filled = fit.impute(X, design=Z)
    S, mu = fit.covariance, fit.predict(Z)
    expected = mu[0, 0] + S[0, 1] / S[1, 1] * (X[0, 1] - mu[0, 1])
    assert filled[0, 0] == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    drawn = fit.impute(X, design=Z, draws=3, proper=True, rng=0)
    assert drawn.shape == (3, N, D)
    assert np.isfinite(drawn).all()
    with pytest.raises(DataError, match="pass design=Z"):
        fit.impute(X)
    with pytest.raises(DataError, match="Little's test"):
        fit.missing.mcar_test()
    assert fit.missing.n_obs == N


@pytest.mark.parametrize("kind", ["shared", "per-column", "general"])
def test_model_files_keep_coefficients(kind, X, Z, tmp_path):
    design = {
        "shared": Z,
        "per-column": [Z, Z[:, :1]],
        "general": np.stack([np.ones((N, D)), np.outer(np.ones(N), [0.0, 1.0])], axis=2),
    }[kind]
    fit = mg.fit(X, mean=mg.Linear(design))
    fit.save(tmp_path / "model.safetensors")
    loaded = mg.load(tmp_path / "model.safetensors")
    assert loaded.design_names == fit.design_names
    np.testing.assert_array_equal(loaded.predict(design), fit.predict(design))
    with pytest.raises(DataError, match="the coefficients are for"):
        loaded.predict(np.ones((3, 7)))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_dataframe_is_read_by_the_names_of_the_coefficients(X, frame):
    Z = np.column_stack([np.ones(len(X)), np.arange(len(X)) % 7.0])
    fit = mg.fit(X, mean=mg.Linear(frame({"one": Z[:, 0], "day": Z[:, 1]})))
    turned = frame({"other": Z[:, 1] * 9.0, "day": Z[:, 1], "one": Z[:, 0]})
    np.testing.assert_array_equal(fit.predict(turned), fit.predict(Z))
    with pytest.raises(mg.DataError, match="no column one; the coefficients are of one, day"):
        fit.predict(frame({"day": Z[:, 1]}))


def test_a_common_mean_has_nothing_to_predict(X):
    with pytest.raises(DataError, match="one mean for all rows"):
        mg.fit(X).predict(X)


def test_what_is_no_design_or_has_nothing_to_regress():
    X, Z = np.random.default_rng(0).normal(size=(20, 2)), np.ones((20, 1))
    empty = np.column_stack([X[:, 0], np.full(20, np.nan)])
    for match, make in (
        ("got none", lambda: mg.Linear([])),
        ("column_stack", lambda: mg.Linear([np.ones(20), np.ones(20)])),
        ("list of 2 lists", lambda: mg.Linear([Z, Z], names=["a"])),
        ("positive weight", lambda: mg.fit(X, mean=mg.Linear(Z), weights=np.zeros(20))),
        ("x2 has no observed value", lambda: mg.fit(empty, mean=mg.Linear(Z))),
        ("begins with ~|begin with ~", lambda: mg.fit(X, mean="y ~ x")),
        ("Linear", lambda: mg.fit(X, mean=np.ones((20, 3)))),
    ):
        with pytest.raises(DataError, match=match):
            make()


def test_a_design_is_a_copy():
    Z = np.ones((5, 1))
    linear = mg.Linear(Z)
    Z[:] = 7.0
    assert (linear.designs[0] == 1.0).all()
