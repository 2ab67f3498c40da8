"""``mvngrad compare``: a table of models, or one JSON document, or why not."""

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, in_a_shell, strict, written
from golden.fit_schema1 import PATH as OLD

COLUMNS = "bill_length_mm,bill_depth_mm,flipper_length_mm"


@pytest.fixture
def models(mvngrad, data, tmp_path):
    """Models of one file: diagonal, compound-symmetry, full."""
    paths = []
    for name in ("diagonal", "banded:1", "full"):
        paths.append(tmp_path / f"{name.partition(':')[0]}.safetensors")
        assert mvngrad("fit", data[0], "--covariance", name, "-o", paths[-1])[0] == 0
    return paths


def test_it_prints_what_compare_says(mvngrad, models):
    code, out, err = mvngrad("compare", *models)
    assert (code, err) == (0, "")
    table = mg.compare(*map(mg.load, models), names=["diagonal", "banded", "full"])
    assert out.rstrip("\n") == str(table)
    assert "diagonal in banded" in out


def test_json_holds_every_number(mvngrad, models):
    code, out, _ = mvngrad("compare", *models, "--json")
    assert code == 0
    document = strict(out)
    table = mg.compare(*map(mg.load, models), names=["diagonal", "banded", "full"])
    assert [m["name"] for m in document["models"]] == ["diagonal", "banded", "full"]
    assert [m["aic"] for m in document["models"]] == [row.aic for row in table.rows]
    assert [t["pvalue"] for t in document["tests"]] == table.pvalue.tolist()
    assert (document["n_obs"], document["columns"]) == (60, ["a", "b", "c"])
    assert document["warnings"] == []


def test_what_has_no_number_is_null(mvngrad, data, models, tmp_path):
    path = tmp_path / "heterogeneous.safetensors"
    options = ("--covariance", "heterogeneous-toeplitz", "-o", path)
    mvngrad("fit", data[0], *options)
    other = tmp_path / "again.safetensors"
    mvngrad("fit", data[0], *options[:-1], other)
    document = strict(mvngrad("compare", path, other, "--json")[1])
    (test,) = document["tests"]
    assert test["pvalue"] is test["statistic"] is None
    assert "none is a case" in test["reason"]


def test_boundaries_are_said(mvngrad, tmp_path):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 1)) + rng.normal(size=(80, 5))
    path = written(tmp_path / "x.csv", X, "abcde")
    small, big = tmp_path / "d.safetensors", tmp_path / "f.safetensors"
    mvngrad("fit", path, "--covariance", "diagonal", "-o", small)
    mvngrad("fit", path, "--covariance", "factor:1", "-o", big)
    code, out, _ = mvngrad("compare", small, big)
    assert code == 0
    assert "Warning: d is f with a part of 0" in out


def test_models_of_penguins(mvngrad, tmp_path):
    paths = [tmp_path / "a" / "m.safetensors", tmp_path / "b" / "m.safetensors"]
    for path, name in zip(paths, ("diagonal", "full"), strict=True):
        path.parent.mkdir()
        options = ("--columns", COLUMNS, "--covariance", name, "-o", path)
        assert mvngrad("fit", PENGUINS, *options)[0] == 0
    document = strict(mvngrad("compare", *paths, "--json")[1])
    assert [m["name"] for m in document["models"]] == list(map(str, paths))
    assert document["tests"][0]["df"] == 3


def test_other_data_are_refused(mvngrad, models, gaps, tmp_path):
    path = tmp_path / "gaps.safetensors"
    mvngrad("fit", gaps[0], "-o", path)
    code, out, err = mvngrad("compare", models[0], path)
    assert (code, out) == (1, "")
    assert "fits to different data" in err


def test_priors_are_refused(mvngrad, data, models, tmp_path):
    path = tmp_path / "shrunk.safetensors"
    mvngrad("fit", data[0], "--shrinkage", "0.1", "-o", path)
    code, out, err = mvngrad("compare", models[0], path)
    assert (code, out) == (1, "")
    assert "shrunk was fitted with InverseWishart" in err


def test_old_files_are_compared_on_trust(mvngrad, tmp_path):
    mg.load(OLD).save(tmp_path / "again.safetensors")
    code, out, err = mvngrad("compare", OLD, tmp_path / "again.safetensors")
    assert (code, err) == (0, "")
    assert "does not say which data" in out


@pytest.mark.parametrize("count", [0, 1])
def test_one_model_is_too_few(mvngrad, models, count):
    code, out, err = mvngrad("compare", *models[:count])
    assert (code, out) == (2, "")
    assert "two model files or more" in err


def test_the_same_file_twice(mvngrad, models):
    code, _, err = mvngrad("compare", models[0], models[0])
    assert code == 2
    assert "is named twice" in err


def test_what_is_no_model_is_refused(mvngrad, models, data, tmp_path):
    for path in (data[0], tmp_path / "none.safetensors"):
        code, out, err = mvngrad("compare", models[0], path)
        assert (code, out) == (1, "")
        assert path.name in err


def test_from_a_shell(models):
    done = in_a_shell("compare", *models)
    assert done.returncode == 0
    assert done.stdout.startswith("Models compared")
    assert "Exit codes" in in_a_shell("compare", "--help").stdout
