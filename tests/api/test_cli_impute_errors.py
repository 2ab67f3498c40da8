"""``mvngrad impute`` called wrongly, on bad data, or with nowhere to write to."""

import numpy as np
import pytest

from commandline import holed, written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--draws", "0"], "--draws"),
        (["--draws", "2"], "needs --output"),
        (["--draws", "x"], "--draws"),
        (["--proper"], "add --draws M"),
        (["--seed", "-1"], "--seed"),
        (["--columns", "zz"], "no column 'zz'"),
        (["--covariance", "none"], "--covariance"),
        (["--missing", "drop"], "No such option"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_calls_exit_with_2(mvngrad, gaps, arguments, words):
    code, out, err = mvngrad("impute", gaps[0], *arguments)
    assert (code, out) == (2, "")
    assert words in err


BAD = {
    "header only": ("a,b\n", 1, "no rows"),
    "one value": ("a,b\n1,NA\n2,3\n", 4, "does not vary over 1 row"),
    "text only": ("a,b\nx,NA\n", 1, "no column of numbers"),
    "infinity": ("a,b\n1,NA\ninf,4\n", 1, "infinite"),
    "duplicate": ("a,a\n1,NA\n2,3\n", 1, "occurs twice"),
    "ragged": ("a,b\n1,NA\n2\n", 1, "line 3"),
    "unbounded": ("a,b\n1,1\n2,2\n3,3\nNA,4\n9,NA\n", 4, "no maximum"),
}


@pytest.mark.parametrize(("text", "expected", "words"), BAD.values(), ids=BAD)
def test_bad_data(mvngrad, tmp_path, text, expected, words):
    path, out = tmp_path / "bad.csv", tmp_path / "out.csv"
    path.write_text(text)
    code, printed, err = mvngrad("impute", path, "-o", out)
    assert (code, printed) == (expected, "")
    assert words in err
    assert not out.exists()


def test_what_is_read_is_never_written_to(mvngrad, gaps, model):
    path, before = gaps[0], gaps[0].read_bytes()
    for place, words in ((path, "the file with the data"), (model, "the file with the model")):
        code, _, err = mvngrad("impute", path, "--model", model, "-o", place)
        assert (code, words in err) == (2, True)
    first = path.with_name("gaps-1.csv")
    first.write_bytes(before)
    code, _, err = mvngrad("impute", first, "--draws", 2, "-o", path)
    assert (code, "the file with the data" in err) == (2, True)
    assert path.read_bytes() == first.read_bytes() == before


def test_places_that_cannot_be_written_to(mvngrad, gaps, tmp_path, monkeypatch):
    for place, words in ((tmp_path, "is a directory"), (tmp_path / "no" / "x", "no directory")):
        code, out, err = mvngrad("impute", gaps[0], "-o", place)
        assert (code, out) == (2, "")
        assert words in err
    monkeypatch.setattr("mvngrad.cli.files.os.access", lambda *_: False)
    assert "permission denied" in mvngrad("impute", gaps[0], "-o", tmp_path / "x")[2]


def test_an_existing_file_is_replaced_whole_or_not_at_all(mvngrad, gaps, tmp_path, monkeypatch):
    out = tmp_path / "out.csv"
    out.write_text("old")
    assert mvngrad("impute", gaps[0], "-o", out)[0] == 0
    good = out.read_text()
    assert good.startswith("a,b,c\n")

    def broken(*_):
        yield b"a,b"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mvngrad.cli.rewrite.Original.encoded", broken)
    code, _, err = mvngrad("impute", gaps[0], "-o", out)
    assert (code, "No space left" in err) == (1, True)
    assert out.read_text() == good
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gaps.csv", "out.csv"]


def test_a_file_changed_meanwhile_is_noticed(mvngrad, gaps, tmp_path, monkeypatch):
    from mvngrad.cli import fit

    original = fit.fit_table

    def meddling(data, progress, **options):
        written(gaps[0], np.ones((3, 3)), "abc")
        return original(data, progress, **options)

    monkeypatch.setattr("mvngrad.cli.impute.fit_table", meddling)
    code, _, err = mvngrad("impute", gaps[0], "-o", tmp_path / "out.csv")
    assert (code, "is not what it was" in err) == (1, True)
    assert not (tmp_path / "out.csv").exists()


def test_ctrl_c_writes_nothing(mvngrad, gaps, tmp_path, monkeypatch):
    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mvngrad.cli.progress.Progress.step", impatient)
    code, out, err = mvngrad("impute", gaps[0], "-o", tmp_path / "out.csv")
    assert (code, out) == (130, "")
    assert "nothing was written" in err
    assert not (tmp_path / "out.csv").exists()


def test_warnings_of_the_fit_are_told(mvngrad, tmp_path, rng):
    X, holes = rng.normal(size=(60, 3)), np.zeros((60, 3), bool)
    X[:, 1] += X[:, 0]
    holes[:30, 0], holes[30:, 2] = True, True
    path = holed(tmp_path / "split.csv", X, ["x", "y", "z"], holes)
    code, out, err = mvngrad("impute", path)
    assert code == 0
    assert "Warning: never observed together: x and z." in err
    assert len(out.splitlines()) == 61
