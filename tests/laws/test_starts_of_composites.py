"""Composites of factor models reach what their parts reach, from starts near the data."""

import warnings

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.core.frame import AffineFrame
from mvngrad.fitting.curvature import smallest_curvature
from mvngrad.models.data import Complete
from mvngrad.models.means import FreeMean
from mvngrad.models.objective import Objective


def one_factor(d=6, n=300, holes=0.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 1)) @ rng.normal(size=(1, d))
    X = X + rng.normal(size=(n, d)) * np.sqrt(0.3 + rng.random(d))
    X[rng.random(X.shape) < holes] = np.nan
    return X


SAME = {  # families that hold all of FactorAnalytic(1) and nothing else
    "with spherical noise": lambda: mg.FactorAnalytic(1) + mg.Spherical(),
    "scaled": lambda: mg.Scaled(mg.FactorAnalytic(1)),
    "components and noise": lambda: mg.PPCA(1) + mg.Diagonal(),
}


@pytest.mark.parametrize("holes", [0.0, 0.15])
@pytest.mark.parametrize("name", SAME)
def test_the_same_family_has_the_same_maximum(name, holes):
    X = one_factor(holes=holes)
    fit, truth = mg.fit(X, SAME[name]()), mg.fit(X, mg.FactorAnalytic(1))
    assert fit.converged
    np.testing.assert_allclose(fit.loglik, truth.loglik, rtol=1e-9)


def two_memories():
    """Rows whose covariance is a slow AR(1) and an alternating one."""
    lags = np.abs(np.subtract.outer(range(8), range(8)))
    S = 0.95**lags + 0.7 * (-0.5) ** lags
    return np.random.default_rng(0).multivariate_normal(np.zeros(8), S, size=500)


def test_two_parts_of_one_type_come_to_differ():
    X = two_memories()
    fit, full = mg.fit(X, mg.AR1() + mg.AR1()), mg.fit(X, "full")
    assert fit.converged
    assert 0.0 < 2.0 * (full.loglik - fit.loglik) < 70.0  # of chi-square on 32


def test_heterogeneous_components_are_a_factor():
    X = one_factor()
    fit = mg.fit(X, mg.Heterogeneous(mg.PPCA(1)))
    np.testing.assert_allclose(fit.loglik, mg.fit(X, mg.FactorAnalytic(1)).loglik, rtol=1e-9)


def test_two_factors_in_two_parts_are_two():
    X = one_factor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)  # a Heywood case
        fit = mg.fit(X, mg.FactorAnalytic(1) + mg.FactorAnalytic(1), method="newton")
        one, two = (mg.fit(X, mg.FactorAnalytic(k)).loglik for k in (1, 2))
    assert fit.converged
    assert one + 1.0 < fit.loglik
    np.testing.assert_allclose(fit.loglik, two, rtol=1e-6)


def test_an_all_free_correlated_pattern_is_exploratory():
    X = one_factor()
    pattern = np.full((6, 2), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)  # a Heywood case
        warnings.simplefilter("ignore", mg.NotIdentifiedWarning)
        fit = mg.fit(X, mg.FactorAnalytic(pattern=pattern, correlated=True))
        truth = mg.fit(X, mg.FactorAnalytic(2))
    assert fit.converged
    np.testing.assert_allclose(fit.loglik, truth.loglik, rtol=1e-9)


def test_equal_parts_are_a_saddle_and_their_difference_leads_down():
    X = two_memories()
    one = mg.fit(X, mg.AR1())
    half = one.params - np.array([np.log(2.0), 0.0])
    family = (mg.AR1() + mg.AR1()).sized(8)
    np.testing.assert_allclose(family.cov(np.tile(half, 2)), one.covariance)
    moments = mg.Moments.of(X, frame=AffineFrame.identity(8))
    objective = Objective(Complete(moments), family, FreeMean())
    point = objective.at(np.concatenate([moments.mean, half, half]))
    assert objective.optimality(point) < 1e-9
    curvature = smallest_curvature(objective, point)
    assert curvature.value < -1e-3
    drop = [objective.at(curvature.path(t)).value - point.value for t in (0.1, -0.1)]
    assert min(drop) < -1e-6
