"""Formulas: the design they mean, from dataframes, files and the command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mvngrad as mg
from commandline import PENGUINS, strict
from mvngrad.errors import DataError, NeedsRowsError

BODY = ["bill_length_mm", "body_mass_g"]


@pytest.fixture(name="birds")
def dataframe():
    return pd.read_csv(PENGUINS)


def by_hand(birds):
    kinds = pd.get_dummies(birds.species).to_numpy(float).copy()
    kinds[:, 0] = 1.0
    return np.column_stack([kinds, birds.year])


def test_dataframes_and_files_make_the_same_design(birds):
    expected = mg.fit(birds[BODY], mean=mg.Linear(by_hand(birds)))
    for data in (birds, pl.from_pandas(birds), PENGUINS):
        fit = mg.fit(data, mean="~ species + year", columns=BODY)
        assert fit.columns == tuple(BODY)
        np.testing.assert_allclose(fit.coefficients, expected.coefficients, rtol=1e-8)
        assert fit.design_names[0][0] == "Intercept"


@pytest.mark.filterwarnings("ignore:left out columns")
def test_responses_are_the_other_numbers(birds):
    complete = birds.dropna(subset="bill_depth_mm")
    fit = mg.fit(complete, mean="~ year + bill_depth_mm")
    assert fit.columns == ("bill_length_mm", "flipper_length_mm", "body_mass_g")


def test_what_a_formula_cannot_be(birds):
    def refused(match, formula, data=birds, error=DataError, **options):
        with pytest.raises(error, match=match):
            mg.fit(data, mean=formula, **options)

    refused("the formula names 'age'", "~ age", columns=BODY)
    refused("cannot be read", "~ species ++* year", columns=BODY)
    refused("sex is missing in row 3, counted from 0 .11 in all.", "~ sex", columns=BODY)
    refused("line 5 of", "~ sex", PENGUINS, columns=BODY)
    refused("needs columns with names", "~ a", birds[BODY].to_numpy())
    refused("needs the rows", "~ a", mg.Moments.from_covariance(np.eye(2), 10), NeedsRowsError)
    refused("none is left as a response", "~ year", birds[["year", "species"]])
    refused("has several parts", "~ year | species")
    refused("the formula names 'age'", "~ center(age)", columns=BODY)
    refused("mean must be 'free'", "species", birds[BODY])


def test_the_command(mvngrad):
    code, out, err = mvngrad(
        "fit", PENGUINS, "--mean", "~ species", "--columns", ",".join(BODY), "--json"
    )
    said = strict(out)
    assert (code, err) == (0, "")
    fit = mg.fit(PENGUINS, mean="~ species", columns=BODY)
    assert said["coefficients"] == {
        name: dict(zip(fit.design_names[0], beta, strict=True))
        for name, beta in zip(BODY, fit.coefficients.T.tolist(), strict=True)
    }
    assert json.loads(out)["n_params"] == fit.n_params
    code, out, _ = mvngrad("fit", PENGUINS, "--mean", "~ species", "--columns", ",".join(BODY))
    assert code == 0
    assert "species[T.Gentoo]" in out
    code, _, err = mvngrad("fit", PENGUINS, "--mean", "species")
    assert code == 2
    assert "'~ age + sex'" in err


def test_categories_keep_their_order(birds):
    """The first category is the one that the others are held against, in every dataframe."""
    order = ["Gentoo", "Adelie", "Chinstrap"]
    kind = pd.CategoricalDtype(order, ordered=True)
    ordered = birds.astype({"species": kind})[["species", *BODY]].iloc[::-1]
    first = birds[birds.species == "Gentoo"][BODY].mean()
    frame = pl.from_pandas(birds[["species", *BODY]]).with_columns(
        pl.col("species").cast(pl.Enum(order))
    )
    for data in (ordered, frame, frame.lazy(), frame.to_arrow()):
        fit = mg.fit(data, mean="~ species")  # nothing to warn of: species is in the formula
        assert fit.design_names[0] == ("Intercept", "species[T.Adelie]", "species[T.Chinstrap]")
        np.testing.assert_allclose(fit.coefficients[0], first, rtol=1e-9)


@pytest.mark.parametrize("how", ["center(year)", "scale(`year`)", "poly(year, 1)", "I(year)"])
@pytest.mark.filterwarnings("ignore:left out columns")
def test_columns_in_a_call_are_no_responses(birds, how):
    plain = mg.fit(birds, mean="~ year", columns=BODY)
    fit = mg.fit(birds[["species", "year", *BODY]], mean=f"~ {how}")
    assert fit.columns == tuple(BODY)
    assert fit.nll == pytest.approx(plain.nll, rel=1e-9)  # the same space of means


def test_the_command_speaks_of_columns_that_are_not_in_the_formula(mvngrad, tmp_path):
    """A name that is part of another one's is not in the formula."""
    rows = pd.DataFrame(
        {"a": ["u", "v"] * 10, "ab": list(range(20)), "y": [1.0, 2.0, 4.0, 1.5] * 5}
    )
    rows.to_csv(tmp_path / "x.csv", index=False)
    code, _, err = mvngrad("fit", tmp_path / "x.csv", "--mean", "~ ab")
    assert code == 0
    assert "left out" in err
