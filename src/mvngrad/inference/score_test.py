"""The score test of a model inside a larger one: only the smaller has to be fitted.

    X² = gᵀH⁻¹g        g, H gradient and information of J in the larger, at the smaller's estimate

asymptotically χ² with as many degrees of freedom as the larger has directions more. (Rao 1948)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array
from mvngrad.core.whole import symmetric_cotangent
from mvngrad.errors import DataError
from mvngrad.inference.directions import Directions
from mvngrad.inference.estimate import Estimate
from mvngrad.inference.information import Information, Kind


class ScoreTest(NamedTuple):
    """gᵀH⁻¹g, its degrees of freedom, the χ² probability of as much or more."""

    statistic: float
    df: int
    pvalue: float


def score_test(null: Estimate, wider: Estimate, kind: Kind) -> ScoreTest:
    """Of ``null`` within ``wider``, both at the same (μ, S)."""
    directions = Directions.of(wider)
    df = sum(directions.sizes) - sum(Directions.of(null).sizes)
    if df <= 0:
        raise DataError(
            f"the larger model, {wider.structure!r}, has no direction that the fitted one lacks: "
            "there is nothing to test. Name a larger covariance; a known mean is tested with "
            "mean='free'."
        )
    information = Information.of(directions, kind)
    z = information.root.T @ directions.projected(packed_gradient(wider)[None])[0]
    statistic = float(z @ z)
    return ScoreTest(statistic, df, float(chdtrc(df, statistic)))


def packed_gradient(at: Estimate) -> Array:
    """∂J/∂(δ, E), packed."""
    mu, S = np.zeros_like(at.data.center), DenseCovariance(np.eye(len(at.root)))
    e = at.data.evaluation(mu, S)
    of_mean = np.zeros(at.location.size) if at.separate else e.mean.ravel()
    return np.concatenate([of_mean, symmetric_cotangent(e.score.core)])
