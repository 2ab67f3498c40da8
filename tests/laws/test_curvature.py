"""Second derivatives of J in (β, θ): symmetric, and what is left of J falls as h³.

Over every structure of the list, free, known and linear means, weights, holes and priors. With δ
and E the whitened tangents of μ and S along v, |v|² = ‖δ‖² + ‖E‖², the terms of ⟨u, Hv⟩ are

    n(1 + ‖K‖)|u||v|        of J in (μ, S)
    ‖u‖‖pull_tangent(v)‖    of the structure
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mvngrad as mg
from cases import CASES, STRUCTURES, Case, factor_of_condition
from mvngrad.core import curvature
from mvngrad.core import whole as whole_matrix
from mvngrad.core.curvature import curvature_at, marginal_change, plain_change
from mvngrad.core.design import Design, orthonormal
from mvngrad.core.expected import SAFE, evaluate_observed
from mvngrad.core.frame import AffineFrame
from mvngrad.core.operators import whitened_scatter
from mvngrad.core.patterns import Patterns
from mvngrad.core.seen import is_plain
from mvngrad.core.whole import whole, whole_at
from mvngrad.models.data import Complete, Observed
from mvngrad.models.low_rank import LowRank
from mvngrad.models.means import FixedMean, FreeMean, LinearMean, Row
from mvngrad.models.objective import Objective, Point
from mvngrad.models.penalised import Penalised
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure

EPS = float(np.finfo(float).eps)
STEPS = 10.0 ** -np.arange(1.0, 2.6, 0.5)
VARIED = [case for case in CASES if case.structure.size]
GENERIC = [case for case in VARIED if case.d == 3 and case.condition <= 1e4]
STIFF = [case for case in VARIED if case.d == 5 and case.condition == 1e8]
MEANS = {
    "complete": ["free", "known"],
    "holes": ["free", "known"],
    "design": ["free", "known", "linear"],
    "prior": ["free", "known"],
    "holes and prior": ["free", "known"],
}


def with_holes(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """35 % of the entries missing, something of every column, and one row with nothing."""
    X = X.copy()
    missing = rng.random(X.shape) < 0.35
    missing[range(X.shape[1]), range(X.shape[1])] = False
    X[missing] = np.nan
    X[-1] = np.nan
    return X


def penalty(structure: Structure, rng: np.random.Generator) -> Penalty:
    """A term in S, one in μ, and a ridge where there are loadings."""
    d = structure.columns
    T = mg.Moments.of(rng.standard_normal((3 * d, d))).cov
    ridge = np.full(d, 2.0 * bool(structure.n_loadings))
    return Penalty(5.0, 5.0 * T, np.eye(d) + T, rng.standard_normal(d), ridge)


def designed(X: np.ndarray, w: np.ndarray, rng: np.random.Generator) -> Observed:
    """Each row with an intercept and two covariates of its own."""
    seen = ~np.isnan(X).all(axis=1)
    Z = np.column_stack([np.ones(len(X)), rng.standard_normal((len(X), 2))])
    d, plain = X.shape[1], AffineFrame.identity(X.shape[1] + 3)
    both = Patterns.of(np.hstack([X, Z])[seen], w[seen], plain, merged=False)
    zeta, basis = orthonormal(both.kept.z[:, d:], both.kept.weights, both.weight)
    frame = AffineFrame(np.zeros((d, 3)), np.ones(d))
    kept = both.kept._replace(z=both.kept.z[:, :d])
    rows = Patterns(frame, both.observed[:, :d], both.counts, both.starts, kept)
    inner = AffineFrame(np.zeros((d, 3)), np.ones(d))
    return Observed(rows, inner, Design(rows, zeta, basis))


def linear(d: int) -> LinearMean:
    """An intercept each, one slope that all share, and one of the first column alone."""
    each = [Row(np.array([j, d]), np.eye(2, 3)) for j in range(1, d)]
    return LinearMean((Row(np.array([0, d, d + 1]), np.eye(3)), *each), d + 2)


def objective(
    case: Case, kind: str, mean: str, rng: np.random.Generator
) -> tuple[Objective, Point]:
    """J of weighted rows from S(θ) itself, at a point some way off."""
    n, d = 4 * case.d + 6, case.d
    X, w = case.rows(n, rng), rng.exponential(size=n)
    identity = AffineFrame.identity(d)
    data: Any = Complete(mg.Moments.of(X, w, frame=identity))
    if "holes" in kind:
        data = Observed(Patterns.of(with_holes(X, rng), w, identity), identity)
    if "design" in kind:
        data = designed(with_holes(X, rng), w, rng)
    if "prior" in kind:
        data = Penalised(data, penalty(case.structure, rng))
    Lambda = case.structure.factor(case.theta)
    offset = Lambda @ rng.standard_normal((Lambda.shape[1], 3))
    means = {
        "free": FreeMean(3 if kind == "design" else None),
        "known": FixedMean(offset if kind == "design" else offset[:, 0]),
        "linear": linear(d),
    }
    J = Objective(data, case.structure, means[mean])
    beta = 0.3 * (rng.standard_normal(J.n_beta) if mean == "linear" else offset.ravel()[: J.n_beta])
    return J, J.at(np.concatenate([beta, case.theta]))


def lengths(J: Objective, point: Point, v: np.ndarray) -> float:
    """√(‖δ‖² + ‖E‖²)."""
    S, (v_beta, v_theta) = point.covariance, J.split(v)
    delta = S.whiten(J.mean.push(v_beta))
    E = whitened_scatter(S, J.structure.push(J.split(point.params)[1], v_theta))
    return float(np.hypot(np.linalg.norm(delta), np.linalg.norm(E)))


def own(J: Objective, point: Point, u: np.ndarray, v: np.ndarray) -> float:
    """‖u‖‖pull_tangent(v)‖ per unit weight."""
    (_, theta), (_, v_theta) = J.split(point.params), J.split(v)
    bent = J.structure.pull_tangent(theta, point.evaluation.score, v_theta)
    return float(np.linalg.norm(u) * np.linalg.norm(bent)) / J.data.weight


def terms(J: Objective, point: Point, u: np.ndarray, v: np.ndarray) -> float:
    K = float(np.linalg.norm(point.evaluation.scatter, 2))
    size = (1.0 + K) * lengths(J, point, u) * lengths(J, point, v)
    return size + own(J, point, u, v) + own(J, point, v, u)


# Symmetry


def assert_symmetric(J: Objective, point: Point, rng: np.random.Generator, loss: float) -> None:
    """⟨u, Hv⟩ = ⟨Hu, v⟩ to 100 ε of the size of the terms, times what whitening may lose."""
    H = J.hessian(point)
    u, v = rng.standard_normal((2, len(point.params)))
    gap = abs(float(u @ H(v) - H(u) @ v))
    assert gap <= 100.0 * EPS * loss * terms(J, point, u, v)


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("case", GENERIC, ids=str)
def test_products_are_symmetric(case: Case, kind: str, rng):
    for mean in MEANS[kind]:
        assert_symmetric(*objective(case, kind, mean, rng), rng, 1.0)


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("case", STIFF, ids=str)
def test_products_are_symmetric_where_s_is_nearly_singular(case: Case, kind: str, rng):
    """Rows with holes are whitened one by one; of a scatter, or by few factors, ε√cond is lost."""
    by_rows = ("holes" in kind or kind == "design") and not isinstance(case.structure, LowRank)
    loss = 1.0 if by_rows else case.condition**0.5
    for mean in MEANS[kind]:
        assert_symmetric(*objective(case, kind, mean, rng), rng, loss)


# Taylor


def remainders(J: Objective, point: Point, v: np.ndarray) -> np.ndarray:
    """The larger, of ±h, of |J(x+hv) − J − h⟨∇, v⟩ − ½h²⟨v, Hv⟩|."""
    slope, bend = float(point.gradient @ v), float(v @ J.hessian_product(point, v))

    def remainder(h: float) -> float:
        value = J.at(point.params + h * v).value
        return abs(value - point.value - h * slope - 0.5 * h**2 * bend)

    return np.array([max(remainder(h), remainder(-h)) for h in STEPS])


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("case", GENERIC, ids=str)
def test_what_is_left_of_j_falls_as_the_cube(case: Case, kind: str, rng):
    for mean in MEANS[kind]:
        J, point = objective(case, kind, mean, rng)
        v = rng.standard_normal(len(point.params))
        v /= lengths(J, point, v)
        v /= max(1.0, np.sqrt(abs(float(v @ J.hessian_product(point, v)))))
        gaps = remainders(J, point, v)
        terms_of_J = 1.0 + abs(point.value) + float(np.trace(point.evaluation.scatter))
        seen = gaps > 100.0 * case.d * EPS * terms_of_J
        assert np.count_nonzero(seen) > 1
        slope, _ = np.polyfit(np.log(STEPS[seen]), np.log(gaps[seen]), 1)
        assert slope >= 2.9


# Ways to the curvature of rows with holes


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12])
@pytest.mark.parametrize("d", [2, 5, 18])
def test_ways_are_the_marginal_within_their_bounds(d: int, condition: float, rng, monkeypatch):
    """30 d ε √cond(S), and of what goes by S and S⁻¹ wherever it is asked ε·cond(S)."""
    L = np.linalg.qr(factor_of_condition(d, condition, rng).T, mode="r").T
    L *= np.sign(np.diagonal(L))
    X = with_holes(rng.standard_normal((40, d)) @ L.T, rng)
    data = Patterns.of(X, rng.exponential(size=40), AffineFrame.identity(d))
    mu, delta, E = 0.3 * L @ rng.standard_normal(d), *tangents(d, rng)
    true = marginal_change(data, mu, L, delta, E).of_gradients
    e = evaluate_observed(data, mu, L)
    along = np.hypot(np.linalg.norm(delta), np.linalg.norm(E))
    size = data.weight * (1.0 + np.linalg.norm(e.scatter, 2)) * along
    exact, digits = 30.0 * d * EPS * condition**0.5, 30.0 * d * EPS * condition
    ways = {"as it is": (curvature_at(data, mu, L), exact)}
    ways["by rows"] = (whole(data, mu, L, plain=False).product(), exact)
    if condition <= 1e10:
        ways["plain"] = (lambda *v: plain_change(data, mu, L, *v).of_gradients, digits)
        ways["whole, plain"] = (whole(data, mu, L, plain=True).product(), digits)
    monkeypatch.setattr(curvature, "MOST_KEPT", 0)
    ways["pattern by pattern"] = (curvature_at(data, mu, L), exact)
    monkeypatch.setattr(curvature, "KERNEL_WORK", 0.0)
    ways["compiled"] = (curvature_at(data, mu, L), exact)
    monkeypatch.setattr(whole_matrix, "MOST_PLAIN", 0.0)
    if d <= whole_matrix.FEW:
        ways["matrix"] = (whole_at(data, mu, L).product(), exact)
    for name, (way, bound) in ways.items():
        gap = np.hypot(*(np.linalg.norm(a - b) for a, b in zip(way(delta, E), true, strict=True)))
        assert gap <= bound * size, name


def test_the_way_by_rows_is_taken_where_s_has_lost_digits(rng):
    d = 5
    data = Patterns.of(with_holes(rng.standard_normal((40, d)), rng))
    for ratio in (0.5, 2.0):
        L = np.diag([*np.ones(d - 1), 1.0 / (SAFE * d * ratio)])
        assert is_plain(data, L) == (ratio < 1.0)


def tangents(d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    E = rng.standard_normal((d, d))
    return rng.standard_normal(d), E + E.T


# No structure of the package leaves its second derivative to differences


@pytest.mark.parametrize("name", STRUCTURES)
def test_second_derivatives_are_exact_and_tangents_are_whitened_by_halves(name: str):
    kind = type(STRUCTURES[name](4))
    assert kind.pull_tangent is not Structure.pull_tangent
    assert kind.push_halves is not Structure.push_halves
