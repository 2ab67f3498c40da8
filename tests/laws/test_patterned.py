"""Patterned covariances and their algebra: second derivatives, reductions, fits that agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz

import mvngrad as mg
from cases import CASES, Case, effects, known
from holes import holed
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance, IdentityCovariance
from mvngrad.fitting.methods import DRIVERS, EM
from mvngrad.models.structure import PULL_STEP, Structure

close = np.testing.assert_allclose
D = 4
Z = effects(D)
SECOND = [
    case
    for case in CASES
    if case.d in {1, 3, 5} and case.condition <= 1e4 and case.structure.size > 0
]


def some_theta(structure: Structure, rng: np.random.Generator) -> np.ndarray:
    near = structure.start(2.0 * np.eye(structure.columns))
    return near + 0.3 * rng.standard_normal(len(near))


# The structure's own second derivative


@pytest.mark.parametrize("of", ["G as it is", "G with a root of its own"])
@pytest.mark.parametrize("case", SECOND, ids=str)
def test_pull_tangent_is_the_change_of_pull(case: Case, of, rng):
    """Central differences of ``pull`` with G held; their error is h², seen against its size."""
    M = rng.standard_normal((case.d, case.d))
    root = np.tril(M) / 3.0 + np.eye(case.d)
    score = Score(M + M.T, IdentityCovariance() if "as" in of else DenseCovariance(root))
    v = rng.standard_normal(len(case.theta))
    v /= np.abs(v).max()
    found = case.structure.pull_tangent(case.theta, score, v)
    expected = Structure.pull_tangent(case.structure, case.theta, score, v)
    size = np.abs(case.structure.pull(case.theta, score)).max() + np.abs(expected).max()
    close(found, expected, atol=1e3 * (PULL_STEP**2 + 1e-16 / PULL_STEP) * size)


@pytest.mark.parametrize("case", SECOND, ids=str)
def test_pull_tangent_is_symmetric(case: Case, rng):
    """⟨u, D²S[v]⟩ = ⟨v, D²S[u]⟩ for any G: it is a second derivative."""
    M = rng.standard_normal((case.d, case.d))
    score = Score(M + M.T, IdentityCovariance())
    u, v = rng.standard_normal((2, len(case.theta)))
    left = u * case.structure.pull_tangent(case.theta, score, v)
    right = v * case.structure.pull_tangent(case.theta, score, u)
    size = np.abs(left).sum() + np.abs(right).sum()
    assert abs(left.sum() - right.sum()) <= 1e-13 * case.condition * (size + 1e-300)


# What they are


def test_compound_symmetry_is_one_variance_and_one_correlation(rng):
    S = mg.CompoundSymmetry().sized(D).cov(rng.standard_normal(2))
    close(np.diagonal(S), S[0, 0])
    close(S[~np.eye(D, dtype=bool)], S[0, 1])
    for ratio, rho in ((1e12, 1.0), (1e-12, -1.0 / (D - 1))):
        S = mg.CompoundSymmetry().sized(D).cov(np.log([ratio, 1.0]))
        assert S[0, 1] / S[0, 0] == pytest.approx(rho, abs=1e-9)


@pytest.mark.parametrize("theta", [0.4, -2.0, 6.0])
def test_ar1_is_a_power_of_one_correlation(theta):
    S = mg.AR1().sized(D).cov(np.array([0.7, theta]))
    lag = np.abs(np.subtract.outer(np.arange(D), np.arange(D)))
    close(S, np.exp(0.7) * np.tanh(theta) ** lag, rtol=1e-13)


def test_toeplitz_has_the_partial_autocorrelations_it_says(rng):
    """φₖ is the last coefficient of the best prediction from k columns, by Yule and Walker."""
    theta = 0.5 * rng.standard_normal(6)
    S = mg.Toeplitz().sized(6).cov(theta)
    for k in range(6):
        close(np.diagonal(S, k), S[0, k], rtol=1e-12)
    for k in range(1, 6):
        assert solve_toeplitz(S[0, :k], S[0, 1 : k + 1])[-1] == pytest.approx(np.tanh(theta[k]))


@pytest.mark.parametrize("width", [0, 1, 3])
def test_a_band_is_zero_beyond(width, rng):
    family = mg.Banded(width).sized(5)
    lag = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    S = family.cov(some_theta(family, rng))
    assert not S[lag > width].any()
    assert S[lag <= width].all()
    precision = mg.Precision(mg.Banded(width)).sized(5)
    P = np.linalg.inv(precision.cov(some_theta(precision, rng)))
    assert np.abs(P[lag > width]).max() <= 1e-12 * np.abs(P).max()


def test_kronecker_s_columns_are_pairs(rng):
    family = mg.Kronecker(mg.Cholesky().sized(2), mg.Cholesky().sized(3)).sized(6)
    theta = rng.standard_normal(9)
    S_a, S_b = (p.cov(t) for p, t in zip(family.parts, np.split(theta, [3]), strict=True))
    S = family.cov(theta).reshape(2, 3, 2, 3)
    close(S, S_a[:, None, :, None] * S_b[None, :, None, :], rtol=1e-13)


@pytest.mark.parametrize(
    "structure",
    [
        mg.CompoundSymmetry(),
        mg.AR1(),
        mg.Toeplitz(),
        mg.Banded(1),
        mg.Masked(np.tril(np.ones((5, 5)), -3) + np.eye(5)),
        mg.Heterogeneous(mg.Toeplitz()),
        mg.Precision(mg.Banded(2)),
        mg.RandomEffects(np.eye(5) + 0.3, mg.Cholesky()),
        mg.BlockDiagonal(mg.Cholesky().sized(2), mg.AR1()),
        mg.Scaled(mg.Known(known(5))),
        0.5 * mg.AR1(),
    ],
    ids=str,
)
def test_of_a_member_the_start_is_itself(structure, rng):
    family = structure.sized(5)
    theta = some_theta(family, rng)
    close(family.start(family.cov(theta)), theta, rtol=1e-9, atol=1e-9)
    close(family.start_at(family.factor(theta)), theta, rtol=1e-9, atol=1e-9)


def test_kronecker_s_start_finds_a_member(rng):
    family = mg.Kronecker(mg.AR1().sized(2), mg.Cholesky()).sized(6)
    S = family.cov(some_theta(family, rng))
    close(family.cov(family.start(S)), S, rtol=1e-9, atol=1e-9)


# One is a special case of another


@pytest.fixture(name="X")
def rows(rng):
    S = Z @ [[1.0, 0.2], [0.2, 0.6]] @ Z.T + 0.5 * np.eye(D)
    return rng.standard_normal((120, D)) @ np.linalg.cholesky(S).T + np.arange(D)


SAME = {
    "Banded(0) is Diagonal": (mg.Banded(0), "diagonal"),
    "Banded(d−1) is Cholesky": (mg.Banded(D - 1), "full"),
    "a full triangle is Cholesky": (mg.Masked(np.tril(np.ones((D, D)))), "full"),
    "a full mask is Factor": (mg.Masked(np.ones((D, D))), "full"),
    "any precision is any covariance": (mg.Precision(), "full"),
    "a diagonal precision is Diagonal": (mg.Precision(mg.Diagonal()), "diagonal"),
    "a precision of a precision": (mg.Precision(mg.Precision(mg.AR1())), "ar1"),
    "scales about a sphere are Diagonal": (mg.Heterogeneous(mg.Spherical()), "diagonal"),
    "a known correlation of 0": (mg.Heterogeneous(mg.Scaled(mg.Known(np.eye(D)))), "diagonal"),
    "σ²I is Spherical": (mg.Scaled(mg.Known(np.eye(D))), "spherical"),
    "a multiple changes nothing": (3.0 * mg.Toeplitz(), "toeplitz"),
    "nor does a free one": (mg.Scaled(mg.Toeplitz()), "toeplitz"),
    "Kronecker with one column": (mg.Kronecker(mg.AR1(), mg.Spherical().sized(1)), "ar1"),
    "one column first": (mg.Kronecker(mg.Spherical().sized(1), mg.AR1()), "ar1"),
    "blocks of one column": (mg.BlockDiagonal(mg.Diagonal().sized(1), mg.Diagonal()), "diagonal"),
    "one block": (mg.BlockDiagonal(mg.Toeplitz()), "toeplitz"),
    "a sum of what it has": (mg.Diagonal() + mg.Spherical(), "diagonal"),
    "effects on every column": (mg.RandomEffects(np.eye(D)), "full"),
}


@pytest.mark.parametrize("name", SAME)
def test_reductions(X, name):
    structure, special = SAME[name]
    fit, expected = mg.fit(X, structure), mg.fit(X, special)
    assert fit.converged
    assert fit.nll == pytest.approx(expected.nll, abs=1e-6)
    close(fit.covariance, expected.covariance, atol=1e-3 * np.abs(expected.covariance).max())
    assert fit.n_params == expected.n_params


def test_with_two_columns_toeplitz_is_compound_symmetry_is_ar1(X):
    J = [mg.fit(X[:, :2], name).nll for name in ("toeplitz", "compound-symmetry", "ar1")]
    assert pytest.approx([J[0]] * 3, abs=1e-7) == J
    full = mg.fit(X[:, :2])
    for name in ("toeplitz", "compound-symmetry", "ar1"):
        fit = mg.fit(X[:, :2], f"heterogeneous-{name}")
        assert fit.nll == pytest.approx(full.nll, abs=1e-7)
        assert fit.n_params == full.n_params


def test_a_level_for_each_row_is_compound_symmetry(X):
    """b + e: a random intercept, whose correlation is positive here."""
    fit = mg.fit(X, mg.RandomEffects(np.ones((D, 1))) + mg.Spherical())
    expected = mg.fit(X, "compound-symmetry")
    assert fit.nll == pytest.approx(expected.nll, abs=1e-7)
    assert fit.n_params == expected.n_params


def test_the_markov_model_is_a_product_of_regressions(X):
    """With neighbours only, J is that of each column on the one before it."""
    fit = mg.fit(X, mg.Precision(mg.Banded(1)))
    n, R = len(X), X - X.mean(axis=0)
    J = 0.0
    for j in range(D):
        before = R[:, [j - 1]] if j else np.zeros((n, 1))
        left = R[:, j] - before @ np.linalg.lstsq(before, R[:, j], rcond=None)[0]
        J += 0.5 * n * (np.log(2 * np.pi * np.mean(left**2)) + 1.0)
    assert fit.nll == pytest.approx(J, abs=1e-7)


def test_blocks_are_fits_of_their_own(X):
    fit = mg.fit(X, mg.BlockDiagonal(mg.Cholesky().sized(2), mg.CompoundSymmetry()))
    parts = mg.fit(X[:, :2]), mg.fit(X[:, 2:], "compound-symmetry")
    assert fit.method == "closed-form"
    assert fit.nll == pytest.approx(sum(part.nll for part in parts), rel=1e-13)
    assert fit.n_params == sum(part.n_params for part in parts)


def test_the_closed_form_of_compound_symmetry_is_the_mean_of_the_entries(X):
    S, fit = np.cov(X.T, ddof=0), mg.fit(X, "compound-symmetry")
    close(np.diagonal(fit.covariance), np.trace(S) / D, rtol=1e-12)
    close(fit.covariance[np.triu_indices(D, 1)], S[np.triu_indices(D, 1)].mean(), rtol=1e-12)


def test_nested_structures_have_nested_likelihoods(X):
    for chain in (
        ["spherical", "compound-symmetry", "toeplitz", "heterogeneous-toeplitz", "full"],
        ["spherical", "ar1", "toeplitz"],
        ["ar1", "heterogeneous-ar1", mg.Precision(mg.Banded(1)), "full"],
        ["spherical", "diagonal", "banded:1", "banded:2", "banded:3"],
    ):
        J = [mg.fit(X, structure).nll for structure in chain]
        assert sorted(J, reverse=True) == J


@pytest.mark.parametrize("d", [2, 5])
def test_what_data_can_tell_apart(d):
    """n_params as counted by hand."""
    full = d * (d + 1) // 2
    expected = {
        mg.CompoundSymmetry(): 2,
        mg.AR1(): 2,
        mg.Toeplitz(): d,
        mg.Heterogeneous(mg.AR1()): d + 1,
        mg.Banded(1): 2 * d - 1,
        mg.Masked(np.ones((d, d + 1))): full,
        mg.Precision(): full,
        mg.Known(np.eye(d)): 0,
        mg.Scaled(mg.Known(np.eye(d))): 1,
        mg.Scaled(mg.AR1()): 2,
        mg.RandomEffects(np.ones((d, 1))) + mg.Spherical(): 2,
        mg.Diagonal() + mg.Spherical(): d,
        mg.Kronecker(mg.Cholesky().sized(d), mg.Cholesky().sized(2)): full + 3 - 1,
        mg.Kronecker(mg.Known(np.eye(2)), mg.AR1().sized(d)): 2,
        mg.BlockDiagonal(mg.AR1().sized(d), mg.AR1().sized(3)): 4,
    }
    for structure, count in expected.items():
        columns = 2 * d if isinstance(structure, mg.Kronecker) else d
        columns += 3 * isinstance(structure, mg.BlockDiagonal)
        assert structure.sized(columns).n_params == count, repr(structure)


# Fits


FITTED = [
    mg.CompoundSymmetry(),
    mg.AR1(),
    mg.Toeplitz(),
    mg.Heterogeneous(mg.AR1()),
    mg.Banded(1),
    mg.Masked(np.hstack([np.eye(D), np.ones((D, 1))])),
    mg.Precision(),
    mg.Precision(mg.Banded(1)),
    mg.Scaled(mg.Known(known(D))),
    mg.RandomEffects(Z) + mg.Spherical(),
    mg.AR1() + mg.Known(0.1 * np.eye(D)),
    mg.Kronecker(mg.AR1().sized(2), mg.Cholesky()),
    mg.BlockDiagonal(mg.Cholesky().sized(2), mg.Toeplitz()),
]
SLOW = {"gradient-descent", "momentum", "nesterov"}  # in thousands of steps, where not in tens
BY_METHOD = [
    (structure, method)
    for structure in FITTED
    for method in DRIVERS
    if method not in SLOW and (method not in EM or structure.sized(D).start_is_optimum)
]


@pytest.mark.parametrize(("structure", "method"), BY_METHOD, ids=str)
@pytest.mark.parametrize("holes", [False, True])
def test_every_method_reaches_the_same_summit(X, structure, method, holes, rng):
    if holes:
        X[rng.uniform(size=X.shape) < 0.2] = np.nan
    w = rng.exponential(size=len(X))
    fit, best = (mg.fit(X, structure, weights=w, method=m) for m in (method, "auto"))
    assert fit.converged
    assert fit.curvature > 0.0
    assert fit.nll == pytest.approx(best.nll, abs=1e-7 * fit.weight)
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor, weights=w), rel=1e-12)
    close(fit.covariance, fit.structure.cov(fit.params), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("structure", [s for s in FITTED if s.rescales], ids=str)
def test_units_change_nothing(X, structure, unit):
    fit, best = mg.fit(unit * X, structure), mg.fit(X, structure)
    assert fit.converged
    assert fit.nll - X.size * np.log(unit) == pytest.approx(best.nll, abs=1e-6)


@pytest.mark.parametrize("method", ["auto", "l-bfgs", "cg", "newton"])
@pytest.mark.parametrize("holes", [False, True])
def test_effects_without_variance_meet_no_edge(holes, method, rng):
    """Rows more alike than chance has them: D̂ is singular, and the fit is certified there."""
    X = rng.standard_normal((80, D))
    X -= 0.5 * X.mean(axis=1)[:, None]
    if holes:
        X[rng.uniform(size=X.shape) < 0.15] = np.nan
    fit = mg.fit(X, mg.RandomEffects(np.ones((D, 1))) + mg.Spherical(), method=method)
    assert fit.converged
    assert fit.nll == pytest.approx(mg.fit(X, "spherical").nll, abs=1e-7)


def test_parts_of_a_sum_are_found(rng):
    """x = Zb + e, of many rows: D and σ² themselves."""
    effect = rng.multivariate_normal([0.0, 0.0], [[2.0, 0.5], [0.5, 1.0]], 20_000)
    X = effect @ Z.T + 0.7 * rng.standard_normal((20_000, D))
    fit = mg.fit(X, mg.RandomEffects(Z) + mg.Spherical())
    effects_part, sphere = fit.structure.parts
    of_D, of_noise = fit.structure.split(fit.params)
    close(effects_part.inner.cov(of_D), [[2.0, 0.5], [0.5, 1.0]], atol=0.1)
    close(sphere.cov(of_noise), 0.49 * np.eye(D), atol=0.02)


def test_a_patterned_fit_imputes_and_reports_a_triangular_factor(rng):
    X = holed(rng, 60, 4, 0.2)
    for structure in ("compound-symmetry", mg.RandomEffects(Z) + mg.Spherical()):
        fit = mg.fit(X, structure)
        assert not np.triu(fit.factor, 1).any()
        assert (np.diagonal(fit.factor) > 0.0).all()
        filled = fit.impute(X)
        assert np.isfinite(filled).all()
        assert (filled[~np.isnan(X)] == X[~np.isnan(X)]).all()
