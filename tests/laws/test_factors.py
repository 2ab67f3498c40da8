"""Factor analysis: the profile, its edge, its certificate, and what it must agree with."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.fitting.curvature import by_products
from mvngrad.models import profile
from mvngrad.models.data import Complete
from mvngrad.models.means import FreeMean
from mvngrad.models.objective import Objective, solve_consistent
from mvngrad.models.shares import hessian_of
from mvngrad.models.spectrum import best_loadings, smallest_curvature, spectrum_of

D, K, N = 8, 2, 300
P = np.where(np.arange(D)[:, None] % 2 == np.arange(2), np.nan, 0.0)
close = np.testing.assert_allclose


@pytest.fixture(name="X")
def rows(rng):
    Lambda = rng.standard_normal((D, K))
    noise = rng.standard_normal((N, D)) * rng.uniform(0.5, 1.5, D)
    return rng.standard_normal((N, K)) @ Lambda.T + noise + 3.0


def heywood(rng):
    """Column 0 is a factor itself, and more of the others than rows of noise would allow."""
    X = rng.standard_normal((60, 6))
    X[:, 0] = X[:, 1] + X[:, 2] + 0.1 * X[:, 0]
    return X


@pytest.fixture(name="Y")
def rows_by_pattern(rng):
    """Columns 0, 2, 4, 6 of one factor, 1, 3, 5, 7 of another, correlated 0.4."""
    z = rng.standard_normal((N, 2)) @ np.linalg.cholesky([[1.0, 0.4], [0.4, 1.0]]).T
    loads = rng.uniform(0.7, 1.3, D)
    return z[:, np.arange(D) % 2] * loads + rng.uniform(0.6, 1.0, D) * rng.standard_normal((N, D))


def covariance(X):
    return np.cov(X.T, ddof=0)


def test_loadings_are_the_best_for_their_noise(X, rng):
    """No Λ gives a lower J than Λ̂(ψ)."""
    M = covariance(X)
    psi = rng.uniform(0.3, 1.0, D)
    at, best = profile.evaluator(M), best_loadings(M, psi, K)
    lowest = at(best, psi)[0]
    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            assert at(best + size * rng.standard_normal((D, K)), psi)[0] > lowest


@pytest.mark.parametrize("edge", [0, 1, 2])
def test_curvature_of_the_profile_is_the_derivative_of_its_slope(X, rng, edge):
    """In x = log ψ, by central differences; and the same by products."""
    M = covariance(X)
    psi = rng.uniform(0.3, 1.0, D)
    psi[:edge] = 0.0
    surface = profile.Profile(M, K, profile.evaluator(M))
    at = surface.at(psi)
    H, h = at.spectrum.curvature(), 1e-5
    for i, j in enumerate(np.flatnonzero(psi)):
        moved = [psi.copy(), psi.copy()]
        moved[0][j] *= np.exp(h)
        moved[1][j] *= np.exp(-h)
        ahead, behind = (surface.at(p) for p in moved)
        slope = (ahead.psi * ahead.slope - behind.psi * behind.slope)[psi > 0.0] / (2 * h)
        close(H[i], slope, atol=1e-7 * np.abs(H).max())
        close(hessian_of(at.spectrum)(np.eye(len(H))[i]), H[i], atol=1e-6 * np.abs(H).max())


def test_loadings_by_block_products_are_those_of_all_eigenvalues(rng):
    d = 80
    common = rng.standard_normal((300, 3)) @ rng.standard_normal((3, d))
    M = covariance(common + rng.standard_normal((300, d)))
    psi = rng.uniform(0.5, 1.5, d)
    psi[0] = 0.0
    (some, _), (of_all, _) = (spectrum_of(M, psi, 4, whole=w) for w in (False, True))
    close(some @ some.T, of_all @ of_all.T, atol=1e-12 * np.abs(M).max())


def test_smallest_curvature_by_products_is_that_of_the_matrix(X):
    M = covariance(X)
    spectrum = spectrum_of(M, profile.solution(M, K)[1], K)[1]
    dense, fast = smallest_curvature(spectrum)[0], by_products(spectrum)[0]
    assert fast == pytest.approx(dense, rel=1e-5)


@pytest.mark.parametrize(
    "structure",
    [mg.FactorAnalytic(2), mg.PPCA(2), mg.FactorAnalytic(pattern=P, correlated=True)],
    ids=str,
)
def test_information_in_closed_form_is_that_of_iteration(X, structure, rng):
    """F⁺g and FF⁺g = g for g in the range of F."""
    data = Moments.of(X).in_frame(AffineFrame.identity(D))
    objective = Objective(Complete(data), structure.sized(D), FreeMean())
    theta = rng.uniform(0.5, 1.2, objective.structure.size)
    point = objective.at(np.concatenate([np.zeros(D), theta]))
    g = objective.fisher_product(point, rng.standard_normal(len(point.params)))
    found, unsolved = objective.information_solver(point)(g)
    slow, _ = solve_consistent(lambda v: objective.fisher_product(point, v), g)
    close(objective.fisher_product(point, found), g, atol=1e-8 * np.abs(g).max())
    assert unsolved == 0.0
    assert g @ found == pytest.approx(g @ slow, rel=1e-7)


@pytest.mark.parametrize("method", ["newton", "l-bfgs", "em", "natural-gradient"])
def test_other_methods_end_where_the_profile_ends(X, method):
    fit, other = mg.fit(X, mg.FactorAnalytic(K)), mg.fit(X, mg.FactorAnalytic(K), method=method)
    assert fit.method == "profile"
    assert fit.converged
    assert other.converged
    assert other.nll == pytest.approx(fit.nll, abs=1e-6)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor, noise=fit.noise), rel=1e-12)


def test_the_gradient_is_zero(X):
    fit = mg.fit(X, mg.FactorAnalytic(K), tol=1e-16)
    _, g = mg.nll_and_grad(X, fit.mean, fit.factor, noise=fit.noise)
    assert np.abs(g.factor).max() <= 1e-5 * N
    assert np.abs(g.noise).max() <= 1e-5 * N


def test_rank_0_is_diagonal(X):
    fit, diagonal = mg.fit(X, mg.FactorAnalytic(0)), mg.fit(X, "diagonal")
    assert fit.nll == pytest.approx(diagonal.nll, rel=1e-13)
    assert fit.n_params == diagonal.n_params
    assert mg.fit(X, mg.PPCA(0)).nll == pytest.approx(mg.fit(X, "spherical").nll, rel=1e-13)
    np.testing.assert_allclose(fit.standard_errors().noise, fit.noise * np.sqrt(2 / len(X)))
    for none in (fit, mg.fit(X, mg.PPCA(0))):  # every table and interval, of no factor
        assert none.standard_errors().loadings.shape == (X.shape[1], 0)
        assert "uniqueness" in str(none.summary())


def test_more_factors_are_never_worse(X):
    J = [mg.fit(X, mg.FactorAnalytic(k)).nll for k in range(4)]
    assert all(b <= a + 1e-6 for a, b in pairwise(J))
    assert mg.fit(X, mg.PPCA(2)).nll >= J[2]


def test_reported_form(X, rng):
    """ΛᵀΨ⁻¹Λ diagonal and decreasing, column sums ≥ 0, whatever the units."""
    for units in (np.ones(D), 10.0 ** rng.uniform(-5, 5, D)):
        fit = mg.fit(X * units, mg.FactorAnalytic(K))
        gram = fit.factor.T @ (fit.factor / fit.noise[:, None])
        close(gram - np.diag(np.diagonal(gram)), 0.0, atol=1e-9 * gram[0, 0])
        assert gram[0, 0] >= gram[1, 1]
        assert (fit.factor.sum(axis=0) >= 0.0).all()
        close(fit.covariance, fit.factor @ fit.factor.T + np.diag(fit.noise), rtol=1e-10)
        close(np.diagonal(fit.covariance), (X * units).var(axis=0), rtol=1e-4)


def test_a_heywood_case_is_reached_named_and_certified(rng):
    X = heywood(rng)
    with pytest.warns(mg.DataWarning, match="Heywood case"):
        fit = mg.fit(X, mg.FactorAnalytic(2))
    assert fit.converged
    assert fit.heywood
    edge = [fit.columns.index(name) for name in fit.heywood]
    _, g = mg.nll_and_grad(X, fit.mean, fit.factor, noise=fit.noise)
    assert (g.noise[edge] >= 0.0).all()
    for j in edge:
        noise = fit.noise.copy()
        noise[j] += 1e-3
        assert mg.nll(X, fit.mean, fit.factor, noise=noise) > fit.nll


def test_too_few_rows_and_collinear_columns_are_refused(X):
    with pytest.raises(mg.NotPositiveDefiniteError, match="at least 4 rows"):
        mg.fit(X[:3], mg.FactorAnalytic(2))
    twice = np.column_stack([X, 2.0 * X[:, 0] + 1.0])
    with pytest.raises(mg.NotPositiveDefiniteError, match="x1, x9 lose all noise"):
        mg.fit(twice, mg.FactorAnalytic(2))


def test_too_many_factors_are_not_identified(X):
    with pytest.warns(mg.NotIdentifiedWarning, match="5 parameters more"):
        fit = mg.fit(X, mg.FactorAnalytic(6))
    assert fit.converged
    assert fit.n_params == D + D * (D + 1) // 2
    assert fit.nll == pytest.approx(mg.fit(X).nll, abs=1e-6)


@pytest.mark.parametrize(
    "structure",
    [mg.FactorAnalytic(2), mg.PPCA(2), mg.FactorAnalytic(pattern=P, correlated=True)],
    ids=str,
)
def test_with_holes(Y, rng, structure):
    X = np.where(rng.random(Y.shape) < 0.15, np.nan, Y)
    fit = mg.fit(X, structure)
    assert fit.converged
    assert fit.curvature > 0.0
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.root), rel=1e-12)
    other = mg.fit(X, structure, method="newton", start=fit)
    assert other.nll == pytest.approx(fit.nll, abs=1e-6)


def test_marker_and_unit_variances_are_one_model(Y):
    marked = P.copy()
    marked[[0, 1], [0, 1]] = 1.0
    unit = mg.fit(Y, mg.FactorAnalytic(pattern=P, correlated=True))
    marker = mg.fit(Y, mg.FactorAnalytic(pattern=marked, correlated=True, scale="marker"))
    assert marker.nll == pytest.approx(unit.nll, abs=1e-6)
    assert marker.n_params == unit.n_params
    close(marker.factor_correlation, unit.factor_correlation, atol=1e-3)
    S = marker.factor @ marker.factor_covariance @ marker.factor.T + np.diag(marker.noise)
    close(marker.covariance, S, rtol=1e-9)
    close(marker.factor[[0, 1], [0, 1]], 1.0)
    assert (unit.factor[P == 0.0] == 0.0).all()


@pytest.mark.parametrize("seed", range(4))
def test_factors_that_are_one_are_said_to_be(seed):
    """Of two factors that data do not tell apart the best correlation is ±1: one factor's fit."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 2)) @ rng.standard_normal((D, 2)).T
    X += rng.uniform(0.5, 1.5, D) * rng.standard_normal((400, D))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one = mg.fit(X, mg.FactorAnalytic(1))
        fit = mg.fit(X, mg.FactorAnalytic(pattern=P, correlated=True))
    assert fit.converged
    assert fit.n_iter < 40
    assert fit.loglik >= one.loglik - 1e-6
    at_edge = abs(fit.factor_correlation[0, 1]) > 1.0 - 1e-9
    assert at_edge == any("perfectly correlated factors" in str(w.message) for w in caught)
    if at_edge:
        assert fit.loglik == pytest.approx(one.loglik, abs=1e-6)


def test_height_above_the_edge_of_correlations(rng):
    """J(u) − J(∞) = −½⟨u, ∂J/∂u⟩ far out, u the row of the third factor."""
    X = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 9)) + rng.standard_normal((400, 9))
    three = np.where(np.arange(9)[:, None] % 3 == np.arange(3), np.nan, 0.0)
    structure = mg.FactorAnalytic(pattern=three, correlated=True).sized(9)
    objective = Objective(Complete(Moments.of(X)), structure, FreeMean())
    loadings = structure.pattern.map
    Phi = np.array([[1.0, 0.3, 0.5], [0.3, 1.0, 0.4], [0.5, 0.4, 1.0]])
    eta = loadings.eta(rng.uniform(0.5, 1.0, (9, 3)), Phi)
    mean = objective.data.center

    def at(length):
        stretched = loadings.spanned(eta, 2, length)
        return objective.at(np.concatenate([mean, stretched, np.ones(9)]))

    near, edge = at(300.0), at(1e7)
    gradient = near.gradient[len(mean) :]
    height = -0.5 * loadings.outward(near.params[len(mean) :], gradient)[2]
    assert near.value - edge.value == pytest.approx(height, rel=1e-3)


def test_equal_labels_tie_loadings(Y):
    tied = P.astype(object)
    tied[2, 0] = tied[4, 0] = "a"
    fit = mg.fit(Y, mg.FactorAnalytic(pattern=tied, correlated=True))
    assert fit.factor[2, 0] == fit.factor[4, 0]
    assert fit.n_params == mg.fit(Y, mg.FactorAnalytic(pattern=P, correlated=True)).n_params - 1


def test_a_start_from_a_fit_is_the_fit(Y):
    for structure in (mg.FactorAnalytic(2), mg.FactorAnalytic(pattern=P, correlated=True)):
        fit = mg.fit(Y, structure)
        assert mg.fit(Y, structure, start=fit).n_iter <= 1


def test_several_starts(X):
    fit = mg.fit(X, mg.FactorAnalytic(2), n_starts=5, rng=0)
    assert fit.n_starts == 5
    assert "certified local maximum, best of 5 starts" in fit.message
    assert fit.nll <= mg.fit(X, mg.FactorAnalytic(2)).nll + 1e-8
