"""What each row says sums to nothing at the estimate, and is the gradient of its own J."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mvngrad as mg
from cases import CASES
from holes import NAN, holed
from mvngrad.inference import contributions
from naive import Model

SMALL = [case for case in CASES if case.d == 3 and case.condition == 1.0]


@pytest.mark.filterwarnings("ignore::mvngrad.NotIdentifiedWarning")
@pytest.mark.filterwarnings("ignore:Heywood case")
@pytest.mark.filterwarnings("ignore::mvngrad.ConvergenceWarning")
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_a_row_says_its_own_gradient(case, share, rng):
    X, w = case.rows(30, rng) + np.arange(3), rng.uniform(0.5, 2.0, 30)
    X[rng.random(X.shape) < share] = NAN
    fit = mg.fit(X, case.structure, weights=w, max_iter=30)
    x, model = np.concatenate([fit.mean, fit.params]), Model(X, fit.structure, weights=w)
    s, true = fit.score_contributions(), model.scores(x)
    np.testing.assert_allclose(s, true, atol=1e-10 * np.abs(true).max())


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_they_sum_to_nothing_at_the_estimate(share, rng):
    X, w = rng.standard_normal((200, 1)), rng.uniform(0.1, 2.0, 200)
    X = X + rng.standard_normal((200, 4))
    X[rng.random(X.shape) < share] = NAN
    X[7] = NAN
    for model in ("full", "compound-symmetry", mg.FactorAnalytic(1)):
        s = mg.fit(X, model, weights=w, tol=1e-20).score_contributions()
        assert (s[7] == 0.0).all()
        assert np.abs(w @ s).max() < 1e-6 * (w @ np.abs(s)).max()


def test_rows_of_other_data_add_to_minus_their_gradient(rng):
    X, other = holed(rng, 100, 3, 0.2), holed(rng, 40, 3, 0.2)
    fit = mg.fit(X)
    s = fit.score_contributions(other)
    g = mg.nll_and_grad(other, fit.mean, fit.factor)[1]
    np.testing.assert_allclose(s[:, :3].sum(axis=0), -g.mean, rtol=1e-9)
    x = np.concatenate([fit.mean, fit.params])
    np.testing.assert_allclose(s, Model(other, fit.structure).scores(x), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("numbers", [1, 100, 1000])
def test_blocks_are_blocks(numbers, rng, monkeypatch):
    X = holed(rng, 150, 4, 0.3)
    fit = mg.fit(X)
    whole, errors = fit.score_contributions(), fit.standard_errors("sandwich").covariance
    monkeypatch.setattr(contributions, "BLOCK", numbers)
    np.testing.assert_allclose(fit.score_contributions(), whole, rtol=1e-12, atol=1e-12)
    blocked = fit.standard_errors("sandwich").covariance
    np.testing.assert_allclose(blocked, errors, rtol=1e-11)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_sandwich_is_made_of_them(share, rng):
    X, w = holed(rng, 120, 3, share), rng.uniform(0.5, 3.0, 120)
    fit = mg.fit(X, weights=w)
    s, H = fit.score_contributions(), fit.information().matrix
    V = np.linalg.solve(H, np.linalg.solve(H, (s.T * w) @ s).T)
    np.testing.assert_allclose(fit.cov_params("sandwich"), V, rtol=1e-7, atol=1e-9 * V.max())


def test_rows_are_read_again_where_they_came_from(rng, tmp_path):
    X = holed(rng, 60, 3, 0.2)
    path = tmp_path / "rows.csv"
    lines = [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in X]
    path.write_text("\n".join(["a,b,c", *lines]))
    one, other = mg.fit(path), mg.fit(X)
    np.testing.assert_allclose(one.score_contributions(), other.score_contributions(), rtol=1e-8)


def test_rows_that_are_dropped_say_nothing(rng):
    X = holed(rng, 90, 3, 0.2)
    there = ~np.isnan(X).any(axis=1)
    dropped, fewer = mg.fit(X, missing="drop"), mg.fit(X[there])
    s = dropped.score_contributions()
    np.testing.assert_allclose(s, fewer.score_contributions(), rtol=1e-9, atol=1e-10)


def test_with_a_prior_the_rows_are_still_the_rows(rng):
    X = holed(rng, 60, 3, 0.2)
    fit = mg.fit(X, prior=mg.InverseWishart(20.0))
    assert np.isfinite(fit.standard_errors("sandwich").covariance).all()
    X[:] = X[::-1] + 1.0
    with pytest.raises(mg.DataError, match="no longer those"):
        fit.standard_errors("sandwich")


def test_other_rows_go_by_the_names_of_the_columns(rng):
    frame = pd.DataFrame(
        rng.standard_normal((60, 4)) + rng.standard_normal((60, 1)), None, [*"abcd"]
    )
    fit = mg.fit(frame, mg.FactorAnalytic(1))
    turned = frame[["d", "b", "a", "c"]].assign(more=1.0)
    np.testing.assert_array_equal(fit.score_contributions(turned), fit.score_contributions(frame))
    scores = fit.factors.scores(frame.to_numpy())
    np.testing.assert_array_equal(fit.factors.scores(turned), scores)
    with pytest.raises(mg.DataError, match="no column 'a'"):
        fit.factors.scores(frame[["b", "c", "d"]])
