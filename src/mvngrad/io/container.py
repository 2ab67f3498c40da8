"""A safetensors file with one JSON document in its metadata: no code, nothing taken on trust.

    8 bytes: length of the header | header: JSON, with shapes, offsets and metadata | numbers

Sizes are checked before anything is read or allocated, the header before any array, and an array
is read only when asked for by name and shape. (https://github.com/huggingface/safetensors)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.ops import Array
from mvngrad.errors import ModelFileError
from mvngrad.io.atomic import replacement

KEY = "mvngrad"
HEADER_LIMIT = 2**20  # bytes: 8,000 columns with names of 100 letters
DTYPES = ("F64", "I64", "BOOL")

Document = dict[str, Any]
AnyArray = npt.NDArray[Any]
Shape = tuple[int | None, ...]


@final
class Container:
    """An open file: its JSON document, and its arrays, each read once and when asked for."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._unread = set(handle.keys())
        self._arrays: dict[str, AnyArray] = {}
        self.document = _document(handle.metadata())

    def __contains__(self, name: str) -> bool:
        return name in self._unread or name in self._arrays

    def array(self, name: str, shape: Shape | None) -> Array:
        """A float64 array of this shape, None standing for any; read-only."""
        dtype, got = self.declared(name)
        if dtype != "F64":
            raise ModelFileError(f"the array {name!r} must hold F64 numbers; it holds {dtype}.")
        if shape is not None and not _agree(shape, got):
            wanted = str(shape).replace("None", "any")
            raise ModelFileError(f"the array {name!r} must have shape {wanted}; it has {got}.")
        return self.any_array(name)

    def any_array(self, name: str) -> AnyArray:
        """An array of any shape, of float64, int64 or bool; read-only."""
        dtype, _ = self.declared(name)
        if dtype not in DTYPES:
            known = " or ".join(DTYPES)
            raise ModelFileError(f"the array {name!r} holds {dtype}; it may be {known}.")
        if name in self._unread:
            self._unread.remove(name)
            self._arrays[name] = self._handle.get_tensor(name)
            self._arrays[name].flags.writeable = False
        return self._arrays[name]

    def declared(self, name: str) -> tuple[str, tuple[int, ...]]:
        """Type and shape of an array, not yet read."""
        if name not in self:
            raise ModelFileError(f"the array {name!r} is missing.")
        declared = self._handle.get_slice(name)
        return str(declared.get_dtype()), tuple(declared.get_shape())

    def require_all_read(self) -> None:
        """Refuse what nobody asked for."""
        if self._unread:
            raise ModelFileError(f"it holds an array {min(self._unread)!r} that has no meaning.")


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Container]:
    """The file as a Container, once its size and its header are found sound."""
    from safetensors import safe_open

    _require_sound_header(Path(path))
    with safe_open(os.fspath(path), framework="numpy") as handle:
        yield Container(handle)


def write(
    path: str | os.PathLike[str],
    document: Document,
    arrays: Mapping[str, AnyArray],
    check: Callable[[Path], object],
) -> None:
    """Write a file atomically; it takes its place only if ``check``, given it, does not raise."""
    from safetensors.numpy import save

    metadata = {KEY: json.dumps(document, allow_nan=False)}
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacement(path) as temporary:
        temporary.write_bytes(save(contiguous, metadata))
        check(temporary)


@contextmanager
def one_error(task: str) -> Iterator[None]:
    """Whatever is wrong with a file in the block, as a ModelFileError: "cannot <task>: why"."""
    from safetensors import SafetensorError

    try:
        yield
    except (ModelFileError, OSError, SafetensorError, MemoryError, RecursionError) as error:
        raise ModelFileError(f"cannot {task}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    match error:
        case ModelFileError():
            return str(error)
        case OSError():
            return error.strerror or str(error)
        case MemoryError() | RecursionError():
            return "it holds too much, or is nested too deeply."
    return f"it is damaged: {error}"


def parsed(text: str) -> Any:
    """JSON without its ambiguities: no key twice, no NaN, no infinity."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"its header is not JSON: {error}") from error


def _require_sound_header(path: Path) -> None:
    if not path.exists():
        raise ModelFileError("there is no such file.")
    if not path.is_file():
        raise ModelFileError("it is not a file." if not path.is_dir() else "it is a directory.")
    with path.open("rb") as file:
        rest = os.fstat(file.fileno()).st_size - 8
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= rest:
            raise ModelFileError(
                "it is no safetensors file, or only the beginning of one. Model files are written "
                "by fit.save, Moments.save and mvngrad fit -o."
            )
        if length > HEADER_LIMIT:
            raise ModelFileError(
                f"its header has {length} bytes; a model file's has {HEADER_LIMIT} at most."
            )
        parsed(_decoded(file.read(length)))


def _decoded(header: bytes) -> str:
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError("its header is not text: it is no safetensors file.") from error


def _document(metadata: Mapping[str, str] | None) -> Document:
    if KEY not in (metadata or {}):
        raise ModelFileError("it is a safetensors file, but not one written by mvngrad.")
    assert metadata is not None
    document = parsed(metadata[KEY])
    if not isinstance(document, dict):
        raise ModelFileError(f"its metadata {KEY!r} is not a JSON object.")
    return document


def _agree(wanted: Shape, got: tuple[int, ...]) -> bool:
    return len(wanted) == len(got) and all(w in (None, n) for w, n in zip(wanted, got, strict=True))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ModelFileError("a name occurs twice in its header.")
    return members


def _no_constant(token: str) -> NoReturn:
    raise ModelFileError(f"{token} in its header is not JSON.")
