"""Files that are damaged, foreign or made to mislead: one exception, at once, with a reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mvngrad as mg
from modelfiles import peak_memory, refused
from mvngrad.io.container import HEADER_LIMIT

ROWS = np.array([[4.0, 1.0], [2.0, 7.0], [5.0, 3.0], [7.0, 4.0], [1.0, 9.0]])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "fit.safetensors"
    mg.fit(ROWS, method="l-bfgs").save(path)
    return path


def with_header(header: bytes | str, payload: bytes = b"") -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return len(header).to_bytes(8, "little") + header + payload


def header_of(data: bytes) -> tuple[str, bytes]:
    length = int.from_bytes(data[:8], "little")
    return data[8 : 8 + length].decode(), data[8 + length :]


# Damage to the container: the bytes of a good file ↦ the bytes of a bad one


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        text, payload = header_of(data)
        header = json.loads(text)
        change(header)
        return with_header(json.dumps(header), payload)

    return damage


def lie(**entries: Any) -> Callable[[bytes], bytes]:
    return edited(lambda header: header["factor"].update(entries))


def overlap(header: dict[str, Any]) -> None:
    header["mean"]["data_offsets"] = header["params"]["data_offsets"]


def metadata(value: Any) -> Callable[[bytes], bytes]:
    return edited(lambda header: header.update(__metadata__=value))


def twice(data: bytes) -> bytes:
    text, payload = header_of(data)
    return with_header(
        '{"mean":{"dtype":"F64","shape":[0],"data_offsets":[0,0]},' + text[1:], payload
    )


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "no safetensors file"),
    "seven bytes": (lambda data: data[:7], "no safetensors file"),
    "no header": (lambda _: bytes(8), "no safetensors file"),
    "text": (lambda _: b"a,b,c\n" + b"1,2,3\n" * 100, "no safetensors file"),
    "a pickle": (lambda _: b"\x80\x04\x95" + b"cos\nsystem\n" * 9, "no safetensors file"),
    "a zip": (lambda _: b"PK\x03\x04" + bytes(500), "no safetensors file|not JSON"),
    "header cut": (lambda data: data[:100], "only the beginning"),
    "data cut": (lambda data: data[:-1], "header|buffer|Incomplete|metadata"),
    "trailing byte": (lambda data: data + b"\0", "header|buffer|Incomplete|metadata"),
    "header of 1 GB": (lambda data: (2**30).to_bytes(8, "little") + data[8:], "beginning of one"),
    "header of 2⁶⁴": (lambda data: b"\xff" * 8 + data[8:], "beginning of one"),
    "header over the limit": (lambda _: with_header(b" " * (HEADER_LIMIT + 1)), "at most"),
    "header of nothing": (lambda _: with_header(b" " * HEADER_LIMIT), "not JSON"),
    "header no text": (lambda _: with_header(b"\xff\xfe\xfd" * 9), "not text"),
    "header in UTF-16": (lambda d: with_header(header_of(d)[0].encode("utf-16-le")), "not JSON"),
    "header a list": (lambda _: with_header("[]"), "header|JSON"),
    "header a number": (lambda _: with_header("1" * 5000), "not JSON"),
    "header with NaN": (lambda _: with_header('{"a": NaN}'), "NaN in its header"),
    "header deep": (lambda _: with_header("[" * HEADER_LIMIT), "nested too deeply"),
    "header wide": (
        lambda _: with_header("[" + "{}," * (HEADER_LIMIT // 3 - 2) + "{}]"),
        "header|JSON",
    ),
    "header not closed": (lambda data: with_header(header_of(data)[0].rstrip()[:-1]), "not JSON"),
    "a name twice": (twice, "twice"),
    "shape too large": (lie(shape=[10**6, 10**6]), "."),
    "shape overflows": (lie(shape=[2**62, 2**62]), "."),
    "shape negative": (lie(shape=[-2, -2]), "."),
    "shape fractional": (lie(shape=[2.5, 2]), "."),
    "shape no list": (lie(shape="2,2"), "."),
    "offsets beyond the end": (lie(data_offsets=[0, 2**50]), "."),
    "offsets backwards": (lie(data_offsets=[32, 0]), "."),
    "offsets negative": (lie(data_offsets=[-32, 0]), "."),
    "offsets overlapping": (edited(overlap), "."),
    "a hole": (edited(lambda header: header.pop("mean")), "."),
    "dtype unknown": (lie(dtype="F65"), "."),
    "dtype an object": (lie(dtype="O"), "."),
    "entry a string": (edited(lambda header: header.update(mean="cos\nsystem")), "."),
    "no metadata": (edited(lambda header: header.pop("__metadata__")), "not one written by"),
    "metadata of others": (metadata({"format": "pt"}), "not one written by"),
    "metadata no text": (metadata({"mvngrad": {"schema": 1}}), "."),
    "metadata a list": (metadata({"mvngrad": "[]"}), "not a JSON object"),
    "metadata no JSON": (metadata({"mvngrad": "{'schema': 1}"}), "not JSON"),
    "metadata a name twice": (metadata({"mvngrad": '{"schema": 1, "schema": 1}'}), "twice"),
    "metadata infinite": (metadata({"mvngrad": '{"nll": -Infinity}'}), "Infinity in its header"),
    "metadata deep": (metadata({"mvngrad": '{"a":' * 100_000}), "nested too deeply"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused(name, good, tmp_path):
    damage, reason = DAMAGES[name]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(damage(good.read_bytes()))
    refused(path, reason)
    refused(path, reason, mg.Moments.load)


@pytest.mark.parametrize(
    "name",
    ["header of 1 GB", "header over the limit", "shape too large", "offsets beyond the end"],
)
def test_a_file_that_claims_much_gets_little(name, good, tmp_path):
    damage, reason = DAMAGES[name]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(damage(good.read_bytes()))
    assert peak_memory(lambda: refused(path, reason)) < 10 * HEADER_LIMIT


# Places


def test_a_place_without_a_file_is_named(tmp_path):
    refused_place(tmp_path, "it is a directory")
    refused_place(tmp_path / "none", "no such file")
    refused_place(Path(os.devnull), "not a file")


def refused_place(path: Path, reason: str) -> None:
    with pytest.raises(mg.ModelFileError, match=f"cannot read .*{path.name}: .*{reason}"):
        mg.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused_place(tmp_path / "pipe", "not a file")


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(mg.ModelFileError, match="cannot read"):
        mg.load(tmp_path / "a")


def test_a_file_one_may_not_read_is_refused(good, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    refused_place(good, "Permission denied")


# Whatever the bytes


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused_or_harmless(good, data):
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, len(content) - 1))
        content[where] = data.draw(st.integers(0, 255))
    path = good.with_name("changed.safetensors")
    path.write_bytes(content)
    try:
        fit = mg.load(path)
    except mg.ModelFileError:
        return
    assert np.isfinite(fit.mean).all()
    assert np.isfinite(fit.nll)


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_header_is_refused(good, content):
    path = good.with_name("random.safetensors")
    path.write_bytes(with_header(content, content))
    with pytest.raises(mg.ModelFileError):
        mg.load(path)
