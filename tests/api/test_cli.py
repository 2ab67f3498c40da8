"""What ``mvngrad fit`` prints, and the command itself, as people and scripts use it."""

import os
import re
import shutil
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, in_a_shell, strict, written
from mvngrad.cli import main
from mvngrad.cli.documents import of_fit
from mvngrad.cli.failures import in_shell_words
from mvngrad.cli.options import METHODS, MISSING, STRUCTURES
from mvngrad.cli.output import as_json

NOTHING_MISSING = "Note: there is nothing to fill: the file is written as it is."
KEYS = {
    "status", "converged", "loglik", "n_obs", "n_params", "aic", "bic", "mean", "covariance",
    "factor", "method", "n_iter", "optimality", "warnings", "version", "columns", "weight",
    "n_eval", "seconds", "message", "n_empty", "n_starts", "curvature", "missing",
    "not_identified",
}  # fmt: skip


# What is printed


@pytest.mark.filterwarnings("ignore:Heywood case")
@pytest.mark.parametrize("covariance", [name.replace(":N", ":1") for name in STRUCTURES])
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
    said = strict(as_json(of_fit(fit)))
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


# The command itself


def test_choices_are_the_library_s():
    from mvngrad.fitting.methods import METHODS as METHODS_THERE
    from mvngrad.io.missing import Missing
    from mvngrad.models.named import names

    assert METHODS == METHODS_THERE
    assert get_args(Missing) == MISSING
    assert set(names()) - {"cholesky"} == set(STRUCTURES)


def test_help_and_version(mvngrad):
    assert mvngrad("--version") == (0, f"mvngrad {mg.__version__}\n", "")
    for arguments in (["--help"], ["inspect", "-h"], ["impute", "-h"], ["fit", "--help"]):
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


@pytest.mark.parametrize("command", ["fit", "inspect", "impute"])
def test_help_imports_nothing_heavy(command):
    code = (
        f"import sys; from mvngrad.cli import main; main(['{command}', '--help']); "
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
    for arguments in (f"fit '{path}' --json", f"inspect '{path}' --json", f"impute '{path}'"):
        command = f"'{sys.executable}' -m mvngrad.cli {arguments} | head -n 2"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert set(done.stderr.splitlines()) <= {NOTHING_MISSING}
        assert len(done.stdout.splitlines()) == 2


def test_notes_and_warnings_are_wrapped_to_the_terminal(mvngrad, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    _, out, _ = mvngrad("fit", data[0], "--method", "gradient-descent", "--max-iter", 1)
    said = out[out.index("Warning:") :]
    assert max(map(len, said.splitlines())) <= 50


def test_data_may_come_from_standard_input():
    done = in_a_shell("fit", "-", "--json", "--columns", "year", input=PENGUINS.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    assert strict(done.stdout)["n_obs"] == 344
