"""mvngrad itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mvngrad as mg
from benchmarks.libraries import Fit, Gradient
from benchmarks.problems import Floats

NEEDS = ("mvngrad",)
NAME = "mvngrad.fit"


def _rows(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:
    return lambda: mg.nll_and_grad(X, mu, L)


def _moments(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:
    moments = mg.Moments.of(X)
    return lambda: mg.nll_and_grad(moments, mu, L)


def _read(result: Any) -> tuple[float, Floats, Floats]:
    value, gradient = result
    return value, gradient.mean, np.tril(gradient.factor)


CANDIDATES = (
    Fit(NAME, mg.fit, lambda fit: (fit.mean, fit.covariance), is_peer=False),
    Gradient("mvngrad.nll_and_grad, rows", _rows, _read, is_peer=False),
    Gradient("mvngrad.nll_and_grad, Moments", _moments, _read, is_peer=False, rows=False),
)
