"""The libraries compared, an adapter each; one that is not installed is skipped with a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.problems import Floats
from benchmarks.turns import Sitting

COMPLETE = ("zeros", "ours", "numpy_", "scipy_", "sklearn_", "torch_", "jax_", "numpyro_")
MISSING = ("missing_ours", "missing_r", "missing_torch", "missing_sklearn")
ADAPTERS = (*COMPLETE, *MISSING)


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Fit:
    """A fit of complete data, and how to read mean and covariance from what it returns."""

    name: str
    run: Callable[[Floats], Any]
    read: Callable[[Any], tuple[Floats, Floats]]
    is_peer: bool = True


@dataclass(frozen=True)
class Gradient:
    """``prepare(X, μ, L)`` gives the call to time; ``read`` makes J, ∂μ and ∂L of its result."""

    name: str
    prepare: Callable[[Floats, Floats, Floats], Callable[[], Any]]
    read: Callable[[Any], tuple[float, Floats, Floats]]
    is_peer: bool = True
    rows: bool = True  # False: the data were reduced to moments before the clock starts


@dataclass(frozen=True)
class Incomplete:
    """A fit of rows with holes: ``open(X)`` has the data in place, in this process or another."""

    name: str
    open: Callable[[Floats], Sitting]
    is_peer: bool = True
    most_columns: int | None = None  # beyond which it takes too long to be tried
    lacks: Callable[[], str] = _nothing  # what is not there for it to run


def collected(kind: type) -> tuple[list[Any], list[str]]:
    """All fits or all gradients that can be run here, and a note for each library that cannot."""
    found: list[Any] = []
    missing: list[str] = []
    for name in ADAPTERS:
        module = import_module(f"benchmarks.libraries.{name}")
        if not all(find_spec(package) for package in module.NEEDS):
            note = f"{', '.join(module.NEEDS)} not installed: skipped."
            missing += [note] * (note not in missing)
            continue
        found += [item for item in module.CANDIDATES if isinstance(item, kind)]
    return found, missing
