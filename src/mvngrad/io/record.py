"""A JSON object read field by field: each must be there, of its kind, and nothing may be left."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, final

from mvngrad.errors import ModelFileError

LARGEST = sys.float_info.max


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


def _shown(value: Any) -> str:
    """A value as far as a sentence can hold it."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "…"
