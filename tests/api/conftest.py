"""The command run here, and files of rows for it: complete, with holes, and a model."""

import numpy as np
import pytest

from commandline import holed, written
from mvngrad.cli import main


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


@pytest.fixture
def gaps(tmp_path, rng):
    """A file with holes, and what is in it."""
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + [10.0, -3.0, 1e3]
    holes = rng.random(X.shape) < 0.2
    holes[17] = True
    path = holed(tmp_path / "gaps.csv", X, "abc", holes)
    return path, np.where(holes, np.nan, X)


@pytest.fixture
def model(mvngrad, gaps, tmp_path):
    """A model of the file with holes."""
    path = tmp_path / "model.safetensors"
    assert mvngrad("fit", gaps[0], "-o", path)[0] == 0
    return path
