"""Priors: terms with gradients of their own, and what they must reduce to."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from holes import NAN
from mvngrad.core.operators import DenseCovariance
from mvngrad.errors import DataError, NeedsRowsError, NotPositiveDefiniteError
from mvngrad.models.data import Complete
from mvngrad.models.means import FreeMean
from mvngrad.models.objective import Objective
from mvngrad.models.penalised import Penalised
from mvngrad.models.penalty import Penalty

close = np.testing.assert_allclose
D, N = 4, 60
ROOT = np.array([[1, 0, 0, 0], [0.5, 1, 0, 0], [0.3, -0.4, 0.7, 0], [0.1, 0.2, 0.3, 2.0]])


@pytest.fixture(name="X")
def rows(rng):
    return rng.standard_normal((N, D)) @ ROOT.T + 3.0


@pytest.fixture(name="holed")
def rows_with_holes(X, rng):
    return np.where(rng.random(X.shape) < 0.2, NAN, X)


def terms(fit, X, kappa=0.0, center=None, sd=np.inf):
    """What the priors add, by their equations."""
    s, S = np.nanstd(X, axis=0), fit.covariance
    of_S = np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, np.diag(s**2)))
    of_mean = 0.0 if center is None else (((fit.mean - center) / (sd * s)) ** 2).sum()
    return 0.5 * kappa * of_S + 0.5 * of_mean


def test_the_closed_form(X):
    C, s2 = N * np.cov(X.T, ddof=0), X.var(axis=0)
    fit = mg.fit(X, prior=mg.InverseWishart(7.0))
    close(fit.covariance, (C + 7.0 * np.diag(s2)) / (N + 7.0), rtol=1e-12)
    close(fit.mean, X.mean(axis=0), rtol=1e-13)
    assert fit.method == "closed-form"
    share = 7.0 / (N + 7.0)
    close(mg.fit(X, prior=mg.InverseWishart(shrinkage=share)).covariance, fit.covariance)
    known = mg.fit(X, mean=np.full(D, 2.5), prior=mg.InverseWishart(7.0))
    A = (X - 2.5).T @ (X - 2.5)
    close(known.covariance, (A + 7.0 * np.diag(np.diagonal(A) / N)) / (N + 7.0), rtol=1e-12)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", mg.Factor()], ids=str)
@pytest.mark.parametrize("method", ["auto", "l-bfgs", "newton", "em", "natural-gradient"])
@pytest.mark.parametrize("holes", [False, True])
def test_value_and_summit_by_every_method(X, holed, covariance, method, holes):
    X = holed if holes else X
    fit = mg.fit(X, covariance, prior=mg.InverseWishart(9.0), method=method)
    best = mg.fit(X, covariance, prior=mg.InverseWishart(9.0))
    assert fit.converged
    assert fit.nll == pytest.approx(mg.nll(X, fit.mean, fit.factor), rel=1e-12)
    assert fit.penalty == pytest.approx(terms(fit, X, 9.0), rel=1e-11)
    assert fit.nll + fit.penalty == pytest.approx(best.nll + best.penalty, abs=1e-7)
    assert fit.nll >= mg.fit(X, covariance).nll - 1e-9


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("method", ["auto", "l-bfgs", "newton"])
def test_priors_on_means_add_up(X, holed, holes, method):
    X, c = (holed if holes else X), np.array([0.0, 3.0, 5.0, 3.0])
    both = [mg.NormalMean(c, 0.2), mg.InverseWishart(4.0)]
    fit = mg.fit(X, prior=both, method=method)
    assert fit.converged
    assert fit.penalty == pytest.approx(terms(fit, X, 4.0, c, 0.2), rel=1e-10)
    again = mg.fit(X, prior=both[::-1])
    assert fit.nll + fit.penalty == pytest.approx(again.nll + again.penalty, abs=1e-7)
    total = fit.nll + fit.penalty
    for _ in range(5):
        moved = mg.MultivariateNormal(fit.mean + 1e-3, fit.factor * 1.001)
        there = -moved.logpdf(X).sum() + terms(moved, X, 4.0, c, 0.2)
        assert there > total


def test_a_strong_prior_on_the_mean_is_a_known_mean(X):
    c = np.full(D, 2.5)
    fit, known = mg.fit(X, prior=mg.NormalMean(c, 1e-6)), mg.fit(X, mean=c)
    close(fit.mean, c, atol=1e-6)
    close(fit.covariance, known.covariance, rtol=1e-5)


def test_gradient_and_curvature_of_the_sum(X, rng):
    moments = mg.Moments.of(X)
    penalty = Penalty(5.0, 5.0 * ROOT @ ROOT.T, ROOT.T @ ROOT, np.ones(D), np.zeros(D))
    data = Penalised(Complete(moments), penalty)
    structure = mg.Cholesky().sized(D)
    objective = Objective(data, structure, FreeMean())
    x = np.concatenate([moments.center + 0.1, structure.start_at(np.eye(D) + 0.1 * np.tril(ROOT))])
    v = rng.standard_normal(len(x))
    point = objective.at(x)
    slopes, bends = [], []
    for t in (1e-2, 1e-3):
        ahead = objective.at(x + t * v)
        first = ahead.value - point.value - t * (point.gradient @ v)
        slopes.append(abs(first))
        bend = objective.hessian_product(point, v)
        bends.append(np.linalg.norm(ahead.gradient - point.gradient - t * bend))
    assert np.log10(slopes[0] / slopes[1]) == pytest.approx(2.0, abs=0.1)
    assert np.log10(bends[0] / bends[1]) == pytest.approx(2.0, abs=0.1)


def test_frames_agree(X):
    penalty = Penalty(5.0, 5.0 * ROOT @ ROOT.T, np.eye(D), np.ones(D), np.zeros(D))
    values = []
    for frame in ("diagonal", "full"):
        moments = mg.Moments.of(X, frame=frame)
        data = Penalised(Complete(moments), penalty)
        mu = moments.frame.whiten(np.full(D, 2.0) - moments.frame.origin)
        S = DenseCovariance.of_factor(moments.frame.whiten(2.0 * ROOT))
        values.append([data.evaluation(mu, S).nll + data.volume, data.value_of_terms(mu, S)])
    close(values[0], values[1], rtol=1e-12)


def ledoit_wolf(Z):
    """As in their §3.3, a row at a time."""
    S, d = Z.T @ Z / len(Z), Z.shape[1]
    m = np.trace(S) / d
    b = sum(((np.outer(z, z) - S) ** 2).sum() for z in Z) / len(Z) ** 2
    return min(b / ((S - m * np.eye(d)) ** 2).sum(), 1.0)


def oas(Z):
    """Their eq. 23 in traces, without the terms 1 − 2/p, as programs have it."""
    S, n, p = Z.T @ Z / len(Z), len(Z), Z.shape[1]
    square, trace = np.trace(S @ S), np.trace(S)
    above = square / p**2 + trace**2 / p**2
    return min(above / ((n + 1) * (square / p**2 - trace**2 / p**3)), 1.0)


@pytest.mark.parametrize(("rule", "share"), [("ledoit-wolf", ledoit_wolf), ("oas", oas)])
def test_rules_for_shrinkage(X, rule, share, rng):
    few = X[:25] + 3.0 * rng.standard_normal((25, 1))
    centred = few - few.mean(axis=0)
    S, rho = centred.T @ centred / 25, share(centred)
    spherical = mg.fit(few, prior=mg.InverseWishart(shrinkage=rule, target="spherical"))
    close(spherical.covariance, (1 - rho) * S + rho * np.trace(S) / D * np.eye(D), rtol=1e-11)
    unit = centred / few.std(axis=0)
    rho = share(unit)
    diagonal = mg.fit(few, prior=mg.InverseWishart(shrinkage=rule))
    close(diagonal.correlation, (1 - rho) * unit.T @ unit / 25 + rho * np.eye(D), rtol=1e-11)
    again = mg.fit(np.vstack([few, few]), prior=mg.InverseWishart(shrinkage=rule))
    weighted = mg.fit(few, weights=np.full(25, 2.0), prior=mg.InverseWishart(shrinkage=rule))
    close(weighted.covariance, again.covariance, rtol=1e-12)


def test_units_do_not_matter(holed):
    units = np.array([1e4, 1.0, 0.25, 1e-3])
    prior = [mg.InverseWishart(shrinkage=0.3), mg.NormalMean(np.full(D, 2.0), 0.5)]
    other = [prior[0], mg.NormalMean(2.0 * units, 0.5)]
    fit, scaled = mg.fit(holed, prior=prior), mg.fit(holed * units, prior=other)
    close(scaled.correlation, fit.correlation, atol=1e-6)
    close(scaled.mean, fit.mean * units, rtol=1e-6)


def test_few_rows_and_collinear_columns_have_a_maximum(X):
    few = np.column_stack([X[:4], X[:4, 0] + X[:4, 1]])
    with pytest.raises(NotPositiveDefiniteError):
        mg.fit(few)
    fit = mg.fit(few, prior=mg.InverseWishart(shrinkage=0.1))
    assert fit.converged
    few[0, 2] = NAN
    assert mg.fit(few, prior=mg.InverseWishart(shrinkage=0.1)).converged


def test_columns_never_together_are_settled_by_the_prior():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    X[:40, 0], X[40:, 1] = NAN, NAN
    fit = mg.fit(X, prior=mg.InverseWishart(5.0))
    assert fit.curvature > 0.0
    precision = np.linalg.inv(fit.correlation)
    assert abs(precision[0, 1]) < 0.05
    other = mg.fit(X, prior=mg.InverseWishart(5.0), n_starts=4, rng=1)
    close(other.covariance, fit.covariance, atol=1e-5)


def test_regressions_shrink_residuals(X, rng):
    Z = np.column_stack([np.ones(N), rng.normal(size=N)])
    fit = mg.fit(X, mean=mg.Linear(Z), prior=mg.InverseWishart(6.0))
    E = X - Z @ np.linalg.lstsq(Z, X)[0]
    T = np.diag((E**2).mean(axis=0))
    close(fit.covariance, (E.T @ E + 6.0 * T) / (N + 6.0), rtol=1e-11)
    X = X.copy()
    X[0, 0] = NAN
    assert mg.fit(X, mean=mg.Linear(Z), prior=mg.InverseWishart(6.0)).converged


def test_reports_and_files(X, tmp_path):
    fit = mg.fit(X, prior=mg.InverseWishart(shrinkage=0.2))
    assert "Penalised" in str(fit.summary())
    assert "InverseWishart(shrinkage=0.2, target='diagonal')" in str(fit.summary())
    fit.save(tmp_path / "model")
    loaded = mg.load(tmp_path / "model")
    assert (loaded.penalty, loaded.prior) == (fit.penalty, fit.prior)


def test_what_priors_cannot_be(X, holed):
    def refused(match, error=DataError, data=X, **options):
        with pytest.raises(error, match=match):
            mg.fit(data, **options)

    with pytest.raises(DataError, match="one of the two"):
        mg.InverseWishart()
    with pytest.raises(DataError, match="between 0 and 1"):
        mg.InverseWishart(shrinkage=1.5)
    with pytest.raises(DataError, match="positive number"):
        mg.InverseWishart(-1.0)
    with pytest.raises(DataError, match="target must be one of"):
        mg.InverseWishart(1.0, target="round")
    with pytest.raises(DataError, match="a rule for the targets"):
        mg.InverseWishart(shrinkage="oas", target=np.eye(2))
    refused("prior must be an InverseWishart", prior="strong")
    refused("estimated from complete data", data=holed, prior=mg.InverseWishart(shrinkage="oas"))
    refused(
        "needs the rows", NeedsRowsError, mg.Moments.of(X),
        prior=mg.InverseWishart(shrinkage="ledoit-wolf"),
    )  # fmt: skip
    refused("target must be a positive", NotPositiveDefiniteError,
            prior=mg.InverseWishart(1.0, target=np.ones((D, D))))  # fmt: skip
    refused("a center of 4 entries", prior=mg.NormalMean([1.0], 1.0))
    refused("linear in a design", mean=mg.Linear(np.ones((N, 1))),
            prior=mg.NormalMean(np.zeros(D), 1.0))  # fmt: skip
    refused("no closed form", prior=mg.NormalMean(np.zeros(D), 1.0), method="em")


P = np.where(np.arange(6)[:, None] % 2 == np.arange(2), NAN, 0.0)
FACTORS = [
    mg.FactorAnalytic(1),
    mg.FactorAnalytic(2),
    mg.PPCA(2),
    mg.FactorAnalytic(pattern=P, correlated=True),
]


@pytest.fixture(name="Y")
def rows_of_factors(rng):
    f = rng.standard_normal((200, 2)) @ [[1.0, 0.4], [0.0, 0.9]]
    return f @ np.where(np.isnan(P), 1.0, P).T + 0.7 * rng.standard_normal((200, 6))


@pytest.mark.parametrize("structure", FACTORS, ids=str)
@pytest.mark.parametrize("prior", [mg.Ridge(20.0), [mg.Ridge(20.0), mg.InverseWishart(9.0)]])
@pytest.mark.parametrize("method", ["auto", "l-bfgs"])
@pytest.mark.parametrize("holes", [False, True])
def test_a_ridge_on_loadings(Y, structure, prior, method, holes, rng):
    if holes:
        Y = np.where(rng.random(Y.shape) < 0.1, NAN, Y)
    fit, plain = mg.fit(Y, structure, prior=prior, method=method), mg.fit(Y, structure)
    s = np.nanstd(Y, axis=0)
    shared = np.diagonal(fit.covariance) - fit.noise
    expected = 10.0 * (shared / s**2).sum()
    if isinstance(prior, list):
        expected += terms(fit, Y, 9.0)
    assert fit.converged
    assert fit.penalty == pytest.approx(expected, rel=1e-9)
    assert fit.nll > plain.nll
    assert shared.sum() < (np.diagonal(plain.covariance) - plain.noise).sum()
    best = mg.fit(Y, structure, prior=prior)
    assert fit.nll + fit.penalty == pytest.approx(best.nll + best.penalty, abs=1e-6)


@pytest.mark.parametrize("structure", FACTORS, ids=str)
@pytest.mark.parametrize("holes", [False, True])
def test_factor_models_shrink(Y, structure, holes, rng):
    if holes:
        Y = np.where(rng.random(Y.shape) < 0.1, NAN, Y)
    fits = [mg.fit(Y, structure, prior=mg.InverseWishart(k)) for k in (1e-9, 30.0, 1e5)]
    assert all(fit.converged for fit in fits)
    assert fits[0].nll == pytest.approx(mg.fit(Y, structure).nll, abs=1e-6)
    assert fits[1].penalty == pytest.approx(terms(fits[1], Y, 30.0), rel=1e-10)
    assert np.abs(fits[2].correlation - np.eye(6)).max() < 0.05 or isinstance(structure, mg.PPCA)


def test_a_ridge_needs_loadings(X):
    with pytest.raises(DataError, match="loadings of factor models"):
        mg.fit(X, prior=mg.Ridge(1.0))


@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e10])
def test_two_normal_means_are_the_sum_of_both_in_any_units(unit: float) -> None:
    """½ Σⱼ ((μⱼ − cⱼ)/(τⱼsⱼ))² of one and of the other, and μ̂ goes with the units."""
    units = np.array([1.0, unit, 1.0])
    X = np.random.default_rng(8).normal([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], size=(60, 3))
    centers, deviations = ([0.0, 3.0, 1.0], [1.0, 0.0, 4.0]), (0.3, np.array([0.1, 0.5, 0.2]))

    def fitted(by: np.ndarray) -> mg.Fit:
        pairs = zip(centers, deviations, strict=True)
        return mg.fit(X * by, prior=[mg.NormalMean(np.array(c) * by, sd) for c, sd in pairs])

    fit, s = fitted(units), X.std(axis=0)
    terms = sum(
        0.5 * (((fit.mean / units - c) / (sd * s)) ** 2).sum()
        for c, sd in zip(centers, deviations, strict=True)
    )
    assert fit.penalty == pytest.approx(terms, rel=1e-9)
    assert fit.mean / units == pytest.approx(fitted(np.ones(3)).mean, rel=1e-6)


def test_proper_imputation_refits_with_the_prior(holed, tmp_path):
    """A prior that outweighs the data leaves nothing of the bootstrap in S: it stays T."""
    prior = mg.InverseWishart(1e6, target=0.01 * np.eye(D))
    fit = mg.fit(holed, prior=prior)
    draws = fit.impute(holed, draws=3, proper=True, rng=0)
    of_draw = [draw[np.isnan(holed[:, 3]), 3].std() for draw in draws]
    assert max(of_draw) < 0.3 < 0.3 * np.nanstd(holed[:, 3])
    fit.save(tmp_path / "m.safetensors")
    loaded = mg.load(tmp_path / "m.safetensors")
    assert np.isfinite(loaded.impute(holed, draws=2, rng=0)).all()
    with pytest.raises(DataError, match="refits the model with its prior"):
        loaded.impute(holed, draws=2, proper=True, rng=0)


@pytest.mark.parametrize("rule", ["ledoit-wolf", "oas"])
def test_a_known_mean_is_what_priors_measure_about(X, rule):
    """Rows and their mirror images about μ have mean μ and the same scatter about it."""
    mu = np.array([10.0, -5.0, 3.0, 0.0])
    both = np.vstack([X, 2.0 * mu - X])
    prior = mg.InverseWishart(shrinkage=rule)
    free, known = (mg.fit(both, mean=m, prior=prior) for m in ("free", mu))
    close(known.covariance, free.covariance, rtol=1e-10)
    half = mg.fit(X, mean=mu, prior=mg.InverseWishart(shrinkage=0.5)).covariance
    close(np.diagonal(half), ((X - mu) ** 2).mean(axis=0), rtol=1e-10)
    holed = np.vstack([X, np.full((1, D), NAN)])
    holed[-1, 0] = mu[0] + 1.0
    assert np.isfinite(mg.fit(holed, mean=mu, prior=mg.InverseWishart(3.0)).nll)


@pytest.mark.parametrize("prior", [5, mg.InverseWishart, "oas", {"oas"}])
def test_what_is_no_prior(X, prior):
    with pytest.raises(DataError, match="prior must be"):
        mg.fit(X, prior=prior)


def test_what_priors_refuse_and_say():
    with pytest.raises(DataError, match="finite sd"):
        mg.NormalMean([0.0], np.inf)
    assert repr(mg.InverseWishart(1234567.25)).startswith("InverseWishart(1234567.25,")


def test_ledoit_wolf_wherever_there_are_rows(X):
    """Residuals of a regression on 1 are the rows; what counts for nothing changes nothing."""
    prior = mg.InverseWishart(shrinkage="ledoit-wolf")
    S, empty = mg.fit(X, prior=prior).covariance, np.vstack([X, np.full(D, NAN)])
    hole, w = np.vstack([X, [NAN, 1.0, 2.0, 3.0]]), np.append(np.ones(N), 0.0)
    for rows, options in (
        (X, {"mean": mg.Linear(np.ones((N, 1)))}),
        (empty, {}),
        (hole, {"weights": w}),
        (empty, {"mean": mg.Linear(np.ones((N + 1, 1)))}),
        (hole, {"mean": mg.Linear(np.ones((N + 1, 1))), "weights": w}),
    ):
        close(mg.fit(rows, prior=prior, **options).covariance, S, rtol=1e-10)


def test_the_callback_hears_what_the_trace_keeps(X):
    heard = []
    fit = mg.fit(X, prior=mg.InverseWishart(5.0), method="l-bfgs", callback=heard.append)
    kept = {step.iteration: step.nll for step in fit.trace.steps}
    assert len(heard) > 1
    assert all(step.nll == kept[step.iteration] for step in heard)
    assert heard[-1].nll == pytest.approx(fit.nll + fit.penalty, rel=1e-9)
