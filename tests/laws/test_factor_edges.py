"""Factor models where they meet their limits: refused, left, or said, and never for ever."""

import warnings

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.fitting import observed
from mvngrad.fitting.solve import Run


@pytest.fixture(name="X")
def one_factor(rng):
    f = rng.normal(size=(200, 1))
    return f @ np.array([[1.0, 0.8, 0.6, 0.9]]) + rng.normal(size=(200, 4))


@pytest.mark.parametrize("rank", [4, 5])
def test_as_many_factors_as_columns_are_refused(X, rank):
    with pytest.raises(mg.DataError, match="with d − 1 factors or more any covariance"):
        mg.fit(X, mg.FactorAnalytic(rank))


def test_one_factor_less_than_columns_is_any_covariance(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.NotIdentifiedWarning)
        fit = mg.fit(X, mg.FactorAnalytic(3))
    np.testing.assert_allclose(fit.loglik, mg.fit(X).loglik, rtol=1e-8)


def test_a_column_that_occurs_twice_is_found_at_once(X):
    steps = []
    twice = np.column_stack([X[:, :3], X[:, 0]])
    with pytest.raises(mg.NotPositiveDefiniteError, match="x1, x4 lose all noise"):
        mg.fit(twice, mg.FactorAnalytic(1), callback=steps.append)
    assert steps[-1].n_eval < 200


def test_random_starts_that_wander_are_given_up():
    run = Run("newton", 1e-10, 10_000, None)
    assert observed._wary(run).max_iter == observed.WANDERING
    assert observed._wary(run._replace(max_iter=7)).max_iter == 7
    slow = run._replace(method="em")
    assert observed._wary(slow) == slow


def test_rank_under_a_mean_of_rows(X, rng):
    z = rng.normal(size=(200, 1))
    design = mg.Linear(np.hstack([np.ones((200, 1)), z]))
    chosen = mg.select_rank(X + 3.0 * z, max_rank=1, mean=design)
    assert chosen.rank == 1
    assert chosen.table[1].loglik == mg.fit(X + 3.0 * z, mg.FactorAnalytic(1), design).loglik


def holed(X):
    X = X.copy()
    X[:10, 0] = np.nan
    return X


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (mg.fit, "is that of the saturated model itself"),
        (lambda X: mg.fit(X, "diagonal", prior=mg.InverseWishart(shrinkage=0.1)), "prior"),
        (lambda X: mg.fit(X, "diagonal", np.zeros(4)), "the mean is not free"),
        (lambda X: mg.fit(X[:4], "diagonal"), "4 rows of 4 columns .* too few"),
    ],
)
def test_goodness_says_why_not(X, fit, words):
    with pytest.raises(mg.DataError, match=words):
        fit(X).goodness()


def test_goodness_knows_its_corrections(X):
    with pytest.raises(mg.DataError, match=r"correction must be one of .* got 'bart'"):
        mg.fit(X, mg.FactorAnalytic(1)).goodness("bart")
    with pytest.raises(mg.DataError, match="is for complete data"):
        mg.fit(holed(X), mg.FactorAnalytic(1)).goodness("bartlett")


def test_factors_that_are_one_are_named():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 1)) + rng.normal(size=(300, 6))
    P = np.kron(np.array([[np.nan, 0.0], [0.0, np.nan]]), np.ones((3, 1)))
    P[3:, 0] = P[:3, 1] = 0.0
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = mg.fit(X, mg.FactorAnalytic(pattern=P, correlated=True))
    assert abs(fit.factor_correlation[0, 1]) > 0.9999
    assert any("f2 with f1 are as one" in str(w.message) for w in said)
