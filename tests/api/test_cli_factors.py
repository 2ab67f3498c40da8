"""Factor models from the command: tables, documents, files of loadings, and bad ones."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from commandline import strict, written
from mvngrad.errors import DataError
from mvngrad.io.loadings import read_loadings

NAMES = ["a", "b", "c", "d", "e", "f"]
LOADINGS = ",one,two\na,,0\nb,*,0\nc,free,0\nd,0,same\ne,0,same\nf,0,1\n"


@pytest.fixture(name="file")
def table(tmp_path, rng):
    f = rng.standard_normal((300, 2)) @ [[1.0, 0.5], [0.0, 0.8]]
    on = np.repeat(np.eye(2), 3, axis=0)
    X = f @ on.T + 0.6 * rng.standard_normal((300, 6))
    return written(tmp_path / "data.csv", X, NAMES), X


@pytest.fixture(name="loadings")
def pattern(tmp_path):
    path = tmp_path / "loadings.csv"
    path.write_text(LOADINGS)
    return path


def test_exploratory(mvngrad, file):
    path, X = file
    code, out, err = mvngrad("fit", path, "--covariance", "factor:2", "--rotate", "promax")
    assert (code, err) == (0, "")
    assert "rotated by promax" in out
    assert "Correlations of the factors" in out
    assert "Chi-square" in out
    code, out, _ = mvngrad("fit", path, "--covariance", "factor:2", "--json")
    said, fit = strict(out), mg.fit(X, mg.FactorAnalytic(2))
    rows = [list(row.values()) for row in said["factors"]["loadings"].values()]
    assert rows == fit.factor.tolist()
    assert list(said["factors"]["uniquenesses"].values()) == fit.noise.tolist()
    assert said["saturated"] == fit.saturated


def test_confirmatory(mvngrad, file, loadings):
    path, X = file
    pattern = np.array(
        [[np.nan, 0], [np.nan, 0], [np.nan, 0], [0, "same"], [0, "same"], [0, 1.0]], dtype=object
    )
    fit = mg.fit(X, mg.FactorAnalytic(pattern=pattern, correlated=True))
    code, out, err = mvngrad("fit", path, "--loadings", loadings, "--correlated", "--json")
    said = strict(out)
    assert (code, err) == (0, "")
    assert said["loglik"] == pytest.approx(fit.loglik, abs=1e-8)
    assert said["factors"]["correlation"]["one"]["two"] == pytest.approx(
        fit.factor_correlation[0, 1], rel=1e-6
    )


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--rotate", "varimax"], 2, "--rotate is for the loadings"),
        (["--correlated"], 2, "--correlated is for the factors of --loadings"),
        (["--covariance", "factor:7"], 1, "too many factors for 6 columns"),
        (["--loadings", "nowhere.csv"], 1, "No such file"),
        (["--loadings", "x.csv", "--covariance", "ar1"], 2, "leave --covariance ar1 out"),
    ],
)
def test_bad_options(mvngrad, file, options, code, words):
    found, _, err = mvngrad("fit", file[0], *options)
    assert (found, "Traceback" in err) == (code, False)
    assert words in err


@pytest.mark.parametrize("mark", ["\t", ";"])
def test_files_with_other_separators(tmp_path, loadings, mark):
    other = tmp_path / "other.csv"
    other.write_text(LOADINGS.replace(",", mark))
    found, same = read_loadings(other), read_loadings(loadings)
    assert found[:2] == same[:2]
    of_found, of_same = (mg.FactorAnalytic(pattern=x.pattern).pattern for x in (found, same))
    assert np.array_equal(of_found.map.fixed, of_same.map.fixed)
    assert np.array_equal(of_found.map.label, of_same.map.label)


def test_factors_have_the_names_of_the_file(mvngrad, file, loadings):
    code, out, _ = mvngrad("fit", file[0], "--loadings", loadings)
    header = next(line for line in out.splitlines() if "uniqueness" in line)
    assert code == 0
    assert header.replace("std err", "").split() == ["one", "two", "uniqueness"]


def test_a_dash_is_no_label(mvngrad, file, tmp_path):
    path = tmp_path / "dashes.csv"
    path.write_text(LOADINGS.replace(",0", ",-"))
    code, _, err = mvngrad("fit", file[0], "--loadings", path)
    assert code == 1
    assert "got '-' at [0, 1]" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no loadings"),
        (",one\n", "holds no loadings"),
        (",one,two\na,,0\nb,1\n", "line 3: 1 entries for 2 factors"),
        (",one\na,\na,1\n", "'a' occurs twice"),
    ],
)
def test_bad_files(tmp_path, text, words):
    path = tmp_path / "loadings.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_loadings(path)


def test_a_column_that_is_not_there(mvngrad, file, tmp_path):
    path = tmp_path / "loadings.csv"
    path.write_text(",one\na,\nzz,\nc,\n")
    code, _, err = mvngrad("fit", file[0], "--loadings", path)
    assert code == 2
    assert "no column 'zz'" in err
