"""Laws of the information, of standard errors and of the tests that are made of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import chi2

import mvngrad as mg
from cases import CASES, orthogonal
from holes import NAN, holed
from mvngrad.fitting.grounds import estimate_of
from mvngrad.fitting.standard_errors import pushed_errors
from mvngrad.inference.complete_errors import CompleteErrors
from mvngrad.models import data
from naive import Model, inverse

# Five columns where three tell little; and not what creeps along its gauge.
CREEPS = ("Sum-of-three", "RandomEffects-wide")
SMALL = [
    case
    for case in CASES
    if case.d == (5 if case.name.startswith(("FactorAnalytic", "Sum")) else 3)
    and case.condition == 1.0
    and case.name not in CREEPS
]


@pytest.fixture(autouse=True)
def _no_notes():
    """Of MCAR for the expected information, and of models that have more parameters than tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)
        warnings.simplefilter("ignore", mg.NotIdentifiedWarning)
        yield


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((80, 3)) @ rng.standard_normal((3, 3)) + [1.0, -2.0, 5.0]


def close(a, b, rtol=1e-9):
    """Equal where numbers, and NaN in the same places; zeros to within rounding of the rest."""
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.nanmax(np.abs(b)))


def same_errors(one, two, rtol=1e-9):
    for name in ("mean", "covariance", "deviations", "correlation", "factor"):
        close(getattr(one, name), getattr(two, name), rtol)


# Second derivatives


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_the_information_is_the_second_derivative(case, share, rng):
    X, w = case.rows(80, rng) + np.arange(case.d), rng.uniform(0.5, 2.0, 80)
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X, case.structure, weights=w, tol=1e-15)
    x, model = np.concatenate([fit.mean, fit.params]), Model(X, fit.structure, weights=w)
    H = model.information(x)
    free = ~np.append(np.zeros(case.d, bool), estimate_of(fit).held)
    units = np.sqrt(np.maximum(np.abs(np.diag(H)), 1e-3 * np.diag(H).max()))
    gap = ((fit.information().matrix - H) / np.outer(units, units))[np.ix_(free, free)]
    if not model.stands_still(x):  # else only what S tells of it is one matrix
        assert np.abs(gap).max() < 1e-5
    V = np.zeros_like(H)
    V[np.ix_(free, free)] = inverse(H[np.ix_(free, free)])
    close(fit.standard_errors().covariance, model.errors(x, V), 1e-5)
    close(fit.standard_errors().mean, np.sqrt(np.diag(V)[: case.d]), 1e-5)
    s = model.scores(x)
    B = V @ (s.T * w) @ s @ V
    close(fit.standard_errors("sandwich").covariance, model.errors(x, B), 1e-5)


@pytest.mark.parametrize("share", [0.0, 0.25])
@pytest.mark.parametrize("design", ["common", "per column", "by entries"])
def test_coefficients_of_a_linear_mean(design, share, rng):
    n, d = 70, 3
    Z = np.column_stack([np.ones(n), rng.standard_normal((n, 2))])
    given, T = {
        "common": (Z[:, :2], np.einsum("jk,np->njpk", np.eye(d), Z[:, :2]).reshape(n, d, -1)),
        "per column": ([Z, Z[:, :1], Z[:, :2]], _per_column([Z, Z[:, :1], Z[:, :2]])),
        "by entries": (by := rng.standard_normal((n, d, 2)), by),
    }[design]
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + Z[:, 1:2]
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X, "full", mg.Linear(given), tol=1e-17)
    beta = np.concatenate([np.ravel(b) for b in fit.coefficients])
    model, x = Model(X, fit.structure, T), np.concatenate([beta, fit.params])
    V = np.linalg.inv(model.information(x))
    close(fit.cov_params(), V, 1e-6)
    found = fit.standard_errors().coefficients
    close(np.concatenate([np.ravel(b) for b in found]), np.sqrt(np.diag(V)[: len(beta)]), 1e-6)
    assert np.abs(fit.score_contributions().sum(axis=0)).max() < 1e-5
    close(fit.score_contributions(), model.scores(x), 1e-9)


def _per_column(designs):
    n, sizes = len(designs[0]), [Z.shape[1] for Z in designs]
    T = np.zeros((n, len(designs), sum(sizes)))
    for j, (Z, end) in enumerate(zip(designs, np.cumsum(sizes), strict=True)):
        T[:, j, end - Z.shape[1] : end] = Z
    return T


def test_a_prior_adds_its_own_second_derivatives(X):
    kappa, target = 9.0, np.diag([1.0, 2.0, 3.0])
    fit = mg.fit(X, prior=mg.InverseWishart(kappa, target=target))
    S, N = fit.covariance, len(X) + kappa
    close(fit.standard_errors().mean, np.sqrt(np.diag(S) / len(X)))
    close(fit.standard_errors().covariance, np.sqrt((np.outer(*[np.diag(S)] * 2) + S**2) / N))


@pytest.mark.parametrize("kind", ["observed", "expected"])
def test_many_columns_go_by_products(kind, rng, monkeypatch):
    X = holed(rng, 200, 5, 0.3, patterns=12)
    for model in ("full", "compound-symmetry"):
        fit = mg.fit(X, model)
        whole = fit.standard_errors(kind)
        whole.mean, whole.covariance  # noqa: B018 - worked out when asked for
        with monkeypatch.context() as patch:
            patch.setattr(data, "MOST_WHOLE", 0)
            close(fit.standard_errors(kind).covariance, whole.covariance, 1e-10)
            close(fit.standard_errors(kind).mean, whole.mean, 1e-10)


# Weights, clusters and invariance


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["observed", "expected", "sandwich"])
@pytest.mark.parametrize("model", ["full", "ar1", mg.FactorAnalytic(pattern=np.full((3, 1), NAN))])
def test_frequencies_are_repetitions(model, kind, share, rng):
    X = rng.standard_normal((60, 1)) + 0.8 * rng.standard_normal((60, 3))
    X[rng.random(X.shape) < share] = NAN
    w = rng.integers(1, 4, 60)
    weighted = mg.fit(X, model, weights=w, tol=1e-18).standard_errors(kind)
    repeated = mg.fit(np.repeat(X, w, axis=0), model, tol=1e-18).standard_errors(kind)
    same_errors(weighted, repeated, 1e-6)


def test_sampling_weights_are_squared(X, rng):
    w = rng.uniform(0.2, 3.0, len(X))
    fit = mg.fit(X, weights=w, weights_kind="sampling")
    s, H = fit.score_contributions(), fit.information().matrix
    V = np.linalg.solve(H, np.linalg.solve(H, (s.T * w**2) @ s).T)
    close(fit.cov_params(), V)
    close(fit.cov_params(clusters=np.arange(len(X))), V)
    scaled = mg.fit(X, weights=10.0 * w, weights_kind="sampling")
    close(scaled.cov_params(), V)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_clusters(share, X, rng):
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X, tol=1e-18)
    plain = fit.standard_errors("sandwich")
    labels = [f"row {i}" for i in range(len(X))]
    same_errors(fit.standard_errors("sandwich", clusters=labels), plain)
    twice = mg.fit(np.vstack([X, X]), tol=1e-18)  # a row and its copy are one
    both = twice.standard_errors("sandwich", clusters=2 * labels)
    same_errors(both, plain, 1e-6)
    s, g = fit.score_contributions(), rng.integers(0, 9, len(X))
    t = np.array([s[g == k].sum(axis=0) for k in range(9)])
    V = np.linalg.solve(fit.information().matrix, t.T)
    close(fit.cov_params("sandwich", clusters=g), V @ V.T)


def test_clusters_are_of_the_rows_given_or_of_those_kept(X, rng):
    X[[3, 17], [0, 2]] = NAN
    labels = np.array(["a", "b", "c", "d", "e"])[rng.integers(0, 5, len(X))]
    fit, there = mg.fit(X, missing="drop"), ~np.isnan(X).any(axis=1)
    one, other = (fit.standard_errors(clusters=which) for which in (labels, labels[there]))
    assert one.kind == "sandwich"  # the one kind that clusters are for
    same_errors(one, other)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_sandwich_of_normal_rows_tends_to_the_information(share, rng):
    X = rng.standard_normal((40_000, 3)) @ rng.standard_normal((3, 3))
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X)
    for name in ("mean", "covariance", "correlation"):
        one, other = (getattr(fit.standard_errors(kind), name) for kind in ("observed", "sandwich"))
        np.testing.assert_allclose(one, other, rtol=0.05)


@pytest.mark.parametrize("model", ["full", mg.FactorAnalytic(1)])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_units_are_units(model, share, rng):
    X = rng.standard_normal((90, 1)) + 0.7 * rng.standard_normal((90, 4))
    X[rng.random(X.shape) < share] = NAN
    units = 2.0 ** np.array([-20, 3, 0, 30])
    plain, scaled = (mg.fit(Y, model, tol=1e-18) for Y in (X, X * units))
    for kind in ("observed", "expected", "sandwich"):
        one, other = plain.standard_errors(kind), scaled.standard_errors(kind)
        tight = 1e-11 if model == "full" else 1e-6
        np.testing.assert_allclose(other.mean, one.mean * units, rtol=tight)
        np.testing.assert_allclose(
            other.covariance, one.covariance * np.outer(units, units), rtol=tight
        )
        np.testing.assert_allclose(other.correlation, one.correlation, rtol=tight, atol=1e-13)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_an_order_of_columns_is_an_order(share, X, rng):
    X[rng.random(X.shape) < share] = NAN
    order = np.array([2, 0, 1])
    one, other = (mg.fit(Y, tol=1e-18).standard_errors() for Y in (X, X[:, order]))
    close(other.mean, one.mean[order])
    close(other.covariance, one.covariance[np.ix_(order, order)])
    close(other.correlation, one.correlation[np.ix_(order, order)])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_rotations_change_nothing_that_is_told(share, X, rng):
    X[rng.random(X.shape) < share] = NAN
    whole = mg.fit(X, tol=1e-18).standard_errors()
    for width in (3, 5):
        start = np.eye(3, width) @ orthogonal(width, rng)
        fit = mg.fit(X, mg.Factor(width), start=start, tol=1e-18)
        turned = fit.standard_errors()
        close(turned.covariance, whole.covariance, 1e-6)
        close(turned.mean, whole.mean, 1e-6)
        assert turned.factor.shape == fit.factor.shape
        assert np.isnan(turned.factor).all()


# Reductions and closed forms


def test_complete_saturated_data_expect_what_they_observe(X):
    fit = mg.fit(X)
    same_errors(fit.standard_errors("observed"), fit.standard_errors("expected"))
    S = fit.covariance
    R, n = fit.correlation, len(X)
    close(fit.standard_errors().correlation, (1.0 - R**2) / np.sqrt(n))
    close(fit.standard_errors().deviations, np.sqrt(np.diag(S) / (2 * n)))


@pytest.mark.parametrize("model", ["full", "diagonal", "toeplitz"])
@pytest.mark.parametrize("kind", ["observed", "expected", "sandwich"])
def test_with_next_to_nothing_missing_holes_change_nothing(kind, model, X):
    w = np.append(np.ones(len(X)), 1e-13)
    holes = np.vstack([X, [NAN, 3.0, 1.0]])
    one = mg.fit(X, model, tol=1e-20).standard_errors(kind)
    same_errors(mg.fit(holes, model, weights=w, tol=1e-20).standard_errors(kind), one, 1e-7)


def test_the_mean_and_variance_of_a_column_that_ends_early(rng):
    """Regression of y on x where both are seen, and moments of all x. (Anderson 1957)"""
    n, m = 120, 70
    x = rng.standard_normal(n)
    y = 2.0 + 1.5 * x + rng.standard_normal(n)
    y[m:] = NAN
    fit, a = mg.fit(np.column_stack([x, y]), tol=1e-20), x[:m]
    s11, seen = x.var(), a.var()
    b = np.cov(a, y[:m], ddof=0)[0, 1] / seen
    rest = (y[:m] - y[:m].mean() - b * (a - a.mean())).var()
    mean = rest * (1.0 / m + (a.mean() - x.mean()) ** 2 / (m * seen)) + b**2 * s11 / n
    variance = 2 * rest**2 / m + (2 * b * s11) ** 2 * rest / (m * seen) + b**4 * 2 * s11**2 / n
    covariance = s11**2 * rest / (m * seen) + b**2 * 2 * s11**2 / n
    errors = fit.standard_errors()
    close(errors.mean, np.sqrt([s11 / n, mean]))
    close(
        errors.covariance**2,
        [[2 * s11**2 / n, covariance], [covariance, variance]],
    )


def test_the_sum_of_two_structures(rng):
    X = rng.standard_normal((80, 1)) + rng.standard_normal((80, 3))
    level = mg.RandomEffects(np.ones((3, 1)), mg.Diagonal())
    summed, plain = mg.fit(X, level + mg.Spherical(), tol=1e-18), mg.fit(X, "compound-symmetry")
    close(summed.covariance, plain.covariance, 1e-6)
    for kind in ("observed", "expected", "sandwich"):
        one, other = summed.standard_errors(kind), plain.standard_errors(kind)
        close(one.covariance, other.covariance, 1e-5)
        close(one.mean, other.mean, 1e-6)


def test_one_factor_of_three_columns_is_any_covariance_of_theirs(rng):
    """λ₁² = s₁₂s₁₃/s₂₃, and so on: the errors are those of the delta method in the full model."""
    X = rng.standard_normal((300, 1)) + rng.standard_normal((300, 3)) * [0.6, 0.8, 1.0]
    X[rng.random(X.shape) < 0.1] = NAN
    full, factor = mg.fit(X, tol=1e-18), mg.fit(X, mg.FactorAnalytic(1), tol=1e-18)

    def common(S):
        a, b, c = S[0, 1], S[0, 2], S[1, 2]
        return np.array([a * b / c, a * c / b, b * c / a])

    for kind in ("observed", "sandwich"):
        errors = factor.standard_errors(kind)
        for error, f in (
            (errors.factor[:, 0], lambda mean, S: np.sqrt(common(S))),  # noqa: ARG005
            (errors.noise, lambda mean, S: np.diag(S) - common(S)),  # noqa: ARG005
            (errors.communalities, lambda mean, S: common(S) / np.diag(S)),  # noqa: ARG005
        ):
            close(error, full.delta(f, kind).error, 1e-6)


# What is not told


def test_at_the_edge_of_lower_rank_errors_are_those_of_that_rank():
    """Covariances of random effects that would not be definite: S = Zl(Zl)ᵀ + σ²I."""
    n, Z = 200, np.vander(np.linspace(0.0, 1.0, 5), 2)
    S = np.eye(5) + Z @ [[-0.15, 0.3], [0.3, 1.0]] @ Z.T
    data = mg.Moments.from_covariance(S, n)
    fit = mg.fit(data, mg.RandomEffects(Z) + mg.Spherical(), tol=1e-18)
    sigma = np.linalg.eigvalsh(fit.covariance)[0]
    effect = np.linalg.lstsq(Z, fit.covariance - sigma * np.eye(5))[0]
    U, s, _ = np.linalg.svd(effect @ np.linalg.pinv(Z).T)
    assert s[1] < 1e-6 * s[0]  # of rank one
    x = np.append(U[:, 0] * np.sqrt(s[0]), sigma)

    def cov(x):
        return np.outer(Z @ x[:2], Z @ x[:2]) + x[2] * np.eye(5)

    def gradient(x):
        P = np.linalg.inv(cov(x))
        G = 0.5 * n * (P - P @ S @ P)
        return np.append(2.0 * Z.T @ G @ Z @ x[:2], np.trace(G))

    t = 1e-4 * np.eye(3)
    H = np.array([(gradient(x + u) - gradient(x - u)) / 2e-4 for u in t])
    A = np.array([(cov(x + u) - cov(x - u)) / 2e-4 for u in t])
    expected = np.sqrt(np.einsum("aij,ab,bij->ij", A, np.linalg.inv(H), A))
    close(fit.standard_errors().covariance, expected, 1e-5)


def test_columns_that_are_never_seen_together(rng):
    X = rng.standard_normal((90, 4)) @ rng.standard_normal((4, 4))
    X[:40, 0], X[40:, 2] = NAN, NAN
    fit = mg.fit(X)
    for kind in ("observed", "sandwich"):
        errors = fit.standard_errors(kind)
        lost = np.zeros((4, 4), bool)
        lost[0, 2] = lost[2, 0] = True
        np.testing.assert_array_equal(np.isnan(errors.covariance), lost)
        np.testing.assert_array_equal(np.isnan(errors.correlation), lost)
        assert np.isfinite(errors.mean).all()
        assert np.isnan(fit.delta(lambda mean, S: S[0, 2], kind).error)  # noqa: ARG005
        assert np.isfinite(fit.delta(lambda mean, S: S[0, 1], kind).error)  # noqa: ARG005
    assert fit.information().size - fit.information().rank == 1


def test_a_noise_at_zero_has_no_error_and_is_named():
    Lambda = np.array([[1.0], [0.9], [0.5], [0.4]])
    S = Lambda @ Lambda.T + np.diag([-0.05, 0.4, 0.6, 0.7])
    fit = mg.fit(mg.Moments.from_covariance(S, 300), mg.FactorAnalytic(1))
    errors = fit.standard_errors()
    assert fit.heywood == errors.boundary == ("x1",)
    np.testing.assert_array_equal(np.isnan(errors.noise), [True, False, False, False])
    np.testing.assert_array_equal(np.isnan(errors.communalities), [True, False, False, False])
    assert np.isfinite(errors.factor).all()
    assert np.isfinite(errors.covariance).all()


def test_what_is_fixed_has_error_zero(rng):
    f = rng.standard_normal((200, 1))
    X = np.hstack([f, 0.8 * f, 0.6 * f]) + 0.5 * rng.standard_normal((200, 3))
    marker = mg.FactorAnalytic(pattern=[[1.0], [NAN], [NAN]], scale="marker")
    errors = mg.fit(X, marker).standard_errors()
    assert errors.factor[0, 0] == 0.0
    assert (errors.factor[1:] > 0.0).all()
    known = mg.fit(X, "full", np.zeros(3))
    np.testing.assert_array_equal(known.standard_errors().mean, np.zeros(3))
    close(known.standard_errors().covariance[0, 0], known.covariance[0, 0] * np.sqrt(2 / 200))
    nothing = mg.fit(X, mg.Known(np.eye(3))).standard_errors()
    np.testing.assert_array_equal(nothing.covariance, np.zeros((3, 3)))
    pattern = mg.FactorAnalytic(pattern=[[NAN], [NAN], [0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = mg.fit(X, pattern).standard_errors()
    np.testing.assert_array_equal(errors.factor[2], 0.0)


@pytest.mark.parametrize("covariance", ["factor:0", mg.PPCA(0)])
def test_without_factors_they_are_those_of_variances(covariance, X):
    structure = "diagonal" if covariance == "factor:0" else "spherical"
    found, plain = (mg.fit(X, each).standard_errors() for each in (covariance, structure))
    close(found.noise, np.diagonal(plain.covariance))
    assert found.factor.shape == (3, 0)


def test_many_columns_about_a_known_mean(rng):
    """K = I at the maximum, wherever the mean is; then a mean beside it does not matter."""
    fit = mg.fit(rng.standard_normal((60, 23)) + 0.5, mean=np.zeros(23))
    closed, pushed = fit.standard_errors(), pushed_errors(fit, None, None)
    assert isinstance(closed, CompleteErrors)
    same_errors(closed, pushed, 1e-9)


@pytest.mark.filterwarnings("ignore::mvngrad.ConvergenceWarning")
def test_a_fit_that_has_not_converged_has_no_errors(rng):
    X = holed(rng, 100, 3, 0.3)
    fit = mg.fit(X, max_iter=1)
    with pytest.warns(mg.ConvergenceWarning, match="those of a maximum, and NaN of this fit"):
        fit.standard_errors()
    for kind in ("observed", "expected", "sandwich"):
        errors = fit.standard_errors(kind)
        assert np.isnan(errors.mean).all()
        assert np.isnan(errors.covariance).all()
        assert np.isnan(fit.cov_params(kind)).all()
    assert np.isnan(fit.delta("deviations").error).all()
    with pytest.raises(mg.DataError, match="NaN"):
        fit.wald_test(lambda mean, S: mean)  # noqa: ARG005
    known = mg.fit(X, "full", np.nanmean(X, axis=0), max_iter=1)  # what is known stays so
    np.testing.assert_array_equal(known.standard_errors().mean, np.zeros(3))


# The delta method, and tests


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["observed", "expected", "sandwich"])
def test_the_delta_method_of_what_has_an_error_of_its_own(kind, share, X, rng):
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X)
    errors = fit.standard_errors(kind)
    for f, error in (
        (lambda mean, S: mean, errors.mean),  # noqa: ARG005
        (lambda mean, S: S, errors.covariance),  # noqa: ARG005
        (lambda mean, S: np.linalg.cholesky(S), errors.factor),  # noqa: ARG005
        ("deviations", errors.deviations),
        ("correlations", errors.correlation),
    ):
        np.testing.assert_allclose(fit.delta(f, kind).error, error, rtol=1e-8, atol=1e-10)


def test_the_delta_method_of_eigenvalues_and_partial_correlations(X):
    fit, n = mg.fit(X), len(X)
    values = fit.delta("eigenvalues")
    close(values.value, np.linalg.eigvalsh(fit.covariance)[::-1])
    close(values.error, values.value * np.sqrt(2 / n), 1e-8)  # (Girshick 1939)
    partial = fit.delta("partial correlations")
    close(partial.error, (1 - partial.value**2) / np.sqrt(n), 1e-8)


def test_wald_tests_of_means(X):
    fit, n = mg.fit(X), len(X)
    test = fit.wald_test(lambda mean, S: mean)  # noqa: ARG005
    statistic = n * fit.mean @ np.linalg.solve(fit.covariance, fit.mean)
    close([test.statistic, test.df], [statistic, 3])
    C, c = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]), np.array([2.0, -6.0])
    gap = C @ fit.mean - c
    statistic = n * gap @ np.linalg.solve(C @ fit.covariance @ C.T, gap)
    test = fit.wald_test(lambda mean, S: C @ mean, c)  # noqa: ARG005
    close([test.statistic, test.df, test.pvalue], [statistic, 2, chi2.sf(statistic, 2)], 1e-8)
    with pytest.raises(mg.DataError, match="cannot have the values"):  # x = 1 and x = 2
        fit.wald_test(lambda mean, S: np.array([mean[0], mean[0]]), [1.0, 2.0])  # noqa: ARG005
    known = mg.fit(X, mean=np.zeros(3))
    with pytest.raises(mg.DataError, match="is 0 whatever the"):
        known.wald_test(lambda mean, S: mean, 5.0)  # noqa: ARG005
    again = np.vstack([C, C.sum(axis=0)])  # what follows from the others adds nothing
    test = fit.wald_test(lambda mean, S: again @ mean, [*c, c.sum()])  # noqa: ARG005
    close([test.statistic, test.df], [statistic, 2], 1e-8)


def test_score_tests(X):
    n, fit = len(X), mg.fit(X, "diagonal")
    test = fit.score_test()
    statistic = n * (np.corrcoef(X.T)[np.tril_indices(3, -1)] ** 2).sum()
    close([test.statistic, test.df, test.pvalue], [statistic, 3, chi2.sf(statistic, 3)])
    known = mg.fit(X, "full", np.zeros(3))  # of the mean: n mᵀS₀⁻¹m, S₀ about the known mean
    m = X.mean(axis=0)
    test = known.score_test(mean="free")
    close([test.statistic, test.df], [n * m @ np.linalg.solve(X.T @ X / n, m), 3])
    spherical = mg.fit(X, "spherical").score_test("diagonal")
    squares = X.var(axis=0) / X.var(axis=0).mean()
    close([spherical.statistic, spherical.df], [0.5 * n * ((squares - 1) ** 2).sum(), 2])


@pytest.mark.parametrize("kind", ["expected", "observed"])
def test_what_the_data_do_not_tell_is_no_degree_of_freedom(kind, rng):
    X = rng.standard_normal((300, 3))
    X[:150, 0] = X[150:, 1] = NAN
    null, full = mg.fit(X, "diagonal"), mg.fit(X)
    assert null.score_test(kind=kind).df == mg.compare(null, full).df == 2


def test_score_wald_and_likelihood_ratio_tests_agree_near_the_null(rng):
    X = rng.standard_normal((20_000, 3))
    X[rng.random(X.shape) < 0.2] = NAN
    null, full = mg.fit(X, "diagonal"), mg.fit(X)
    ratio = 2.0 * (full.loglik - null.loglik)
    wald = full.wald_test(lambda mean, S: S[np.tril_indices(3, -1)])  # noqa: ARG005
    for kind in ("expected", "observed"):
        assert null.score_test(kind=kind).statistic == pytest.approx(ratio, rel=0.05)
    assert wald.statistic == pytest.approx(ratio, rel=0.05)


def test_a_loading_that_cannot_move_has_no_error():
    """A column without noise is a factor itself, in principal form: the other loading stays 0."""
    rng = np.random.default_rng(0)
    loadings = np.array([[1.0, 0.8, 0.7, 0.1, 0.2], [0.0, 0.1, 0.2, 0.9, 0.8]])
    X = rng.standard_normal((200, 2)) @ loadings
    X[:, 1:] += 0.5 * rng.standard_normal((200, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.DataWarning)  # a Heywood case
        fit = mg.fit(X, mg.FactorAnalytic(2))
    assert fit.heywood == ("x1",)
    errors = fit.standard_errors().factor
    assert errors[0, 1] == 0.0
    assert (errors.ravel()[[0, *range(2, 10)]] > 0.03).all()


def test_errors_and_intervals_show_what_they_have(rng):
    fit = mg.fit(rng.standard_normal((60, 3)))
    assert repr(fit.standard_errors()).startswith("<StandardErrors, observed: mean [0.1")
    assert ".covariance .deviations .correlation .factor>" in repr(fit.standard_errors())
    assert repr(fit.conf_int(0.9)).startswith("<Intervals, wald, level 0.9: mean [[")
