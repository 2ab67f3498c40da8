"""What is read off a factor model: identities of loadings, communalities, rotations and scores."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import mpmath
import numpy as np
import pytest

import mvngrad as mg
from mvngrad.inference.factors import Factors
from mvngrad.inference.rotation import METHODS, rotate

NAN = np.nan
CASES = ["plain", "correlated", "units", "no noise in one"]


def factors_of(case, rng, d=7, k=2):
    Lambda, psi, Phi = rng.normal(size=(d, k)), rng.uniform(0.3, 2.0, d), None
    if case == "correlated":
        Phi = np.full((k, k), 0.4) + 0.6 * np.eye(k)
    if case == "units":
        units = 10.0 ** rng.uniform(-3, 3, d)
        Lambda, psi = Lambda * units[:, None], psi * units**2
    if case == "no noise in one":
        psi[2] = 0.0
    return Factors.of(Lambda, psi, Phi, rng.normal(size=d))


@pytest.fixture(name="factors", params=CASES)
def every_case(request, rng):
    return factors_of(request.param, rng)


def rows_of(factors, n, rng, holes=0.0):
    d, k = factors.factor.shape
    f = rng.normal(size=(n, k)) @ np.linalg.cholesky(factors.correlation).T
    e = rng.normal(size=(n, d)) * np.sqrt(factors.noise)
    X = factors.mean + f @ factors.factor.T + e
    X[rng.random(X.shape) < holes] = NAN
    X.flags.writeable = False
    return X


# Variances


def test_covariance_in_plain_words(factors):
    L, Phi, psi = factors.factor, factors.correlation, factors.noise
    S = L @ Phi @ L.T + np.diag(psi)
    assert np.allclose(factors.covariance, S, rtol=1e-12)
    assert np.allclose(factors.deviations, np.sqrt(np.diagonal(S)), rtol=1e-13)


@pytest.mark.parametrize("standardized", [False, True])
def test_communalities_and_uniquenesses_make_up_the_variances(factors, standardized):
    seen = factors.standardize() if standardized else factors
    variances = np.ones(7) if standardized else np.diagonal(factors.covariance)
    assert np.allclose(seen.communalities + seen.uniquenesses, variances, rtol=1e-13)
    assert np.allclose(seen.communality_shares, seen.communalities / variances, rtol=1e-13)
    L = seen.loadings
    assert np.allclose(seen.communalities, np.diagonal(L @ seen.correlation @ L.T), rtol=1e-12)
    explained = seen.variance_explained
    assert np.allclose(explained, np.diagonal(seen.correlation @ L.T @ L), rtol=1e-12)
    assert explained.sum() == pytest.approx(seen.communalities.sum(), rel=1e-12)
    assert np.allclose(seen.variance_shares, explained / variances.sum(), rtol=1e-12)


def test_standardized_loadings_are_those_of_standardized_columns(factors, rng):
    seen, s = factors.standardize(), factors.deviations
    other = Factors.of(factors.factor / s[:, None], factors.noise / s**2, factors.correlation)
    assert np.allclose(seen.loadings, other.loadings, rtol=1e-13)
    assert np.allclose(seen.uniquenesses, other.uniquenesses, rtol=1e-13)
    assert np.allclose(np.diagonal(other.covariance), 1.0)
    assert np.array_equal(seen.covariance, factors.covariance)
    X = rows_of(factors, 4, rng)
    assert np.array_equal(seen.scores(X), factors.scores(X))
    assert np.allclose(other.scores((X - factors.mean) / s), factors.scores(X), atol=1e-10)


def test_with_uncorrelated_factors_a_share_is_a_multiple_correlation(rng):
    factors = factors_of("plain", rng)
    S = np.block([[factors.covariance, factors.factor], [factors.factor.T, factors.correlation]])
    squared = [c @ np.linalg.solve(S[7:, 7:], c) / S[j, j] for j, c in enumerate(S[:7, 7:])]
    assert np.allclose(factors.communality_shares, squared)


# Rotation


@pytest.mark.parametrize("method", METHODS)
def test_rotation_keeps_the_model(factors, method):
    found = factors.rotate(method)
    scale = np.multiply.outer(factors.deviations, factors.deviations)
    assert np.allclose(found.covariance / scale, factors.covariance / scale, atol=1e-12)
    assert np.allclose(found.communality_shares, factors.communality_shares, atol=1e-12)
    assert np.array_equal(found.noise, factors.noise)
    seen = found.standardize()
    assert (np.diff(seen.variance_explained) <= 0.0).all()
    assert (seen.loadings.sum(axis=0) >= 0.0).all()


@pytest.mark.parametrize("method", METHODS)
def test_rotation_does_not_see_units(factors, method, rng):
    units = 10.0 ** rng.uniform(-2, 2, 7)
    other = Factors.of(
        factors.factor * units[:, None], factors.noise * units**2, factors.correlation
    )
    one, two = factors.rotate(method), other.rotate(method)
    assert np.allclose(one.standardize().loadings, two.standardize().loadings, atol=1e-7)
    assert np.allclose(one.correlation, two.correlation, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_scores_turn_with_the_factors(factors, method, rng):
    """f → U⁻¹f, for both kinds of scores and with holes."""
    X = rows_of(factors, 20, rng, holes=0.2)
    units = factors.deviations[:, None]
    U = rotate(factors.factor / units, method, correlation=factors.correlation).transform
    found = factors.rotate(method)
    assert np.allclose(found.factor, factors.factor @ U, rtol=1e-9, atol=1e-12 * units)
    for kind in ("regression", "bartlett"):
        before, after = factors.scores(X, kind), found.scores(X, kind)
        assert np.allclose(after @ U.T, before, rtol=1e-9, atol=1e-9, equal_nan=True)


# Scores


def test_regression_scores_of_complete_rows(factors, rng):
    X = rows_of(factors, 9, rng)
    L, Phi = factors.factor, factors.correlation
    s = factors.deviations
    corr = factors.covariance / np.multiply.outer(s, s)
    expected = Phi @ (L / s[:, None]).T @ np.linalg.solve(corr, ((X - factors.mean) / s).T)
    assert np.allclose(factors.scores(X), expected.T, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", ["regression", "bartlett"])
def test_a_row_with_holes_is_scored_by_the_model_of_what_it_has(factors, kind, rng):
    X = rows_of(factors, 12, rng, holes=0.3)
    for x, scores in zip(X, factors.scores(X, kind), strict=True):
        o = ~np.isnan(x)
        assert np.allclose(factors.scores(x, kind), scores, rtol=1e-10, atol=1e-12, equal_nan=True)
        if o.sum() >= 2:
            part = Factors.of(
                factors.factor[o], factors.noise[o], factors.correlation, factors.mean[o]
            )
            assert np.allclose(part.scores(x[o], kind), scores, rtol=1e-9, atol=1e-10)


def test_regression_scores_are_conditional_means_of_the_joint_normal(rng):
    factors = factors_of("correlated", rng)
    L, R = factors.factor, np.linalg.cholesky(factors.correlation)
    joint = np.block([[L @ R, np.diag(np.sqrt(factors.noise))], [R, np.zeros((2, 7))]])
    normal = mg.MultivariateNormal(np.append(factors.mean, [0.0, 0.0]), joint)
    x = rows_of(factors, 1, rng)[0]
    x = np.where(np.arange(7) == 3, NAN, x)
    conditional = normal.conditional(np.append(x, [NAN, NAN]))
    assert np.allclose(factors.scores(x), conditional.mean[-2:])


def test_bartlett_scores_return_factors_that_come_without_noise(factors, rng):
    f = rng.normal(size=(5, 2))
    X = factors.mean + f @ factors.factor.T
    X[:, 4] = NAN
    assert np.allclose(factors.scores(X, "bartlett"), f, atol=1e-9)


def test_bartlett_scores_are_weighted_least_squares(rng):
    factors = factors_of("correlated", rng)
    X = rows_of(factors, 5, rng)
    W = factors.factor / factors.noise[:, None]
    expected = np.linalg.solve(W.T @ factors.factor, W.T @ (X - factors.mean).T).T
    assert np.allclose(factors.scores(X, "bartlett"), expected, rtol=1e-11)


def test_bartlett_is_regression_unshrunk(rng):
    """E[f|x] = (Φ⁻¹ + M)⁻¹ M f̂,  M = ΛᵀΨ⁻¹Λ."""
    factors = factors_of("correlated", rng)
    X = rows_of(factors, 5, rng)
    M = factors.factor.T @ (factors.factor / factors.noise[:, None])
    shrunk = np.linalg.solve(np.linalg.inv(factors.correlation) + M, M)
    assert np.allclose(
        factors.scores(X), factors.scores(X, "bartlett") @ shrunk.T, rtol=1e-11, atol=1e-12
    )


def test_regression_scores_are_closest_and_bartletts_unbiased(rng):
    """Mean squared errors tr(Φ − ΦΛᵀS⁻¹ΛΦ) and tr (ΛᵀΨ⁻¹Λ)⁻¹, over 20,000 draws."""
    factors = factors_of("plain", rng)
    f = rng.normal(size=(20_000, 2))
    X = factors.mean + f @ factors.factor.T + rng.normal(size=(20_000, 7)) * factors.noise**0.5
    L, S = factors.factor, factors.covariance
    closest = np.trace(np.eye(2) - L.T @ np.linalg.solve(S, L))
    unbiased = np.trace(np.linalg.inv(L.T @ (L / factors.noise[:, None])))
    assert closest < unbiased
    for kind, expected in (("regression", closest), ("bartlett", unbiased)):
        error = ((factors.scores(X, kind) - f) ** 2).sum(axis=1).mean()
        assert error == pytest.approx(expected, rel=0.05)


def test_rows_with_too_little_observed(rng):
    factors = factors_of("plain", rng)
    X = np.full((3, 7), NAN)
    X[1, 0], X[2, :2] = 1.0, [1.0, 2.0]
    regression, bartlett = factors.scores(X), factors.scores(X, "bartlett")
    assert np.array_equal(regression[0], [0.0, 0.0])
    assert np.isfinite(regression).all()
    assert np.array_equal(np.isnan(bartlett).all(axis=1), [True, True, False])
    assert np.isfinite(bartlett[2]).all()


def test_observed_entries_whose_loadings_depend_determine_no_bartlett_score():
    factors = Factors.of([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [1.0, 0.0]], np.ones(4))
    x = np.array([1.0, 2.0, 3.0, NAN])
    assert np.isnan(factors.scores(x, "bartlett")).all()
    assert np.isfinite(factors.scores(x)).all()
    assert np.isfinite(factors.scores([1.0, NAN, NAN, 2.0], "bartlett")).all()


def test_scores_to_fifty_digits(rng):
    """Noise from 1 to 1e-10, with a hole: against the textbook formulas in mpmath."""
    L, psi = rng.normal(size=(6, 2)), 10.0 ** -np.arange(0.0, 12.0, 2.0)
    factors, x = Factors.of(L, psi), rng.normal(size=6)
    o = [0, 1, 2, 3, 5]
    with mpmath.workdps(50):
        Lo = mpmath.matrix(L[o].tolist())
        W = Lo.T * mpmath.diag([1 / mpmath.mpf(p) for p in psi[o]])
        M, b = W * Lo, W * mpmath.matrix(x[o].tolist())
        bartlett = mpmath.lu_solve(M, b)
        regression = mpmath.lu_solve(M + mpmath.eye(2), b)
    x[4] = NAN
    for kind, truth in (("regression", regression), ("bartlett", bartlett)):
        assert np.allclose(factors.scores(x, kind), [float(t) for t in truth], rtol=1e-9)


def test_no_factors(rng):
    factors = Factors.of(np.empty((3, 0)), [1.0, 2.0, 3.0])
    assert np.array_equal(factors.covariance, np.diag([1.0, 2.0, 3.0]))
    assert np.array_equal(factors.communalities, np.zeros(3))
    for kind in ("regression", "bartlett"):
        assert factors.scores(rng.normal(size=(4, 3)), kind).shape == (4, 0)
    assert factors.rotate().loadings.shape == (3, 0)


# Residuals and the record


def test_residual_correlations(factors, rng):
    S = factors.covariance
    data = mg.Moments.of(rows_of(factors, 50, rng))
    assert np.allclose(factors.residual_correlation(S), 0.0, atol=1e-13)
    residual = factors.residual_correlation(data)
    s = factors.deviations
    t = np.sqrt(np.diagonal(data.cov))
    expected = data.cov / np.multiply.outer(t, t) - S / np.multiply.outer(s, s)
    assert np.allclose(residual, expected, atol=1e-13)
    assert np.array_equal(np.diagonal(residual), np.zeros(7))
    correlation = data.cov / np.multiply.outer(t, t)
    assert np.allclose(factors.residual_correlation(correlation), residual, atol=1e-13)


def test_the_record_is_frozen_and_pickles(factors, rng):
    with pytest.raises(FrozenInstanceError):
        factors.noise = np.ones(7)
    with pytest.raises(ValueError, match="read-only"):
        factors.factor[0, 0] = 1.0
    X = rows_of(factors, 3, rng)
    again = pickle.loads(pickle.dumps(factors))
    assert np.array_equal(again.scores(X), factors.scores(X))
    assert again.columns == ("x1", "x2", "x3", "x4", "x5", "x6", "x7")


def test_what_is_given_is_copied(rng):
    L, psi = rng.normal(size=(4, 1)), np.ones(4)
    factors = Factors.of(L, psi, columns=["a", "b", "c", "e"])
    L[:], psi[:] = 0.0, 0.0
    assert factors.factor.any()
    assert factors.noise.all()
    assert repr(factors).startswith("<Factors: 1 for 4 columns, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0, 1.0]), "loadings must be"),
        (([[1.0], [2.0]], [1.0]), r"noise must have shape \(2,\)"),
        (([[1.0], [2.0]], [1.0, -1.0]), "noise must not be negative"),
        (([[1.0], [2.0]], [0.0, 0.0]), "singular"),
        (([[1.0], [2.0]], [1.0, 1.0], [[2.0]]), "ones on its diagonal"),
        (([[1.0], [2.0]], [1.0, 1.0], None, [1.0]), r"mean must have shape \(2,\)"),
        (([[1.0], [2.0]], [1.0, 1.0], None, None, ["a"]), "names 1 columns, the loadings have 2"),
    ],
)
def test_what_are_no_factors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Factors.of(*arguments)


def test_what_cannot_be_asked(rng):
    factors = factors_of("plain", rng)
    with pytest.raises(mg.DataError, match="method must be 'regression' or 'bartlett'"):
        factors.scores(np.zeros(7), "thurstone")
    with pytest.raises(mg.DataError, match="7 entries a row"):
        factors.scores(np.zeros(6))
    with pytest.raises(mg.DataError, match="x2 is infinite at row 0"):
        factors.scores([0.0, np.inf, 0.0, 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(mg.DataError, match=r"S must have shape"):
        factors.residual_correlation(np.eye(6))
    with pytest.raises(mg.DataError, match=r"variances must be positive; got S\[0, 0\]"):
        factors.residual_correlation(np.zeros((7, 7)))
    with pytest.raises(mg.DataError, match="varimax has no option 'power'"):
        factors.rotate(power=3)
