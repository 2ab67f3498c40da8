"""What standard errors, tests and intervals refuse, and what they say then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mvngrad as mg


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((40, 3))


@pytest.fixture(name="fit")
def fitted(X):
    return mg.fit(X)


@pytest.mark.parametrize("kind", ["hessian", 3, ["observed"]])
def test_kinds(fit, kind):
    for ask in (fit.standard_errors, fit.cov_params, fit.information):
        with pytest.raises(mg.DataError, match="kind must be 'observed'"):
            ask(kind)


def test_clusters(X, fit):
    with pytest.raises(mg.DataError, match="clusters are for kind='sandwich'"):
        fit.standard_errors("observed", clusters=np.arange(40))
    for labels in (np.where(np.arange(40) == 3, np.nan, 1.0), np.array([*"ab" * 19, "a", None])):
        with pytest.raises(mg.DataError, match=r"row (3|39), counted from 0, has no cluster"):
            fit.standard_errors(clusters=labels)
    for wrong in (np.arange(39), np.zeros((40, 2)), "a"):
        with pytest.raises(mg.DataError, match="one label a row"):
            fit.standard_errors("sandwich", clusters=wrong)
    for wrong in (np.zeros(40), ["a"] * 40):  # scores sum to 0: errors would be rounding
        for ask in (fit.standard_errors, fit.conf_int, fit.summary):
            with pytest.raises(mg.DataError, match="all rows are in one cluster"):
                ask(clusters=wrong)
        with pytest.raises(mg.DataError, match="all rows are in one cluster"):
            fit.conf_int(method="bootstrap", n_boot=9, clusters=wrong)
    for missing in (None, np.nan, pd.NA):
        labels = np.array(["a", "b"] * 20, dtype=object)
        labels[7] = missing
        with pytest.raises(mg.DataError, match=r"row 7.*no cluster"):
            fit.standard_errors(clusters=labels)
    del X


def test_clusters_ask_for_the_sandwich(fit):
    labels = np.arange(40) // 4
    mixed = [k if k % 2 else str(k) for k in labels.tolist()]  # labels of two types have no order
    expected = fit.standard_errors("sandwich", clusters=labels).mean
    for found in (
        fit.standard_errors(clusters=labels).mean,
        fit.standard_errors(clusters=mixed).mean,
        fit.delta(lambda mean, S: mean, clusters=labels).error,  # noqa: ARG005
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_hypotheses_that_cannot_hold(fit):
    off = np.tril_indices(3, -1)
    by_pairs = fit.wald_test(
        lambda mean, S: (S / np.sqrt(np.outer(S.diagonal(), S.diagonal())))[off]  # noqa: ARG005
    )
    with pytest.raises(mg.DataError, match=r"entry 0 .* is 1 whatever .* cannot be 0 .3 such"):
        fit.wald_test("correlations")  # of which the diagonal is 1
    whole = fit.wald_test("correlations", np.eye(3))  # each twice, and the diagonal
    assert whole.df == by_pairs.df == 3
    assert whole.statistic == pytest.approx(by_pairs.statistic, rel=1e-6)
    with pytest.raises(mg.DataError, match="is 3 whatever"):
        fit.wald_test(lambda mean, S: 3.0)  # noqa: ARG005
    assert fit.wald_test(lambda mean, S: 3.0, 3.0) == (0.0, 0, 1.0)  # noqa: ARG005
    with pytest.raises(mg.DataError, match="move in 1 ways only"):
        fit.wald_test(lambda mean, S: [mean[0], mean[0]], [0.0, 1.0])  # noqa: ARG005
    with pytest.raises(mg.DataError, match="clusters, less one"):
        fit.wald_test(lambda mean, S: mean, clusters=np.arange(40) // 20)  # noqa: ARG005


@pytest.mark.parametrize("value", [[0.0, 0.0], np.nan, "a", None])
def test_values_of_hypotheses(fit, value):
    with pytest.raises(mg.DataError, match="value must be"):
        fit.wald_test(lambda mean, S: mean, value)  # noqa: ARG005


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, np.nan])
def test_levels(fit, level):
    with pytest.raises(mg.DataError, match="level must be"):
        fit.conf_int(level)


def test_functions(fit):
    with pytest.raises(mg.DataError, match="a function by name is one of"):
        fit.delta("kurtosis")
    with pytest.raises(mg.DataError, match="takes a function"):
        fit.delta(3)
    with pytest.raises(mg.DataError, match="real numbers"):
        fit.delta(lambda mean, S: mean + 1j)  # noqa: ARG005
    with pytest.raises(mg.DataError, match="finite"):
        fit.delta(lambda mean, S: np.full(2, np.inf))  # noqa: ARG005


@pytest.mark.filterwarnings("ignore::mvngrad.ConvergenceWarning")
def test_a_bootstrap_is_of_a_maximum(rng):
    short = mg.fit(rng.standard_normal((40, 6)), "factor:2", max_iter=1)
    with pytest.raises(mg.DataError, match="has not converged: stopped at max_iter"):
        short.conf_int(method="bootstrap", n_boot=9)


def test_moments_have_no_rows(X):
    fit = mg.fit(mg.Moments.of(X))
    assert np.isfinite(fit.standard_errors().covariance).all()
    for ask in (lambda: fit.standard_errors("sandwich"), fit.score_contributions):
        with pytest.raises(mg.NeedsRowsError, match="the rows of the data"):
            ask()
    assert fit.score_contributions(X).shape == (40, 9)


def test_a_loaded_model_has_no_data(fit, tmp_path):
    fit.save(tmp_path / "model.safetensors")
    loaded = mg.load(tmp_path / "model.safetensors")
    for ask in (loaded.information, loaded.standard_errors, loaded.score_contributions):
        with pytest.raises(mg.NeedsRowsError, match="a model file"):
            ask()


def test_sampling_weights(X, rng):
    with pytest.raises(mg.DataError, match="weights_kind must be"):
        mg.fit(X, weights_kind="probability")
    fit = mg.fit(X, weights=rng.uniform(0.5, 2.0, 40), weights_kind="sampling")
    assert fit.standard_errors().kind == "sandwich"
    for kind in ("observed", "expected"):
        with pytest.raises(mg.DataError, match="Use kind='sandwich'"):
            fit.standard_errors(kind)
    with pytest.raises(mg.DataError, match="sampling"):
        fit.score_test()


def test_data_that_were_changed(X, fit):
    X[0] += 100.0
    with pytest.raises(mg.DataError, match="no longer those"):
        fit.standard_errors("sandwich")


@pytest.mark.filterwarnings("ignore::mvngrad.ConvergenceWarning")
def test_score_tests(X, fit, rng):
    with pytest.raises(mg.DataError, match="no direction"):
        fit.score_test()
    with pytest.raises(mg.DataError, match="not one of"):
        fit.score_test("diagonal")
    with pytest.raises(mg.DataError, match="kind must be 'observed'"):
        mg.fit(X, "diagonal").score_test(kind="sandwich")
    with pytest.raises(mg.DataError, match="mean must be"):
        mg.fit(X, "diagonal").score_test(mean="known")
    with pytest.raises(mg.DataError, match="no case of it is linear"):
        mg.fit(X, "diagonal", mg.Linear(np.ones((40, 1)))).score_test(mean="free")
    common = rng.standard_normal((40, 1)) + rng.standard_normal((40, 5))
    for prior in (mg.Ridge(2.0), mg.InverseWishart(weight=5.0)):
        with pytest.raises(mg.DataError, match="without the prior"):
            mg.fit(common, "factor:1", prior=prior).score_test()
    far = mg.fit(common * [1.0, 2.0, 3.0, 4.0, 5.0] + 3.0 * common[:, :1], "diagonal")
    assert far.score_test().df == 10
    with pytest.raises(mg.DataError, match="use kind='expected'"):  # r > ½: tr E²K − ½ tr E² < 0
        far.score_test(kind="observed")
    short = mg.fit(rng.standard_normal((40, 6)), "factor:2", max_iter=1)
    with pytest.raises(mg.DataError, match="has not converged: stopped at max_iter"):
        short.score_test()


def test_more_columns_than_a_matrix_of_information_holds(rng):
    X = rng.standard_normal((150, 101))
    fit = mg.fit(X)
    with pytest.raises(mg.DataError, match="too large a matrix"):
        fit.information()
    assert np.allclose(fit.standard_errors().mean, fit.deviations / np.sqrt(150))


def test_holes_make_the_expected_information_say_what_it_supposes(X):
    X[0, 0] = np.nan
    with pytest.warns(mg.DataWarning, match="MCAR"):
        mg.fit(X).standard_errors("expected")


def test_what_is_saturated_has_nothing_to_test(X, fit):
    for ask in (fit.goodness, fit.score_test):
        with pytest.raises(mg.DataError, match="there is nothing to test"):
            ask()
    known = mg.fit(X, mean=np.zeros(3))
    for ask in (known.goodness, known.score_test):
        with pytest.raises(mg.DataError, match="mean='free'"):
            ask()
    assert known.score_test(mean="free").df == 3


@pytest.mark.filterwarnings("ignore::mvngrad.ConvergenceWarning")
def test_a_wald_test_of_what_has_not_converged(X):
    X = np.where(np.abs(X) > 1.5, np.nan, X)
    fit = mg.fit(X, max_iter=1)
    with pytest.raises(mg.DataError, match="has not converged"):
        fit.wald_test(lambda mean, S: mean)  # noqa: ARG005
