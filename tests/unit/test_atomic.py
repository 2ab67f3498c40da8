"""A file is there whole or not at all, whenever the writer dies."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mvngrad as mg
from mvngrad import modelfile
from mvngrad.io import atomic


@pytest.fixture
def fit(rng: np.random.Generator) -> mg.Fit:
    return mg.fit(rng.normal(size=(30, 3)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_nothing_but_the_file_is_left_behind(fit, path):
    fit.save(path)
    fit.save(str(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["fsync", "rename", "read back"])
def test_a_failure_leaves_the_old_file_as_it_was(fit, path, monkeypatch, step):
    fit.save(path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "read back":
            patch.setattr(modelfile, "_read_fit", fail)
        else:
            patch.setattr(*{"fsync": (os, "fsync"), "rename": (Path, "replace")}[step], fail)
        with pytest.raises(mg.ModelFileError, match=r"cannot write .*No space left"):
            dataclasses.replace(fit, nll=0.0).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_fit_that_could_not_be_read_is_not_written(fit, path):
    with pytest.raises(mg.ModelFileError, match="'mean' must be finite"):
        dataclasses.replace(fit, mean=np.array([0.0, np.nan, 0.0])).save(path)
    with pytest.raises(mg.ModelFileError, match="header has"):
        dataclasses.replace(fit, warnings=("x" * 3_000_000,)).save(path)
    assert not path.exists()


@pytest.mark.parametrize("place", ["no/such/directory/model", "."])
def test_a_place_that_is_none_is_named(fit, tmp_path, place):
    with pytest.raises(mg.ModelFileError, match="directory"):
        fit.save(tmp_path / place)


def test_a_device_is_not_replaced_by_a_file(fit):
    with pytest.raises(mg.ModelFileError, match="not a regular file"):
        fit.save(os.devnull)


def test_permissions_and_links_are_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    target.chmod(0o600)
    link.symlink_to(target)
    atomic.write_text(link, "λ")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "λ"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    atomic.write_bytes(tmp_path / "ours", b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_device_is_written_to_as_it_is():
    atomic.write_bytes(os.devnull, b"x")
    assert not Path(os.devnull).is_file()


WRITER = """
import sys
from mvngrad.io.atomic import write_bytes
for i in range(10**9):
    write_bytes(sys.argv[1], bytes([i % 251]) * 1_000_000)
    print(i, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file_no_older_than_it_said(tmp_path):
    path = tmp_path / "file"
    for pause in (0.0, 0.003, 0.007, 0.02, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            said = [writer.stdout.readline() for _ in range(3)]
            time.sleep(pause)
            writer.send_signal(signal.SIGKILL)
            said += writer.stdout.read().splitlines()
        content = path.read_bytes()
        last = int(said[-1])
        assert len(content) == 1_000_000
        assert set(content) <= {last % 251, (last + 1) % 251}
        assert len(set(content)) == 1
