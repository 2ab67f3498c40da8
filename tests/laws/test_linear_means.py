"""Means that are linear in a design: the formula for residuals, and what it must reduce to."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from holes import NAN, factor
from mvngrad.core.design import Design, orthonormal
from mvngrad.core.expected import evaluate_observed
from mvngrad.core.frame import AffineFrame
from mvngrad.core.patterns import Patterns
from mvngrad.models.linear import Linear, predicted
from mvngrad.models.means import FreeMean

close = np.testing.assert_allclose
KINDS = ["shared", "per-column", "general"]
D = 3
ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.3, -0.4, 0.7]])


@pytest.fixture(name="Z")
def covariates(rng):
    n = 150
    return np.column_stack([np.ones(n), rng.normal(50.0, 3.0, n), rng.normal(size=n)])


def linear(kind, Z):
    if kind == "shared":
        return mg.Linear(Z)
    if kind == "per-column":
        return mg.Linear([Z[:, :2], Z[:, [0, 2]], Z])
    at = np.arange(float(D))
    return mg.Linear(np.stack([np.ones((len(Z), D)), Z[:, [1]] * at, Z[:, [2]] * at**2], axis=2))


@pytest.fixture(name="X")
def responses(rng, Z):
    B = rng.normal(size=(3, D)) * [[1.0], [0.02], [1.0]]
    X = Z @ B + rng.standard_normal((len(Z), D)) @ ROOT.T
    X[rng.random(X.shape) < 0.2] = NAN
    return X


def brute(X, mu, S, weights=None):
    """J row by row."""
    w = np.ones(len(X)) if weights is None else weights
    total = 0.0
    for x, m, wi in zip(X, mu, w, strict=True):
        o = ~np.isnan(x)
        if o.any():
            total += wi * mg.nll(x[None, o], m[o], np.linalg.cholesky(S[np.ix_(o, o)]))
    return total


def designed(X, Z, weights=None):
    """Rows in the units they have, with an orthonormal design."""
    plain = AffineFrame.identity(X.shape[1] + Z.shape[1])
    both = Patterns.of(np.hstack([X, Z]), weights, plain, merged=False)
    d, kept = X.shape[1], both.kept
    zeta, basis = orthonormal(kept.z[:, d:], kept.weights, both.weight)
    rows = Patterns(
        AffineFrame.identity(d),
        both.observed[:, :d],
        both.counts,
        both.starts,
        kept._replace(z=kept.z[:, :d]),
    )
    return Design(rows, zeta, basis)


@pytest.fixture(name="point")
def point_of(X, Z, rng):
    there = ~np.isnan(X).all(axis=1)
    w = rng.exponential(size=there.sum())
    design = designed(X[there], Z[there], w)
    return design, rng.normal(size=(D, 3)), factor(rng, D)


def test_the_value_is_that_of_residuals_about_zero(point):
    design, M, L = point
    kept = design.patterns.kept._replace(z=design.residuals(M))
    rows = Patterns(
        design.patterns.frame, design.patterns.observed, design.patterns.counts,
        design.patterns.starts, kept,
    )  # fmt: skip
    e, plain = design.evaluate(M, L), evaluate_observed(rows, np.zeros(D), L)
    assert e.nll == pytest.approx(plain.nll, rel=1e-13)
    close(e.score.core, plain.score.core, atol=1e-11)


def test_an_orthonormal_design_is_the_design(point, Z):
    design, _, _ = point
    w = design.patterns.kept.weights
    close((design.zeta.T * w) @ design.zeta / w.sum(), np.eye(3), atol=1e-12)
    rows = {tuple(z) for z in np.round(design.zeta @ design.basis, 9)}
    assert rows <= {tuple(z) for z in np.round(Z, 9)}


def test_gradient_and_curvature_have_taylor_slopes(point, rng):
    design, M, L = point
    V, A = rng.normal(size=M.shape), rng.normal(size=(D, D))
    dL = np.tril(A)

    def gradient(t):
        at = L + t * dL
        e = design.evaluate(M + t * V, at)
        of_mean = np.linalg.solve(at.T, e.mean)  # seen from outside: ∂J/∂M
        return e.nll, of_mean, 2.0 * np.linalg.solve(at.T, e.score.core)

    J, g_mean, g_root = gradient(0.0)
    slope = float((g_mean * V).sum() + (g_root * dL).sum())
    remainders = [abs(gradient(t)[0] - J - t * slope) for t in (1e-2, 1e-3)]
    assert np.log10(remainders[0] / remainders[1]) == pytest.approx(2.0, abs=0.1)

    whitened = np.linalg.solve(L, dL)
    E = whitened + whitened.T
    dg, _ = design.curvature(M, L)(np.linalg.solve(L, V), E)
    S_dot = dL @ L.T + L @ dL.T
    t = 1e-6
    plus, minus = (
        design.evaluate(M + s * V, np.linalg.cholesky(L @ L.T + s * S_dot)) for s in (t, -t)
    )
    roots = [np.linalg.cholesky(L @ L.T + s * S_dot) for s in (t, -t)]
    outside = [np.linalg.solve(r.T, e.mean) for r, e in zip(roots, (plus, minus), strict=True)]
    close(np.linalg.solve(L.T, dg), (outside[0] - outside[1]) / (2 * t), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_push_and_pull_are_adjoint(kind, Z, rng):
    given = linear(kind, Z)
    _, basis = orthonormal(given.joint(), np.ones(len(Z)), float(len(Z)))
    mean = given.structure(basis, D)
    frame = AffineFrame(rng.normal(size=(D, len(basis))), np.abs(np.linalg.cholesky(np.eye(D) + 1)))
    for structure in (mean, mean.in_frame(frame)):
        g = rng.normal(size=(D, len(basis)))
        v = rng.normal(size=len(structure.pull(g)))
        assert (structure.push(v) * g).sum() == pytest.approx(v @ structure.pull(g), rel=1e-12)


@pytest.mark.parametrize("holes", [True, False])
@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", mg.Factor()], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_fits_report_what_they_reached(kind, covariance, holes, X, Z, rng):
    X = X if holes else np.where(np.isnan(X), 0.3 * rng.normal(size=X.shape), X)
    given, w = linear(kind, Z), rng.exponential(size=len(X))
    fit = mg.fit(X, covariance, mean=given, weights=w)
    mu = predicted(given, fit.coefficients)
    assert fit.converged
    assert fit.nll == pytest.approx(brute(X, mu, fit.covariance, w), rel=1e-11)
    there = ~np.isnan(X).all(axis=1)
    close(fit.mean, np.average(mu[there], axis=0, weights=w[there]), rtol=1e-9)
    moved = fit.covariance * (1 + 1e-4 * np.eye(D))
    assert brute(X, mu + 1e-3, fit.covariance, w) > fit.nll
    assert brute(X, mu, moved, w) > fit.nll


@pytest.mark.parametrize("method", ["em", "accelerated-em", "newton", "l-bfgs", "natural-gradient"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_reaches_the_same_summit(kind, method, X, Z):
    given = linear(kind, Z)
    fit, best = mg.fit(X, mean=given, method=method), mg.fit(X, mean=given)
    assert fit.converged
    assert fit.nll == pytest.approx(best.nll, abs=1e-7)


def test_least_squares_is_best_whatever_the_covariance(X, Z, rng):
    X = np.where(np.isnan(X), rng.normal(size=X.shape), X)
    B = np.linalg.lstsq(Z, X)[0]
    for covariance in ("full", "diagonal", "spherical"):
        close(mg.fit(X, covariance, mean=mg.Linear(Z)).coefficients, B, rtol=1e-8)
    E = X - Z @ B
    close(mg.fit(X, mean=mg.Linear(Z)).covariance, E.T @ E / len(X), rtol=1e-11)


def test_an_intercept_alone_is_a_free_mean(X):
    plain, ones = mg.fit(X), mg.fit(X, mean=mg.Linear(np.ones((len(X), 1))))
    assert ones.nll == pytest.approx(plain.nll, abs=1e-9)
    assert ones.n_params == plain.n_params
    close(ones.coefficients[0], plain.mean, rtol=1e-7)
    close(ones.mean, plain.mean, rtol=1e-7)


def test_reductions_of_designs_to_one_another(X, Z):
    shared = mg.fit(X, mean=mg.Linear(Z))
    alike = mg.fit(X, mean=mg.Linear([Z] * D))
    assert alike.nll == pytest.approx(shared.nll, abs=1e-8)
    close(np.column_stack(alike.coefficients), shared.coefficients, rtol=1e-6, atol=1e-7)
    wide = np.zeros((len(Z), D, 3 * D))
    for j in range(D):
        wide[:, j, 3 * j : 3 * j + 3] = Z
    general = mg.fit(X, mean=mg.Linear(wide))
    assert general.nll == pytest.approx(shared.nll, abs=1e-8)
    assert general.n_params == alike.n_params == shared.n_params
    close(general.coefficients.reshape(D, 3).T, shared.coefficients, rtol=1e-6, atol=1e-7)


def test_the_joint_normal_says_the_same(X, Z):
    """With every covariance free, regression on complete columns is the joint fit, conditioned."""
    there = ~np.isnan(X).all(axis=1)  # a row with nothing but its design says nothing here
    both = mg.fit(np.hstack([X, Z[:, 1:]])[there])
    S, m = both.covariance, both.mean
    B = np.linalg.solve(S[D:, D:], S[D:, :D])
    fit = mg.fit(X, mean=mg.Linear(Z))
    close(fit.coefficients[1:], B, rtol=1e-5, atol=1e-7)
    close(fit.coefficients[0], m[:D] - m[D:] @ B, rtol=1e-5)
    close(fit.covariance, S[:D, :D] - S[:D, D:] @ B, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_repetitions(kind, X, Z, rng):
    w = rng.integers(0, 3, len(X))
    given = linear(kind, Z)
    weighted = mg.fit(X, mean=given, weights=w)
    again = np.repeat(np.arange(len(X)), w)
    repeated = mg.fit(X[again], mean=given.take(again))
    assert weighted.nll == pytest.approx(repeated.nll, abs=1e-7)
    assert weighted.n_params == repeated.n_params


def test_units_of_the_design_and_of_the_data(X, Z):
    scale, units = np.array([2.0, 1e-3, 40.0]), np.array([1e3, 1.0, 0.01])
    fit, other = mg.fit(X, mean=mg.Linear(Z)), mg.fit(X * units, mean=mg.Linear(Z * scale))
    close(other.coefficients, fit.coefficients * units / scale[:, None], rtol=1e-6, atol=1e-9)
    counts = (~np.isnan(X)).sum(axis=0)
    assert other.nll == pytest.approx(fit.nll + counts @ np.log(units), abs=1e-6)


def test_a_far_off_design_keeps_its_digits(rng):
    n = 400
    t = 1e6 + np.arange(n)
    Z = np.column_stack([np.ones(n), t])
    X = Z @ [[3.0, -1.0], [0.5, 0.25]] + rng.normal(size=(n, 2))
    close(mg.fit(X, mean=mg.Linear(Z)).predict(Z), Z @ np.linalg.lstsq(Z, X)[0], atol=1e-6)


def test_all_rows_of_a_pattern_are_merged_without_a_trace(rng):
    n = 2000
    Z = np.column_stack([np.ones(n), rng.normal(size=n)])
    X = Z @ rng.normal(size=(2, D)) + rng.normal(size=(n, D))
    X[: n // 2, 1] = NAN
    given = Linear(Z)
    fit = mg.fit(X, mean=given)
    assert fit.nll == pytest.approx(brute(X, fit.predict(Z), fit.covariance), rel=1e-12)


def test_structure_of_one_design_is_free():
    given = Linear(np.ones((5, 2)))
    assert isinstance(given.structure(np.eye(2), 3), FreeMean)


@pytest.mark.parametrize("kind", ["shared", "per column", "general"])
@pytest.mark.parametrize("design", ["tiny", "huge", "cubic"])
def test_coefficients_predict_what_the_covariance_is_about(kind: str, design: str) -> None:
    """mean (x − μ̂)² is the diagonal of Ŝ, whatever the units of the design's columns."""
    rng = np.random.default_rng(3)
    year = rng.uniform(1990.0, 2020.0, size=80)
    Z = {
        "tiny": np.column_stack([np.ones(80), 1e-10 * rng.normal(size=80)]),
        "huge": np.column_stack([np.ones(80), 1e10 * rng.normal(size=80)]),
        "cubic": np.column_stack([year**k for k in range(4)]),
    }[design]
    B = rng.normal(size=(Z.shape[1], 2)) / np.linalg.norm(Z, axis=0)[:, None] * 30.0
    X = Z @ B + rng.normal(size=(80, 2))
    linear = {
        "shared": mg.Linear(Z),
        "per column": mg.Linear([Z, Z[:, ::-1]]),
        "general": mg.Linear(np.stack([Z, 2.0 * Z], axis=1)),
    }[kind]
    fit = mg.fit(X, mean=linear)
    given = list(linear.designs) if kind == "per column" else linear.designs[0]
    error = ((X - fit.predict(given)) ** 2).mean(axis=0)
    assert error == pytest.approx(np.diagonal(fit.covariance), rel=1e-6)


@pytest.mark.filterwarnings("ignore:for some combination")
def test_a_raw_polynomial_of_what_a_column_has_is_determined() -> None:
    """Columns of the design that are nearly collinear where a response was seen, but not quite."""
    rng = np.random.default_rng(4)
    t = np.concatenate([1e-3 * np.arange(40) / 40, rng.uniform(0.0, 100.0, size=40)])
    Z, X = np.column_stack([np.ones(80), t]), rng.normal(size=(80, 2))
    X[40:, 1] = np.nan
    slope = mg.fit(X, mean=mg.Linear([Z, Z])).coefficients
    scaled = mg.fit(X, mean=mg.Linear([Z, Z * [1.0, 1e3]])).coefficients
    close(slope[1] / [1.0, 1e3], scaled[1], rtol=1e-5)
