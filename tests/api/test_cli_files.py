"""Files that ``mvngrad fit`` writes, whole or not at all."""

import csv
from io import StringIO

import pytest

import mvngrad as mg
from commandline import strict


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
