"""NumPy: its own covariance, and the few lines one writes by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.libraries import Fit
from benchmarks.problems import Floats

NEEDS = ("numpy",)


def _cov(X: Floats) -> tuple[Floats, Floats, Floats]:
    S = np.cov(X, rowvar=False, bias=True)
    return X.mean(axis=0), S, np.linalg.cholesky(S)


def _by_hand(X: Floats) -> tuple[Floats, Floats, Floats]:
    m = X.mean(axis=0)
    Z = X - m
    S = Z.T @ Z / len(X)
    return m, S, np.linalg.cholesky(S)


CANDIDATES = (
    Fit("numpy: cov, cholesky", _cov, lambda result: result[:2]),
    Fit("numpy by hand: centred X.T @ X, cholesky", _by_hand, lambda result: result[:2]),
)
