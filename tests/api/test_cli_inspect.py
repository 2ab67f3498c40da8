"""``mvngrad inspect``: what is there, what is missing, what stands in the way of a fit."""

import re

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, holed, in_a_shell, strict, written


@pytest.fixture
def gaps(tmp_path, rng):
    """A file of many patterns, a row of nothing among them."""
    X = rng.normal(size=(150, 4)) * [1.0, 100.0, 1e-3, 5.0] + [0.0, 1e4, 0.0, -7.0]
    holes = rng.random(X.shape) < 0.25
    holes[11] = True
    path = holed(tmp_path / "gaps.csv", X, ["a", "b", "c", "d"], holes)
    return path, np.where(holes, np.nan, X)


def test_penguins(mvngrad):
    code, out, err = mvngrad("inspect", PENGUINS)
    assert (code, err) == (0, "")
    for words in (
        "Rows     344",
        "8 values (0.5%)",
        "Complete rows  342",
        "Left out, with words, not numbers: species, island, sex.",
        "p = 0.960",
    ):
        assert words in out
    assert re.search(r"body_mass_g +342 +2 +4201\.8 +800\.8 +2700 +6300", out)
    assert re.search(r"bill_depth_mm and 2 more +2 +0\.6% +\.\.\.\.1", out)


def test_json_agrees_with_the_library(mvngrad, gaps):
    path, X = gaps
    code, out, err = mvngrad("inspect", path, "--json")
    said, fit = strict(out), mg.fit(X, columns=list("abcd"))
    assert (code, err) == (0, "")
    assert (said["n_rows"], said["n_obs"], said["n_empty"]) == (150, 149, 1)
    for j, column in enumerate(said["columns"].values()):
        x = X[~np.isnan(X[:, j]), j]
        assert (column["observed"], column["missing"]) == (len(x), 150 - len(x))
        assert (column["min"], column["max"]) == (x.min(), x.max())
        assert column["mean"] == pytest.approx(x.mean(), rel=1e-12)
        assert column["sd"] == pytest.approx(x.std(), rel=1e-12)
    assert said["missing"]["cells"] == np.isnan(X).sum()
    assert said["missing"]["share"] == pytest.approx(np.isnan(X).mean())
    assert said["missing"]["patterns"] == len(fit.missing.patterns)
    assert said["missing"]["complete_rows"] == fit.missing.n_complete
    ours = [(p.rows, list(p.missing)) for p in fit.missing.patterns]
    assert [(p["rows"], p["missing"]) for p in said["patterns"]] == ours
    coverage = [list(row.values()) for row in said["coverage"].values()]
    np.testing.assert_array_equal(coverage, fit.missing.coverage)
    assert said["mcar"] == pytest.approx(fit.missing.mcar_test()._asdict())
    assert (said["mcar_reason"], said["obstacles"], said["warnings"]) == (None, [], [])


def test_complete_data_have_nothing_missing(mvngrad, data):
    code, out, err = mvngrad("inspect", data[0])
    assert (code, err) == (0, "")
    assert "0 values (0.0%)" in out
    assert "missing together" not in out
    assert "Little" not in out


def test_tables_fit_the_terminal(mvngrad, tmp_path, rng, monkeypatch):
    X = rng.normal(size=(200, 30))
    names = [f"a name of some length {j}" for j in range(30)]
    path = holed(tmp_path / "wide.csv", X, names, rng.random(X.shape) < 0.1)
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = mvngrad("inspect", path)
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"… and \d+ patterns more", out)
    assert "the 5 lowest of 435 pairs" in out


def test_many_columns_are_abbreviated(mvngrad, tmp_path, rng):
    X = rng.normal(size=(70, 60))
    holes = rng.random(X.shape) < 0.02
    path = holed(tmp_path / "many.csv", X, [f"v{j}" for j in range(60)], holes)
    _, out, _ = mvngrad("inspect", path)
    assert "\n… and 20 more" in out
    assert "1: observed" not in out


OBSTACLES = {
    "one row": ("a,b\n1,2\n", "a, b do not vary"),
    "fewer rows than columns": ("a,b,c\n1,2,3\n4,5,NA\n7,1,2\n", "3 rows cannot determine"),
    "constant": ("a,b\n1,2\n3,2\n5,2\nNA,2\n", "b does not vary"),
    "collinear": ("a,b,c\n1,2,3\n2,5,7\n4,1,5\n8,3,11\n3,3,6\n", "linear combination"),
    "collinear where observed": ("a,b\n1,1\n2,2\n3,3\nNA,4\n9,NA\n", "no maximum"),
}


@pytest.mark.parametrize(("text", "words"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_stands_in_the_way_is_said_and_no_error(mvngrad, tmp_path, text, words):
    path = tmp_path / "odd.csv"
    path.write_text(text)
    code, out, err = mvngrad("inspect", path)
    assert (code, err) == (0, "")
    assert "Warning: no full covariance can be fitted: " in out
    assert words in " ".join(out.split())
    code, out, err = mvngrad("inspect", path, "--json")
    said = strict(out)
    assert (code, err, said["mcar"]) == (0, "", None)
    assert said["mcar_reason"] == "no full covariance can be fitted"
    assert words in said["obstacles"][0]
    assert "='" not in said["obstacles"][0]


def test_columns_never_together_and_columns_of_nothing(mvngrad, tmp_path, rng):
    X, holes = rng.normal(size=(40, 4)), np.zeros((40, 4), bool)
    holes[:20, 0], holes[20:, 1], holes[:, 3] = True, True, True
    path = holed(tmp_path / "split.csv", X, ["x", "y", "z", "void"], holes)
    code, out, _ = mvngrad("inspect", path)
    assert code == 0
    assert "never observed together: x and y" in out
    assert "Left out, with no value at all: void." in out
    assert "df = " in out
    said = strict(mvngrad("inspect", path, "--json")[1])
    assert said["never_together"] == [["x", "y"]]
    assert said["left_out"] == {"words": [], "nothing": ["void"]}
    assert len(said["warnings"]) == 1


def test_ctrl_c_costs_the_test_alone(mvngrad, gaps, monkeypatch):
    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mvngrad.cli.progress.Progress.step", impatient)
    code, out, err = mvngrad("inspect", gaps[0])
    assert (code, err) == (130, "")
    assert "not done, for interrupted" not in out
    assert "interrupted" in out
    assert "missing together" in out


BAD = {
    "header only": ("a,b\n", "no rows"),
    "empty": ("", "is empty"),
    "text only": ("a,b\nx,y\n", "no column of numbers"),
    "infinity": ("a\n1\ninf\n", "infinite"),
    "duplicate": ("a,a\n1,2\n", "occurs twice"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_bad_files_exit_with_1(mvngrad, tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, out, err = mvngrad("inspect", path, "--json")
    assert (code, out) == (1, "")
    assert words in err


@pytest.mark.parametrize("arguments", [["--columns", "zz"], ["--threads", "0"], ["--fit"]])
def test_wrong_calls_exit_with_2(mvngrad, data, arguments):
    code, out, err = mvngrad("inspect", data[0], *arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_columns_are_taken_in_the_order_asked(mvngrad):
    _, out, _ = mvngrad("inspect", PENGUINS, "--json", "--columns", "year,body_mass_g")
    assert list(strict(out)["columns"]) == ["year", "body_mass_g"]


def test_standard_input_with_words_in_it():
    done = in_a_shell("inspect", "-", "--json", input=PENGUINS.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    assert strict(done.stdout)["left_out"]["words"] == ["species", "island", "sex"]


def test_a_terminal_gets_styles(mvngrad, data, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1mWhat there is to fit" in mvngrad("inspect", data[0])[1]


def test_values_as_large_and_as_small_as_they_come(mvngrad, tmp_path):
    X = np.array([[1e140, 1e-140], [-3e140, 2e-140], [2e140, 9e-140], [5e139, 5e-140]])
    code, out, _ = mvngrad("inspect", written(tmp_path / "x.csv", X, "ab"), "--json")
    assert code == 0
    assert strict(out)["columns"]["a"]["sd"] == pytest.approx(1e140 * (X[:, 0] / 1e140).std())
