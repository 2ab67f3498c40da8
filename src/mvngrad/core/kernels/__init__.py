"""Compiled loops; each names the NumPy function that specifies it. Importing this loads nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def loops(name: str) -> Any:
    """The module of that name; None where there is no compiler: the specification serves."""
    try:
        return import_module(f"mvngrad.core.kernels.{name}")
    except ImportError:
        return None
