"""How ``mvngrad fit`` ends: exit codes, and errors that say what to do."""

import warnings

import pytest

import mvngrad as mg
from commandline import PENGUINS, strict


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
