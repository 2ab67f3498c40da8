"""CSV files: declared types, every value where it stands, errors that say where."""

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from mvngrad.errors import DataError
from mvngrad.io.csv import read_csv
from mvngrad.io.header import UnknownColumnError
from mvngrad.io.words import MISSING, is_decimal

NAN = float("nan")
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


@pytest.fixture
def write(tmp_path):
    def written(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


GOOD = {
    "plain": ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
    "no newline at the end": ("a,b\n1,2\n3,4", [[1, 2], [3, 4]]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", [[1, 2]]),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), [[1, 2]]),
    "CRLF": ("a,b\r\n1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
    "CR": ("a,b\r1,2\r3,4\r", [[1, 2], [3, 4]]),
    "tabs": ("a\tb\n1\t2\n", [[1, 2]]),
    "semicolons": ("a;b\n1.5;2\n", [[1.5, 2]]),
    "blank lines": ("\n\na,b\n\n1,2\n\n3,4\n\n", [[1, 2], [3, 4]]),
    "spaces": ("a , b\n 1 ,\t2\n", [[1, 2]]),
    "quotes": ('"a","b"\n"1","2"\n', [[1, 2]]),
    "signs and exponents": ("a,b\n+1.5,-.5\n1e3,2.E-3\n", [[1.5, -0.5], [1000, 0.002]]),
    "late sign": ("a,b\n" + "1,2\n" * 200 + "+3,4\n", [[1, 2]] * 200 + [[3, 4]]),
    "whole numbers past 2^53": ("a,b\n12345678901234567890,1\n", [[12345678901234567890, 1]]),
    "a hole at the end": ("a,b\n1,\n,2\n", [[1, NAN], [NAN, 2]]),
    "holes only at first": ("a,b\n" + "NA,1\n" * 150 + "2,1\n", [[NAN, 1]] * 150 + [[2, 1]]),
    "names that are whole numbers": ("2001,2002\n1,2\n", [[1, 2]]),
}


@pytest.mark.parametrize(("content", "rows"), GOOD.values(), ids=GOOD)
def test_rows_are_read_as_they_stand(write, content, rows):
    table = read_csv(write(content)).table
    np.testing.assert_array_equal(table.rows, np.array(rows, float))
    assert table.rows.flags.c_contiguous


@pytest.mark.parametrize("word", [w for m in MISSING for w in (m, m.lower(), m.title(), f" {m} ")])
@pytest.mark.parametrize("first", [0, 300])
def test_every_spelling_of_a_missing_value_is_nan(write, word, first):
    lines = ["1,2"] * first + [f"{word},2", "3,4"]
    rows = read_csv(write("a,b\n" + "\n".join(lines) + "\n")).table.rows
    assert np.isnan(rows[first, 0])
    assert np.isnan(rows).sum() == 1


def test_penguins():
    data = read_csv(PENGUINS)
    assert data.left_out == ("species", "island", "sex")
    assert data.table.columns[0] == "bill_length_mm"
    assert data.table.rows.shape == (344, 5)
    holes = np.flatnonzero(np.isnan(data.table.rows).any(axis=1))
    assert data.lines_of([int(i) for i in holes]) == [5, 273]


def test_columns_without_numbers_are_left_out(write):
    text = "name,x,date,empty,flag\nann,1,2020-01-02,,TRUE\nbob,2,2020-01-03,NA,FALSE\n"
    table, left_out, *_ = read_csv(write(text))
    assert table.columns == ("x",)
    assert left_out == ("name", "date", "empty", "flag")


def test_columns_are_chosen_by_name_and_position_in_the_order_asked(write):
    path = write("a,b,c,bad\n1,2,3,x\n4,5,6,7\n")
    assert read_csv(path, ["c", 0]).table.columns == ("c", "a")
    np.testing.assert_array_equal(read_csv(path, ["c", 0]).table.rows, [[3, 1], [6, 4]])
    assert read_csv(path, [-2]).table.columns == ("c",)


def test_a_nameless_or_repeated_column_does_no_harm_unless_asked_for(write):
    path = write(",a,b,b\n1,2,3,4\n")
    assert read_csv(path, ["a"]).table.rows.tolist() == [[2.0]]
    with pytest.raises(DataError, match="'b' occurs twice"):
        read_csv(path, ["b"])


def test_an_unknown_column_gets_a_guess(write):
    path = write("weight,height\n1,2\n")
    with pytest.raises(UnknownColumnError, match=r"no column 'wieght'.*Did you mean 'weight'\?"):
        read_csv(path, ["wieght"])
    for position in (2, -3):
        with pytest.raises(UnknownColumnError, match="no column"):
            read_csv(path, [position])


@pytest.mark.parametrize(
    ("columns", "words"), [([], "empty"), (["t"], "no number"), (["a", "a"], "twice")]
)
def test_columns_that_cannot_be_meant(write, columns, words):
    with pytest.raises(DataError, match=words):
        read_csv(write("a,t\n1,x\n"), columns)


def test_compressed_by_its_name(write):
    path = write(gzip.compress(b"a,b\n1,2\n"), "data.csv.gz")
    assert read_csv(path).table.rows.tolist() == [[1, 2]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a,b\n1,NA\n",))
    writer.start()
    data = read_csv(path)
    writer.join()
    assert data.left_out == ("b",)
    assert data.lines_of([0]) == [2]


def test_values_with_newlines_across_blocks_stay_in_their_column(write):
    cell = '"' + "a long story, told\nover two lines " * 40 + '"'
    n = 2000  # some 2.7 MB, three of pyarrow's blocks
    data = read_csv(write("x,story,y\n" + "".join(f"{i},{cell},{-i}\n" for i in range(n))))
    np.testing.assert_array_equal(data.table.rows, np.outer(np.arange(n), [1, -1]))
    assert data.lines_of([2]) == [2 + 2 * 41]


def test_many_batches_are_put_together_in_order(write):
    X = np.random.default_rng(0).normal(size=(30000, 6))
    lines = "\n".join(",".join(map(repr, row)) for row in X.tolist())
    rows = read_csv(write("a,b,c,d,e,f\n" + lines + "\n")).table.rows
    np.testing.assert_array_equal(rows, X)


LONG = "a,b\n" + "1,2\n" * 500
BAD = {
    "empty": ("", ["is empty"]),
    "blank lines only": ("\n\n\n", ["is empty"]),
    "header only": ("a,b\n", ["no rows"]),
    "header without newline": ("a,b", ["no rows"]),
    "a line too short": ("a,b\n1,2\n3\n4,5\n", ["line 3", "1 value ", "2 columns"]),
    "a line too long": ("a,b\n1,2\n\n3,4,5\n", ["line 4", "3 values"]),
    "row names": ('a,b\n"r1",1,2\n', ["line 2", "row names missing"]),
    "a late line too long": (LONG + "1,2,3\n", ["line 502", "3 values"]),
    "duplicate names": ("a,b,a\n1,2,3\n", ["'a' occurs twice", "columns 1 and 3"]),
    "names alike but for spaces": ("a, a\n1,2\n", ["'a' occurs twice"]),
    "no name": (",a\n0,1\n", ["column 1", "no name"]),
    "a separator at the end": ("a,b,\n1,2,\n", ["column 3", "no name"]),
    "a stray word": ("a,b\n1,2\n3,oops\n", ["line 3", "column 'b'", "'oops'", "write NA"]),
    "stray words": ("a\n1\nx\ny\nx\n", ["line 3", "'x'", "2 other values"]),
    "a late stray word": (LONG + "x,2\n", ["line 502", "column 'a'", "'x'"]),
    "a late number": ("a\n" + "x\n" * 500 + "1\n", ["line 2", "'x'"]),
    "a stray word after CRLF": ("a,b\r\n1,2\r\n3,q\r\n", ["line 3", "'q'"]),
    "a stray word after newlines": ('t,b\n"x\ny",2\nz,w\n', ["line 4", "column 'b'", "'w'"]),
    "a stray word in UTF-16": ("a\n1\nx\n".encode("utf-16"), ["line 3", "'x'"]),
    "a dash": ("a\n1\n-\n", ["line 3", "'-'"]),
    "decimal commas": ("a;b\n1,5;2\n3;4\n", ["line 2", "'1,5'", "decimal point"]),
    "decimal commas only": ("a;b\n1,5;2\n3,5;4\n", ["line 2", "column 'a'", "decimal point"]),
    "thousands": ('a,b\n"1,234",2\n5,6\n', ["'1,234'", "nothing between thousands"]),
    "thousands by space": ("a,b\n1 234,2\n5,6\n", ["'1 234'", "nothing between thousands"]),
    "underscore": ("a\n1_0\n2\n", ["'1_0'"]),
    "hexadecimal": ("a\n0x10\n2\n", ["'0x10'", "decimal number"]),
    "percent": ("a\n10%\n2\n", ["'10%'", "number alone"]),
    "Fortran exponent": ("a\n1D3\n2\n", ["'1D3'"]),
    "Arabic digits": ("a\n١\n2\n", ["'١'"]),
    "infinity": ("a,b\n1,2\n3,inf\n", ["line 3", "column 'b'", "'inf'", "infinite"]),
    "minus infinity": ("a\n1\n-Infinity\n", ["line 3", "'-Infinity'"]),
    "late infinity": (LONG + "1,+INF\n", ["line 502", "'+INF'"]),
    "overflow": ("a\n2\n1e999\n", ["line 3", "'1e999'", "infinite"]),
    "text only": ("a,b\nx,y\n", ["no column of numbers"]),
    "missing only": ("a\nNA\n\n.\n", ["no column of numbers"]),
    "bars": ("a|b\n1|2\n", ["no column of numbers", "commas, tabs or semicolons"]),
    "no header": ("1.5,2\n3,4\n", ["line 1 holds numbers"]),
    "an open quote": ('a,b\n"x,2\n3,4\n', ["line 2"]),
    "a huge field": (f'a,b\n1,"{"x" * 200_000}"\n2,3\n', ["line 2", "field"]),
    "Latin-1 value": ("a,b\n1,é\n".encode("latin-1"), ["line 2", "not UTF-8"]),
    "Latin-1 header": ("é\n1\n".encode("latin-1"), ["header", "not UTF-8"]),
    "broken UTF-16": (b"\xff\xfea\x00\n\x001\x00\n\x00\x00\xd8", []),
    "Excel workbook": (b"PK\x03\x04\x00\x00", ["Excel workbook"]),
    "old Excel workbook": (b"\xd0\xcf\x11\xe0\x00", ["old Excel workbook"]),
    "Parquet": (b"PAR1\x15\x04", ["Parquet"]),
    "gzip without its ending": (gzip.compress(b"a\n1\n"), ["gzip"]),
    "binary": (b"a,b\n\x00\x01\x02", ["binary"]),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_with_reasons(write, content, words):
    path = write(content)
    with pytest.raises(DataError) as raised:
        read_csv(path)
    for word in [str(path), *words]:
        assert word in str(raised.value)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        read_csv(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="directory"):
        read_csv(tmp_path)


def test_a_file_without_permission(write, monkeypatch):
    path = write("a\n1\n")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pyarrow.input_stream", refused)
    with pytest.raises(DataError, match=r"data\.csv: permission denied"):
        read_csv(path)


@pytest.mark.parametrize("cut", [0.5, 0.999])
def test_a_truncated_archive(write, cut):
    rng = np.random.default_rng(0)
    whole = gzip.compress("\n".join(["a", *map(str, rng.random(20000))]).encode())
    with pytest.raises(DataError, match=r"data\.csv\.gz"):
        read_csv(write(whole[: int(cut * len(whole))], "data.csv.gz"))


@pytest.mark.parametrize("word", ["1", "-1.", "+.5", "1e5", "1E-05", " 2 "])
def test_decimal_numbers(word):
    assert is_decimal(word)


@pytest.mark.parametrize("word", ["", ".", "e5", "1e", "1,5", "0x1", "nan", "inf", "1 2", "--1"])
def test_what_is_no_decimal_number(word):
    assert not is_decimal(word)
