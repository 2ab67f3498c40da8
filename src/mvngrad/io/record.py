"""A JSON object read field by field: each must be there, of its kind, and nothing may be left."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, final

import numpy as np

from mvngrad._version import __version__
from mvngrad.core.ops import Array
from mvngrad.errors import ModelFileError

SCHEMA = 1
READERS = {"fit": "mvngrad.load", "moments": "mvngrad.Moments.load"}
LARGEST = sys.float_info.max


Kind = Literal["fit", "moments"]
PathLike = str | os.PathLike[str]


def as_number(value: float) -> float | dict[str, str]:
    """A float as JSON holds it, to the last bit; what JSON lacks as {"float": "nan"} or "inf"."""
    value = float(value)
    return value if math.isfinite(value) else {"float": repr(value)}


def of_number(value: Any) -> float:
    """The float that ``as_number`` wrote."""
    match value:
        case {"float": "nan" | "inf" | "-inf" as name} if len(value) == 1:
            return float(name)
        case int() | float() if not isinstance(value, bool) and abs(value) <= LARGEST:
            return float(value)
    raise ModelFileError(f"{_shown(value)} is not a number.")


@final
class Record:
    """The fields of a JSON object, each taken once."""

    def __init__(self, document: Any) -> None:
        if not isinstance(document, Mapping):
            raise ModelFileError(f"{_shown(document)} is not a JSON object.")
        self._left = dict(document)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def member(self, name: str) -> Any:
        """Whatever stands there."""
        if name not in self._left:
            raise ModelFileError(f"the field {name!r} is missing.")
        return self._left.pop(name)

    def number(self, name: str) -> float:
        """A float."""
        return of_number(self.member(name))

    def count(self, name: str) -> int:
        """A whole number, 0 or more, that fits 64 bits."""
        value = self.member(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ModelFileError(f"{name} must be a whole number; it is {_shown(value)}.")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.member(name)
        if not isinstance(value, bool):
            raise ModelFileError(f"{name} must be true or false; it is {_shown(value)}.")
        return value

    def text(self, name: str) -> str:
        """A string."""
        value = self.member(name)
        if not isinstance(value, str):
            raise ModelFileError(f"{name} must be text; it is {_shown(value)}.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self.member(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ModelFileError(f"{name} must be a list of texts; it is {_shown(value)}.")
        return tuple(value)

    def require_all_read(self) -> None:
        """Refuse what nobody asked for."""
        if self._left:
            raise ModelFileError(f"the field {_shown(min(self._left))} has no meaning.")


def heading(kind: Kind) -> dict[str, Any]:
    """What a document begins with."""
    return {"schema": SCHEMA, "kind": kind, "written_by": __version__}


def record_of(document: Mapping[str, Any], kind: Kind) -> Record:
    """The document without its heading, which says what the rest means."""
    record = Record(document)
    schema = record.count("schema")
    if schema > SCHEMA:
        writer = str(document.get("written_by", "?"))[:20]
        raise ModelFileError(
            f"it was written by a newer mvngrad ({writer!r}, schema {schema}; this is "
            f"{__version__}, schema {SCHEMA}): upgrade, pip install -U mvngrad."
        )
    if schema != SCHEMA:
        raise ModelFileError(f"its schema is {schema}; there has been none before {SCHEMA}.")
    record.text("written_by")
    found = record.text("kind")
    if found not in READERS:
        raise ModelFileError(f"its kind is {found[:60]!r}, which is none of {', '.join(READERS)}.")
    if found != kind:
        raise ModelFileError(f"it holds {found}, not {kind}: read it with {READERS[found]}.")
    return record


def require_finite(**arrays: Array) -> None:
    """Refuse NaN and infinity."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"the array {name!r} must be finite.")


def _shown(value: Any) -> str:
    """A value as far as a sentence can hold it."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "…"
