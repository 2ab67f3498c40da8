"""Factor analysis of many columns: products in place of matrices, and what they must agree with."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.core.frame import AffineFrame
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.moments import Moments
from mvngrad.fitting.curvature import smallest_curvature as smallest_curvature_at
from mvngrad.models.data import Complete
from mvngrad.models.factor_information import FactorInformation
from mvngrad.models.leading import leading
from mvngrad.models.means import FreeMean
from mvngrad.models.objective import Objective
from mvngrad.models.spectrum import best_loadings, smallest_curvature, spectrum_of
from mvngrad.models.squared import Squared

close = np.testing.assert_allclose


def covariance(X):
    return np.cov(X.T, ddof=0)


@pytest.mark.parametrize("gap", [10.0, 1.0, 0.1])
def test_leading_eigenvalues_are_those_of_the_whole(rng, gap):
    """From a block at random, and, with gaps, from one that has lost sight of one of them."""
    d, k = 100, 5
    vectors = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = np.concatenate([2.0 + gap * np.arange(k, 0, -1), np.linspace(2.0, 0.1, d - k)])
    A = (vectors * values) @ vectors.T
    for near in (None, vectors[:, 1 : k + 1]) if gap >= 1.0 else (None,):
        found = leading(lambda B: A @ B, d, k, near)
        assert found is not None
        close(found[0], values[:k], rtol=1e-12)
        close(abs((found[1] * vectors[:, :k]).sum(axis=0)), 1.0, rtol=1e-10)
        assert np.linalg.norm(A @ found[1] - found[1] * found[0]) <= 1e-7 * values[0]


def test_a_spectrum_without_a_gap_is_not_settled_for(rng):
    """Equal eigenvalues at the end of those wanted settle; where they do not, None says so."""
    assert leading(lambda B: B, 20, 5) is None  # too small for blocks
    A = np.diag(1.0 + 1e-9 * rng.uniform(size=4000))
    found = leading(lambda B: A.diagonal()[:, None] * B, 4000, 3)
    assert found is None or np.linalg.norm(A @ found[1] - found[1] * found[0]) <= 1e-8


@pytest.mark.parametrize("weight", [1.0, 10.0, 100.0])
def test_squared_complement_by_products_is_the_matrix(rng, weight):
    """Also where one row is nearly a column of U by itself, and products would lose digits."""
    d, k = 320, 4
    G = rng.standard_normal((d, k))
    G[0] *= weight
    fast, b = Squared(np.linalg.qr(G)[0]), rng.standard_normal(d)
    close(fast.product(b), fast.dense @ b, atol=1e-12)
    close(fast.dense @ fast.solve(b), b, atol=1e-10)
    assert fast.is_thin == (weight < 50.0)


def test_information_of_many_columns_is_that_of_the_matrix(rng):
    """(V, w) with the thin square of Φ and with Φ formed, some rows held."""
    d, k = 400, 3
    Lambda, psi = rng.standard_normal((d, k)), rng.uniform(0.5, 2.0, d)
    F = FactorInformation.of(Lambda, psi, LowRankCovariance.of(Lambda, psi))
    free = rng.uniform(size=d) < 0.9
    b = rng.standard_normal(int(free.sum()))
    thin = F.thin(free)
    assert thin is not None
    assert thin.is_thin
    dense = F.Phi[np.ix_(free, free)] ** 2
    close(np.sqrt(thin.dense) / np.sqrt(np.outer(psi[free], psi[free])), abs(np.sqrt(dense)))
    close(dense @ (psi[free] * thin.solve(b * psi[free])), b, atol=1e-9)


def test_a_factor_overlooked_is_no_summit(rng):
    """With the next eigenvector in place of one of the k, J falls along the path that is named."""
    d, k = 310, 3
    X = rng.standard_normal((900, k)) @ rng.standard_normal((k, d)) + rng.standard_normal((900, d))
    data = Moments.of(X).in_frame(AffineFrame.identity(d))
    structure, psi = mg.FactorAnalytic(k).sized(d), rng.uniform(0.9, 1.1, d)
    objective = Objective(Complete(data), structure, FreeMean())
    s, M = np.sqrt(psi), covariance(X)
    values, V = np.linalg.eigh(M / np.outer(s, s))
    worse = s[:, None] * V[:, [-1, -2, -4]] * np.sqrt(values[[-1, -2, -4]] - 1.0)
    at = [
        objective.at(np.concatenate([data.center, structure.theta(Lambda, psi)]))
        for Lambda in (worse, best_loadings(M, psi, k))
    ]
    found = [smallest_curvature_at(objective, point) for point in at]
    assert found[0].value < 0.0 < found[1].value
    assert objective.at(found[0].path(1.0)).value < at[0].value


def test_many_columns_end_where_few_would(rng):
    """By products at every turn: zero gradient, and the same summit as from all eigenvalues."""
    d, k = 310, 3
    L, noise = rng.standard_normal((d, k)), rng.uniform(0.5, 1.5, d)
    X = rng.standard_normal((900, k)) @ L.T + noise * rng.standard_normal((900, d))
    fit = mg.fit(X, mg.FactorAnalytic(k))
    assert fit.converged
    at = mg.nll_and_grad(X, fit.mean, fit.factor, noise=fit.noise)
    assert np.abs(at[1].noise * fit.noise).max() <= 1e-5 * len(X)
    M = covariance(X)
    exact = smallest_curvature(spectrum_of(M, fit.noise, k)[1])[0]
    assert fit.curvature == pytest.approx(exact, rel=0.05)
    S = mg.fit(X, mg.FactorAnalytic(k), method="newton", start=fit).nll
    assert fit.nll == pytest.approx(S, rel=1e-12)
