"""``mvngrad impute``: holes filled, and nothing else changed by a single character."""

import bz2
import csv
import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, in_a_shell, numbers
from mvngrad.cli.files import numbered
from mvngrad.cli.rewrite import split

TYPED = (
    "\ufeffname;a;b;c\r\n"
    '"x; ""y""";1.50;2e0;+3\r\n'
    "\r\n"
    '"two\r\nlines"; NA ;"2.25";.5\r\n'
    'ü;4;"n/a";7\r\n'
    ';"5";-1;\r\n'
    "z;6.0;3;1\r\n"
    "z;7;-2;8\r\n"
    "z;3;1;-4\r\n"
    "z;-1;0;2\r\n"
    "z;2;5;5\r\n"
    "\r\n"
)


def test_penguins(mvngrad):
    code, out, err = mvngrad("impute", PENGUINS)
    before, after = PENGUINS.read_text().splitlines(), out.splitlines()
    changed = [i + 1 for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert (code, changed) == (0, [5, 273])
    assert after[4].startswith("Adelie,Torgersen,43.5")
    assert after[4].endswith(",NA,2007")
    assert err.splitlines() == [
        "Note: filled 8 missing values in 2 rows.",
        "Note: left missing, in columns without numbers or not asked for: sex (11).",
    ]


def test_values_are_the_library_s(mvngrad, gaps):
    path, X = gaps
    code, out, _ = mvngrad("impute", path)
    assert code == 0
    np.testing.assert_allclose(numbers(out), mg.fit(X).impute(X), rtol=1e-12)
    there = ~np.isnan(X)
    np.testing.assert_array_equal(numbers(out)[there], X[there])


def test_draws_are_the_library_s(mvngrad, gaps, tmp_path):
    path, X = gaps
    code, out, _ = mvngrad("impute", path, "--draws", 3, "--seed", 4, "-o", tmp_path / "x.csv")
    assert (code, out) == (0, "")
    drawn = [numbers((tmp_path / f"x-{k}.csv").read_text()) for k in (1, 2, 3)]
    np.testing.assert_allclose(drawn, mg.fit(X).impute(X, draws=3, rng=4), rtol=1e-9)
    assert not (tmp_path / "x.csv").exists()


def test_proper_draws_are_the_library_s(mvngrad, gaps, tmp_path):
    path, X = gaps
    arguments = ["--draws", 2, "--proper", "--seed", 4, "-o", tmp_path / "draw {k}.csv"]
    assert mvngrad("impute", path, *arguments)[0] == 0
    drawn = [numbers((tmp_path / f"draw {k}.csv").read_text()) for k in (1, 2)]
    expected = mg.fit(X).impute(X, draws=2, proper=True, rng=4)
    np.testing.assert_allclose(drawn, expected, rtol=1e-9)


def test_one_draw_may_go_to_standard_output(mvngrad, gaps):
    runs = [mvngrad("impute", gaps[0], "--draws", 1, "--seed", s)[1] for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert mvngrad("impute", gaps[0], "-o", "-")[1] == mvngrad("impute", gaps[0])[1]


def test_every_other_character_stays(mvngrad, tmp_path):
    path, out = tmp_path / "typed.csv", tmp_path / "out.csv"
    path.write_bytes(TYPED.encode())
    code, _, err = mvngrad("impute", path, "-o", out)
    assert (code, "filled 3 missing values in 3 rows" in err) == (0, True)
    number = r"(-?[0-9.e+-]+)"
    pattern = re.escape(TYPED)
    for before, hole, after in ((";", " NA ", ";"), (";", '"n/a"', ";"), ("-1;", "", "\r\n")):
        old = re.escape(before + hole + after)
        pattern = pattern.replace(old, re.escape(before) + number + re.escape(after))
    assert re.fullmatch(pattern, out.read_bytes().decode())


@pytest.mark.parametrize(
    ("encoding", "word"), [("utf-8", "Größe"), ("utf-8-sig", "Größe"), ("utf-16", "Größe")]
)
def test_encodings_stay(mvngrad, tmp_path, encoding, word):
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(f"{word},b\n1,2\n2,5\n3,NA\n4,1\n5,6\n", encoding=encoding)
    assert mvngrad("impute", path, "-o", out)[0] == 0
    assert out.read_bytes()[:2] == path.read_bytes()[:2]
    assert out.read_text(encoding=encoding).startswith(f"{word},b\n1,2\n2,5\n3,")


def test_bytes_that_are_no_text_stay_in_columns_not_used(mvngrad, tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(b"a,b,c\n1,2,\xff\n2,5,\n3,NA,\xe9\n4,1,\n5,6,x\n")
    code, _, err = mvngrad("impute", path, "-o", out, "--columns", "a,b")
    assert (code, "c (2)" in err) == (0, True)
    lines = out.read_bytes().split(b"\n")
    assert lines[1] == b"1,2,\xff"
    assert lines[3].endswith(b",\xe9")


def test_columns_not_used_are_carried_through(mvngrad, gaps):
    path, X = gaps
    _, out, err = mvngrad("impute", path, "--columns", "c,a")
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["a", "b", "c"]
    expected = mg.fit(X[:, [2, 0]]).impute(X[:, [2, 0]])
    np.testing.assert_allclose([[float(r[2]), float(r[0])] for r in rows[1:]], expected, rtol=1e-9)
    assert [r[1] == "NA" for r in rows[1:]] == np.isnan(X[:, 1]).tolist()
    assert f"b ({np.isnan(X[:, 1]).sum()})" in err


def test_nothing_missing_gives_the_file_itself(mvngrad, tmp_path):
    path = tmp_path / "whole.csv"
    path.write_bytes(b"a,b\n1,1\n1,1\n")  # and no fit, which would fail
    code, out, err = mvngrad("impute", path)
    assert (code, out) == (0, "a,b\n1,1\n1,1\n")
    assert err == "Note: there is nothing to fill: the file is written as it is.\n"


def test_a_column_without_any_value_stays_empty(mvngrad, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("a,b\n1,NA\n")
    code, out, err = mvngrad("impute", path)
    assert (code, out) == (0, "a,b\n1,NA\n")
    assert "left missing, in columns without numbers or not asked for: b (1)." in err


@pytest.mark.parametrize(("suffix", "opened"), [(".gz", gzip.open), (".bz2", bz2.open)])
def test_compressed_in_and_out(mvngrad, gaps, tmp_path, suffix, opened):
    path = tmp_path / f"in.csv{suffix}"
    with opened(path, "wb") as file:
        file.write(gaps[0].read_bytes())
    out = tmp_path / f"out.csv{suffix}"
    assert mvngrad("impute", path, "--draws", 1, "--seed", 0, "-o", out)[0] == 0
    with opened(tmp_path / f"out-1.csv{suffix}", "rt") as file:
        assert file.read() == mvngrad("impute", gaps[0], "--draws", 1, "--seed", 0)[1]


def test_standard_input(gaps):
    done = in_a_shell("impute", "-", input=gaps[0].read_text())
    assert done.returncode == 0
    assert not np.isnan(numbers(done.stdout)).any()


def test_a_device_is_written_to_as_it_is(mvngrad, gaps):
    assert mvngrad("impute", gaps[0], "-o", os.devnull)[0] == 0
    assert not os.path.isfile(os.devnull)  # noqa: PTH113


# The fields of a record


@pytest.mark.parametrize(
    "text",
    ["a,b", "", ",", 'a,"b,c",d', '"a""b,",', '"x"y"z,w', ' "a",b', '"two\nlines",3', '"",,""'],
)
def test_records_are_split_as_the_csv_module_does(text):
    fields = split(text, ",")
    assert ",".join(fields) == text
    (record,) = csv.reader([text]) if "\n" not in text else csv.reader(text.splitlines(True))
    assert len(fields) == max(len(record), 1)
    assert [next(csv.reader([f]), [""])[0] for f in fields if f[:1] == '"' and "\n" not in f] == [
        v for v, f in zip(record, fields, strict=False) if f[:1] == '"' and "\n" not in f
    ]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("out.csv", "out-1.csv"),
        ("my.data.csv", "my.data-1.csv"),
        ("out.csv.gz", "out-1.csv.gz"),
        ("out", "out-1"),
        ("draw{k}.csv", "draw1.csv"),
    ],
)
def test_files_of_draws_are_numbered(name, first):
    assert numbered(Path("there", name), 2)[0] == Path("there", first)
