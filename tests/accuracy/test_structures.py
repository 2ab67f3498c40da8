"""∂J/∂θ of patterned covariances and factor models against a hundred digits.

The truth is a central difference, in 100-digit arithmetic, of J at S(θ) as it is defined, entry
by entry: nothing of roots, recursions or adjoints is shared. With Eⱼ = L⁻¹∂ⱼS L⁻ᵀ,

    |error of ∂J/∂θⱼ| ≤ 30 d ε √cond(S) · ½n(1 + ‖K‖)‖Eⱼ‖
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import mvngrad as mg
from accuracy.truth import EPS, cholesky, exact, inverse_lower, largest, log_diagonal, mp
from mvngrad.core.frame import AffineFrame
from mvngrad.models.data import Complete
from mvngrad.models.means import FixedMean
from mvngrad.models.objective import Objective
from mvngrad.models.structure import Structure

D = 4
H = mp.mpf(10) ** -30
Z = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
LAGS = abs(np.subtract.outer(np.arange(D), np.arange(D)))
TRIANGLE = [(i, j) for i in range(D) for j in range(i + 1)]


def compound_symmetry(theta):
    one = exact(np.ones((D, D))) / D
    return mp.exp(theta[0]) * one + mp.exp(theta[1]) * (exact(np.eye(D)) - one)


def ar1(theta, d=D):
    rho = mp.tanh(theta[1])
    lags = abs(np.subtract.outer(np.arange(d), np.arange(d)))
    return mp.exp(theta[0]) * np.vectorize(lambda k: rho ** int(k), otypes=[object])(lags)


def toeplitz(theta):
    """Each correlation from those before it and the partial one, by solving for the prediction."""
    r = [mp.one]
    for k in range(1, D):
        told, left = mp.zero, r[0]
        if k > 1:  # what the columns between say of both ends
            P = inverse(np.array([[r[abs(i - j)] for j in range(k - 1)] for i in range(k - 1)]))
            ahead, back = np.array(r[1:k]), np.array(r[k - 1 : 0 : -1])
            told, left = ahead @ P @ back, r[0] - ahead @ P @ ahead
        r.append(told + mp.tanh(theta[k]) * left)
    return mp.exp(theta[0]) * np.array([[r[k] for k in row] for row in LAGS])


def banded(theta):
    L = exact(np.zeros((D, D)))
    for (i, j), t in zip([p for p in TRIANGLE if p[0] - p[1] <= 1], theta, strict=True):
        L[i, j] = mp.exp(t) if i == j else t
    return L @ L.T


def inverse(S):
    W = inverse_lower(cholesky(S))
    return W.T @ W


def heterogeneous(theta):
    scales = np.array([mp.one, *(mp.exp(t) for t in theta[2:])])
    return ar1(theta[:2]) * np.multiply.outer(scales, scales)


def random_effects(theta):
    root = exact(Z) @ theta[:4].reshape(2, 2)
    return root @ root.T + mp.exp(theta[4]) * exact(np.eye(D))


def kronecker(theta):
    L = np.array([[mp.exp(theta[2]), mp.zero], [theta[3], mp.exp(theta[4])]])
    return np.kron(ar1(theta[:2], 2), L @ L.T)


def factor_analytic(theta):
    Lambda, s = theta[:D].reshape(D, 1), theta[D:]
    return Lambda @ Lambda.T + np.array([[s[i] ** 2 if i == j else mp.zero for j in range(D)]
                                         for i in range(D)])  # fmt: skip


def ppca(theta):
    Lambda = theta[: 2 * D].reshape(D, 2)
    return Lambda @ Lambda.T + mp.exp(2 * theta[-1]) * exact(np.eye(D))


def confirmatory(theta):
    """Columns 0, 1 on one factor, 2, 3 on another; rows of R are those of a triangle, normed."""
    a, b, c, e, u, *s = theta
    R = np.array([[mp.one, mp.zero], [u / mp.sqrt(1 + u**2), 1 / mp.sqrt(1 + u**2)]])
    W = np.array([[a, mp.zero], [b, mp.zero], [mp.zero, c], [mp.zero, e]]) @ R
    return W @ W.T + np.diag(np.array([x**2 for x in s]))


class Problem(NamedTuple):
    """A structure, S(θ) in plain words, and θ at which S is more and more singular."""

    structure: Structure
    S: Callable[[Any], Any]
    thetas: list[list[float]]


PROBLEMS = {
    "compound-symmetry": Problem(
        mg.CompoundSymmetry(), compound_symmetry, [[0.3, -0.2], [8.0, -8.0], [-14.0, 14.0]]
    ),
    "ar1": Problem(mg.AR1(), ar1, [[0.3, 0.4], [1.0, 5.0], [0.0, -12.0]]),
    "toeplitz": Problem(
        mg.Toeplitz(),
        toeplitz,
        [[0.3, 0.4, -0.7, 0.1], [1.0, 4.0, -3.0, 2.0], [0.0, 8.0, 6.0, 5.0]],
    ),
    "banded": Problem(
        mg.Banded(1),
        banded,
        [[0.1, 0.7, -0.3, -0.4, 0.2, 0.9, 0.5], [0.0, 2e3, -2.0, 1.0, -6.0, 3.0, 4.0]],
    ),
    "precision": Problem(
        mg.Precision(mg.Banded(1)),
        lambda theta: inverse(banded(theta)),
        [[0.1, 0.7, -0.3, -0.4, 0.2, 0.9, 0.5], [0.0, 30.0, -2.0, 1.0, -6.0, 3.0, 4.0]],
    ),
    "heterogeneous": Problem(
        mg.Heterogeneous(mg.AR1()),
        heterogeneous,
        [[0.3, 0.4, -0.1, 0.6, 0.2], [0.0, 6.0, 9.0, -7.0, 2.0]],
    ),
    "random effects": Problem(
        mg.RandomEffects(Z) + mg.Spherical(),
        random_effects,
        [[1.0, 0.2, -0.3, 0.5, 0.1], [2.0, 0.3, 1.0, 2.0, -14.0], [1e3, 5.0, 1.0, 0.1, -20.0]],
    ),
    "factor analysis": Problem(
        mg.FactorAnalytic(1),
        factor_analytic,
        [
            [1.0, -0.5, 0.8, 0.3, 0.7, 0.9, 1.1, 0.5],
            [1.0, -0.5, 0.8, 0.3, 1e-4, 0.9, 1.1, 0.5],
            [1.0, -0.5, 0.8, 0.3, 1e-4, 1e-4, 1e-4, 1e-4],
            [3.0, -0.5, 0.8, 0.3, 1e-9, 0.9, 1e-3, 0.5],
        ],
    ),
    "principal components": Problem(
        mg.PPCA(2),
        ppca,
        [
            [1.0, -0.5, 0.8, 0.3, 0.2, 0.4, -0.6, 0.1, -0.3],
            [1.0, -0.5, 0.8, 0.3, 0.2, 0.4, -0.6, 0.1, -9.0],
        ],
    ),
    "confirmatory": Problem(
        mg.FactorAnalytic(
            pattern=[[np.nan, 0], [np.nan, 0], [0, np.nan], [0, np.nan]], correlated=True
        ),
        confirmatory,
        [
            [1.0, -0.5, 0.8, 0.3, 0.4, 0.7, 0.9, 1.1, 0.5],
            [1.0, -0.5, 0.8, 0.3, 0.4, 1e-4, 0.9, 1e-4, 0.5],
            [1.0, -0.5, 0.8, 0.3, 30.0, 1e-4, 1e-4, 1e-4, 0.5],
        ],
    ),
    "kronecker": Problem(
        mg.Kronecker(mg.AR1().sized(2), mg.Cholesky()),
        kronecker,
        [[0.3, 0.4, -0.1, 0.6, 0.2], [0.0, 5.0, 3.0, 4.0, -5.0]],
    ),
}
POINTS = [(name, theta) for name, problem in PROBLEMS.items() for theta in problem.thetas]


def nll(X, S):
    L = cholesky(S)
    whitened = X @ inverse_lower(L).T
    n, d = X.shape
    return n * d * mp.log(2 * mp.pi) / 2 + n * log_diagonal(L).sum() + (whitened**2).sum() / 2


def true_gradient(X, S, theta):
    slopes = []
    for j in range(len(theta)):
        step = exact(np.zeros(len(theta)))
        step[j] = H
        slopes.append((nll(X, S(theta + step)) - nll(X, S(theta - step))) / (2 * H))
    return np.array(slopes)


def tangent_sizes(S, theta, W):
    """‖L⁻¹∂ⱼS L⁻ᵀ‖."""
    sizes = []
    for j in range(len(theta)):
        step = exact(np.zeros(len(theta)))
        step[j] = H
        change = (S(theta + step) - S(theta - step)) / (2 * H)
        sizes.append(largest(W @ change @ W.T))
    return np.array(sizes)


@pytest.mark.parametrize(("name", "theta"), POINTS, ids=lambda x: x if isinstance(x, str) else "")
def test_gradient(name, theta, rng):
    problem = PROBLEMS[name]
    structure, theta = problem.structure.sized(D), np.array(theta)
    X, n = rng.standard_normal((12, D)), 12
    data = Complete(mg.Moments.of(X, frame=AffineFrame.identity(D)))
    point = Objective(data, structure, FixedMean(np.zeros(D))).at(theta)
    X, at = exact(X), exact(theta)
    L = cholesky(problem.S(at))
    W = inverse_lower(L)
    condition = (largest(W) * largest(L)) ** 2
    bound = 30 * D * EPS * condition**0.5
    K = W @ (X.T @ X) @ W.T / n
    value = nll(X, problem.S(at))
    terms = n * (abs(log_diagonal(L)).sum() + float(K.trace()) / 2 + D)
    assert abs(float(n * point.value - value)) <= bound * float(terms)
    expected = true_gradient(X, problem.S, at)
    size = 0.5 * n * (1.0 + largest(K)) * tangent_sizes(problem.S, at, W)
    error = np.array([float(abs(n * g - t)) for g, t in zip(point.gradient, expected, strict=True)])
    assert (error <= bound * size).all(), (condition, error / size / bound)


def test_the_points_reach_far():
    """Of every structure some S has a condition number above 1e6."""
    for name, problem in PROBLEMS.items():
        L = cholesky(problem.S(exact(np.array(problem.thetas[-1]))))
        assert (largest(inverse_lower(L)) * largest(L)) ** 2 > 1e6, name
