"""scikit-learn's covariance estimator, without the precision matrix that it computes by default."""

from __future__ import annotations

from typing import Any

from benchmarks.libraries import Fit
from benchmarks.problems import Floats

NEEDS = ("sklearn",)


def _fit(X: Floats) -> Any:
    from sklearn.covariance import EmpiricalCovariance

    return EmpiricalCovariance(store_precision=False).fit(X)


CANDIDATES = (
    Fit(
        "scikit-learn EmpiricalCovariance (no precision)",
        _fit,
        lambda fit: (fit.location_, fit.covariance_),
    ),
)
