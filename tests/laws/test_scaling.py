"""Scaled likelihood ratios: on rows whose moments are a normal's to the fourth they scale by 1."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import block_diag

import mvngrad as mg
from mvngrad.fitting.grounds import estimate_of, rows_of
from mvngrad.inference.scaling import satorra_bentler, saturated, yuan_bentler

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
SCALINGS = ("satorra-bentler", "yuan-bentler")


def normal_rows(d, root, n=400.0):
    """Rows and frequencies with the moments of N(0, root·rootᵀ), exact to order nine."""
    rows = np.array(list(itertools.product(NODES, repeat=d))) @ root.T
    w = np.array([np.prod(w) for w in itertools.product(WEIGHTS, repeat=d)])
    return rows, n * w / w.sum()


def heavy_rows(rng, n=4000):
    return rng.standard_t(7, size=(n, 4)) + 0.7 * rng.standard_t(7, size=(n, 1))


@pytest.mark.parametrize("covariance", ["diagonal", "compound-symmetry", "spherical"])
def test_of_normal_rows_of_the_structure_the_trace_is_df(covariance):
    X, w = normal_rows(3, np.eye(3))
    fit = mg.fit(X, covariance, weights=w)
    at, rows, df = estimate_of(fit), rows_of(fit), fit.goodness().df
    assert satorra_bentler(at, rows) == pytest.approx(df, rel=1e-9)
    assert yuan_bentler(at, saturated(at), rows) == pytest.approx(df, rel=1e-9)


def test_on_such_rows_the_sandwich_is_the_information(rng):
    X, w = normal_rows(3, np.tril(rng.normal(size=(3, 3))) + 2.0 * np.eye(3))
    fit = mg.fit(X, weights=w)
    plain, robust = fit.standard_errors(), fit.standard_errors("sandwich")
    assert np.allclose(robust.mean, plain.mean, rtol=1e-9)
    assert np.allclose(robust.covariance, plain.covariance, rtol=1e-9)


@pytest.mark.parametrize("correction", SCALINGS)
def test_units_do_not_matter(correction, rng):
    X = heavy_rows(rng, 300)
    for pattern in (mg.FactorAnalytic(1), "diagonal"):
        one = mg.fit(X, pattern).goodness(correction)
        other = mg.fit(X * [1e3, 1.0, 1e-3, 7.0] + 5.0, pattern).goodness(correction)
        assert other.statistic == pytest.approx(one.statistic, rel=1e-6)


def test_both_agree_for_many_rows(rng):
    fit = mg.fit(heavy_rows(rng), mg.FactorAnalytic(1))
    a, b = (fit.goodness(c).statistic for c in SCALINGS)
    assert a == pytest.approx(b, rel=0.05)


def test_heavy_tails_of_independent_columns_do_not_scale_a_test_of_independence(rng):
    """Of independent columns r_ij has the variance 1/n whatever their distributions."""
    X = rng.standard_t(5, size=(20000, 3))
    fit = mg.fit(X, "diagonal")
    plain, test = fit.goodness(), fit.goodness("yuan-bentler")
    assert plain.statistic / test.statistic == pytest.approx(1.0, abs=0.1)


def test_with_holes_yuan_and_bentler_only(rng):
    X = heavy_rows(rng, 300)
    X[rng.random(X.shape) < 0.1] = np.nan
    fit = mg.fit(X, mg.FactorAnalytic(1))
    assert fit.goodness("yuan-bentler").statistic > 0.0
    with pytest.raises(mg.DataError, match="yuan-bentler"):
        fit.goodness("satorra-bentler")


def test_what_it_needs_is_said(rng, tmp_path):
    X = heavy_rows(rng, 100)
    moments = mg.fit(mg.Moments.of(X), mg.FactorAnalytic(1))
    with pytest.raises(mg.NeedsRowsError, match="rows"):
        moments.goodness("yuan-bentler")
    moments.save(tmp_path / "m.safetensors")
    with pytest.raises(mg.NeedsRowsError):
        mg.load(tmp_path / "m.safetensors").goodness("satorra-bentler")
    with pytest.raises(mg.DataError, match="'yuan-bentler'"):
        moments.goodness("robust")


@pytest.mark.parametrize("correction", SCALINGS)
def test_a_factor_on_all_weights_of_a_sample_does_not_matter(correction, rng):
    X, w = heavy_rows(rng, 300), rng.uniform(0.2, 3.0, size=300)
    one, other = (
        mg.fit(X, mg.FactorAnalytic(1), weights=t * w, weights_kind="sampling").goodness(correction)
        for t in (1.0, 10.0)
    )
    assert other.statistic == pytest.approx(one.statistic, rel=1e-6)


def textbook_trace(fit, X, w, v):
    """tr UΓ, U = W − WΔ(ΔᵀWΔ)⁻¹ΔᵀW of moments (m, vech C), Γ = Σ v (z − z̄)(z − z̄)ᵀ/Σw."""
    d, P = X.shape[1], np.linalg.inv(fit.covariance)
    i, j = np.tril_indices(d)
    twice = np.zeros((d * d, len(i)))
    twice[i * d + j, np.arange(len(i))] = twice[j * d + i, np.arange(len(i))] = 1.0
    W = block_diag(P, 0.5 * twice.T @ np.kron(P, P) @ twice)
    unit = np.eye(len(fit.params))
    of_theta = np.array([fit.structure.push(fit.params, e)[i, j] for e in unit]).T
    Delta = block_diag(np.eye(d), of_theta)
    U = W - W @ Delta @ np.linalg.pinv(Delta.T @ W @ Delta) @ Delta.T @ W
    about = X - np.average(X, axis=0, weights=w)
    z = np.hstack([X, about[:, i] * about[:, j]])
    z = z - np.average(z, axis=0, weights=w)
    return np.trace(U @ (z.T * v) @ z) / w.sum()


@pytest.mark.parametrize("kind", ["frequency", "sampling"])
@pytest.mark.parametrize("covariance", ["factor:1", "compound-symmetry"])
def test_satorra_and_bentlers_trace_is_the_textbooks(covariance, kind, rng):
    X, w = heavy_rows(rng, 200), rng.uniform(0.2, 3.0, size=200)
    fit = mg.fit(X, covariance, weights=w, weights_kind=kind)
    squared = kind == "sampling"
    trace = satorra_bentler(estimate_of(fit), rows_of(fit), squared=squared)
    assert trace == pytest.approx(textbook_trace(fit, X, w, w**2 if squared else w), rel=1e-6)


def test_indices_are_of_a_likelihood_and_weights_of_a_sample_make_none(rng):
    X, w = heavy_rows(rng, 200), rng.uniform(0.2, 3.0, size=200)
    test = mg.fit(X, "factor:1", weights=w, weights_kind="sampling").goodness("yuan-bentler")
    for name in ("rmsea", "rmsea_interval", "rmsea_pvalue", "cfi", "tli"):
        with pytest.raises(mg.DataError, match="sampling weights"):
            getattr(test, name)
    assert "RMSEA" not in repr(test)
    assert f"SRMR {test.srmr:.3f}" in repr(test)
