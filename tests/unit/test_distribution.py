"""N(μ, S): densities against SciPy and the note's J, draws against the laws they must obey."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg

SIZES = [(1, 1), (2, 2), (3, 5), (6, 6), (6, 9)]


def normal(d: int, k: int, rng: np.random.Generator) -> mg.MultivariateNormal:
    return mg.MultivariateNormal(rng.normal(size=d), rng.normal(size=(d, k)) + 2.0 * np.eye(d, k))


@pytest.fixture(name="N", params=SIZES, ids=str)
def any_normal(request: pytest.FixtureRequest, rng: np.random.Generator) -> mg.MultivariateNormal:
    return normal(*request.param, rng)


@pytest.fixture(name="X")
def rows(N: mg.MultivariateNormal, rng: np.random.Generator) -> np.ndarray:
    X = N.mean + 3.0 * rng.normal(size=(40, len(N.mean)))
    X.flags.writeable = False
    return X


def test_logpdf_is_scipys(N, X):
    theirs = stats.multivariate_normal(N.mean, N.covariance).logpdf(X)
    assert np.allclose(N.logpdf(X), theirs, rtol=1e-10, atol=1e-10)


def test_the_sum_of_logpdf_is_minus_j(N, X):
    assert np.isclose(N.logpdf(X).sum(), -mg.nll(X, N.mean, N.factor), rtol=1e-12)


def test_mahalanobis_squared_is_the_quadratic_form(N, X):
    centred = X - N.mean
    form = np.einsum("ij,ij->i", centred, np.linalg.solve(N.covariance, centred.T).T)
    assert np.allclose(N.mahalanobis(X) ** 2, form, rtol=1e-9)


def test_the_distance_of_the_mean_is_zero_and_its_density_the_highest(N, X):
    assert N.mahalanobis(N.mean) == 0.0
    assert (N.logpdf(X) < N.logpdf(N.mean)).all()


def test_entropy_is_scipys_and_the_mean_of_minus_logpdf(N):
    assert np.isclose(N.entropy(), stats.multivariate_normal(N.mean, N.covariance).entropy())
    # E[mahalanobis²] = d, so the entropy is −logpdf at the mean plus d/2
    assert np.isclose(N.entropy(), -N.logpdf(N.mean) + 0.5 * len(N.mean))


def test_a_rotation_of_the_factor_changes_nothing(N, X, rng):
    k = N.factor.shape[1]
    Q = np.linalg.qr(rng.normal(size=(k, k)))[0]
    rotated = mg.MultivariateNormal(N.mean, N.factor @ Q)
    assert np.allclose(rotated.logpdf(X), N.logpdf(X), rtol=1e-10)


def test_the_root_is_triangular_with_positive_diagonal(N):
    assert not np.triu(N.root, 1).any()
    assert (np.diagonal(N.root) > 0.0).all()
    assert np.allclose(N.root @ N.root.T, N.covariance)


def test_a_point_is_a_row(N, X):
    assert N.logpdf(X[3]).shape == N.mahalanobis(X[3]).shape == ()
    assert np.isclose(N.logpdf(X[3]), N.logpdf(X)[3], rtol=1e-13)
    assert N.logpdf(X[3:4]).shape == (1,)


def test_an_affine_map_shifts_logpdf_by_its_volume(N, X, rng):
    d = len(N.mean)
    T = rng.normal(size=(d, d)) + 3.0 * np.eye(d)
    moved = mg.MultivariateNormal(T @ N.mean + 1.0, T @ N.factor)
    volume = np.linalg.slogdet(T)[1]
    assert np.allclose(moved.logpdf(X @ T.T + 1.0), N.logpdf(X) - volume, rtol=1e-9, atol=1e-9)
    assert np.isclose(moved.entropy(), N.entropy() + volume)


# Draws: a fixed seed and a significance of 1e-6, so that a right sampler does not fail by chance.

N_DRAWS = 20_000
SIGNIFICANCE = 1e-6


@pytest.fixture(params=SIZES, ids=str)
def whitened(request: pytest.FixtureRequest) -> np.ndarray:
    N = normal(*request.param, np.random.default_rng(7))
    draws = N.rvs(N_DRAWS, rng=11)
    return np.linalg.solve(N.root, (draws - N.mean).T).T


def test_squared_distances_of_draws_are_chi_square():
    for d, k in SIZES:
        N = normal(d, k, np.random.default_rng(7))
        distances = N.mahalanobis(N.rvs(N_DRAWS, rng=11))
        assert stats.kstest(distances**2, stats.chi2(d).cdf).pvalue > SIGNIFICANCE


def test_whitened_draws_are_standard_normal_in_every_column(whitened):
    for z in whitened.T:
        assert stats.kstest(z, "norm").pvalue > SIGNIFICANCE


def test_whitened_draws_have_identity_covariance(whitened):
    # n K is Wishart(n, I): its −2 log likelihood ratio against I is χ² with d(d+1)/2 degrees
    d = whitened.shape[1]
    K = whitened.T @ whitened / N_DRAWS
    ratio = N_DRAWS * (np.trace(K) - np.linalg.slogdet(K)[1] - d)
    assert stats.chi2(d * (d + 1) / 2).sf(ratio) > SIGNIFICANCE


def test_whitened_draws_have_mean_zero(whitened):
    statistic = N_DRAWS * (whitened.mean(axis=0) ** 2).sum()
    assert stats.chi2(whitened.shape[1]).sf(statistic) > SIGNIFICANCE


def test_draws_are_those_of_the_seed():
    N = mg.MultivariateNormal([0.0, 1.0], [[1.0, 0.0], [0.5, 2.0]])
    again = N.rvs(5, rng=np.random.default_rng(3))
    assert np.array_equal(N.rvs(5, rng=3), again)
    assert N.rvs(rng=3).shape == (1, 2)
    assert N.rvs(0, rng=3).shape == (0, 2)
    assert not np.array_equal(N.rvs(5, rng=4), again)


def test_drawing_leaves_numpys_global_generator_alone():
    before = np.random.get_state()[1].copy()
    mg.MultivariateNormal([0.0], [[1.0]]).rvs(10)
    assert np.array_equal(before, np.random.get_state()[1])


# What comes in


def test_one_column():
    N = mg.MultivariateNormal(1.0, [[2.0]])
    assert np.allclose(N.logpdf([[3.0], [1.0]]), stats.norm(1.0, 2.0).logpdf([3.0, 1.0]))
    assert np.isclose(N.entropy(), stats.norm(1.0, 2.0).entropy())
    assert N.mahalanobis([5.0]) == 2.0


def test_integers_and_float32_are_numbers():
    N = mg.MultivariateNormal([0, 1], [[2, 0], [1, 1]])
    whole = np.array([[1, 2], [3, 4]])
    assert N.mean.dtype == N.factor.dtype == np.float64
    assert np.array_equal(N.logpdf(whole), N.logpdf(whole.astype(float)))
    assert N.logpdf(whole.astype(np.float32)).dtype == np.float64


def test_a_factor_with_negative_diagonal_is_the_same_distribution():
    N = mg.MultivariateNormal([0.0, 1.0], [[-2.0, 0.0], [1.0, -1.0]])
    theirs = stats.multivariate_normal(N.mean, N.covariance).logpdf([0.5, 0.5])
    assert np.isclose(N.logpdf([0.5, 0.5]), theirs)


def test_scales_whose_product_underflows():
    N = mg.MultivariateNormal(np.zeros(400), 1e-5 * np.eye(400))
    assert np.linalg.det(N.covariance) == 0.0
    assert np.isclose(N.logpdf(np.zeros(400)), 400 * stats.norm(0.0, 1e-5).logpdf(0.0))


def test_inputs_may_be_read_only_and_stay_as_they_are():
    mean, factor = np.array([0.0, 1.0]), np.array([[2.0, 0.0], [1.0, 1.0]])
    mean.flags.writeable = factor.flags.writeable = False
    N = mg.MultivariateNormal(mean, factor)
    x = np.array([[1.0, 2.0]])
    x.flags.writeable = False
    N.logpdf(x)
    N.rvs(2, rng=0)
    assert np.array_equal(x, [[1.0, 2.0]])


def test_the_distribution_of_a_fit(rng):
    X = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3)) + 4.0
    fit = mg.fit(X)
    assert np.isclose(fit.distribution.logpdf(X).sum(), fit.loglik, rtol=1e-12)
    # at the maximum Σ mahalanobis² = n d: the whitened scatter is the identity
    assert np.isclose((fit.distribution.mahalanobis(X) ** 2).sum(), X.size)


@pytest.mark.parametrize(
    "factor",
    [
        [[1.0, 1.0], [1.0, 1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[1.0], [2.0]],
        np.zeros((2, 2)),
        np.empty((2, 0)),
    ],
    ids=["collinear", "zero row", "too narrow", "zero", "no columns"],
)
def test_a_singular_covariance_is_refused(factor):
    with pytest.raises(mg.NotPositiveDefiniteError, match="full row rank"):
        mg.MultivariateNormal([0.0, 0.0], factor)


@pytest.mark.parametrize(
    ("mean", "factor", "message"),
    [
        ([0.0, np.nan], np.eye(2), "mean must be finite"),
        ([0.0, 0.0], np.diag([1.0, np.inf]), "factor must be finite"),
        ([0.0, 0.0], np.eye(3), r"factor must have shape \(2, k\)"),
        ([0.0, 0.0], np.ones(2), r"factor must have shape \(2, k\)"),
        ([[0.0, 0.0]], np.eye(1), "mean must have shape"),
    ],
)
def test_parameters_that_are_none_are_refused(mean, factor, message):
    with pytest.raises(mg.DataError, match=message):
        mg.MultivariateNormal(mean, factor)


@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((4, 1)), np.zeros((2, 2, 2)), 0.0])
def test_points_of_another_dimension_are_refused(x):
    N = mg.MultivariateNormal([0.0, 0.0], np.eye(2))
    with pytest.raises(mg.DataError):
        N.logpdf(x)


@pytest.mark.parametrize("x", [["a", "b"], [1j, 0.0]])
def test_points_that_are_no_numbers_are_refused(x):
    N = mg.MultivariateNormal([0.0, 0.0], np.eye(2))
    with pytest.raises(mg.DataError, match="real numbers"):
        N.mahalanobis(x)
