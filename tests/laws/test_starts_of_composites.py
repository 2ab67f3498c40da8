"""Composites of factor models reach what their parts reach, from starts near the data."""

import numpy as np
import pytest

import mvngrad as mg


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
