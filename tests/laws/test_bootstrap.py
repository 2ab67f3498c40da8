"""Bootstrap intervals: what is drawn, that threads do not matter, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.errors import DataError, NeedsRowsError
from mvngrad.inference.bootstrap import aligned, draw_frequencies, draw_moments

QUICK = {"method": "bootstrap", "n_boot": 39}


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * rng.normal(size=(d, d))) + 3.0


def with_holes(X: np.ndarray) -> np.ndarray:
    return np.where(np.random.default_rng(9).random(X.shape) < 0.15, np.nan, X)


@pytest.mark.filterwarnings("ignore::mvngrad.NotIdentifiedWarning")
def test_what_the_data_do_not_tell_has_no_interval(rng):
    X = rng.standard_normal((60, 3)) + rng.standard_normal((60, 1))
    X[:30, 0] = X[30:, 1] = np.nan
    found = mg.fit(X).conf_int(method="bootstrap", n_boot=20, rng=1)
    lost = np.zeros((3, 3), dtype=bool)
    lost[0, 1] = lost[1, 0] = True
    for ends in (found.covariance, found.correlation):
        np.testing.assert_array_equal(np.isnan(ends).all(axis=2), lost)
    assert np.isfinite(found.mean).all()
    by_model = mg.fit(X, "compound-symmetry")  # one covariance: other pairs tell it
    assert np.isfinite(by_model.conf_int(method="bootstrap", n_boot=20, rng=1).covariance).all()


def test_cases_are_rows_with_frequencies():
    X = rows(30, 2)
    found = mg.fit(X).conf_int(**QUICK, rng=4)
    for own, mean, S in zip(
        np.random.default_rng(4).spawn(39),
        found.draws["mean"],
        found.draws["covariance"],
        strict=True,
    ):
        w = draw_frequencies(np.ones(30), own)
        assert w.sum() == 30
        np.testing.assert_allclose(mean, np.average(X, axis=0, weights=w))
        np.testing.assert_allclose(S, np.cov(X.T, ddof=0, fweights=w.astype(int)))


def test_ends_are_order_statistics():
    found = mg.fit(rows(30, 2)).conf_int(0.9, **QUICK, rng=0)
    order = np.sort(found.draws["mean"], axis=0)
    np.testing.assert_allclose(found.mean, order[[1, 37]].T)  # the 2nd and 38th of 39
    np.testing.assert_allclose(found.deviations**2, found.covariance[[0, 1], [0, 1]])
    np.testing.assert_array_equal(found.correlation[0, 0], 1.0)
    assert (found.method, found.resample, found.failed) == ("bootstrap", "cases", 0)


@pytest.mark.parametrize("resample", ["cases", "parametric"])
def test_threads_do_not_matter(resample):
    fit = mg.fit(with_holes(rows(40, 3)))
    a, b = (fit.conf_int(**QUICK, resample=resample, rng=1, threads=t) for t in (1, 3))
    for name in ("mean", "covariance", "factor"):
        np.testing.assert_array_equal(a.draws[name], b.draws[name])


@pytest.mark.parametrize("resample", ["cases", "parametric"])
@pytest.mark.parametrize("holes", [False, True])
def test_of_many_rows_it_spreads_as_standard_errors_say(resample, holes):
    X = rows(200, 2)
    fit = mg.fit(with_holes(X) if holes else X)
    found = fit.conf_int(method="bootstrap", n_boot=150, resample=resample, rng=0)
    errors = fit.standard_errors("sandwich" if resample == "cases" else "observed")
    for name in ("mean", "covariance"):  # an error of 150 draws is ±6 %
        spread = found.draws[name].std(axis=0)
        np.testing.assert_allclose(spread / getattr(errors, name), 1.0, atol=0.25)


def test_moments_are_drawn_as_rows_would_be():
    mean, L, n = np.array([1.0, -2.0]), np.array([[2.0, 0.0], [1.0, 0.5]]), 7
    rng = np.random.default_rng(0)
    drawn = [draw_moments(mean, L, n, rng) for _ in range(4000)]
    S, C = L @ L.T, np.array([m.scatter for m in drawn])
    means = np.array([m.mean for m in drawn])
    np.testing.assert_allclose(C.mean(axis=0), (n - 1) * S, rtol=0.05)
    d = np.diag(S)
    variance = (n - 1) * (S**2 + np.outer(d, d))  # of a Wishart
    np.testing.assert_allclose(C.var(axis=0), variance, rtol=0.15)
    np.testing.assert_allclose(np.cov(means.T), S / n, rtol=0.1)
    few = draw_moments(np.zeros(4), np.eye(4), 3, rng)
    assert np.linalg.matrix_rank(few.scatter) == 2


def test_clusters_are_drawn_whole():
    X = rows(25, 2)
    alone = mg.fit(X).conf_int(**QUICK, rng=2)
    twice = mg.fit(np.repeat(X, 2, axis=0)).conf_int(
        **QUICK, rng=2, clusters=np.repeat(np.arange(25), 2)
    )
    np.testing.assert_allclose(twice.draws["mean"], alone.draws["mean"])


def test_holes_stay_where_they_are(monkeypatch):
    X = with_holes(rows(30, 3))
    fit, seen = mg.fit(X), []

    def record(_, data, *__, **___):
        seen.append(np.isnan(data))
        return fit

    monkeypatch.setattr("mvngrad.fitting.bootstrap.refitted", record)
    fit.conf_int(**QUICK, resample="parametric", rng=0)
    assert len(seen) == 39
    for missing in seen:
        np.testing.assert_array_equal(missing, np.isnan(X))


@pytest.mark.parametrize("resample", ["cases", "parametric"])
def test_regressions_keep_rows_with_their_designs(resample):
    X = rows(40, 2)
    Z = np.column_stack([np.ones(40), np.arange(40.0)])
    X = X + Z @ np.array([[0.0, 5.0], [1.0, -1.0]])
    for data in (X, with_holes(X)):
        fit = mg.fit(data, mean=mg.Linear(Z))
        found = fit.conf_int(**QUICK, resample=resample, rng=0)
        spread = found.draws["coefficients"].std(axis=0)
        np.testing.assert_allclose(spread / fit.standard_errors().coefficients, 1.0, atol=0.5)
        assert found.coefficients.shape == (2, 2, 2)


def test_weights_of_a_sample_go_with_their_rows():
    X, w = rows(50, 2), np.linspace(0.5, 2.0, 50)
    fit = mg.fit(X, weights=w, weights_kind="sampling")
    found = fit.conf_int(method="bootstrap", n_boot=200, rng=0)
    ratio = found.draws["mean"].std(axis=0) / fit.standard_errors().mean
    np.testing.assert_allclose(ratio, 1.0, atol=0.2)


def test_columns_of_loadings_are_matched():
    Lambda = np.random.default_rng(0).normal(size=(6, 3))
    order, signs = aligned(Lambda[:, [2, 0, 1]] * [1, -1, -1], Lambda, ordered=False)
    np.testing.assert_array_equal((Lambda[:, [2, 0, 1]] * [1, -1, -1])[:, order] * signs, Lambda)
    order, signs = aligned(-Lambda, Lambda, ordered=True)
    np.testing.assert_array_equal(order, [0, 1, 2])
    np.testing.assert_array_equal(signs, -1.0)


def test_factor_models_and_priors_are_refitted_as_they_were():
    rng = np.random.default_rng(0)
    L = np.array([[2.0] * 6, [0.9, 0.9, 0.9, -0.9, -0.9, -0.9]])
    X = rng.normal(size=(150, 2)) @ L + rng.normal(size=(150, 6))
    fit = mg.fit(X, mg.FactorAnalytic(2))
    found = fit.conf_int(**QUICK, rng=0)
    inner = np.einsum("bik,ik->bk", found.draws["factor"], fit.factor)
    assert (inner > 0.5 * (fit.factor**2).sum(axis=0)).all()
    assert found.noise.shape == (6, 2)
    free = mg.fit(X, mg.Factor()).conf_int(**QUICK, rng=0)
    assert np.isnan(free.factor).all()
    heavy = mg.fit(X, prior=mg.InverseWishart(1e6)).conf_int(**QUICK, rng=0)
    assert abs(heavy.draws["covariance"][:, 1, 0]).max() < 0.01


def test_progress_counts_to_the_end():
    seen = []
    mg.fit(rows(20, 2)).conf_int(
        **QUICK, rng=0, threads=2, progress=lambda done, n: seen.append((done, n))
    )
    assert seen == [(k + 1, 39) for k in range(39)]


def test_moments_do_for_the_parametric_one_only():
    fit = mg.fit(mg.Moments.from_covariance([[2.0, 0.5], [0.5, 1.0]], 40))
    with pytest.raises(NeedsRowsError):
        fit.conf_int(**QUICK)
    found = fit.conf_int(**QUICK, resample="parametric", rng=0)
    assert found.draws["covariance"].shape == (39, 2, 2)


def test_a_loaded_model_has_no_data(tmp_path):
    mg.fit(rows(20, 2)).save(tmp_path / "m")
    for resample in ("cases", "parametric"):
        with pytest.raises(NeedsRowsError, match="model file"):
            mg.load(tmp_path / "m").conf_int(**QUICK, resample=resample)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n_boot": 1}, "n_boot"),
        ({"n_boot": 2.5}, "n_boot"),
        ({"n_boot": 10**8}, "too many numbers"),
        ({"resample": "rows"}, "'cases' or 'parametric'"),
        ({"resample": "parametric", "clusters": np.arange(20)}, "drawn as a whole"),
        ({"clusters": np.arange(3)}, "one label a row"),
        ({"kind": "sandwich"}, "does without"),
        ({"threads": 0}, "threads"),
        ({"progress": 3}, "progress"),
        ({"rng": "x"}, "rng"),
    ],
)
def test_what_cannot_be_done_is_said(asked, said):
    with pytest.raises(DataError, match=said):
        mg.fit(rows(20, 2)).conf_int(**{**QUICK, **asked})


def test_fractions_are_no_rows_to_draw():
    fit = mg.fit(with_holes(rows(30, 2)), weights=np.full(30, 0.5))
    with pytest.raises(DataError, match="fractions"):
        fit.conf_int(**QUICK, resample="parametric")


def test_too_many_failures_are_an_error():
    done = []
    asked = QUICK | {"progress": lambda k, n: done.append(k), "threads": 1}  # noqa: ARG005
    with pytest.raises(DataError, match=r"4 of the first \d+ bootstrap samples could not be"):
        mg.fit(rows(5, 3)).conf_int(**asked, rng=0)
    assert len(done) < 30  # none is drawn after it is known
