"""The libraries compared, an adapter each; one that is not installed is skipped with a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.problems import Floats

ADAPTERS = ("zeros", "ours", "numpy_", "scipy_", "sklearn_", "torch_", "jax_", "numpyro_")


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


def collected(kind: type) -> tuple[list[Any], list[str]]:
    """All fits or all gradients that can be run here, and a note for each library that cannot."""
    found: list[Any] = []
    missing: list[str] = []
    for name in ADAPTERS:
        module = import_module(f"benchmarks.libraries.{name}")
        if not all(find_spec(package) for package in module.NEEDS):
            missing.append(f"{', '.join(module.NEEDS)} not installed: skipped.")
            continue
        found += [item for item in module.CANDIDATES if isinstance(item, kind)]
    return found, missing
