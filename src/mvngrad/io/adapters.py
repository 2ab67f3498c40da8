"""The one table of upward calls: what lives in a higher layer is reached by name, when asked for.

``fit.save`` is written beside Fit, but the model file stands above it; only this table knows where.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

ADAPTERS = {
    "modelfile": "mvngrad.modelfile",
}


def adapter(name: str) -> ModuleType:
    """The module that serves this name."""
    return import_module(ADAPTERS[name])
