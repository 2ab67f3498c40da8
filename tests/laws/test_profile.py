"""Profile intervals: closed forms, refits with a parameter held, J at the ends, units, edges."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import mvngrad as mg
from mvngrad.errors import ConvergenceWarning, DataError
from mvngrad.inference.constrained import extreme
from mvngrad.inference.quantities import FisherZ, LogDeviation, Product, RootEntry

CHI = 3.841458820694124  # χ²₁(0.95)


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1)) * np.linspace(0.8, 1.2, d)
    return common + rng.normal(size=(n, d)) * np.linspace(1.0, 1.5, d) + 3.0


def holes(X: np.ndarray, share: float = 0.2) -> np.ndarray:
    return np.where(np.random.default_rng(9).random(X.shape) < share, np.nan, X)


def two_factors(n: int, seed: int, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of six columns on two correlated factors, and the pattern of their loadings."""
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n, 2)) @ np.array([[1.0, rho], [0.0, np.sqrt(1 - rho**2)]])
    pattern = np.where(np.arange(6)[:, None] // 3 == np.arange(2), np.nan, 0.0)
    X = np.repeat(F, 3, axis=1) * 0.8 + rng.normal(size=(n, 6)) * 0.6
    return X, pattern


@pytest.mark.parametrize(("n", "d"), [(5, 2), (40, 4), (100_000, 3)])
def test_of_a_mean_it_is_a_closed_form(n, d):
    fit = mg.fit(rows(n, d))
    half = fit.deviations * np.sqrt(np.expm1(CHI / n))  # n log(1 + t²/s²) = χ²
    ends = np.stack([fit.mean - half, fit.mean + half], axis=-1)
    found = fit.conf_int(method="profile").mean
    np.testing.assert_allclose(found - fit.mean[:, None], ends - fit.mean[:, None], rtol=1e-9)


def test_of_a_variance_it_is_one_equation():
    n, d = 12, 3
    fit = mg.fit(rows(n, d))
    found = fit.conf_int(method="profile")
    v = found.deviations**2 / np.diag(fit.covariance)[:, None]
    np.testing.assert_allclose(n * (np.log(v) + 1 / v - 1), CHI, rtol=1e-9)
    assert (v[:, 0] < 1).all()
    assert (v[:, 1] > 1).all()
    np.testing.assert_allclose(found.covariance[range(d), range(d)], found.deviations**2)


def test_of_a_correlation_it_is_fishers():
    n = 15
    fit = mg.fit(rows(n, 3))
    found, R = fit.conf_int(0.9, "profile").correlation, fit.correlation
    chi = 2 * mp.erfinv(mp.mpf("0.9")) ** 2
    for i, j in ((1, 0), (2, 1)):
        r = mp.mpf(float(R[i, j]))
        for end in found[i, j]:  # J(ρ) − Ĵ = ½n log[(1 − rρ)²/((1 − r²)(1 − ρ²))]
            q = mp.mpf(float(end))
            height = n * mp.log((1 - r * q) ** 2 / ((1 - r**2) * (1 - q**2)))
            assert abs(height / chi - 1) < 1e-8
        assert found[i, j, 0] < R[i, j] < found[i, j, 1]
    np.testing.assert_array_equal(found[range(3), range(3)], 1.0)


def test_of_a_coefficient_it_is_a_closed_form():
    n = 30
    X, Z = rows(n, 2), np.column_stack([np.ones(n), np.random.default_rng(5).normal(size=n)])
    fit = mg.fit(X, mean=mg.Linear(Z))
    G = np.diag(np.linalg.inv(Z.T @ Z))
    half = np.sqrt(np.outer(G, np.diag(fit.covariance)) * n * np.expm1(CHI / n))
    found = fit.conf_int(method="profile")
    np.testing.assert_allclose(found.coefficients[..., 1] - fit.coefficients, half, rtol=1e-8)
    np.testing.assert_allclose(fit.coefficients - found.coefficients[..., 0], half, rtol=1e-8)
    at = Z.mean(axis=0)
    half = np.sqrt(at @ np.linalg.solve(Z.T @ Z, at) * np.diag(fit.covariance))
    np.testing.assert_allclose(
        found.mean[:, 1] - fit.mean, half * np.sqrt(n * np.expm1(CHI / n)), rtol=1e-8
    )


@pytest.mark.parametrize("name", ["ar1", "compound-symmetry"])
def test_refits_with_a_correlation_held_agree(name):
    X = rows(30, 3, 2)
    fit = mg.fit(X, name)
    lag = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))

    def least(rho: float) -> float:
        R = rho**lag if name == "ar1" else (1 - rho) * np.eye(3) + rho
        L = np.linalg.cholesky(R)
        # μ by generalised least squares is the mean of the rows; σ² has a closed form
        s = np.mean(np.linalg.solve(L, (X - X.mean(0)).T) ** 2) ** 0.5
        return mg.nll(X, X.mean(0), s * L)

    r = fit.correlation[0, 1]
    ends = [
        brentq(lambda q: least(q) - fit.nll - CHI / 2, *bracket, xtol=1e-12)
        for bracket in ((-0.45, r), (r, 0.99))
    ]
    found = fit.conf_int(method="profile").correlation[0, 1]
    np.testing.assert_allclose(found, ends, atol=1e-9)


def test_refits_with_a_mean_held_agree_with_holes():
    X = holes(rows(25, 2, 3))
    fit = mg.fit(X)

    def least(v: float) -> float:
        def of(t: np.ndarray) -> float:
            return mg.nll(X, [v, t[0]], [[np.exp(t[1]), 0.0], [t[2], np.exp(t[3])]])

        L = fit.factor
        start = [fit.mean[1], np.log(L[0, 0]), L[1, 0], np.log(L[1, 1])]
        return minimize(of, start, method="BFGS", options={"gtol": 1e-7}).fun

    for end in fit.conf_int(method="profile").mean[0]:
        assert least(end) - fit.nll == pytest.approx(CHI / 2, rel=1e-6)


def test_refits_with_a_loading_held_agree():
    X, pattern = two_factors(120, 0, 0.4)
    fit = mg.fit(X, mg.FactorAnalytic(pattern=pattern, correlated=True))
    for end in fit.conf_int(method="profile").factor[1, 0]:
        held = pattern.copy()
        held[1, 0] = end
        again = mg.fit(X, mg.FactorAnalytic(pattern=held, correlated=True))
        assert again.nll - fit.nll == pytest.approx(CHI / 2, rel=1e-6)


PRIOR = [mg.InverseWishart(4.0), mg.NormalMean([3.0] * 4, 1.0)]
FITS = {
    "full": mg.fit,
    "Factor": lambda X: mg.fit(X, mg.Factor()),
    "holes": lambda X: mg.fit(holes(X)),
    "toeplitz-holes": lambda X: mg.fit(holes(X), "toeplitz"),
    "sum": lambda X: mg.fit(X, mg.RandomEffects(np.ones((4, 1))) + mg.Diagonal()),
    "kronecker": lambda X: mg.fit(X, mg.Kronecker(mg.AR1().sized(2), mg.Cholesky())),
    "exploratory": lambda X: mg.fit(X, mg.FactorAnalytic(1)),
    "known mean": lambda X: mg.fit(X, "ar1", X.mean(0)),
    "prior": lambda X: mg.fit(
        holes(X), prior=[mg.InverseWishart(4.0), mg.NormalMean([3.0] * 4, 1.0)]
    ),
    "weights": lambda X: mg.fit(X, weights=np.linspace(0.5, 2.0, len(X))),
}


@pytest.mark.parametrize("name", FITS)
def test_at_every_end_j_is_as_high_and_stationary(name):
    """J there by ``mg.nll``, of the rows themselves; ∇J along ∇f."""
    X = rows(40, 4, 1)
    fit = FITS[name](X)
    found = fit.conf_int(method="profile")
    chart, L = found.chart, found.chart.at.root
    data = holes(X) if "holes" in name else X
    w = np.linspace(0.5, 2.0, len(X)) if name == "weights" else None
    for f in (Product(L[0], L[2]), LogDeviation(L[1]), FisherZ(L[3], L[1]), RootEntry(L[2], 0)):
        for sign in (-1.0, 1.0):
            at = extreme(chart, f, sign, CHI / 2)
            assert at is not None
            mean, factor = fit.mean + L @ at.place.shift, L @ at.place.root
            if not fit.prior:
                height = mg.nll(data, mean, factor, weights=w) - fit.nll
                assert height == pytest.approx(CHI / 2, rel=1e-6)
            assert at.place.height == pytest.approx(CHI / 2, rel=1e-6)
            off = at.place.gradient - at.tau * f.gradient(at.place)
            assert np.linalg.norm(off) < 1e-6 * np.linalg.norm(at.place.gradient)
            # nowhere nearby is f larger at this height: a step along the surface does not raise it
            assert sign * (f.value(at.place) - f.value(chart.origin)) > 0


@pytest.mark.parametrize("name", ["full", "holes", "sum", "exploratory"])
def test_units_do_not_matter(name):
    X, T = rows(40, 4, 1), 2.0 ** np.array([-7, 0, 9, 20])
    if name == "sum":
        T = np.full(4, 2.0**9)
    a, b = (FITS[name](Y).conf_int(method="profile") for Y in (X, X * T))
    np.testing.assert_allclose(b.mean / T[:, None], a.mean, rtol=1e-8)
    np.testing.assert_allclose(b.deviations / T[:, None], a.deviations, rtol=1e-8)
    np.testing.assert_allclose(b.correlation[1, 0], a.correlation[1, 0], atol=1e-7)


def test_what_is_known_is_its_own_interval():
    found = mg.fit(rows(20, 2), "diagonal", [3.0, 3.0]).conf_int(method="profile")
    np.testing.assert_array_equal(found.mean, [[3.0, 3.0], [3.0, 3.0]])
    np.testing.assert_array_equal(found.covariance[0, 1], [0.0, 0.0])


def test_what_the_data_do_not_tell_has_no_interval_and_harms_no_other():
    X = rows(24, 3)
    X[12:, 2], X[:12, 1] = np.nan, np.nan
    with pytest.warns(match="never observed together"):
        fit = mg.fit(X)
    found = fit.conf_int(method="profile")
    assert np.isnan(found.covariance[2, 1]).all()
    assert np.isnan(found.correlation[2, 1]).all()
    L = found.chart.at.root
    for f in (Product(L[2], L[0]), LogDeviation(L[1]), LogDeviation(L[2])):
        at = extreme(found.chart, f, 1.0, CHI / 2)
        height = mg.nll(X, fit.mean + L @ at.place.shift, L @ at.place.root) - fit.nll
        assert height == pytest.approx(CHI / 2, rel=1e-6)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.deviations).all()


def test_a_noise_ends_at_zero_where_that_is_likely_enough():
    rng = np.random.default_rng(3)
    L = np.array([0.98, 0.6, 0.5, 0.4, 0.5])
    X = rng.normal(size=(50, 1)) * L + rng.normal(size=(50, 5)) * np.sqrt(1 - L**2)
    with pytest.warns(match="Heywood"):
        fit = mg.fit(X, mg.FactorAnalytic(1))
    found = fit.conf_int(method="profile")
    assert found.noise[0, 0] == 0.0
    assert found.noise[0, 1] > 0.0
    assert found.edges == (f"noise ({fit.columns[0]}) is 0 at its lower end",)
    assert (found.noise[1:, 0] > 0.0).all()


def test_a_correlation_of_factors_ends_at_one_where_that_is_likely_enough():
    X, pattern = two_factors(60, 3, 0.9)
    fit = mg.fit(X, mg.FactorAnalytic(pattern=pattern, correlated=True))
    found = fit.conf_int(method="profile")
    assert found.factor_correlation[1, 0, 0] < fit.factor_correlation[1, 0] < 1.0
    assert found.factor_correlation[1, 0, 1] == 1.0
    assert "is +1 at its upper end" in found.edges[0]
    one = mg.fit(X, mg.FactorAnalytic(1))  # which is that edge, and as likely as it should be
    assert one.nll - fit.nll < CHI / 2


def test_an_extreme_of_its_own_is_an_end():
    X = np.random.default_rng(0).normal(size=(40, 3))
    found = mg.fit(X, "ar1").conf_int(method="profile")
    low, high = found.correlation[1, 0]
    assert low < 0 < high
    np.testing.assert_allclose(found.correlation[2, 0], [0, max(-low, high) ** 2], atol=1e-9)
    assert "an extreme of its own" in found.edges[0]


def test_what_is_asked_in_vain_is_said():
    X = rows(30, 5)
    with pytest.raises(DataError, match="exploratory"):
        _ = mg.fit(X, mg.FactorAnalytic(1)).conf_int(method="profile").factor
    fit = mg.fit(X)
    with pytest.raises(DataError, match="'wald', 'profile' or 'bootstrap'"):
        fit.conf_int(method="score")
    with pytest.raises(DataError, match="does without"):
        fit.conf_int(method="profile", kind="observed")
    with pytest.raises(DataError, match="clusters"):
        fit.conf_int(method="profile", clusters=np.arange(30))
    with pytest.raises(DataError, match="sampling weights"):
        mg.fit(X, weights_kind="sampling").conf_int(method="profile")
    with pytest.raises(DataError, match="level"):
        fit.conf_int(1.0, "profile")


def test_an_end_that_is_not_found_is_nan_and_named(monkeypatch):
    monkeypatch.setattr("mvngrad.inference.ends.extreme", lambda *_: None)
    found = mg.fit(rows(20, 1)).conf_int(method="profile")
    with pytest.warns(ConvergenceWarning) as said:
        assert np.isnan(found.mean).all()
    ends = [f"the {end} end of the profile interval of mean (x1)" for end in ("lower", "upper")]
    assert [str(each.message).split(" was")[0] for each in said] == ends
