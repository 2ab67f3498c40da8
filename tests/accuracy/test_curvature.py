"""∂²J in (β, θ) times v against forty digits: right to 30 d ε √cond(S), relative to its terms.

Through every structure, for complete rows and for rows with holes, with weights, free means, means
by a design and priors. One way fits all: v at random, and along single entries of θ, where a large
S and a small change of it meet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mvngrad as mg
from accuracy.problems import problem
from accuracy.test_structures import PROBLEMS, D, Problem, ar1, banded, inverse, toeplitz
from accuracy.truth import EPS, Array, exact, inverse_lower, log_diagonal, mp
from accuracy.truth import cholesky as root
from accuracy.truth_curvature import Curvature, Model, Rows
from cases import factor_of_condition, known
from mvngrad.core import curvature
from mvngrad.core.design import Design, orthonormal
from mvngrad.core.frame import AffineFrame
from mvngrad.core.patterns import Patterns
from mvngrad.models.cholesky import InverseCholesky
from mvngrad.models.data import Complete, Observed
from mvngrad.models.means import FreeMean, LinearMean, Row
from mvngrad.models.objective import Objective
from mvngrad.models.penalised import Penalised
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure

IDENTITY = AffineFrame.identity(D)
S0 = 1e-8 * known(D)
ENTRIES = 4  # of each product, at random: the truth takes its time


def triangle(theta, d=D):
    L = exact(np.zeros((d, d)))
    for (i, j), t in zip(zip(*np.tril_indices(d), strict=True), theta, strict=True):
        L[i, j] = mp.exp(t) if i == j else t
    return L


def cholesky(theta, d=D):
    return triangle(theta, d) @ triangle(theta, d).T


def diagonal(theta):
    return np.diag(np.array([mp.exp(t) for t in theta]))


def heterogeneous(theta):
    scales = np.array([mp.one, *(mp.exp(t) for t in theta[D:])])
    return toeplitz(theta[:D]) * np.multiply.outer(scales, scales)


def blocks(theta):
    S = exact(np.zeros((D, D)))
    S[:2, :2], S[2:, 2:] = cholesky(theta[:3], 2), ar1(theta[3:], 2)
    return S


def joined(theta):
    return ar1(theta[:2]) + diagonal(theta[2:]) + exact(S0)


MORE = {
    "diagonal": Problem(mg.Diagonal(), diagonal, [[0.3, 10.0, -4.0, -17.0]]),
    "spherical": Problem(mg.Spherical(), lambda t: diagonal([t[0]] * D), [[0.7]]),
    "masked": Problem(
        mg.Masked(np.tril(np.ones((D, D))) * (np.tri(D, k=-2) == 0)),
        banded,
        [[0.0, 2e3, -2.0, 1.0, -6.0, 3.0, 4.0]],
    ),
    "scaled": Problem(mg.Scaled(mg.AR1()), lambda t: mp.exp(t[0]) * ar1(t[1:]), [[1.0, 2.0, 6.0]]),
    "known, scaled": Problem(mg.Scaled(mg.Known(S0)), lambda t: mp.exp(t[0]) * exact(S0), [[1.0]]),
    "blocks": Problem(
        mg.BlockDiagonal(mg.Cholesky().sized(2), mg.AR1()),
        blocks,
        [[0.3, 0.2, 0.5, 0.2, 0.4], [0.3, 1e3, -4.0, 1.0, 7.0]],
    ),
    "heterogeneous Toeplitz": Problem(
        mg.Heterogeneous(mg.Toeplitz()), heterogeneous, [[0.3, 7.0, -4.0, 3.0, 5.0, -6.0, 1.0]]
    ),
    "precision by one correlation": Problem(
        mg.Precision(mg.AR1()), lambda t: inverse(ar1(t)), [[0.3, 0.2], [0.3, -8.0]]
    ),
    "sum of three": Problem(
        mg.AR1() + mg.Diagonal() + mg.Known(S0),
        joined,
        [[0.3, 0.2, 0.0, 1.0, 0.5, -0.1], [0.3, -11.0, -18.0, -12.0, -20.0, -25.0]],
    ),
}
ROOTS = {
    "Factor": (mg.Factor(), lambda t: t.reshape(D, D) @ t.reshape(D, D).T),
    "Cholesky": (mg.Cholesky(), cholesky),
    "InverseCholesky": (InverseCholesky(), lambda t: inverse(triangle(t).T @ triangle(t))),
    "Precision": (mg.Precision(), lambda t: inverse(cholesky(t))),
}


def points():
    """Of every structure the points of the gradient's test, and more structures at theirs."""
    for name, (structure, S, thetas) in (PROBLEMS | MORE).items():
        for k, theta in enumerate(thetas):
            yield pytest.param(structure, S, np.array(theta), id=f"{name}-{k}")
    for name, (structure, S) in ROOTS.items():
        for condition in (1.0, 1e4, 1e8, 1e12, 1e14) if name == "Cholesky" else (1e8, 1e14):
            Lambda = factor_of_condition(D, condition, np.random.default_rng(1))
            theta = structure.sized(D).start_at(Lambda)
            yield pytest.param(structure, S, theta, id=f"{name}-{condition:.0e}")


POINTS = list(points())
FEW = ("Cholesky", "toeplitz-1", "factor analysis-3", "random effects-1", "ar1-1")
SOME = [p for p in POINTS if p.id.startswith(FEW)]
FEWER = [p for p in SOME if not p.id.startswith("Cholesky") or p.id.endswith("8")]


def directions(x: Array, n_beta: int, rng: np.random.Generator) -> list[Array]:
    """One at random, and along the first and the last entry of θ."""
    places = {n_beta, len(x) - 1}
    return [rng.standard_normal(len(x)), *(np.eye(len(x))[j] for j in sorted(places))]


def assert_right(
    J: Objective, model: Model, x: Array, rng: np.random.Generator, condition: float = 1.0
) -> None:
    """At cond(S), or at that of the data if it is more."""
    true, product = Curvature(model, x), J.hessian(J.at(x))
    bound = 30 * D * EPS * max(true.condition, condition) ** 0.5
    for v in directions(x, model.n_beta, rng):
        places = rng.permutation(len(x))[:ENTRIES]
        expected, found = true.product(v, places), J.data.weight * product(v)[places]
        error = [float(abs(a - b)) for a, b in zip(found, expected.value, strict=True)]
        assert (error <= bound * expected.size).all(), (true.condition, error / expected.size)


def rows_of(rng: np.random.Generator, n: int = 12) -> tuple[Array, Array]:
    return rng.standard_normal((n, D)), rng.exponential(size=n)


def with_holes(X: Array, rng: np.random.Generator) -> Array:
    """35 % of the entries missing, and one row with nothing."""
    X = X.copy()
    X[rng.random(X.shape) < 0.35] = np.nan
    X[1] = np.nan
    return X


@pytest.mark.parametrize(("structure", "S", "theta"), POINTS)
def test_complete_rows(structure: Structure, S: Any, theta: Array, rng):
    X, w = rows_of(rng)
    data = Complete(mg.Moments.of(X, w, frame=IDENTITY))
    x = np.concatenate([rng.standard_normal(D), theta])
    model = Model(Rows(X, w), lambda beta: beta, S, D)
    assert_right(Objective(data, structure.sized(D), FreeMean()), model, x, rng)


@pytest.mark.parametrize("condition", [1.0, 1e7, 1e14])
def test_moments_in_a_frame_of_their_own(condition: float, rng):
    """Nearly collinear rows: what is promised goes with their √cond, in a full frame."""
    p = problem(1, D, condition, 1e3, "square")
    data = mg.Moments.of(p.X, p.weights, frame="full")
    frame, structure = data.frame, mg.Cholesky().sized(D)
    whitener = inverse_lower(exact(frame.root))
    rows = Rows((exact(p.X) - exact(frame.origin)) @ whitener.T, p.weights)
    x = np.concatenate([0.3 * rng.standard_normal(D), 0.3 * rng.standard_normal(structure.size)])
    model = Model(rows, lambda beta: beta, cholesky, D)
    assert_right(Objective(Complete(data), structure, FreeMean()), model, x, rng, condition)


@pytest.mark.parametrize("work", [0.0, np.inf], ids=["compiled", "NumPy"])
@pytest.mark.parametrize(("structure", "S", "theta"), SOME)
def test_holes(structure: Structure, S: Any, theta: Array, work: float, rng, monkeypatch):
    monkeypatch.setattr(curvature, "KERNEL_WORK", work)
    X, w = rows_of(rng)
    X = with_holes(X @ structure.sized(D).factor(theta)[:, :D].T, rng)
    data = Observed(Patterns.of(X, w, IDENTITY), IDENTITY)
    x = np.concatenate([0.1 * rng.standard_normal(D), theta])
    model = Model(Rows(X, w), lambda beta: beta, S, D)
    assert_right(Objective(data, structure.sized(D), FreeMean()), model, x, rng)


@pytest.mark.parametrize(("structure", "S", "theta"), FEWER)
def test_a_design_of_its_own_for_each_row(structure: Structure, S: Any, theta: Array, rng):
    X, w = rows_of(rng)
    X = with_holes(X, rng)
    X[1, 0] = 0.5
    plain = AffineFrame.identity(D + 2)
    Z = np.column_stack([np.ones(len(X)), rng.standard_normal(len(X))])
    both = Patterns.of(np.hstack([X, Z]), w, plain, merged=False)
    z, weights = both.kept.z, both.kept.weights
    zeta, basis = orthonormal(z[:, D:], weights, both.weight)
    frame = AffineFrame(np.zeros((D, 2)), np.ones(D))
    kept = both.kept._replace(z=z[:, :D])
    rows = Patterns(frame, both.observed[:, :D], both.counts, both.starts, kept)
    data = Observed(rows, AffineFrame(np.zeros((D, 2)), np.ones(D)), Design(rows, zeta, basis))
    # An intercept each, and one slope that all share.
    mean = LinearMean(tuple(Row(np.array([j, D]), np.eye(2)) for j in range(D)), D + 1)
    x = np.concatenate([rng.standard_normal(D + 1), theta])
    told = np.where(np.repeat(both.observed[:, :D], both.counts, axis=0), z[:, :D], np.nan)
    design = exact(zeta)

    def means(beta):
        return np.multiply.outer(design[:, 0], beta[:D]) + (design[:, 1] * beta[D])[:, None]

    model = Model(Rows(told, weights), means, S, D + 1)
    assert_right(Objective(data, structure.sized(D), mean), model, x, rng)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(("structure", "S", "theta"), FEWER)
def test_priors(structure: Structure, S: Any, theta: Array, holes: bool, rng):
    """½κ[log|S| + tr S⁻¹T] is J of rows with scatter κT of weight κ, less its constant."""
    X, w = rows_of(rng)
    X = with_holes(X, rng) if holes else X
    T, Q, c, ridge = known(D), known(D)[::-1, ::-1] + np.eye(D), np.ones(D), 0.7
    rows = Patterns.of(X, w, IDENTITY)
    base: Any = Observed(rows, IDENTITY) if holes else Complete(mg.Moments.of(X, w, frame=IDENTITY))
    n_loadings = structure.sized(D).n_loadings
    penalty = Penalty(5.0, 5.0 * T, Q, c, np.full(D, ridge * bool(n_loadings)))
    exact_T, exact_Q = exact(5.0 * T), exact(Q)

    def terms(x):
        L, away, loadings = root(S(x[D:])), x[:D] - exact(c), x[D : D + n_loadings]
        W = inverse_lower(L)
        of_S = 10 * log_diagonal(L).sum() + (W @ exact_T * W).sum()
        return (of_S + away @ exact_Q @ away + exact(ridge) * (loadings @ loadings)) / 2

    model = Model(Rows(X, w), lambda beta: beta, S, D, terms)
    x = np.concatenate([rng.standard_normal(D), theta])
    assert_right(Objective(Penalised(base, penalty), structure.sized(D), FreeMean()), model, x, rng)
