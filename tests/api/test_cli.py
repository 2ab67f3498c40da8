"""The command, as a newcomer, a script and an impatient person use it."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from io import StringIO
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.cli import main
from mvngrad.cli.failures import in_shell_words
from mvngrad.cli.options import METHODS, MISSING, STRUCTURES
from mvngrad.cli.output import as_json

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
KEYS = {
    "status", "converged", "loglik", "n_obs", "n_params", "aic", "bic", "mean", "covariance",
    "factor", "method", "n_iter", "optimality", "warnings", "version", "columns", "weight",
    "n_eval", "seconds", "message",
}  # fmt: skip


@pytest.fixture
def mvngrad(capsys, monkeypatch):
    """Run the command here: exit code, stdout, stderr."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments):
        code = main([str(a) for a in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err or "--debug" in arguments
        return code, said.out, said.err

    return run


@pytest.fixture
def data(tmp_path, rng):
    """A file of complete rows, and what is in it."""
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + [10.0, -3.0, 1e3]
    return written(tmp_path / "data.csv", X, "abc"), X


def written(path, X, names):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        rows.writerows(X.tolist())
    return path


def strict(text):
    """JSON as its standard has it: no NaN, no Infinity."""

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def in_a_shell(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "mvngrad.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


# The README's example


def test_penguins(mvngrad):
    code, out, err = mvngrad("fit", PENGUINS, "--missing", "drop")
    assert code == 0
    for words in ("penguins.csv", "Log-likelihood  -5920.732", "bill_depth_mm", "Correlations"):
        assert words in out
    assert "\x1b" not in out
    assert err.splitlines() == [
        "Note: left out columns without numbers: species, island, sex.",
        "Note: dropped 2 of 344 rows with a missing value.",
    ]


def test_penguins_with_holes_say_where_and_what_to_do(mvngrad):
    for missing in ([], ["--missing", "raise"]):
        code, out, err = mvngrad("fit", PENGUINS, "--json", *missing)
        assert (code, out) == (1, "")
        assert "2 of 344 rows have a missing value: lines 5, 273" in err
        assert "bill_length_mm 2" in err
        assert "--missing drop" in err


def test_more_holes_than_are_listed(mvngrad, tmp_path):
    path = tmp_path / "holes.csv"
    path.write_text("a,b\n\n" + "1,NA\n" * 9 + "2,3\n")
    _, _, err = mvngrad("fit", path)
    assert "9 of 10 rows have a missing value: lines 3, 4, 5, 6, 7 and 4 more" in err


# What is printed


@pytest.mark.parametrize("covariance", STRUCTURES)
@pytest.mark.parametrize("method", ["auto", "l-bfgs"])
def test_json_is_one_document_that_agrees_with_the_library(mvngrad, data, covariance, method):
    path, X = data
    code, out, err = mvngrad("fit", path, "--json", "--covariance", covariance, "--method", method)
    assert (code, err) == (0, "")
    said, fit = strict(out), mg.fit(X, covariance, method=method)
    assert said.keys() >= KEYS
    assert said["status"] == "converged"
    assert said["converged"] is True
    assert said["columns"] == ["a", "b", "c"]
    assert said["version"] == mg.__version__
    assert said["n_obs"] == said["weight"] == 60
    assert (said["n_params"], said["method"]) == (fit.n_params, fit.method)
    assert [said[k] for k in ("loglik", "aic", "bic")] == [fit.loglik, fit.aic, fit.bic]
    assert list(said["mean"].values()) == fit.mean.tolist()
    assert [list(row.values()) for row in said["covariance"].values()] == fit.covariance.tolist()
    assert said["factor"] == fit.factor.tolist()


def test_numbers_that_json_cannot_write_are_null(data):
    fit = mg.fit(data[1])
    object.__setattr__(fit, "optimality", float("nan"))
    object.__setattr__(fit, "nll", float("inf"))
    said = strict(as_json(fit))
    assert said["optimality"] is None
    assert said["loglik"] is None


def test_columns_are_taken_in_the_order_asked(mvngrad, data):
    path, X = data
    for asked in (["--columns", "c, a"], ["--columns", "c", "--columns", "a"]):
        _, out, _ = mvngrad("fit", path, "--json", *asked)
        mean = strict(out)["mean"]
        assert list(mean) == ["c", "a"]
        assert list(mean.values()) == pytest.approx(X[:, [2, 0]].mean(axis=0).tolist(), rel=1e-12)


def test_a_name_with_a_comma_is_quoted_as_in_csv(mvngrad, tmp_path, rng):
    path = written(tmp_path / "x.csv", rng.normal(size=(20, 3)), ["weight, kg", "b", "µ"])
    _, out, _ = mvngrad("fit", path, "--json", "--columns", '"weight, kg",µ')
    assert strict(out)["columns"] == ["weight, kg", "µ"]


def test_the_table_is_cut_to_the_terminal(mvngrad, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = mvngrad("fit", PENGUINS, "--missing", "drop")
    assert max(map(len, out.split("Correlations")[1].splitlines()[:8])) <= 60


def test_a_terminal_gets_the_same_words_with_styles(mvngrad, data, monkeypatch):
    _, plain, _ = mvngrad("fit", data[0])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, styled, _ = mvngrad("fit", data[0])
    assert "\x1b[1mMultivariate normal" in styled
    bare = re.sub(r"\x1b\[[0-9;]*m", "", styled)
    assert [li.rstrip() for li in bare.splitlines() if "Time" not in li] == [
        li for li in plain.splitlines() if "Time" not in li
    ]


def test_a_terminal_without_rich_gets_plain_text(mvngrad, data, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    code, out, _ = mvngrad("fit", data[0])
    assert code == 0
    assert out.startswith("Multivariate normal")


def test_progress_is_shown_to_people_only(mvngrad, data, monkeypatch):
    _, _, err = mvngrad("fit", data[0], "--method", "cg")
    assert err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    code, out, err = mvngrad("fit", data[0], "--method", "cg", "--json")
    assert code == 0
    assert "iteration 0: log-likelihood" in err
    assert err.endswith("\r\x1b[2K")
    strict(out)


# How it ends


def test_not_converged_prints_the_result_and_exits_with_3(mvngrad, data):
    hurried = ["fit", data[0], "--method", "gradient-descent", "--max-iter", 1, "--tol", "1e-12"]
    code, out, err = mvngrad(*hurried)
    assert (code, err) == (3, "")
    assert "Warning: stopped at --max-iter" in out
    code, out, err = mvngrad(*hurried, "--json")
    assert (code, err) == (3, "")
    said = strict(out)
    assert (said["status"], said["converged"]) == ("max_iter", False)
    assert "max_iter" in said["warnings"][0]


SINGULAR = {
    "collinear": ("a,b,c\n1,2,3\n2,5,7\n4,1,5\n8,3,11\n3,3,6\n", "linear combination"),
    "constant": ("a,b\n1,2\n3,2\n5,2\n", "b does not vary"),
    "twice the same": ("a,b\n1,1\n2,2\n4,4\n", "linear combination"),
    "too few rows": ("a,b,c\n1,2,4\n3,5,6\n", "2 rows cannot determine"),
    "one row": ("a\n1\n", "does not vary"),
}


@pytest.mark.parametrize(("text", "words"), SINGULAR.values(), ids=SINGULAR)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_singular_covariances_exit_with_4(mvngrad, tmp_path, text, words, as_json):
    path = tmp_path / "singular.csv"
    path.write_text(text)
    code, out, err = mvngrad("fit", path, *as_json)
    assert (code, out) == (4, "")
    assert err.startswith("Error: ")
    assert words in err
    assert "='" not in err


BAD = {
    "empty": ("", "is empty"),
    "header only": ("a,b\n", "no rows"),
    "ragged": ("a,b\n1,2\n3\n", "line 3"),
    "stray word": ("a,b\n1,2\n3,oops\n", "line 3: 'oops' in column 'b'"),
    "infinity": ("a,b\n1,2\ninf,4\n", "'inf' in column 'a'"),
    "text only": ("a,b\nx,y\n", "no column of numbers"),
    "duplicate": ("a,a\n1,2\n", "occurs twice"),
    "huge": ("a\n1e300\n-1e300\n5e299\n", "Rescale"),
    "every row has a hole": ("a,b\n1,NA\nNA,2\n", "no complete row"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_bad_data_exit_with_1(mvngrad, tmp_path, text, words, as_json):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, out, err = mvngrad("fit", path, "--missing", "drop", *as_json)
    assert (code, out) == (1, "")
    assert words in err


def test_no_file_or_a_directory_exits_with_1(mvngrad, tmp_path):
    for path, words in ((tmp_path / "no.csv", "there is no such file"), (tmp_path, "directory")):
        code, out, err = mvngrad("fit", path)
        assert (code, out) == (1, "")
        assert str(path) in err
        assert words in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--method", "guess"],
        ["--covariance", "none"],
        ["--missing", "impute"],
        ["--columns", "a,,b"],
        ["--columns", "a,a"],
        ["--columns", ""],
        ["--columns", "a,zz"],
        ["--max-iter", "-1"],
        ["--max-iter", "2.5"],
        ["--tol", "0"],
        ["--tol", "nan"],
        ["--tol", "inf"],
        ["--threads", "0"],
        ["--nonsense"],
        ["another.csv"],
    ],
    ids=" ".join,
)
def test_wrong_calls_exit_with_2(mvngrad, data, arguments):
    code, out, err = mvngrad("fit", data[0], *arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_an_unknown_column_gets_a_guess(mvngrad):
    code, _, err = mvngrad("fit", PENGUINS, "--columns", "bill_lenght_mm")
    assert code == 2
    assert "Did you mean 'bill_length_mm'?" in err


def test_no_arguments_and_unknown_commands_exit_with_2(mvngrad):
    assert mvngrad()[0] == 2
    assert mvngrad("fti", "x.csv")[0] == 2
    assert mvngrad("fit")[0] == 2


def test_ctrl_c_gives_the_best_point_so_far(mvngrad, data, monkeypatch):
    def impatient(_progress, step):
        if step.iteration == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("mvngrad.cli.progress.Progress.step", impatient)
    code, out, err = mvngrad("fit", data[0], "--method", "gradient-descent", "--json")
    assert (code, err) == (130, "")
    assert strict(out)["status"] == "interrupted"


def test_ctrl_c_before_there_is_a_result(mvngrad, data, monkeypatch):
    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mvngrad.io.csv.read_csv", impatient)
    code, out, err = mvngrad("fit", data[0])
    assert (code, out) == (130, "")
    assert "interrupted" in err


def test_the_unforeseen_is_one_line_and_with_debug_a_traceback(mvngrad, data, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a loose wire")

    monkeypatch.setattr("mvngrad.fitting.fit.fit", broken)
    code, out, err = mvngrad("fit", data[0])
    assert (code, out) == (1, "")
    assert err.startswith("Error: unexpected RuntimeError: a loose wire.")
    code, out, err = mvngrad("fit", data[0], "--debug")
    assert (code, out) == (1, "")
    assert "Traceback" in err


def test_warnings_of_ours_become_notes_and_others_stay_silent(mvngrad, data, monkeypatch):
    from mvngrad.fitting.fit import fit

    def warning(*given, **options):
        warnings.warn("the data deserve a look", mg.DataWarning, stacklevel=1)
        warnings.warn("an old idiom", DeprecationWarning, stacklevel=1)
        return fit(*given, **options)

    monkeypatch.setattr("mvngrad.fitting.fit.fit", warning)
    code, _, err = mvngrad("fit", data[0])
    assert (code, err) == (0, "Note: the data deserve a look.\n")


# Files written


def test_trace_is_a_csv_file_of_the_iterations(mvngrad, data, tmp_path):
    path = tmp_path / "trace.csv"
    code, out, _ = mvngrad("fit", data[0], "--method", "cg", "--trace", path, "--json")
    rows = list(csv.DictReader(StringIO(path.read_text())))
    said = strict(out)
    assert code == 0
    assert len(rows) == said["n_iter"] + 1
    assert float(rows[-1]["nll"]) == pytest.approx(-said["loglik"], rel=1e-12)
    assert {"iteration", "nll", "gradient_norm", "step", "n_eval", "seconds"} <= rows[0].keys()


def test_output_is_a_model_file(mvngrad, data, tmp_path):
    pytest.importorskip("mvngrad.modelfile")
    path = tmp_path / "model.mvn"
    code, out, _ = mvngrad("fit", data[0], "--output", path, "--json")
    loaded = mg.load(path)
    assert code == 0
    assert loaded.columns == ("a", "b", "c")
    assert loaded.factor.tolist() == strict(out)["factor"]


@pytest.mark.parametrize("option", ["--trace", "--output"])
def test_places_that_cannot_be_written_to_are_refused_before_the_fit(
    mvngrad, data, tmp_path, option, monkeypatch
):
    def never(*_):
        raise AssertionError("read although the result would be lost")

    monkeypatch.setattr("mvngrad.cli.fit._read", never)
    before = data[0].read_bytes()
    for path, words in (
        (tmp_path / "no" / "such", "there is no directory"),
        (tmp_path, "is a directory"),
        (data[0], "the file with the data"),
    ):
        code, out, err = mvngrad("fit", data[0], option, path)
        assert (code, out) == (2, "")
        assert option in err
        assert words in err
    monkeypatch.setattr("mvngrad.cli.files.os.access", lambda *_: False)
    assert "permission denied" in mvngrad("fit", data[0], option, tmp_path / "x")[2]
    assert data[0].read_bytes() == before


def test_two_files_of_one_name_are_refused(mvngrad, data, tmp_path):
    code, _, err = mvngrad("fit", data[0], "--trace", tmp_path / "x", "--output", tmp_path / "x")
    assert code == 2
    assert "both name" in err


def test_a_full_disk_costs_the_file_and_not_the_result(mvngrad, data, tmp_path, monkeypatch):
    path = tmp_path / "trace.csv"
    path.write_text("precious")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    code, out, err = mvngrad("fit", data[0], "--trace", path, "--json")
    assert code == 1
    assert strict(out)["converged"]
    assert "No space left on device" in err
    assert path.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv", "trace.csv"]


def test_nothing_is_written_if_the_fit_fails(mvngrad, tmp_path):
    path, trace = tmp_path / "bad.csv", tmp_path / "trace.csv"
    path.write_text("a\n1\n1\n")
    trace.write_text("precious")
    assert mvngrad("fit", path, "--trace", trace)[0] == 4
    assert trace.read_text() == "precious"


# The command itself


def test_choices_are_the_library_s():
    from mvngrad.fitting.fit import NAMED
    from mvngrad.fitting.methods import METHODS as METHODS_THERE
    from mvngrad.io.missing import Missing

    assert METHODS == METHODS_THERE
    assert get_args(Missing) == MISSING
    assert set(STRUCTURES) <= set(NAMED)


def test_help_and_version(mvngrad):
    assert mvngrad("--version") == (0, f"mvngrad {mg.__version__}\n", "")
    for arguments in (["--help"], ["-h"], ["fit", "--help"]):
        code, out, err = mvngrad(*arguments)
        assert (code, err) == (0, "")
        assert "Usage: mvngrad" in out
    for words in ("Exit codes:", *METHODS, *STRUCTURES):
        assert words in out


@pytest.mark.parametrize(
    ("said", "shell"),
    [
        ("such as covariance='diagonal'.", "such as --covariance diagonal."),
        ("Drop it (columns=…), or", "Drop it (--columns), or"),
        ("raise max_iter, or loosen tol", "raise --max-iter, or loosen --tol"),
        ("Pass missing='drop' to mvngrad.fit to go on", "Pass --missing drop to go on"),
    ],
)  # fmt: skip
def test_messages_of_the_library_in_words_of_the_shell(said, shell):
    assert in_shell_words(said) == shell


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from mvngrad.cli import main; main(['fit', '--help']); "
        "print({'numpy', 'scipy', 'rich', 'pyarrow', 'numba'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


def test_without_click_it_says_what_to_install(monkeypatch, capsys):
    for name in [m for m in sys.modules if m.startswith("mvngrad.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "click", None)
    assert main(["--help"]) == 1
    assert 'pip install "mvngrad[cli]"' in capsys.readouterr().err


def test_without_pyarrow_it_says_what_to_install(mvngrad, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, out, err = mvngrad("fit", data[0])
    assert (code, out) == (1, "")
    assert 'pip install "mvngrad[cli]"' in err


def test_a_terminal_that_lacks_a_letter_shows_a_question_mark(tmp_path, rng):
    path = written(tmp_path / "x.csv", rng.normal(size=(20, 2)), ["βeta", "b"])
    done = in_a_shell("fit", path, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "?eta" in done.stdout


@pytest.mark.skipif(shutil.which("head") is None, reason="no shell tools here")
def test_a_reader_that_stops_early_hears_no_complaint(tmp_path):
    wide = np.random.default_rng(0).normal(size=(400, 150))
    path = written(tmp_path / "wide.csv", wide, [f"column{j}" for j in range(150)])
    command = f"'{sys.executable}' -m mvngrad.cli fit '{path}' --json | head -n 2"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2


def test_data_may_come_from_standard_input():
    done = in_a_shell("fit", "-", "--json", "--columns", "year", input=PENGUINS.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    assert strict(done.stdout)["n_obs"] == 344
