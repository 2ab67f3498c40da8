"""Model files as safetensors and json alone see them: taken apart, put together, refused."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvngrad as mg


def document_of(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["mvngrad"])


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def refused(path: Path, reason: str, load: Callable[[Path], Any] = mg.load) -> None:
    """``load`` says why, as a ModelFileError that names the file, and does not take for ever."""
    began = time.perf_counter()
    with pytest.raises(mg.ModelFileError, match=f"(?s)cannot read .*{path.name}: .*{reason}"):
        load(path)
    assert time.perf_counter() - began < 5.0  # a bound on hanging: it takes 0.2 s at most


def peak_memory(task: Callable[[], object]) -> int:
    """Bytes that Python and NumPy held at most during the task."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def file_of(document: Any, arrays: dict[str, np.ndarray]) -> bytes:
    from safetensors.numpy import save

    text = document if isinstance(document, str) else json.dumps(document)
    return save(arrays, {"mvngrad": text})
