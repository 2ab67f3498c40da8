"""The score test of a model inside a larger one: only the smaller has to be fitted.

    X² = gᵀH⁻¹g        g, H gradient and information of J in the larger, at the smaller's estimate

asymptotically χ² with as many degrees of freedom as the larger has directions more that the data
tell. (Rao 1948)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array
from mvngrad.core.whole import symmetric_cotangent
from mvngrad.errors import DataError
from mvngrad.inference.directions import Directions
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.goodness import chi_square_tail
from mvngrad.inference.information import BLIND, Information, Kind


class ScoreTest(NamedTuple):
    """gᵀH⁻¹g, its degrees of freedom, the χ² probability of as much or more."""

    statistic: float
    df: int
    pvalue: float


def score_test(null: Estimate, wider: Estimate, kind: Kind) -> ScoreTest:
    """Of ``null`` within ``wider``, both at the same (μ, S)."""
    M = wider.matrix(expected=kind == "expected")  # of the same data at the same (μ, S)
    information = Information.of(Directions.of(wider), kind, M)
    if information.rank < information.size and information.eigenvalues.min() < -BLIND:
        raise DataError(
            "the data are so far from the fitted model that J bends down along some direction of "
            "the larger one, whose observed information is then no metric: use kind='expected'."
        )
    df = information.rank - Information.of(Directions.of(null), kind, M).rank
    if df <= 0:
        raise DataError(
            f"the larger model, {wider.structure!r}, has no direction that the fitted one lacks: "
            "there is nothing to test. Name a larger covariance; a known mean is tested with "
            "mean='free'."
        )
    z = information.root.T @ information.directions.projected(packed_gradient(wider)[None])[0]
    statistic = float(z @ z)
    return ScoreTest(statistic, df, chi_square_tail(df, statistic))


def packed_gradient(at: Estimate) -> Array:
    """∂J/∂(δ, E), packed."""
    mu, S = np.zeros_like(at.data.center), DenseCovariance(np.eye(len(at.root)))
    e = at.data.evaluation(mu, S)
    of_mean = np.zeros(at.location.size) if at.separate else e.mean.ravel()
    return np.concatenate([of_mean, symmetric_cotangent(e.score.core)])
