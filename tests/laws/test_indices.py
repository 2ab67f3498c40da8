"""RMSEA, CFI, TLI, SRMR: what they must be at the ends, and what lavaan says in between."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

import mvngrad as mg
from mvngrad.fitting.saturated import independent_loglik
from mvngrad.inference.goodness import GoodnessOfFit, likelihood_ratio, scaled
from mvngrad.inference.indices import cfi, rmsea, rmsea_interval, rmsea_pvalue, srmr, tli

NAN = np.nan


def ratio(statistic, df):
    return GoodnessOfFit(statistic, df, float(stats.chi2(df).sf(statistic)))


# Laws


@pytest.mark.parametrize("statistic", [0.0, 3.0, 10.0])
def test_no_more_than_chance_is_no_misfit(statistic):
    baseline = ratio(200.0, 15)
    assert rmsea(statistic, 10, 100.0) == 0.0
    assert cfi(ratio(statistic, 10), baseline) == 1.0
    assert tli(ratio(statistic, 10), baseline) >= 1.0


def test_the_saturated_model_fits():
    nothing, baseline = GoodnessOfFit(0.0, 0, 1.0), ratio(200.0, 15)
    assert rmsea(0.0, 0, 100.0) == 0.0
    assert rmsea_interval(0.0, 0, 100.0) == (0.0, 0.0)
    assert (rmsea_pvalue(0.0, 0, 100.0), cfi(nothing, baseline), tli(nothing, baseline)) == (
        1,
        1,
        1,
    )


def test_the_baseline_itself_has_index_zero():
    baseline = ratio(200.0, 15)
    assert cfi(baseline, baseline) == tli(baseline, baseline) == 0.0


@pytest.mark.parametrize(("statistic", "df", "n"), [(85.3, 24, 301.0), (900.0, 40, 50.0)])
def test_the_interval_inverts_the_noncentral_tail(statistic, df, n):
    low, high = rmsea_interval(statistic, df, n)
    assert low < rmsea(statistic, df, n) < high
    for value, p in ((low, 0.95), (high, 0.05)):
        assert stats.ncx2.cdf(statistic, df, n * df * value**2) == pytest.approx(p, abs=1e-9)
    assert rmsea_interval(statistic, df, n, 0.5)[1] < high


def test_the_interval_of_a_close_fit_begins_at_zero():
    assert rmsea_interval(12.0, 10, 100.0)[0] == 0.0
    assert rmsea_interval(0.1, 10, 100.0) == (0.0, 0.0)


def test_close_fit_of_nothing_close_is_the_plain_test():
    assert rmsea_pvalue(20.0, 10, 300.0, 0.0) == pytest.approx(stats.chi2(10).sf(20.0))


def test_srmr_is_of_correlations_and_blind_to_units(rng):
    L, units = rng.normal(size=(4, 4)), np.array([1e-3, 1.0, 10.0, 1e4])
    C, m, mu = L @ L.T, rng.normal(size=4), rng.normal(size=4)
    S = C + np.diag(rng.uniform(size=4))
    D = np.diag(units)
    assert srmr(C, C, m, m) == 0.0
    there = srmr(D @ S @ D, D @ C @ D, D @ mu, D @ m)
    assert there == pytest.approx(srmr(S, C, mu, m), rel=1e-12)


def test_scaling_keeps_a_normal_statistic():
    assert scaled(20.0, 10, 10.0)[:3] == (20.0, 10, ratio(20.0, 10).pvalue)
    assert scaled(20.0, 10, 20.0)[:3] == (10.0, 10, ratio(10.0, 10).pvalue)
    assert scaled(0.0, 0, 0.0) == (0.0, 0, 1.0, 1.0)
    with pytest.raises(mg.DataError, match="must be positive"):
        scaled(20.0, 10, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_independence_has_a_closed_form_holes_or_none(share, rng):
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 5.0
    X[rng.random(X.shape) < share] = NAN
    w = rng.uniform(0.5, 2.0, 50)
    fit = mg.fit(X, "diagonal", weights=w)
    assert independent_loglik(fit) == pytest.approx(fit.loglik, rel=1e-10)


def test_with_holes_the_statistic_is_that_of_two_fits(rng):
    X = rng.normal(size=(80, 1)) + rng.normal(size=(80, 4))
    X[rng.random(X.shape) < 0.15] = NAN
    small, full = mg.fit(X, mg.FactorAnalytic(1)), mg.fit(X)
    test = small.goodness()
    assert test.statistic == pytest.approx(2.0 * (full.loglik - small.loglik), rel=1e-9)
    assert test.df == full.n_params - small.n_params == 2
    assert test.srmr == pytest.approx(
        srmr(small.covariance, full.covariance, small.mean, full.mean)
    )
    assert mg.fit(X, "diagonal").goodness().cfi == pytest.approx(0.0, abs=1e-9)


def test_pairs_never_together_cost_the_saturated_model_parameters(rng):
    X = rng.normal(size=(60, 4)) + rng.normal(size=(60, 1))
    X[:30, 0] = X[30:, 1] = NAN
    with pytest.warns(mg.NotIdentifiedWarning):
        full = mg.fit(X)
    fit = mg.fit(X, "compound-symmetry")
    assert fit.goodness().df == full.n_params - fit.n_params == 4 + 9 - 6


def test_what_is_gone_with_the_rows_is_said(rng, tmp_path):
    X = rng.normal(size=(60, 3))
    complete = mg.fit(X, "diagonal")
    path = tmp_path / "fit.safetensors"
    complete.save(path)
    test = mg.load(path).goodness()
    assert test.plain == complete.goodness().plain
    assert test.cfi == complete.goodness().cfi
    assert "SRMR" not in repr(test)
    with pytest.raises(mg.NeedsRowsError, match="SRMR"):
        _ = test.srmr
    X[0, 0] = NAN
    holes = mg.fit(X, "diagonal")
    holes.save(path)
    with pytest.raises(mg.NeedsRowsError, match="fit again"):
        mg.load(path).goodness()
    assert pickle.loads(pickle.dumps(holes)).goodness().srmr == holes.goodness().srmr


def test_bartletts_statistic_leaves_the_indices(rng):
    X = rng.normal(size=(60, 1)) + rng.normal(size=(60, 6))
    fit = mg.fit(X, mg.FactorAnalytic(1))
    plain, corrected = fit.goodness(), fit.goodness("bartlett")
    assert corrected.statistic < plain.statistic
    assert corrected.correction == "bartlett"
    assert (corrected.cfi, corrected.rmsea) == (plain.cfi, plain.rmsea)
    assert repr(corrected).startswith("<Goodness: χ² ")


# lavaan 0.6-14, meanstructure = TRUE: of 301 pupils (Holzinger & Swineford 1939) three factors


PUPILS = """
1.35836984551274
0.407371330152702 1.381783865520248
0.579899322343697 0.451063936932263 1.274864860763126
0.504834996175275 0.208923370336006 0.208169612912440 1.350664507858462
0.440615537379334 0.211091075153696 0.112296290879792 1.097752781573106 1.659785763954040
0.454808130645720 0.247544571331691 0.244108981523355 0.895515709398593 1.014524042116340
1.196358378025949
0.0847654344783585 -0.0967510175900376 0.0883418379706074 0.2197425898039997 0.1429995481073608
0.1440783892106075 1.1831394643264315
0.263837684353865 0.109659385657995 0.212322642686063 0.125593349980806 0.180605208551782
0.165431004897507 0.535245221248386 1.021982814759219
0.458338547072218 0.244009450897341 0.373852570933682 0.243362737180434 0.295241329655578
0.235996949414134 0.373297219242739 0.457316559776382 1.015003869959718
"""


def simple_structure(k, each):
    P = np.kron(np.eye(k), np.ones((each, 1)))
    return mg.FactorAnalytic(pattern=np.where(P > 0.0, NAN, 0.0), correlated=True)


def pupils():
    S = np.zeros((9, 9))
    S[np.tril_indices(9)] = [float(x) for x in PUPILS.split()]
    return mg.Moments.from_covariance(S + np.tril(S, -1).T, 301)


def test_as_lavaan_says_of_complete_data():
    fit = mg.fit(pupils(), simple_structure(3, 3))
    test = fit.goodness()
    assert test.df == 24
    assert test.baseline.df == 36
    assert test.statistic == pytest.approx(85.30552177, abs=1e-5)
    assert test.baseline.statistic == pytest.approx(918.851589292, abs=1e-5)
    assert test.cfi == pytest.approx(0.930559651799, abs=1e-7)
    assert test.tli == pytest.approx(0.895839477699, abs=1e-7)
    assert test.rmsea == pytest.approx(0.0921214845102, abs=1e-7)
    assert test.rmsea_interval == pytest.approx((0.0714184904399, 0.113678016812), abs=1e-6)
    assert test.rmsea_pvalue == pytest.approx(0.000661236778052, abs=1e-7)
    assert test.srmr == pytest.approx(0.0595238011388, abs=1e-6)
    assert (fit.aic, fit.bic) == pytest.approx((7535.48985325, 7646.70316119), abs=1e-5)


def holed_rows():
    """Two factors of three columns each, 200 rows, a hole in every eleventh place."""
    rng = np.random.default_rng(20240)
    L = np.array([[0.9, 0], [0.7, 0.3], [0.8, 0], [0, 1.0], [0, 0.7], [0.2, 0.9]])
    f = rng.normal(size=(200, 2)) @ np.array([[1, 0.4], [0, 0.9]])
    X = np.round(f @ L.T + 0.6 * rng.normal(size=(200, 6)) + np.arange(6), 2)
    i, j = np.indices(X.shape)
    X[(7 * (i + 1) + 3 * (j + 1)) % 11 == 0] = NAN
    return X


def test_as_lavaan_says_of_rows_with_holes():
    fit = mg.fit(holed_rows(), simple_structure(2, 3))
    test = fit.goodness()
    assert fit.loglik == pytest.approx(-1342.06442751, abs=1e-6)
    assert (test.df, test.baseline.df) == (8, 15)
    assert test.statistic == pytest.approx(34.3123877019, abs=1e-5)
    assert test.baseline.statistic == pytest.approx(662.59095903, abs=1e-5)
    assert test.cfi == pytest.approx(0.959368815554, abs=1e-7)
    assert test.tli == pytest.approx(0.923816529164, abs=1e-7)
    assert test.rmsea == pytest.approx(0.12823900465, abs=1e-7)
    assert test.rmsea_interval == pytest.approx((0.0859939801621, 0.173807676485), abs=1e-6)
    assert test.rmsea_pvalue == pytest.approx(0.00195637732867, abs=1e-7)
    assert test.srmr == pytest.approx(0.0442935152446, abs=1e-6)


def test_the_tail_is_that_of_the_likelihood_ratio():
    test = mg.fit(pupils(), simple_structure(3, 3)).goodness()
    assert test.pvalue == likelihood_ratio(-test.statistic / 2, 0.0, test.df).pvalue
