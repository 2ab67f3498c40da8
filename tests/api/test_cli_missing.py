"""``mvngrad fit`` where values are missing: what it uses, what it says, what it refuses."""

import json

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, holed, strict, written


def test_penguins(mvngrad):
    code, out, err = mvngrad("fit", PENGUINS)
    assert code == 0
    for words in ("Rows        344", "Missing     8 cells (0.5%), 2 patterns", "local, certified"):
        assert words in out
    assert err == "Note: left out columns without numbers: species, island, sex.\n"


def test_penguins_without_their_two_empty_rows(mvngrad):
    code, out, err = mvngrad("fit", PENGUINS, "--missing", "drop")
    assert code == 0
    for words in ("penguins.csv", "Log-likelihood  -5920.732", "bill_depth_mm", "Correlations"):
        assert words in out
    assert "\x1b" not in out
    assert err.splitlines() == [
        "Note: left out columns without numbers: species, island, sex.",
        "Note: dropped 2 of 344 rows with a missing value.",
    ]


def test_rows_with_nothing_observed_are_counted(mvngrad):
    body = "bill_length_mm,body_mass_g"
    code, out, _ = mvngrad("fit", PENGUINS, "--columns", body)
    assert code == 0
    assert "342 and 2 empty" in out
    assert "2 rows have nothing observed, and no part in the fit." in out
    assert "Maximum" not in out
    _, out, _ = mvngrad("fit", PENGUINS, "--columns", body, "--json")
    said = strict(out)
    assert (said["n_obs"], said["n_empty"]) == (342, 2)
    assert said["missing"] == {"cells": 0, "share": 0.0, "patterns": 1, "complete_rows": 342}


def test_json_agrees_with_the_library(mvngrad, gaps):
    path, X = gaps
    code, out, err = mvngrad("fit", path, "--json", "--n-starts", 2, "--seed", 5)
    fit = mg.fit(X, n_starts=2, rng=5)
    said = strict(out)
    assert (code, err) == (0, "")
    assert (said["loglik"], said["message"]) == (fit.loglik, fit.message)
    assert (said["n_starts"], said["n_empty"], said["n_obs"]) == (2, 1, 59)
    assert said["curvature"] == fit.curvature
    assert said["not_identified"] == []
    rows = X[~np.isnan(X).all(axis=1)]
    assert said["missing"]["cells"] == np.isnan(rows).sum()
    assert said["missing"]["share"] == pytest.approx(np.isnan(rows).mean())
    assert said["missing"]["patterns"] == len(fit.missing.patterns)
    assert said["missing"]["complete_rows"] == fit.missing.n_complete


def test_several_starts_are_said_and_repeatable(mvngrad, gaps):
    runs = [mvngrad("fit", gaps[0], "--n-starts", 3, "--seed", 1)[1] for _ in range(2)]
    assert "best of 3 starts, certified" in runs[0]
    assert len({tuple(li for li in r.splitlines() if "Time" not in li) for r in runs}) == 1


def test_several_starts_of_complete_data_are_one(mvngrad, data):
    code, out, err = mvngrad("fit", data[0], "--n-starts", 3, "--json")
    assert (code, strict(out)["n_starts"]) == (0, 1)
    assert err.startswith("Note: --n-starts has no effect")


@pytest.mark.parametrize("method", ["em", "accelerated-em", "newton"])
def test_methods_for_holes(mvngrad, gaps, method):
    code, out, _ = mvngrad("fit", gaps[0], "--method", method, "--json")
    assert (code, strict(out)["method"]) == (0, method)


def test_columns_never_observed_together_are_named(mvngrad, tmp_path, rng):
    X, holes = rng.normal(size=(60, 3)), np.zeros((60, 3), bool)
    X[:, 1] += X[:, 0]
    holes[:30, 0], holes[30:, 2] = True, True
    path = holed(tmp_path / "split.csv", X, ["x", "y", "z"], holes, missing="")
    code, out, _ = mvngrad("fit", path)
    assert code == 0
    assert "Warning: never observed together: x and z." in out
    code, out, _ = mvngrad("fit", path, "--json")
    assert strict(out)["not_identified"] == [["x", "z"]]


def test_raise_says_where_and_what_to_do(mvngrad):
    code, out, err = mvngrad("fit", PENGUINS, "--json", "--missing", "raise")
    assert (code, out) == (1, "")
    assert "2 of 344 rows have a missing value: lines 5, 273" in err
    assert "bill_length_mm 2" in err
    assert "--missing fiml" in err
    assert "--missing drop" in err


def test_more_holes_than_are_listed(mvngrad, tmp_path):
    path = tmp_path / "holes.csv"
    path.write_text("a,b\n\n" + "1,NA\n" * 9 + "2,3\n")
    _, _, err = mvngrad("fit", path, "--missing", "raise")
    assert "9 of 10 rows have a missing value: lines 3, 4, 5, 6, 7 and 4 more" in err


BAD = {
    "a column of one value": ("a,b\n1,NA\n2,3\n4,NA\n", 4, "b does not vary over 1 row"),
    "collinear where observed": ("a,b\n1,1\n2,2\n3,3\nNA,4\n9,NA\n", 4, "no maximum"),
    "duplicate": ("a,a\n1,\n2,3\n", 1, "occurs twice"),
    "infinity": ("a,b\n1,NA\ninf,4\n", 1, "'inf' in column 'a'"),
    "nothing": ("a,b\nNA,NA\nNA,\n", 1, "no column of numbers"),
    "no rows": ("a,b\n", 1, "no rows"),
    "stray word": ("a,b\n1,NA\n3,-\n5,6\n", 1, "line 3: '-' in column 'b'"),
}


@pytest.mark.parametrize(("text", "expected", "words"), BAD.values(), ids=BAD)
def test_bad_data_with_holes(mvngrad, tmp_path, text, expected, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, out, err = mvngrad("fit", path)
    assert (code, out) == (expected, "")
    assert words in err


def test_a_column_without_any_value_is_left_out_with_a_note(mvngrad, tmp_path, rng):
    path = tmp_path / "empty.csv"
    written(path, rng.normal(size=(20, 2)), "ab")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + ",c", *(line + "," for line in lines[1:])]) + "\n")
    code, out, err = mvngrad("fit", path, "--json")
    assert (code, json.loads(out)["columns"]) == (0, ["a", "b"])
    assert "c" in err
    assert mvngrad("fit", path, "--columns", "a,c")[0] == 1


@pytest.mark.parametrize(
    "arguments", [["--n-starts", "0"], ["--n-starts", "x"], ["--seed", "-1"], ["--seed", "1.5"]]
)
def test_wrong_starts_and_seeds_exit_with_2(mvngrad, gaps, arguments):
    code, out, err = mvngrad("fit", gaps[0], *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err


def test_ctrl_c_gives_the_best_point_so_far(mvngrad, gaps, monkeypatch):
    def impatient(_progress, step):
        if step.iteration == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("mvngrad.cli.progress.Progress.step", impatient)
    code, out, _ = mvngrad("fit", gaps[0], "--method", "em", "--json")
    assert (code, strict(out)["status"]) == (130, "interrupted")
