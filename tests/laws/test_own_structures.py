"""Structures of a user's own go through every method, in any units, with means free and known."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.testing import check_structure

METHODS = (
    "gradient-descent",
    "momentum",
    "nesterov",
    "barzilai-borwein",
    "cg",
    "bfgs",
    "l-bfgs",
    "natural-gradient",
)


class Exchangeable(mg.Structure):
    """S = σ²[(1−ρ)I + ρ11ᵀ] by θ = (log σ², logit of ρ between −1/(d−1) and 1)."""

    equivariance = "scalar"

    def _parts(self, theta):
        low = -1.0 / (self.columns - 1)
        share = 1.0 / (1.0 + np.exp(-theta[1]))
        return np.exp(theta[0]), low + (1.0 - low) * share, (1.0 - low) * share * (1.0 - share)

    def cov(self, theta):
        variance, rho, _ = self._parts(theta)
        return variance * (np.eye(self.columns) * (1.0 - rho) + rho)

    def push(self, theta, v):
        variance, _, slope = self._parts(theta)
        return v[0] * self.cov(theta) + v[1] * variance * slope * (1.0 - np.eye(self.columns))

    def pull(self, theta, score):
        variance, _, slope = self._parts(theta)
        G = score.dense()
        off = (G * (1.0 - np.eye(self.columns))).sum()
        return np.array([(G * self.cov(theta)).sum(), variance * slope * off])

    def start(self, S):
        d = len(S)
        variance = np.diagonal(S).mean()
        rho = np.clip((S.sum() - np.trace(S)) / (d * (d - 1) * variance), -0.9 / (d - 1), 0.99)
        low = -1.0 / (d - 1)
        share = (rho - low) / (1.0 - low)
        return np.array([np.log(variance), np.log(share / (1.0 - share))])

    def rescale(self, theta, T):
        return theta + np.array([2.0 * np.log(T[0]), 0.0])


class Bare(Exchangeable):
    """The same without a word on units."""

    rescale = mg.Structure.rescale


class NoPush(Exchangeable):
    """Its tangent is always 0, so nothing about it can be certified."""

    def push(self, theta, v):
        return 0.0 * super().push(theta, v)


class NaNPush(Exchangeable):
    """Its tangent is not a number."""

    def push(self, theta, v):
        return np.nan * super().push(theta, v)


@pytest.fixture
def rows(rng):
    return rng.standard_normal((60, 4)) + 1.5 * rng.standard_normal((60, 1))


def test_it_is_a_structure():
    check_structure(Exchangeable(), np.array([0.3, -0.2]), d=4)
    check_structure(Bare(), np.array([0.3, -0.2]), d=4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_every_method_in_any_units(method, unit, rows):
    best = mg.fit(rows, Exchangeable(), method="l-bfgs")
    fit = mg.fit(unit * rows, Exchangeable(), method=method)
    assert fit.converged
    assert fit.nll - rows.size * np.log(unit) == pytest.approx(best.nll, abs=1e-6)
    assert fit.curvature == pytest.approx(best.curvature, rel=1e-3)
    assert fit.params - [2 * np.log(unit), 0] == pytest.approx(best.params, abs=1e-3)
    assert fit.n_params == 6


def test_without_rescale_it_is_fitted_in_the_units_of_the_data(rows):
    fit = mg.fit(8.0 * rows, Bare())
    known = mg.fit(8.0 * rows, Exchangeable())
    assert fit.converged
    assert fit.nll == pytest.approx(known.nll, abs=1e-6)
    assert fit.covariance == pytest.approx(known.covariance, rel=1e-3)


def test_its_closed_form_is_the_mean_of_the_entries(rows):
    S = np.cov(rows.T, ddof=0)
    fit = mg.fit(rows, Exchangeable(), tol=1e-12)
    off = (S.sum() - np.trace(S)) / 12
    assert np.diagonal(fit.covariance) == pytest.approx(np.full(4, np.trace(S) / 4), rel=1e-5)
    assert fit.covariance[0, 1] == pytest.approx(off, rel=1e-5)


@pytest.mark.parametrize("broken", [NoPush, NaNPush])
def test_what_cannot_be_certified_is_not_converged(broken, rows):
    far = np.diag([9.0, 1.0, 1.0, 1.0])
    with pytest.warns(mg.ConvergenceWarning):
        fit = mg.fit(rows, broken(), method="l-bfgs", start=far, max_iter=30)
    assert not fit.converged


def test_a_false_claim_of_a_closed_form_is_seen(rows):
    class Claims(Exchangeable):
        start_is_optimum = True

        def start(self, S):
            return super().start(S) + 0.1

    with pytest.warns(mg.ConvergenceWarning):
        fit = mg.fit(rows, Claims())
    assert not fit.converged
    assert fit.nll > mg.fit(rows, Exchangeable()).nll


@pytest.mark.filterwarnings("ignore::mvngrad.errors.IllConditionedWarning")
@pytest.mark.parametrize("method", ["closed-form", *METHODS])
@pytest.mark.parametrize("far", [1.0, 1e2, 1e4, 1e6])
@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
def test_known_means_however_far(method, far, covariance, rows):
    mean = rows.mean(axis=0) + far
    best = mg.fit(rows, covariance, mean)
    fit = mg.fit(rows, covariance, mean, method=method)
    assert fit.converged
    assert (fit.mean == mean).all()
    assert fit.nll == pytest.approx(best.nll, rel=1e-9)


def test_a_known_mean_gives_a_constant_column_a_variance(rows):
    rows[:, 1] = 3.0
    for method in ("closed-form", "l-bfgs"):
        fit = mg.fit(rows, mean=np.zeros(4), method=method)
        assert fit.covariance == pytest.approx(rows.T @ rows / 60, rel=1e-4)
