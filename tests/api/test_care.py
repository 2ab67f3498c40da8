"""What is given stays as it was, what counts for nothing says nothing, nothing is lost silently."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg

X = np.random.default_rng(1909).normal(size=(40, 3))


def test_arrays_given_stay_writable_and_unchanged():
    rows, mean, weights, start = X.copy(), np.zeros(3), np.ones(40), np.eye(3)
    origin, root = np.zeros(3), np.tril(np.ones((3, 3)))
    given = (rows, mean, weights, start, origin, root)
    before = [array.copy() for array in given]
    mg.fit(rows, mean=mean, weights=weights, start=start, method="l-bfgs")
    mg.nll_and_grad(rows, mean, root, weights=weights)
    mg.Moments.of(rows, weights, mg.AffineFrame(origin, root))
    mg.MultivariateNormal(mean, root).logpdf(rows)
    for array, copy in zip(given, before, strict=True):
        assert array.flags.writeable
        assert (array == copy).all()


def test_results_cannot_be_changed_by_accident():
    for method in ("closed-form", "l-bfgs"):
        fit = mg.fit(X, method=method)
        with pytest.raises(ValueError, match="read-only"):
            fit.distribution.mean[:] = 99.0
        with pytest.raises(ValueError, match="read-only"):
            fit.factor[0, 0] = 99.0
    L = np.eye(3)
    normal = mg.MultivariateNormal(np.zeros(3), L)
    L *= 2.0
    assert (normal.factor == np.eye(3)).all()


def test_rows_of_weight_zero_say_nothing_about_collinearity():
    collinear = np.c_[X[:, :2], X[:, 0] - 2.0 * X[:, 1]]
    weights = np.r_[np.ones(40), 0.0]
    with pytest.raises(mg.NotPositiveDefiniteError, match="linear combination"):
        mg.fit(np.vstack([collinear, [np.nan] * 3]), weights=weights)


@pytest.mark.filterwarnings("ignore::mvngrad.errors.IllConditionedWarning")
def test_rows_of_weight_zero_say_nothing_about_rounding():
    near = np.c_[X[:, :2], X[:, 0] + 1e-8 * X[:, 2]]
    weights = np.r_[np.ones(40), 0.0]
    with_ghost = mg.fit(np.vstack([near, [1e12] * 3]), weights=weights)
    assert with_ghost.nll == pytest.approx(mg.fit(near).nll, rel=1e-9)


def test_a_first_column_is_never_a_combination_of_nothing():
    coarse = np.c_[16777216 + 2 * (np.arange(40) % 3), X[:, 0]].astype(np.float32)
    assert mg.fit(coarse).converged


def test_chunks_and_weights_must_pair():
    chunks = [X[:20], X[20:]]
    with pytest.raises(mg.DataError, match="each chunk"):
        mg.Moments.of(iter(chunks), [np.ones(20)])
    both = mg.Moments.of(iter(chunks), [np.zeros(20), np.ones(20)])
    assert both.weight == 20.0
    assert both.mean == pytest.approx(X[20:].mean(axis=0))


@pytest.mark.parametrize(
    ("origin", "root", "message"),
    [
        (np.zeros(3), np.ones((3, 3)), "lower-triangular"),
        (np.zeros(3), -np.eye(3), "positive diagonal"),
        (np.zeros(3), np.zeros(3), "positive diagonal"),
        (np.zeros(3), np.ones((3, 2)), r"\(3, 2\)"),
        (np.full(3, np.nan), np.ones(3), "finite"),
    ],
)
def test_frames_that_are_none_are_refused(origin, root, message):
    with pytest.raises(mg.DataError, match=message):
        mg.Moments.of(X, frame=mg.AffineFrame(origin, root))


def test_moments_without_their_mean_know_it():
    moments = mg.Moments.from_covariance(np.eye(3), 100)
    assert mg.fit(moments).n_params == 9
    with pytest.raises(mg.DataError, match="without its mean"):
        mg.fit(moments, mean=[5.0, 5.0, 5.0])
    with pytest.raises(mg.DataError, match="without their mean"):
        moments + mg.Moments.of(X)


def test_moments_add_up_with_sum():
    total = sum(mg.Moments.of(part) for part in np.split(X, 4))
    assert total.cov == pytest.approx(np.cov(X.T, ddof=0))


def test_few_rows_are_enough_where_the_mean_is_known():
    fit = mg.fit(X[:3], mean=np.zeros(3))
    assert fit.covariance == pytest.approx(X[:3].T @ X[:3] / 3)


def test_a_definite_covariance_is_enough_whatever_its_sample_size():
    assert mg.fit(mg.Moments.from_covariance(np.eye(3), 2)).covariance == pytest.approx(np.eye(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": np.eye(3)}, "covariance must be"),
        ({"callback": 3}, "callback"),
        ({"max_iter": None}, "max_iter"),
        ({"columns": "ab"}, "1 columns"),
    ],
)
def test_more_options_that_get_help(options, message):
    with pytest.raises(mg.DataError, match=message):
        mg.fit(X, **options)


def test_options_beside_moments_are_checked_too():
    moments = mg.Moments.of(X)
    with pytest.raises(mg.DataError, match="twice"):
        mg.fit(moments, columns=["a", "a", "b"])
    with pytest.raises(mg.DataError, match="missing"):
        mg.fit(moments, missing="zzz")


def test_a_structure_of_ones_own_by_a_public_name_is_not_saved(tmp_path):
    class Diagonal(mg.Spherical):
        pass

    fit = mg.fit(X, Diagonal())
    with pytest.raises(mg.ModelFileError, match="two structures are named Diagonal"):
        fit.save(tmp_path / "model.safetensors")


def test_the_note_on_numpy_cov_is_said_where_it_is_true():
    assert "numpy.cov" in str(mg.fit(X).summary())
    assert "numpy.cov" not in str(mg.fit(X, "spherical").summary())
    assert "numpy.cov" not in str(mg.fit(X, mean=np.zeros(3)).summary())
    assert "numpy.cov" not in str(mg.fit(X, weights=np.full(40, 0.5)).summary())
