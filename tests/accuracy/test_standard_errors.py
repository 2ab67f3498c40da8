"""Standard errors within 1e-6 of fifty-digit references, most within far less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mvngrad as mg
from accuracy.truth import EPS, entrywise_error, estimates, exact, mp
from accuracy.truth_errors import complete_nll, constrained_errors, saturated_errors
from cases import factor_of_condition

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
NAN = np.nan


@pytest.mark.filterwarnings("ignore::mvngrad.IllConditionedWarning")
@pytest.mark.parametrize("kind", ["observed", "expected"])
@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8, 1e12])
def test_complete_data(condition, kind, rng):
    L = factor_of_condition(4, condition, rng)
    X = rng.standard_normal((40, 4)) @ L.T + 1e2
    true, n = estimates(X), 40
    s = np.diagonal(true.covariance)
    of_S = (np.outer(s, s) + true.covariance**2) / n
    errors = mg.fit(X).standard_errors(kind)
    root = np.vectorize(mp.sqrt, otypes=[object])
    bound = 1e-13 if condition < 1e10 else 100 * EPS * condition**0.5
    assert entrywise_error(errors.mean, root(s / n)) < bound
    assert entrywise_error(errors.covariance, root(of_S)) < bound
    units = root(s)
    R = true.covariance / np.outer(units, units)
    of_R = (1 - R**2) / mp.sqrt(n)
    gap = np.abs((exact(errors.correlation) - of_R).astype(float)).max()
    assert gap < 1e-13 + 100 * EPS * condition**0.5


def monotone(rng):
    """Columns that end one after another."""
    X = rng.standard_normal((40, 4)) @ factor_of_condition(4, 1e2, rng).T + [0.0, 5.0, -2.0, 1e3]
    for j, end in enumerate((40, 33, 27, 20)):
        X[end:, j] = NAN
    return X


def scattered(rng, condition=1e4):
    """Entries lost by chance, in a few patterns."""
    X = rng.standard_normal((60, 3)) @ factor_of_condition(3, condition, rng).T + 10.0
    lost = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], bool)
    X[lost[rng.integers(4, size=60)]] = NAN
    return X


def penguins(rng):
    """Real rows; the mass lost where flippers are long, in seven of ten, else in one."""
    table = np.genfromtxt(PENGUINS, delimiter=",", names=True)
    names = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    X = np.column_stack([table[name] for name in names])
    X = X[~np.isnan(X).any(axis=1)]
    X[rng.random(len(X)) < np.where(X[:, 2] > 205, 0.7, 0.1), 3] = NAN
    X[rng.random(len(X)) < 0.1, 0] = NAN
    return X


@pytest.mark.filterwarnings("ignore:the expected information")
@pytest.mark.parametrize("kind", ["observed", "expected"])
@pytest.mark.parametrize("data", [monotone, scattered, penguins])
def test_rows_with_holes(data, kind, rng):
    X = data(rng)
    fit = mg.fit(X, tol=1e-20)
    errors = fit.standard_errors(kind)
    of_mean, of_S = saturated_errors(X, fit, expected=kind == "expected")
    assert entrywise_error(errors.mean, of_mean) < 1e-8
    assert entrywise_error(errors.covariance, of_S) < 1e-8
    default = mg.fit(X).standard_errors(kind)
    assert entrywise_error(default.mean, of_mean) < 1e-6
    assert entrywise_error(default.covariance, of_S) < 1e-6


@pytest.mark.filterwarnings("ignore::mvngrad.IllConditionedWarning")
@pytest.mark.filterwarnings("ignore:the expected information")
@pytest.mark.parametrize("kind", ["observed", "expected"])
@pytest.mark.parametrize("condition", [1e8, 1e10, 1e12])
def test_rows_with_holes_and_nearly_collinear_columns(condition, kind, rng):
    """1e12 is by QR, less than 1e10 by S⁻¹, and both have digits to spare."""
    X = scattered(rng, condition)
    fit = mg.fit(X, tol=1e-16)
    of_mean, of_S = saturated_errors(X, fit, expected=kind == "expected")
    errors = fit.standard_errors(kind)
    assert entrywise_error(errors.mean, of_mean) < 1e-7
    assert entrywise_error(errors.covariance, of_S) < 1e-7


def factor_rows(rng, d, k):
    Lambda = np.linspace(0.5, 1.3, d * k).reshape(d, k) * np.where(np.arange(k) % 2, -1.0, 1.0)
    Lambda[: d // 2, 1:] *= -0.4
    return rng.standard_normal((150, k)) @ Lambda.T + rng.standard_normal((150, d))


def check(errors, found, rtol=1e-5):
    assert entrywise_error(np.concatenate([np.ravel(e) for e in found]), errors) < rtol


@pytest.mark.parametrize("k", [1, 2])
def test_exploratory_factors(k, rng):
    """In the reported form ΛᵀΨ⁻¹Λ is diagonal: a constraint. (Jennrich 1974)"""
    d, n = 5 + (k - 1), 150
    X = factor_rows(rng, d, k)
    C, fit = estimates(X).covariance, mg.fit(X, mg.FactorAnalytic(k), tol=1e-18)

    def nll(x):
        Lambda, psi = x[: d * k].reshape(d, k), x[d * k :]
        return complete_nll(Lambda @ Lambda.T + np.diag(psi), C, n)

    def off_diagonal(x):
        Lambda, psi = x[: d * k].reshape(d, k), x[d * k :]
        return (Lambda[:, 0] * Lambda[:, 1] / psi).sum()

    x = exact(np.concatenate([fit.factor.ravel(), fit.noise]))
    errors = constrained_errors(nll, x, None if k == 1 else off_diagonal)
    found = fit.standard_errors()
    check(errors, [found.factor, found.noise])


@pytest.mark.parametrize("scale", ["variance", "marker"])
def test_confirmatory_factors(scale, rng):
    d, n = 6, 150
    f = rng.standard_normal((n, 2)) @ np.array([[1.0, 0.4], [0.0, 0.9]])
    on = np.repeat(np.eye(2), 3, axis=0)
    X = f @ (on * rng.uniform(0.7, 1.2, (6, 1))).T + rng.standard_normal((n, d))
    pattern = np.where(on > 0, NAN, 0.0)
    free = [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]
    if scale == "marker":
        pattern[0, 0] = pattern[3, 1] = 1.0
        free = [entry for entry in free if entry not in {(0, 0), (3, 1)}]
    model = mg.FactorAnalytic(pattern=pattern, correlated=True, scale=scale)
    fit, C = mg.fit(X, model, tol=1e-18), estimates(X).covariance
    m = len(free)

    def nll(x):
        Lambda, psi = exact(on), x[m : m + d]
        for (i, j), value in zip(free, x, strict=False):
            Lambda[i, j] = value
        r, *v = x[m + d :]
        a, b = v or (mp.one, mp.one)
        c = r * mp.sqrt(a * b)
        Phi = np.array([[a, c], [c, b]], dtype=object)
        return complete_nll(Lambda @ Phi @ Lambda.T + np.diag(psi), C, n)

    loadings = np.array([fit.factor[entry] for entry in free])
    x = [*loadings, *fit.noise, fit.factor_correlation[1, 0]]
    if scale == "marker":
        x += list(np.diagonal(fit.factor_covariance))
    errors, found = constrained_errors(nll, exact(x)), fit.standard_errors()
    of_loadings = np.array([found.factor[entry] for entry in free])
    check(errors[: m + d + 1], [of_loadings, found.noise, found.factor_correlation[1, 0]])
