"""The closed-form gradient against a derivative that nobody derived: a complex step through J.

J is written here as it stands in the note's eqs. 1–4, with an explicit inverse and determinant;
Im J(x + ih)/h is its derivative to rounding. Agreement is close and never to the bit, or the two
would share their arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import mvngrad as mg
from cases import CASES, Case, factor_of_condition
from mvngrad.core import likelihood
from mvngrad.core.frame import AffineFrame
from mvngrad.core.operators import DenseCovariance, DiagonalCovariance, IdentityCovariance
from mvngrad.models.data import Complete
from mvngrad.models.means import FreeMean
from mvngrad.models.objective import Objective

H = 1e-30


def naive_nll(X, mu, S, weights):
    """½ [ n d log 2π + n log|S| + Σ w (x−μ)ᵀS⁻¹(x−μ) ], for complex S and μ too."""
    R, n, d = X - mu, weights.sum(), X.shape[1]
    distances = ((R @ np.linalg.inv(S)) * R).sum(axis=1)
    return 0.5 * (n * d * np.log(2 * np.pi) + n * np.log(np.linalg.det(S)) + weights @ distances)


def complex_step(f, x):
    """∇f(x), for real analytic f."""
    slopes = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * H
        slopes[index] = f(moved).imag / H
    return slopes


def assert_close(found, expected, rtol):
    assert np.linalg.norm(found - expected) <= rtol * np.linalg.norm(expected)


@pytest.mark.parametrize("condition", [4.0, 1e4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", ["square", "triangular", "wide", "noise", "narrow with noise"])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_nll_and_grad(d, shape, weighted, condition, rng):
    Lambda = factor_of_condition(d, condition, rng, d + 2 if shape == "wide" else None)
    Lambda = np.linalg.qr(Lambda.T, mode="r").T if shape == "triangular" else Lambda
    Lambda = Lambda[:, : d // 2] if "narrow" in shape else Lambda
    psi = rng.uniform(0.5, 2.0, d) if "noise" in shape else None
    X, mu = rng.standard_normal((20, d)), 0.5 * rng.standard_normal(d)
    w = rng.uniform(0.0, 3.0, 20) if weighted else np.ones(20)

    def J(mu, Lambda, psi):  # noqa: N802
        S = Lambda @ Lambda.T + (0.0 if psi is None else np.diag(psi))
        return naive_nll(X, mu, S, w)

    value, gradient = mg.nll_and_grad(X, mu, Lambda, noise=psi, weights=w if weighted else None)
    rtol = 1e-13 * condition
    assert value == pytest.approx(J(mu, Lambda, psi), rel=rtol)
    assert value == mg.nll(X, mu, Lambda, noise=psi, weights=w if weighted else None)
    slopes = complex_step(lambda mu: J(mu, Lambda, psi), mu)
    assert_close(gradient.mean, slopes, rtol)
    of_factor = complex_step(lambda Lambda: J(mu, Lambda, psi), Lambda)
    assert_close(gradient.factor, of_factor, rtol)
    assert d == 2 or not np.array_equal(
        [*gradient.mean, *gradient.factor.flat], [*slopes, *of_factor.flat]
    )
    assert (gradient.noise is None) == (psi is None)
    if psi is not None:
        slopes = complex_step(lambda psi: J(mu, Lambda, psi), psi)
        assert_close(gradient.noise, slopes, rtol)


def naive_triangle(theta, d):
    """Row by row, the last of each row a logarithm."""
    rows, at = [], 0
    for j in range(d):
        below, diagonal = theta[at : at + j], np.exp(theta[at + j])
        rows.append([*below, diagonal, *np.zeros(d - j - 1)])
        at += j + 1
    return np.array(rows)


# θ ↦ S in the plainest words, where a structure has such; the Taylor law serves all of them.
NAIVE: dict[str, Callable] = {
    "Factor": lambda theta, d: theta.reshape(d, -1) @ theta.reshape(d, -1).T,
    "Factor-wide": lambda theta, d: theta.reshape(d, -1) @ theta.reshape(d, -1).T,
    "Cholesky": lambda theta, d: naive_triangle(theta, d) @ naive_triangle(theta, d).T,
    "InverseCholesky": lambda theta, d: np.linalg.inv(
        naive_triangle(theta, d).T @ naive_triangle(theta, d)
    ),
    "Diagonal": lambda theta, _: np.diag(np.exp(theta)),
    "Spherical": lambda theta, d: np.exp(theta[0]) * np.eye(d),
}
PLAIN = [case for case in CASES if case.name in NAIVE and case.d <= 5 and case.condition <= 1e4]


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_structures(case: Case, rng):
    """∇θ J/n = pull(∂J/∂S)/n."""
    X = case.rows(3 * case.d + 4, rng) + 0.1
    data = mg.Moments.of(X, frame=AffineFrame.identity(case.d))
    mu = rng.standard_normal(case.d)
    objective = Objective(Complete(data), case.structure, FreeMean())
    point = objective.at(np.concatenate([mu, case.theta]))
    S, w = NAIVE[case.name], np.ones(len(X))
    expected = complex_step(lambda t: naive_nll(X, mu, S(t, case.d), w), case.theta) / len(X)
    np.testing.assert_allclose(
        case.structure.cov(case.theta), S(case.theta, case.d), rtol=1e-10, atol=1e-30
    )
    assert point.value == pytest.approx(naive_nll(X, mu, S(case.theta, case.d), w) / len(X))
    found = point.gradient[case.d :]
    assert np.linalg.norm(found - expected) <= 1e-13 * case.condition * np.linalg.norm(expected)


def test_value_alone_is_the_value(rng):
    X = rng.standard_normal((20, 4)) + 1.0
    moments, mu, L = mg.Moments.of(X, frame=AffineFrame.identity(4)), rng.random(4), _lower(rng, 4)
    for S in (DenseCovariance(L), DiagonalCovariance(np.diag(L)), IdentityCovariance()):
        J = likelihood.evaluate(moments, mu, S).nll
        assert likelihood.value(moments, mu, S) == pytest.approx(J, rel=1e-14)
        assert pytest.approx(J, rel=1e-12) == mg.nll(X, mu, S.root(4))


def _lower(rng, d):
    return np.tril(rng.standard_normal((d, d)), -1) + np.diag(rng.uniform(1.0, 2.0, d))
