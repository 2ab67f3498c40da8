"""The floor: what a call that computes nothing costs, its output allocated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.libraries import Fit, Gradient
from benchmarks.problems import Floats

NEEDS = ("numpy",)
NAME = "zeros (floor)"


def _fit(X: Floats) -> tuple[Floats, Floats]:
    d = X.shape[1]
    return np.zeros(d), np.zeros((d, d))


def _prepare(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:  # noqa: ARG001
    return lambda: (0.0, np.zeros_like(mu), np.zeros_like(L))


CANDIDATES = (
    Fit(NAME, _fit, lambda result: result, is_peer=False),
    Gradient(NAME, _prepare, lambda result: result, is_peer=False),
)
