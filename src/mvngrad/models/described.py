"""A structure as data, and back: its type by name, its constructor's arguments, its columns.

    {"type": "Factor", "arguments": {"k": 5}, "columns": 3}

Arrays among the arguments go to a table of their own and leave {"array": name}; structures may
hold structures. Only classes that ``type_of`` knows are ever called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from mvngrad.errors import ModelFileError
from mvngrad.models.structure import Structure

AnyArray = npt.NDArray[Any]


def described(structure: Structure, arrays: dict[str, AnyArray], name: str) -> dict[str, Any]:
    """The structure as JSON; arrays among its arguments are added to ``arrays`` under ``name``."""
    return {
        "type": type(structure).__name__,
        "arguments": {
            argument: _described(value, arrays, f"{name}.{argument}")
            for argument, value in structure.describe().items()
        },
        "columns": structure.d,
    }


def types_in(structure: Structure) -> list[type[Structure]]:
    """The type of the structure and of those it holds, each once."""
    found: list[type[Structure]] = []
    waiting: list[Any] = [structure]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Structure):
            found.append(type(value))
            waiting.extend(value.describe().values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return list(dict.fromkeys(found))


def _described(value: Any, arrays: dict[str, AnyArray], name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Structure):
        return described(value, arrays, name)
    if isinstance(value, list | tuple):
        return [_described(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
    if isinstance(value, np.ndarray) and value.dtype in (np.float64, np.int64, np.bool_):
        arrays[name] = value
        return {"array": name}
    raise ModelFileError(
        f"{name} is a {type(value).__name__}. Structure.describe() may hold numbers, text, None, "
        "float64, int64 and bool arrays, structures, and lists of them."
    )


@final
@dataclass(frozen=True)
class Rebuilder:
    """Makes structures of their descriptions.

    ``array(name)`` gives an array that was set aside, ``type_of(name)`` the class of that name.
    """

    array: Callable[[str], AnyArray]
    type_of: Callable[[str], type[Structure]]

    def structure(self, description: Any) -> Structure:
        """The structure that ``described`` was given."""
        match description:
            case {"type": str(name), "arguments": dict(arguments), "columns": int() | None as d}:
                return self._made(self.type_of(name), arguments, d)
        raise ModelFileError("its structure must have a type, arguments and columns.")

    def _made(self, cls: type[Structure], arguments: dict[str, Any], d: int | None) -> Structure:
        values = {argument: self._value(value) for argument, value in arguments.items()}
        try:
            structure = cls.of_description(**values)
            return structure if d is None else structure.sized(d)
        except Exception as error:  # whatever a constructor has to say about its arguments
            raise ModelFileError(
                f"its structure {cls.__name__} cannot be made from its arguments: {error}"
            ) from error

    def _value(self, value: Any) -> Any:
        match value:
            case list():
                return [self._value(item) for item in value]
            case {"array": str(name)} if len(value) == 1:
                return self.array(name)
            case {"float": "nan" | "inf" | "-inf" as name} if len(value) == 1:
                return float(name)
            case dict():
                return self.structure(value)
        return value
