"""Standard errors, intervals, weights and clusters in ``mvngrad fit``: options, tables, JSON."""

import re
import shlex
from typing import get_args

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, strict, written
from mvngrad.cli.options import ERRORS, INTERVALS, WEIGHTS
from mvngrad.fitting.grounds import WeightsKind
from mvngrad.fitting.intervals import IntervalMethod
from mvngrad.inference.standard_errors import ErrorKind

BODY = "bill_length_mm,body_mass_g"


@pytest.fixture
def sampled(tmp_path, rng):
    """A file of two columns, weights w and labels g (words) of the rows; and what is in it."""
    X, w = rng.normal([3.0, -1.0], size=(60, 2)), rng.integers(1, 4, 60).astype(float)
    labels = [f"house {k // 3}" for k in range(60)]
    path = tmp_path / "sampled.csv"
    lines = [f"{x!r},{y!r},{v},{g}" for (x, y), v, g in zip(X.tolist(), w, labels, strict=True)]
    path.write_text("\n".join(["a,b,w,g", *lines]) + "\n")
    return path, X, w, labels


def numbers(values):
    return np.array([list(row.values()) if isinstance(row, dict) else row for row in values])


def test_choices_are_the_library_s():
    assert get_args(ErrorKind) == ERRORS[:-1]
    assert ERRORS[-1] == "none"
    assert get_args(WeightsKind) == WEIGHTS
    assert get_args(IntervalMethod) == INTERVALS


def test_errors_are_shown_by_default(mvngrad, data):
    code, out, err = mvngrad("fit", data[0])
    assert (code, err) == (0, "")
    header = next(line for line in out.splitlines() if line.startswith("column"))
    assert header.replace("std err", "se").split() == [
        "column", "mean", "se", "[0.025", "0.975]", "sd", "se"
    ]  # fmt: skip
    assert "Standard errors are from the observed information." in " ".join(out.split())
    assert (
        str(mg.fit(data[1], columns=list("abc")).summary()).split("column")[1]
        == out.split("column")[1]
    )


def test_none_are_shown_where_none_are_wanted(mvngrad, data):
    code, out, _ = mvngrad("fit", data[0], "--se", "none")
    assert code == 0
    assert "std err" not in out
    assert "tandard error" not in out
    said = strict(mvngrad("fit", data[0], "--se", "none", "--json")[1])
    assert said["standard_errors"] is said["intervals"] is said["no_standard_errors"] is None


@pytest.mark.parametrize("kind", ["observed", "expected", "sandwich"])
def test_json_has_errors_and_intervals_by_name(mvngrad, data, kind):
    path, X = data
    code, out, _ = mvngrad("fit", path, "--json", "--se", kind, "--level", "0.8")
    assert code == 0
    said, fit = strict(out), mg.fit(X)
    errors, ends = fit.standard_errors(kind), fit.conf_int(0.8, kind=kind)
    found, between = said["standard_errors"], said["intervals"]
    assert found["kind"] == kind
    assert (between["level"], between["method"]) == (0.8, "wald")
    for key, name in (("mean", "mean"), ("sd", "deviations")):
        assert list(found[key]) == ["a", "b", "c"]
        assert list(found[key].values()) == getattr(errors, name).tolist()
        assert list(between[key].values()) == getattr(ends, name).tolist()
    for key in ("covariance", "correlation"):
        assert numbers(found[key].values()).tolist() == getattr(errors, key).tolist()
        assert numbers(between[key].values()).tolist() == getattr(ends, key).tolist()
    assert found["coefficients"] is found["factors"] is None


def test_json_of_coefficients_and_loadings(mvngrad, tmp_path, rng):
    X = rng.normal(size=(90, 1)) + rng.normal(size=(90, 5))
    path = written(tmp_path / "x.csv", X, "abcde")
    said = strict(mvngrad("fit", path, "--json", "--mean", "~ e", "--columns", "a,b")[1])
    assert list(said["standard_errors"]["coefficients"]["b"]) == ["Intercept", "e"]
    assert len(said["intervals"]["coefficients"]["b"]["e"]) == 2
    said = strict(mvngrad("fit", path, "--json", "--covariance", "factor:1")[1])
    fit = mg.fit(X, mg.FactorAnalytic(1))
    found = said["standard_errors"]["factors"]
    assert [row["f1"] for row in found["loadings"].values()] == pytest.approx(
        fit.standard_errors().factor[:, 0].tolist()
    )
    assert list(found["uniquenesses"]) == list("abcde")
    rotated = strict(
        mvngrad("fit", path, "--json", "--covariance", "factor:2", "--rotate", "varimax")[1]
    )
    assert rotated["standard_errors"]["factors"] is None


def test_a_large_model_says_which_option_has_them(mvngrad, tmp_path, rng):
    X = rng.normal(size=(80, 1)) + rng.normal(size=(80, 26))
    path = written(tmp_path / "x.csv", X, [f"v{k}" for k in range(26)])
    _, out, _ = mvngrad("fit", path, "--covariance", "factor:1")
    words = "No standard errors: with 26 columns and 80 rows they take longer than the fit; --se observed has them."  # noqa: E501
    assert words in " ".join(out.split())
    _, out, _ = mvngrad("fit", path, "--covariance", "factor:1", "--se", "observed")
    assert "std err" in out
    said = strict(mvngrad("fit", path, "--covariance", "factor:1", "--json")[1])
    assert said["standard_errors"] is None
    assert "--se observed has them" in said["no_standard_errors"]


def test_not_converged_has_none(mvngrad, tmp_path, rng):
    path = written(tmp_path / "x.csv", rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), "abcd")
    code, out, _ = mvngrad("fit", path, "--method", "gradient-descent", "--max-iter", "1")
    assert code == 3
    assert "std err" not in out
    assert "No standard errors: the fit has not converged" in " ".join(out.split())


def test_the_output_in_the_documentation_is_the_output(mvngrad, monkeypatch):
    page = (PENGUINS.parents[1] / "docs/command-line.md").read_text(encoding="utf-8")
    ((command, shown),) = re.findall(r"```sh\n(mvngrad fit .*)\n```\n\n```text\n([^`]*)```", page)
    monkeypatch.chdir(PENGUINS.parents[1])
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = mvngrad(*shlex.split(command)[1:])
    without_time = [re.sub(r"Time +\S+ s", "", text) for text in (shown, out)]
    assert without_time[0] == without_time[1]


# Other intervals


@pytest.mark.parametrize("method", ["profile", "bootstrap"])
def test_other_intervals_stand_beside_the_same_errors(mvngrad, data, method):
    path, X = data
    arguments = ("fit", path, "--ci", method, "--level", "0.8", "--seed", "3", "--threads", "1")
    code, out, err = mvngrad(*arguments, "--json")
    assert (code, err) == (0, "")
    said, fit = strict(out), mg.fit(X)
    asked = {"rng": 3, "threads": 1} if method == "bootstrap" else {}
    ends = fit.conf_int(0.8, method, **asked)
    found = said["intervals"]
    assert (found["method"], found["level"]) == (method, 0.8)
    assert list(found["mean"].values()) == ends.mean.tolist()
    assert numbers(found["correlation"].values()).tolist() == ends.correlation.tolist()
    assert list(said["standard_errors"]["mean"].values()) == fit.standard_errors().mean.tolist()
    code, out, err = mvngrad(*arguments)
    assert (code, err) == (0, "")
    row = next(line.split() for line in out.splitlines() if line.startswith("a  "))
    assert [float(x) for x in row[3:5]] == pytest.approx(ends.mean[0].tolist(), abs=6e-4)
    assert {"profile": "from the profile", "bootstrap": "percentiles"}[method] in " ".join(
        out.split()
    )


@pytest.mark.parametrize("covariance", ["factor:1", "ar1", "diagonal"])
def test_profiles_of_other_models(mvngrad, tmp_path, rng, covariance):
    X = rng.normal(size=(90, 1)) + rng.normal(size=(90, 4))
    path = written(tmp_path / "x.csv", X, "abcd")
    arguments = ("fit", path, "--ci", "profile", "--covariance", covariance)
    assert mvngrad(*arguments)[0] == 0
    said = strict(mvngrad(*arguments, "--json")[1])
    of_loadings = (said["intervals"]["factors"] or {"loadings": None})["loadings"]
    assert of_loadings is None
    assert said["intervals"]["sd"]["a"][0] < said["intervals"]["sd"]["a"][1]
    assert (said["standard_errors"]["factors"] is None) == (covariance != "factor:1")


def test_no_interval_is_searched_for_that_is_not_shown(mvngrad, tmp_path, rng, monkeypatch):
    from mvngrad.inference.profile import ProfileIntervals

    for name in ("correlation", "deviations", "covariance"):
        monkeypatch.setattr(ProfileIntervals, name, property(lambda _: pytest.fail("searched")))
    X = rng.normal(size=(90, 1)) + rng.normal(size=(90, 17))
    for d in (8, 17):
        path = written(tmp_path / f"{d}.csv", X[:, :d], [f"v{k}" for k in range(d)])
        code, out, _ = mvngrad("fit", path, "--ci", "profile")
        assert code == 0
        assert out.count("[0.025") == 1


# Weights and clusters


def test_weights_count_rows(mvngrad, sampled):
    path, X, w, _ = sampled
    code, out, err = mvngrad("fit", path, "--weights", "w", "--json")
    assert (code, err) == (
        0,
        "Note: left out columns without numbers: g.\n".replace("columns", "column"),
    )
    said, fit = strict(out), mg.fit(X, weights=w)
    assert said["columns"] == ["a", "b"]
    assert said["weight"] == w.sum()
    assert list(said["mean"].values()) == pytest.approx(fit.mean.tolist(), rel=1e-12)
    assert list(said["standard_errors"]["mean"].values()) == pytest.approx(
        fit.standard_errors().mean.tolist()
    )


def test_weights_of_a_sample(mvngrad, sampled):
    path, X, w, _ = sampled
    arguments = ("fit", path, "--weights", "w", "--weights-kind", "sampling")
    said = strict(mvngrad(*arguments, "--json")[1])
    fit = mg.fit(X, weights=w, weights_kind="sampling")
    assert said["aic"] is said["bic"] is None
    assert said["standard_errors"]["kind"] == "sandwich"
    assert list(said["standard_errors"]["mean"].values()) == pytest.approx(
        fit.standard_errors().mean.tolist()
    )
    code, _, err = mvngrad(*arguments, "--se", "observed")
    assert code == 1
    assert "got --se observed. Use --se sandwich." in err


@pytest.mark.parametrize("missing", ["fiml", "drop"])
def test_clusters(mvngrad, sampled, tmp_path, missing):
    path, X, _, labels = sampled
    X = X.copy()
    X[4, 1] = np.nan
    lines = path.read_text().splitlines()
    lines[5] = lines[5].replace(lines[5].split(",")[1], "NA", 1)
    (tmp_path / "holed.csv").write_text("\n".join(lines) + "\n")
    code, out, err = mvngrad(
        "fit", tmp_path / "holed.csv", "--clusters", "g", "--columns", "a,b", "--json",
        "--missing", missing,
    )  # fmt: skip
    assert code == 0
    assert "left out" not in err
    kept = [g for k, g in enumerate(labels) if missing == "fiml" or k != 4]
    fit = mg.fit(X, missing=missing)
    errors = fit.standard_errors("sandwich", clusters=kept)
    said = strict(out)["standard_errors"]
    assert said["kind"] == "sandwich"
    assert list(said["mean"].values()) == pytest.approx(errors.mean.tolist())


def test_numbers_may_be_labels(mvngrad):
    code, out, _ = mvngrad("fit", PENGUINS, "--clusters", "year")
    assert code == 0
    assert "dependence in clusters" in " ".join(out.split())
    assert "\nyear" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--weights-kind", "sampling"], 2, "--weights-kind is for --weights COLUMN."),
        (["--clusters", "g", "--se", "observed"], 2, "--clusters is for --se sandwich"),
        (["--weights", "nothing"], 2, "nothing"),
        (["--weights", "w", "--columns", "a,w"], 2, "--weights w is one of the columns to fit"),
        (["--weights", "g"], 1, "--weights g: that column holds words, not numbers."),
        (["--level", "95"], 2, "95.0 is not between 0 and 1, as 0.95 is."),
        (
            ["--se", "robust"],
            2,
            "'robust' is not one of 'observed', 'expected', 'sandwich', 'none'",
        ),
        (["--ci", "exact"], 2, "'exact'"),
        (["--ci", "profile", "--se", "none"], 2, "--ci profile is shown beside standard errors"),
        (["--ci", "profile", "--clusters", "g"], 2, "use --ci bootstrap."),
        (
            ["--ci", "profile", "--weights", "w", "--weights-kind", "sampling"],
            2,
            "--ci profile is of the likelihood",
        ),
    ],
)
def test_what_cannot_be_is_said_in_words(mvngrad, sampled, arguments, code, words):
    found, out, err = mvngrad("fit", sampled[0], *arguments)
    assert (found, out) == (code, "")
    assert words in " ".join(err.split())


@pytest.mark.parametrize(("option", "column"), [("--weights", 2), ("--clusters", 3)])
def test_a_row_without_weight_or_label_is_named(mvngrad, sampled, tmp_path, option, column):
    lines = [line.split(",") for line in sampled[0].read_text().splitlines()]
    lines[7][column] = lines[9][column] = ""
    path = tmp_path / "holed.csv"
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    code, _, err = mvngrad("fit", path, option, "abwg"[column])
    assert code == 1
    assert f"{option} {'abwg'[column]} has no value in line 8" in err
    assert "(2 in all)" in err


def test_nothing_is_left_to_fit(mvngrad, tmp_path):
    path = written(tmp_path / "x.csv", np.ones((9, 1)), "w")
    code, _, err = mvngrad("fit", path, "--weights", "w")
    assert code == 1
    assert "has no other column of numbers to fit" in err


def test_an_error_s_words_are_those_of_the_shell():
    from mvngrad.cli.failures import in_shell_words

    assert in_shell_words("fit.summary(kind='observed') has them.") == "--se observed has them."
    assert in_shell_words("or weights_kind='frequency' if") == "or --weights-kind frequency if"
    assert in_shell_words("fit.to_frame('estimates') has them") == "--json has them"
    assert in_shell_words("Use method='bootstrap' for this") == "Use --ci bootstrap for this"
    assert in_shell_words("use resample='parametric' or method='profile'.") == "use --ci profile."
    assert in_shell_words("use method='em'") == "use --method em"


def test_a_weight_below_0_is_told_by_its_line(mvngrad, tmp_path):
    path = tmp_path / "owed.csv"
    path.write_text("a,b,w\n1,2,1\n2,4,-0.5\n3,1,2\n5,2,-1\n0,1,1\n")
    code, out, err = mvngrad("fit", path, "--weights", "w")
    assert (code, out) == (1, "")
    assert "--weights w is -0.5 in line 3" in err
    assert "2 below 0 in all" in err


def test_one_cluster_is_refused(mvngrad, sampled, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(re.sub("house [0-9]+", "house", sampled[0].read_text()))
    code, out, err = mvngrad("fit", path, "--columns", "a,b", "--clusters", "g")
    assert (code, out) == (1, "")
    assert "all rows are in one cluster, 'house'" in err
