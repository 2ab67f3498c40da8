"""Rows with holes: densities, marginals, conditionals, imputation and kl against their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from accuracy.truth import covariance, exact, mp
from cases import factor_of_condition
from mvngrad.core import conditional
from mvngrad.core.marginal import Marginal

SIZES = [(1, 1), (2, 2), (3, 5), (6, 6), (6, 9)]
NAN = np.nan


def normal(d: int, k: int, rng: np.random.Generator) -> mg.MultivariateNormal:
    return mg.MultivariateNormal(rng.normal(size=d), rng.normal(size=(d, k)) + 2.0 * np.eye(d, k))


@pytest.fixture(name="N", params=SIZES, ids=str)
def any_normal(request: pytest.FixtureRequest, rng: np.random.Generator) -> mg.MultivariateNormal:
    return normal(*request.param, rng)


@pytest.fixture(name="X")
def rows_with_holes(N: mg.MultivariateNormal, rng: np.random.Generator) -> np.ndarray:
    """Complete rows, empty rows, and rows with every kind of hole in no order."""
    X = N.mean + 3.0 * rng.normal(size=(60, len(N.mean)))
    X[rng.random(X.shape) < 0.35] = NAN
    X[7], X[11] = NAN, N.mean + 1.0
    X.flags.writeable = False
    return X


def dense(N, x):
    """Mean and covariance of what is missing given what is observed, by the textbook."""
    o, m, S = ~np.isnan(x), np.isnan(x), N.covariance
    slope = S[np.ix_(m, o)] @ np.linalg.inv(S[np.ix_(o, o)])
    mean = N.mean[m] + slope @ (x[o] - N.mean[o])
    return mean, S[np.ix_(m, m)] - slope @ S[np.ix_(o, m)]


# Densities of what is observed


def test_logpdf_is_that_of_the_observed_entries(N, X):
    S = N.covariance
    for x, value in zip(X, N.logpdf(X), strict=True):
        o = ~np.isnan(x)
        theirs = stats.multivariate_normal(N.mean[o], S[np.ix_(o, o)]).logpdf(x[o]) if any(o) else 0
        assert np.isclose(value, theirs, rtol=1e-9, atol=1e-9)


def test_mahalanobis_is_that_of_the_marginal(N, X):
    for x, value in zip(X, N.mahalanobis(X), strict=True):
        o = ~np.isnan(x)
        assert np.isclose(value, N.marginal(o).mahalanobis(x[o]) if any(o) else 0.0, rtol=1e-10)


def test_stacked_patterns_are_the_specification(N, X):
    values = conditional.distances(X, N.mean, N.root)
    for x, square, logdet, size in zip(X, *values, strict=True):
        o = ~np.isnan(x)
        if any(o):
            marginal = Marginal.of(N.root, o)
            z = marginal.whiten(x[o] - N.mean[o])
            assert np.isclose(square, z @ z, rtol=1e-11)
            assert np.isclose(logdet, marginal.logdet, rtol=1e-11, atol=1e-12)
        assert size == o.sum()


def test_joint_is_marginal_times_conditional(N, X, rng):
    for x in X[np.isnan(X).any(axis=1)]:
        whole, o = N.impute(x, draws=1, rng=rng)[0], ~np.isnan(x)
        parts = N.logpdf(x) + N.conditional(x).logpdf(whole[~o])
        assert np.isclose(N.logpdf(whole), parts, rtol=1e-9, atol=1e-9)


def test_nothing_observed_says_nothing(N):
    nothing = np.full(len(N.mean), NAN)
    assert N.logpdf(nothing) == N.mahalanobis(nothing) == N.degrees_of_freedom(nothing) == 0
    assert np.array_equal(N.logpdf([nothing, nothing]), [0.0, 0.0])


def test_a_hole_elsewhere_changes_no_complete_row(N, X):
    complete = np.flatnonzero(~np.isnan(X).any(axis=1))
    assert np.allclose(N.logpdf(X)[complete], N.logpdf(X[complete]), rtol=1e-11)
    assert np.allclose(N.mahalanobis(X)[complete], N.mahalanobis(X[complete]), rtol=1e-11)


def test_rows_keep_their_order(N, X, rng):
    order = rng.permutation(len(X))
    assert np.allclose(N.logpdf(X[order]), N.logpdf(X)[order], rtol=1e-12)
    assert np.allclose(N.impute(X[order]), N.impute(X)[order], rtol=1e-12)


def test_permuting_columns_changes_nothing(N, X, rng):
    p = rng.permutation(len(N.mean))
    other = N.marginal(p)
    assert np.allclose(other.logpdf(X[:, p]), N.logpdf(X), rtol=1e-9, atol=1e-9)
    assert np.allclose(other.impute(X[:, p]), N.impute(X)[:, p], rtol=1e-9, atol=1e-9)


def test_degrees_of_freedom_are_the_observed_entries(N, X):
    assert np.array_equal(N.degrees_of_freedom(X), (~np.isnan(X)).sum(axis=1))
    assert N.degrees_of_freedom(N.mean) == len(N.mean)


def test_squared_distances_of_draws_with_holes_are_chi_square():
    N, rng = normal(4, 4, np.random.default_rng(7)), np.random.default_rng(11)
    X = N.rvs(4000, rng=rng)
    X[rng.random(X.shape) < 0.4] = NAN
    df = N.degrees_of_freedom(X)
    seen = df > 0
    uniform = stats.chi2(df[seen]).cdf(N.mahalanobis(X)[seen] ** 2)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-6


def test_many_patterns_take_several_blocks(monkeypatch, rng):
    N = normal(6, 6, rng)
    X = N.rvs(300, rng=rng)
    X[rng.random(X.shape) < 0.4] = NAN
    before = N.logpdf(X), N.impute(X), N.impute(X, draws=2, rng=3)
    monkeypatch.setattr(conditional, "BLOCK", 5 * 36)
    after = N.logpdf(X), N.impute(X), N.impute(X, draws=2, rng=3)
    assert all(np.allclose(a, b, rtol=1e-12) for a, b in zip(before, after, strict=True))


def test_more_columns_than_bits_in_a_word(rng):
    N = mg.MultivariateNormal(np.zeros(70), np.eye(70) + 0.1)
    X = N.rvs(20, rng=rng)
    X[rng.random(X.shape) < 0.3] = NAN
    assert np.allclose(N.impute(X)[3, np.isnan(X[3])], dense(N, X[3])[0])


def test_scales_far_from_one():
    root = np.array([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-1.0, 0.3, 1.0]])
    x, scale = np.array([0.7, NAN, -0.4]), 1e150
    N = mg.MultivariateNormal(np.zeros(3), root)
    large = mg.MultivariateNormal(np.zeros(3), root * scale)
    assert np.isclose(large.mahalanobis(x * scale), N.mahalanobis(x), rtol=1e-13)
    assert np.allclose(large.impute(x * scale), N.impute(x) * scale, rtol=1e-13)


def test_entries_singular_to_rounding_are_named():
    two = np.arange(2)
    given = conditional.Given(two[:1], two, two[:0], np.array([[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(mg.NotPositiveDefiniteError, match=r"entries \[0, 1\] is singular"):
        given.whiten(np.ones(2))


# Marginal


def test_marginal_is_its_part_of_mean_and_covariance(N, rng):
    i = rng.permutation(len(N.mean))[: max(len(N.mean) // 2, 1)]
    part = N.marginal(i)
    assert np.array_equal(part.mean, N.mean[i])
    assert np.allclose(part.covariance, N.covariance[np.ix_(i, i)], rtol=1e-13)


def test_marginal_of_a_marginal():
    N = normal(6, 9, np.random.default_rng(1))
    twice, once = N.marginal([5, 1, 3, 0]).marginal([2, 0]), N.marginal([3, 5])
    assert np.array_equal(twice.mean, once.mean)
    assert np.array_equal(twice.factor, once.factor)


def test_marginal_by_mask_number_and_from_the_end():
    N = normal(3, 3, np.random.default_rng(1))
    by_number = N.marginal([0, 2])
    for same in (N.marginal([True, False, True]), N.marginal([-3, -1]), N.marginal((0, 2))):
        assert np.array_equal(same.factor, by_number.factor)
    assert N.marginal(1).mean.shape == (1,)


@pytest.mark.parametrize(
    ("idx", "message"),
    [
        ([], "entries' numbers"),
        ([0.0], "entries' numbers"),
        (["a"], "entries' numbers"),
        ([[0]], "entries' numbers"),
        ([True, False], r"a mask must have shape \(3,\)"),
        ([False] * 3, "name some entries"),
        ([1, 1], "none of them twice"),
        ([0, -3], "none of them twice"),
        ([3], "from -3 to 2"),
    ],
)
def test_marginal_of_what_is_not_there(idx, message):
    with pytest.raises(mg.DataError, match=message):
        normal(3, 3, np.random.default_rng(1)).marginal(idx)


# Conditional


def test_conditional_is_the_textbooks(N, X):
    for x in X[np.isnan(X).any(axis=1)]:
        mean, S = dense(N, x)
        given = N.conditional(x)
        assert np.allclose(given.mean, mean, rtol=1e-9, atol=1e-9)
        assert np.allclose(given.covariance, S, rtol=1e-9, atol=1e-9)


def test_conditioning_in_two_steps():
    N = normal(5, 5, np.random.default_rng(3))
    at_once = N.conditional([NAN, 1.0, NAN, -2.0, NAN])
    first = N.conditional([NAN, 1.0, NAN, NAN, NAN])  # entries 0, 2, 3, 4 are left
    second = first.conditional([NAN, NAN, -2.0, NAN])
    assert np.allclose(second.mean, at_once.mean, rtol=1e-12)
    assert np.allclose(second.covariance, at_once.covariance, rtol=1e-12)


def test_everything_unknown_leaves_the_distribution(N):
    given = N.conditional(np.full(len(N.mean), NAN))
    assert np.array_equal(given.mean, N.mean)
    assert np.array_equal(given.factor, N.factor)


def test_independent_entries_tell_nothing():
    given = mg.MultivariateNormal([1.0, 2.0], np.diag([3.0, 4.0])).conditional([9.0, NAN])
    assert np.array_equal(given.mean, [2.0])
    assert np.array_equal(given.root, [[4.0]])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1.0, 2.0], "nothing in x is unknown"),
        ([1, 2], "nothing in x is unknown"),
        ([NAN, np.inf], "column 1 is infinite"),
        ([NAN], "2 entries a row"),
        ([[NAN, 1.0]], "one point"),
        (["a", "b"], "real numbers"),
    ],
)
def test_conditional_on_what_cannot_be(x, message):
    with pytest.raises(mg.DataError, match=message):
        normal(2, 2, np.random.default_rng(1)).conditional(x)


# Imputation


def test_holes_are_filled_with_their_conditional_mean(N, X):
    for x, filled in zip(X, N.impute(X), strict=True):
        holes = np.isnan(x)
        assert np.array_equal(filled[~holes], x[~holes])
        if any(holes):
            assert np.allclose(filled[holes], N.conditional(x).mean, rtol=1e-10, atol=1e-10)


def test_imputing_twice_is_imputing_once(N, X):
    once = N.impute(X)
    assert np.array_equal(N.impute(once), once)


def test_filled_holes_leave_every_other_hole_as_expected(N, X):
    """E[a | o] does not change when another hole b is filled with E[b | o]."""
    filled = N.impute(X)
    some = X.copy()
    some[:, ::2] = filled[:, ::2]
    assert np.allclose(N.impute(some), filled, rtol=1e-8, atol=1e-8)


def test_observed_entries_stay_bit_for_bit(N, X):
    there = ~np.isnan(X)
    assert np.array_equal(N.impute(X)[there], X[there])
    for drawn in N.impute(X, draws=3, rng=0):
        assert np.array_equal(drawn[there], X[there])
        assert np.isfinite(drawn).all()


def test_draws_are_conditional_normals():
    N = normal(4, 4, np.random.default_rng(5))
    x, n = np.array([NAN, 1.0, NAN, -1.0]), 4000
    given = N.conditional(x)
    draws = N.impute(x, draws=n, rng=1)[:, [0, 2]]
    mean = n * given.conditional([NAN, NAN]).mahalanobis(draws.mean(axis=0)) ** 2
    assert stats.chi2(2).sf(mean) > 1e-6
    assert stats.kstest(given.mahalanobis(draws) ** 2, stats.chi2(2).cdf).pvalue > 1e-6
    K = np.linalg.solve(given.root, (draws - given.mean).T)
    ratio = n * (np.trace(K @ K.T) / n - np.linalg.slogdet(K @ K.T / n)[1] - 2)
    assert stats.chi2(3).sf(ratio) > 1e-6


def test_draws_of_different_rows_and_data_sets_differ():
    N = normal(3, 3, np.random.default_rng(5))
    draws = N.impute(np.full((2, 3), NAN), draws=2, rng=0)
    assert len(np.unique(draws)) == draws.size


def test_draws_are_those_of_the_seed(N, X):
    again = N.impute(X, draws=2, rng=np.random.default_rng(3))
    assert np.array_equal(N.impute(X, draws=2, rng=3), again)
    assert again.shape == (2, *X.shape)
    holes = np.isnan(X).any()
    assert not holes or not np.array_equal(N.impute(X, draws=2, rng=4), again)


def test_a_row_is_imputed_as_a_row(N, X):
    assert np.allclose(N.impute(X[3]), N.impute(X)[3], rtol=1e-12)
    assert N.impute(X[3], draws=4, rng=0).shape == (4, len(N.mean))


def test_complete_rows_come_back_as_floats_of_their_own():
    N, X = mg.MultivariateNormal([0.0, 0.0], np.eye(2)), np.array([[1, 2], [3, 4]])
    filled = N.impute(X)
    assert filled.dtype == np.float64
    assert np.array_equal(filled, X)
    rows = X.astype(float)
    assert not np.shares_memory(N.impute(rows), rows)


def test_float32_is_widened_exactly():
    N, x = mg.MultivariateNormal([0.0, 0.0], np.eye(2)), np.array([[0.1, NAN]], np.float32)
    assert N.impute(x)[0, 0] == np.float64(np.float32(0.1))


def test_masked_entries_are_missing():
    N = mg.MultivariateNormal([0.0, 0.0], [[1.0, 0.0], [0.5, 1.0]])
    masked = np.ma.array([[1.0, 99.0], [3.0, 4.0]], mask=[[False, True], [False, False]])
    filled = N.impute([[1.0, NAN], [3.0, 4.0]])
    assert np.array_equal(N.impute(masked), filled)
    assert np.array_equal(N.impute(masked[0]), filled[0])


@pytest.mark.parametrize("draws", [0, -1, 1.5, "2", True, [1]])
def test_draws_are_a_positive_whole_number(draws):
    with pytest.raises(mg.DataError, match="draws must be a whole number"):
        normal(2, 2, np.random.default_rng(1)).impute([[1.0, NAN]], draws=draws)


@pytest.mark.parametrize("method", ["logpdf", "mahalanobis", "impute"])
@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinity_is_refused_by_name(method, infinity):
    N = normal(2, 2, np.random.default_rng(1))
    for X in ([[0.0, 1.0], [infinity, 2.0]], [[NAN, 1.0], [infinity, 2.0]]):
        with pytest.raises(mg.DataError, match="column 0 is infinite at row 1"):
            getattr(N, method)(X)


@pytest.mark.parametrize("method", ["logpdf", "mahalanobis", "impute", "degrees_of_freedom"])
@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((4, 1)), 0.0, [["a", "b"]], [[1.0], [1, 2]]])
def test_rows_that_are_none_are_refused(method, x):
    N = normal(2, 2, np.random.default_rng(1))
    with pytest.raises(mg.DataError):
        getattr(N, method)(x)


def test_a_sum_that_overflows_is_no_infinity():
    N = mg.MultivariateNormal([0.0, 0.0], 1e300 * np.eye(2))
    X = np.array([[1.5e308, 1.5e308]])
    assert np.isclose(N.mahalanobis(X)[0], np.sqrt(2.0) * 1.5e8)


# Digits


@pytest.mark.parametrize("condition", [1e8, 1e12])
def test_ill_conditioned_against_many_digits(condition, rng):
    """Errors go with ε√cond(S), relative to the largest terms."""
    d, o = 5, np.array([True, False, True, True, False])
    Lambda = factor_of_condition(d, condition, rng)
    N = mg.MultivariateNormal(np.zeros(d), Lambda)
    x = np.where(o, N.rvs(rng=rng)[0], NAN)
    S, y = covariance(Lambda), exact(x[o])
    slope = S[np.ix_(~o, o)] @ exact(np.array((mp.matrix(S[np.ix_(o, o)].tolist()) ** -1).tolist()))
    bound = 30 * d * np.finfo(float).eps * condition**0.5
    mean, spread = slope @ y, S[np.ix_(~o, ~o)] - slope @ S[np.ix_(o, ~o)]
    size = np.abs(slope.astype(float)).sum() * np.abs(x[o]).max()
    given = N.conditional(x)
    assert np.abs(given.mean - mean.astype(float)).max() <= bound * size
    assert np.allclose(given.covariance, spread.astype(float), rtol=bound, atol=bound * 1e-3)
    square = float(y @ exact(np.array(mp.lu_solve(S[np.ix_(o, o)].tolist(), y.tolist())).ravel()))
    assert np.isclose(N.mahalanobis(x) ** 2, square, rtol=bound)


# Kullback–Leibler


def test_kl_is_the_mean_difference_of_logpdf():
    rng = np.random.default_rng(2)
    N, other = normal(3, 3, rng), normal(3, 4, rng)
    X = N.rvs(20_000, rng=rng)
    differences = N.logpdf(X) - other.logpdf(X)
    error = differences.std() / np.sqrt(len(X))
    assert abs(differences.mean() - N.kl(other)) < 5.0 * error


def test_kl_is_the_textbooks(N, rng):
    d = len(N.mean)
    other = normal(d, d, rng)
    P, away = np.linalg.inv(other.covariance), other.mean - N.mean
    logs = [np.linalg.slogdet(part.covariance)[1] for part in (other, N)]
    theirs = 0.5 * (np.trace(P @ N.covariance) - d + away @ P @ away + logs[0] - logs[1])
    assert np.isclose(N.kl(other), theirs, rtol=1e-8)


def test_kl_is_zero_for_the_same_and_positive_otherwise(N, rng):
    Q = np.linalg.qr(rng.normal(size=(N.factor.shape[1],) * 2))[0]
    assert 0.0 <= N.kl(N) < 1e-28
    assert abs(N.kl(mg.MultivariateNormal(N.mean, N.factor @ Q))) < 1e-24
    assert N.kl(mg.MultivariateNormal(N.mean, 1.01 * N.factor)) > 0.0


def test_kl_of_close_distributions_keeps_its_digits():
    t = 1e-6  # ½ [ (1+t)² − 1 − 2 log(1+t) ] = t² − t³/3 + …
    wide, unit = mg.MultivariateNormal(0.0, [[1.0 + t]]), mg.MultivariateNormal(0.0, [[1.0]])
    assert np.isclose(wide.kl(unit), t**2, rtol=1e-5)


def test_kl_adds_over_marginal_and_conditional():
    """KL(joint) = KL(first entry) + E KL(rest | first entry); here both share the slope."""
    N = mg.MultivariateNormal([0.0, 0.0], [[1.0, 0.0], [0.7, 1.0]])
    other = mg.MultivariateNormal([1.0, 0.7], [[2.0, 0.0], [1.4, 3.0]])
    x = [0.3, NAN]
    rest = N.conditional(x).kl(other.conditional(x))
    assert np.isclose(N.kl(other), N.marginal(0).kl(other.marginal(0)) + rest)


@pytest.mark.parametrize("other", [None, 1.0, mg.MultivariateNormal([0.0], [[1.0]])])
def test_kl_of_what_is_no_such_distribution(other):
    with pytest.raises(mg.DataError, match="MultivariateNormal of 2 entries"):
        mg.MultivariateNormal([0.0, 0.0], np.eye(2)).kl(other)
