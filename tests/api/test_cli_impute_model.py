"""``mvngrad impute --model``: a saved model instead of a fit."""

import csv

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, numbers


def test_a_model_gives_what_the_fit_gives(mvngrad, gaps, model):
    assert mvngrad("impute", gaps[0], "--model", model)[1] == mvngrad("impute", gaps[0])[1]


def test_a_model_fills_other_rows_and_columns_of_nothing(mvngrad, gaps, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("c,who,b,a\n1001,me,,NA\n,you,,9\n")
    code, out, _ = mvngrad("impute", path, "--model", model)
    assert code == 0
    fit, nan = mg.load(model), np.nan
    filled = fit.impute([[nan, nan, 1001.0], [9.0, nan, nan]])
    rows = list(csv.reader(out.splitlines()))[1:]
    found = [[float(r[3]), float(r[2]), float(r[0])] for r in rows]
    np.testing.assert_allclose(found, filled)
    assert [r[1] for r in rows] == ["me", "you"]


def test_a_model_fills_rows_of_nothing_with_means(mvngrad, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("a,b,c\n,,\nNA,,.\n")
    code, out, _ = mvngrad("impute", path, "--model", model)
    assert code == 0
    np.testing.assert_allclose(numbers(out), [mg.load(model).mean] * 2)


def test_a_model_with_other_columns_is_refused(mvngrad, model):
    code, out, err = mvngrad("impute", PENGUINS, "--model", model)
    assert (code, out) == (2, "")
    assert "has no column 'a'" in err
    assert "model.safetensors needs it" in err


@pytest.mark.parametrize("text", ["a,b,c\n1,x,2\n3,y,4\n", "a,b,c\n1,2,3\n4,oops,5\n"])
def test_words_where_the_model_has_numbers_are_refused(mvngrad, model, tmp_path, text):
    path = tmp_path / "new.csv"
    path.write_text(text)
    code, out, err = mvngrad("impute", path, "--model", model)
    assert (code, out) == (1, "")
    assert "'b'" in err


def test_what_is_no_model_is_refused(mvngrad, gaps, tmp_path):
    for path, words in ((gaps[0], "gaps.csv"), (tmp_path / "no", "no")):
        code, out, err = mvngrad("impute", gaps[0], "--model", path)
        assert (code, out) == (1, "")
        assert words in err


@pytest.mark.parametrize(
    "more", [["--columns", "a"], ["--covariance", "full"], ["--n-starts", "2"]], ids=" ".join
)
def test_a_model_leaves_nothing_to_fit(mvngrad, gaps, model, more):
    code, _, err = mvngrad("impute", gaps[0], "--model", model, *more)
    assert code == 2
    assert f"{more[0]} is for a fit" in err
