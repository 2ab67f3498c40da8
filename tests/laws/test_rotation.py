"""Rotations: derivatives, what they keep, what they may not depend on, and that they are best."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from cases import orthogonal
from mvngrad.inference.projection import Oblique, Orthogonal, at
from mvngrad.inference.rotation import METHODS, oblimin, promax, quartimax, rotate, varimax
from mvngrad.inference.simple_structure import crossing, unit_rows

ORTHOGONAL = ["varimax", "quartimax"]
FAMILIES = [Orthogonal, Oblique]
GAMMAS = [0.0, 1.0, -0.7, 0.3]


def turned(d, k, rng, noise=0.08):
    """Loadings of simple structure, a little blurred and turned at random."""
    Lambda = noise * rng.normal(size=(d, k))
    Lambda[np.arange(d), np.arange(d) % k] += rng.uniform(0.4, 0.9, d)
    return Lambda @ orthogonal(k, rng)


def correlations(k, rng):
    R = np.linalg.cholesky(np.eye(k) + 0.5 * np.ones((k, k)) + 0.1 * np.diag(rng.random(k)))
    R /= np.linalg.norm(R, axis=1, keepdims=True)
    return R @ R.T


def member(family, k, rng):
    """A rotation of the family, not too near a singular one."""
    return family.back(np.eye(k) + 0.4 * rng.normal(size=(k, k)))


def assert_slope_two(remainder):
    """|f(h) − f(0) − h f'(0)| falls fourfold with h halved."""
    errors = np.array([abs(remainder(h)) for h in (2e-3, 1e-3, 5e-4)])
    assert (errors > 1e-11).all()
    assert np.allclose(np.log2(errors[:-1] / errors[1:]), 2.0, atol=0.1)


# Derivatives


@pytest.mark.parametrize("gamma", GAMMAS)
def test_criterion_taylor(gamma, rng):
    L, V = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    value, Q = crossing(L, gamma)
    assert_slope_two(lambda h: crossing(L + h * V, gamma)[0] - value - h * (Q * V).sum())


@pytest.mark.parametrize("gamma", GAMMAS)
def test_criterion_is_the_sum_over_pairs_of_factors(gamma, rng):
    L = rng.normal(size=(7, 3))
    squares, d = L**2, 7
    pairs = [(j, m) for j in range(3) for m in range(3) if j != m]
    total = sum(
        squares[:, j] @ squares[:, m] - gamma / d * squares[:, j].sum() * squares[:, m].sum()
        for j, m in pairs
    )
    assert crossing(L, gamma)[0] == pytest.approx(0.25 * total, rel=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
def test_pull_is_the_adjoint(family, rng):
    """⟨Q, dL⟩ = ⟨pull Q, dT⟩, dL by a complex step through L(T)."""
    family = family(rng.normal(size=(7, 3)))
    T, dT, Q = member(family, 3, rng), rng.normal(size=(3, 3)), rng.normal(size=(7, 3))
    L = family.loadings(T)
    X = T + 1e-30j * dT
    moved = family.A @ X if isinstance(family, Orthogonal) else family.A @ np.linalg.inv(X.T)
    dL = moved.imag / 1e-30
    assert (Q * dL).sum() == pytest.approx((family.pull(T, L, Q) * dT).sum(), rel=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("family", FAMILIES)
def test_taylor_along_the_family(family, gamma, rng):
    family = family(rng.normal(size=(7, 3)))
    T = member(family, 3, rng)
    point = at(family, lambda L: crossing(L, gamma), T)
    V = family.tangent(T, rng.normal(size=(3, 3)))
    slope = (point.tangent * V).sum()
    assert_slope_two(
        lambda h: (
            at(family, lambda L: crossing(L, gamma), family.back(T + h * V)).value
            - point.value
            - h * slope
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_tangent_is_a_projection_along_the_family(family, rng):
    family = family(rng.normal(size=(7, 3)))
    T, G, V = member(family, 3, rng), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    along = family.tangent(T, G)
    assert np.allclose(family.tangent(T, along), along, atol=1e-14)
    assert np.isclose((family.tangent(T, V) * G).sum(), (V * along).sum())
    drift = np.abs(family.back(T + 1e-5 * along) - (T + 1e-5 * along)).max()
    assert drift < 1e-9  # of second order: the step stays in the family


# What a rotation keeps


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("d", "k"), [(6, 2), (12, 4), (5, 1)])
def test_covariance_stays(d, k, method, correlated, rng):
    Lambda = turned(d, k, rng)
    Phi = correlations(k, rng) if correlated else None
    found = rotate(Lambda, method, correlation=Phi)
    before = Lambda @ Lambda.T if Phi is None else Lambda @ Phi @ Lambda.T
    L, U = found.loadings, found.transform
    assert np.allclose(L @ found.correlation @ L.T, before, atol=1e-13)
    assert np.allclose(Lambda @ U, L, atol=1e-13)
    inverse = np.linalg.inv(U)
    assert np.allclose(
        inverse @ (np.eye(k) if Phi is None else Phi) @ inverse.T, found.correlation, atol=1e-12
    )
    assert np.array_equal(np.diagonal(found.correlation), np.ones(k))
    if method in ORTHOGONAL:
        assert np.array_equal(found.correlation, np.eye(k))


@pytest.mark.parametrize("method", METHODS)
def test_columns_come_in_order_with_positive_sums(method, rng):
    found = rotate(turned(12, 4, rng), method)
    L = found.loadings
    explained = np.diagonal(found.correlation @ L.T @ L)
    assert (np.diff(explained) <= 0.0).all()
    assert (L.sum(axis=0) >= 0.0).all()


# What it may not depend on


@pytest.mark.parametrize("method", METHODS)
def test_turned_loadings_have_the_same_rotation(method, rng):
    Lambda = turned(12, 3, rng)
    one, two = rotate(Lambda, method), rotate(Lambda @ orthogonal(3, rng), method)
    assert np.allclose(one.loadings, two.loadings, atol=1e-8)
    assert np.allclose(one.correlation, two.correlation, atol=1e-8)
    assert one.value == pytest.approx(two.value, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
def test_columns_of_the_data_may_come_in_any_order(method, rng):
    Lambda, order = turned(12, 3, rng), rng.permutation(12)
    assert np.allclose(
        rotate(Lambda[order], method).loadings, rotate(Lambda, method).loadings[order], atol=1e-8
    )


@pytest.mark.parametrize("method", ["varimax", "quartimax", "oblimin"])
def test_units_do_not_matter_to_normalised_rows(method, rng):
    Lambda, units = turned(12, 3, rng), 10.0 ** rng.uniform(-3, 3, 12)
    one = rotate(Lambda, method, kaiser=True)
    two = rotate(Lambda * units[:, None], method, kaiser=True)
    assert one.value == pytest.approx(two.value, rel=1e-10)
    ours, theirs = np.abs(one.loadings), np.abs(two.loadings / units[:, None])
    assert np.allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), atol=1e-7)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("method", METHODS)
def test_overall_scale(method, scale, rng):
    Lambda = turned(9, 3, rng)
    one, two = rotate(Lambda, method), rotate(scale * Lambda, method)
    assert np.allclose(two.loadings / scale, one.loadings, atol=1e-8)
    assert np.allclose(two.transform, one.transform, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_every_time(method, rng):
    Lambda = rng.normal(size=(10, 3))
    Lambda.flags.writeable = False
    one, two = rotate(Lambda, method), rotate(Lambda, method)
    assert np.array_equal(one.loadings, two.loadings)
    assert np.array_equal(one.correlation, two.correlation)


# Reductions and truth


def varimax_value(L):
    """Σⱼ [ ΣᵢLᵢⱼ⁴ − (ΣᵢLᵢⱼ²)²/d ]."""
    return (L**4).sum() - ((L**2).sum(axis=0) ** 2).sum() / len(L)


def test_q_is_a_constant_less_what_varimax_and_quartimax_maximise(rng):
    A, T = rng.normal(size=(8, 3)), orthogonal(3, rng)
    for gamma, gain in ((1.0, varimax_value), (0.0, lambda L: (L**4).sum())):
        change = crossing(A @ T, gamma)[0] - crossing(A, gamma)[0]
        assert change == pytest.approx(-0.25 * (gain(A @ T) - gain(A)), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_two_factors_in_closed_form(gamma, rng):
    """tan 4φ = (D − 2γAB/d)/(C − γ(A² − B²)/d), u = x² − y², v = 2xy (Kaiser 1958)."""
    Lambda = rng.normal(size=(9, 2))
    x, y = Lambda.T
    u, v = x * x - y * y, 2.0 * x * y
    A, B, C, D = u.sum(), v.sum(), (u * u - v * v).sum(), 2.0 * (u * v).sum()
    angle = 0.25 * np.arctan2(D - 2.0 * gamma * A * B / 9, C - gamma * (A * A - B * B) / 9)
    T = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = varimax(Lambda, kaiser=False) if gamma else quartimax(Lambda)
    assert np.allclose(
        np.sort(np.abs(found.loadings), axis=1), np.sort(np.abs(Lambda @ T), axis=1), atol=1e-8
    )


@pytest.mark.parametrize("method", METHODS)
def test_perfect_simple_structure_is_found(method, rng):
    simple = np.zeros((9, 3))
    simple[np.arange(9), np.arange(9) % 3] = np.tile([0.9, 0.7, 0.5], 3) * rng.uniform(0.9, 1.0, 9)
    order = np.argsort(-(simple**2).sum(axis=0))
    found = rotate(simple @ orthogonal(3, rng), method)
    assert np.allclose(found.loadings, simple[:, order], atol=1e-7)
    assert np.allclose(found.correlation, np.eye(3), atol=1e-7)


def test_correlated_factors_of_simple_structure_are_found(rng):
    simple = np.zeros((12, 3))
    simple[np.arange(12), np.arange(12) % 3] = rng.uniform(0.4, 0.9, 12)
    Phi = correlations(3, rng)
    found = oblimin(simple @ np.linalg.cholesky(Phi))
    assert found.value == pytest.approx(0.0, abs=1e-15)
    explained = np.diagonal(Phi @ simple.T @ simple)
    order = np.argsort(-explained)
    assert np.allclose(found.loadings, simple[:, order], atol=1e-6)
    assert np.allclose(found.correlation, Phi[np.ix_(order, order)], atol=1e-6)


def test_stationary_by_jennrichs_conditions(rng):
    """LᵀQ symmetric where T is orthogonal; LᵀQΦ⁻¹ diagonal where it is oblique."""
    A = rng.normal(size=(10, 3))
    L = varimax(A, kaiser=False).loadings
    M = L.T @ crossing(L, 1.0)[1]
    assert np.allclose(M, M.T, atol=1e-7)
    found = oblimin(A)
    L = found.loadings
    M = L.T @ crossing(L, 0.0)[1] @ np.linalg.inv(found.correlation)
    assert np.allclose(M, np.diag(np.diagonal(M)), atol=1e-7)


@pytest.mark.parametrize("method", ["varimax", "quartimax", "oblimin"])
def test_no_rotation_nearby_or_at_random_is_better(method, rng):
    A = turned(10, 3, rng, noise=0.2)
    gamma = 1.0 if method == "varimax" else 0.0
    rows = unit_rows(A)[0] if method == "varimax" else A
    family = (Oblique if method == "oblimin" else Orthogonal)(rows)
    found = rotate(A, method)
    here = np.linalg.inv(found.transform).T
    assert crossing(family.loadings(here), gamma)[0] == pytest.approx(found.value, rel=1e-12)
    near = [family.back(here + 1e-3 * rng.normal(size=(3, 3))) for _ in range(50)]
    far = [member(family, 3, rng) for _ in range(50)]
    worse = [crossing(family.loadings(T), gamma)[0] for T in (*near, *far)]
    assert min(worse) > found.value - 1e-14
    assert found.value <= crossing(rows, gamma)[0]


def test_several_starts_find_what_one_misses():
    """R's varimax stops at the first of these values, too."""
    A = np.random.default_rng(0).normal(size=(12, 4)).round(1)
    one, ten = varimax(A, n_starts=1), varimax(A)
    assert one.converged
    assert one.value > ten.value + 0.01
    assert varimax_value(unit_rows(ten.loadings)[0]) > varimax_value(unit_rows(one.loadings)[0])


def test_a_stationary_start_that_is_no_minimum_is_left():
    """Rows (1, ±1) are a maximum of q, with slope 0; turned by 45° they are simple."""
    A = np.array([[1.0, 1.0], [1.0, -1.0]] * 3)
    assert at(Orthogonal(A), lambda L: crossing(L, 0.0), np.eye(2)).slope == 0.0
    assert quartimax(A).value == pytest.approx(0.0, abs=1e-12)


def test_promax_is_least_squares_on_powers(rng):
    A = turned(9, 3, rng)
    V = varimax(A).loadings
    U = np.linalg.solve(V.T @ V, V.T @ (V * np.abs(V) ** 3))
    U *= np.sqrt(np.diagonal(np.linalg.inv(U.T @ U)))
    L = V @ U
    found = promax(A)
    assert np.allclose(np.abs(found.loadings.sum(axis=0)), np.abs(L.sum(axis=0)), atol=1e-10)
    assert np.allclose(found.loadings @ found.correlation @ found.loadings.T, A @ A.T)


def test_promax_of_power_near_one_is_varimax(rng):
    A = turned(9, 3, rng)
    assert np.allclose(promax(A, power=1 + 1e-9).loadings, varimax(A).loadings, atol=1e-7)


def test_a_lower_gamma_correlates_factors_less(rng):
    A = turned(12, 2, rng) @ np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]]).T
    correlated = [abs(oblimin(A, gamma=g).correlation[0, 1]) for g in (0.0, -2.0, -50.0)]
    assert correlated[0] > correlated[1] > correlated[2]


# Against R 4.2: stats::varimax and promax, GPArotation 2022.10 at eps = 1e-10

LAMBDA = np.array(
    [
        [0.71, 0.38, 0.12],
        [0.64, 0.45, -0.08],
        [0.58, 0.31, 0.22],
        [0.66, -0.29, 0.35],
        [0.52, -0.47, 0.18],
        [0.61, -0.36, -0.05],
        [0.49, 0.02, -0.55],
        [0.44, 0.11, -0.48],
        [0.57, -0.08, -0.39],
    ]
)
R_ANSWERS = {
    ("varimax",): """
        0.75502684 -0.20187828 -0.22820962 0.69244515 -0.04176856 -0.37050654 0.65737535
        -0.20617283 -0.07905956 0.33325540 -0.72875767 -0.00728665 0.06205517 -0.71512101
        -0.09192988 0.11867795 -0.61405869 -0.33622533 0.14001684 -0.10046976 -0.71645036
        0.19456199 -0.02890897 -0.63040456 0.17460609 -0.27476221 -0.61434391""",
    ("quartimax",): """
        0.77483572 -0.20408430 -0.14449640 0.72972371 -0.04131180 -0.29033885 0.66088382
        -0.20994525 -0.00745402 0.32766874 -0.73108548 0.01863377 0.06789518 -0.71406241
        -0.09594333 0.15243388 -0.60965795 -0.33057691 0.21973540 -0.09040955 -0.69752596
        0.26459289 -0.02061192 -0.60470303 0.24150863 -0.26652488 -0.59501099""",
    ("oblimin",): """
        0.77656327 -0.06629360 -0.02470819 0.71805753 0.10928718 -0.20104208 0.68728903
        -0.10306339 0.10747400 0.22576023 -0.72014301 0.11730852 -0.08938330 -0.74090314
        -0.04894109 -0.04040884 -0.59754809 -0.29834165 0.03327231 -0.00619777 -0.72095729
        0.12184332 0.06956148 -0.61719907 0.05150105 -0.19709870 -0.59464399""",
    ("oblimin", ("gamma", -1.0)): """
        0.75511770 -0.10684708 -0.06301618 0.70058008 0.06751254 -0.23094655 0.66330930
        -0.13701593 0.07047409 0.24199183 -0.72041198 0.09566042 -0.05315188 -0.72577057
        -0.05206165 0.00146075 -0.58960475 -0.29723101 0.07056001 -0.01505323 -0.70823347
        0.14759601 0.05591949 -0.61002334 0.08942321 -0.20286523 -0.58752504""",
    ("oblimin", ("kaiser", True)): """
        0.77061967 -0.04874786 -0.05533065 0.69665051 0.12262539 -0.23882510 0.68971153
        -0.08607771 0.08405761 0.26346264 -0.70835724 0.13835565 -0.05447472 -0.73735531
        -0.01615090 -0.02363778 -0.59618706 -0.27705137 0.00244601 -0.01154542 -0.73273706
        0.09083358 0.06645320 -0.63424435 0.03516925 -0.19943486 -0.59767798""",
    ("promax",): """
        0.76821343 -0.07095507 -0.02997267 0.70570376 0.12311913 -0.22447813 0.68508177
        -0.11797906 0.11141063 0.21324172 -0.75159035 0.16450167 -0.10805486 -0.75899192
        -0.00467889 -0.06810652 -0.59338440 -0.27472250 -0.00166942 0.04616009 -0.75363470
        0.09296683 0.11608683 -0.65076303 0.01810746 -0.15980159 -0.61005118""",
}


@pytest.mark.parametrize("asked", R_ANSWERS, ids=str)
def test_as_r(asked):
    method, *options = asked
    theirs = np.array(R_ANSWERS[asked].split(), dtype=float).reshape(9, 3)
    found = rotate(LAMBDA, method, **dict(options))
    L = theirs * np.where(theirs.sum(axis=0) < 0.0, -1.0, 1.0)
    L = L[:, np.argmax(np.abs(found.loadings.T @ L), axis=1)]
    assert np.allclose(found.loadings, L, atol=2e-7)
    if method != "promax":
        gamma = 1.0 if method == "varimax" else dict(options).get("gamma", 0.0)
        lengths = np.linalg.norm(LAMBDA, axis=1, keepdims=True)
        kaiser = method == "varimax" or "kaiser" in dict(options)
        value = crossing(theirs / (lengths if kaiser else 1.0), gamma)[0]
        assert found.value <= value + 1e-8


# Corner cases and errors


@pytest.mark.parametrize("method", METHODS)
def test_no_factors_and_one(method):
    assert rotate(np.empty((4, 0)), method).loadings.shape == (4, 0)
    one = rotate([[-0.5], [-0.4], [0.1]], method)
    assert np.allclose(one.loadings[:, 0], [0.5, 0.4, -0.1])
    assert np.allclose(one.transform, [[-1.0]])


def test_rows_and_columns_of_zeros():
    Lambda = np.array([[0.6, 0.5, 0.0], [0.0, 0.0, 0.0], [0.5, -0.6, 0.0], [0.7, 0.4, 0.0]])
    found = varimax(Lambda)
    assert np.allclose(found.loadings @ found.loadings.T, Lambda @ Lambda.T)
    assert np.array_equal(varimax(np.zeros((4, 2))).loadings, np.zeros((4, 2)))
    for oblique in ("oblimin", "promax"):
        with pytest.raises(mg.DataError, match="3 of rank 2"):
            rotate(Lambda, oblique)


def test_too_few_iterations_are_said():
    with pytest.warns(mg.ConvergenceWarning, match="raise max_iter"):
        found = oblimin(LAMBDA, max_iter=1)
    assert not found.converged
    assert np.allclose(found.loadings @ found.correlation @ found.loadings.T, LAMBDA @ LAMBDA.T)


def test_a_criterion_without_minimum_is_said():
    with pytest.raises(mg.DataError, match=r"gamma=1 makes two factors one.*Take gamma=0"):
        oblimin(LAMBDA, gamma=1.0)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("verimax", {}, "method must be one of 'varimax'"),
        ("varimax", {"gamma": 0.0}, "varimax has no option 'gamma'; it has kaiser, n_starts"),
        ("promax", {"power": 1.0}, "power must be a number above 1"),
        ("oblimin", {"gamma": np.inf}, "gamma must be finite"),
        ("oblimin", {"n_starts": 0}, "n_starts must be a whole number, 1 or more"),
        ("varimax", {"max_iter": 2.5}, "max_iter must be a whole number"),
        ("varimax", {"tol": 0.0}, "tol must be a positive number"),
        ("varimax", {"kaiser": "yes"}, "kaiser must be True or False"),
        ("varimax", {"correlation": np.eye(2)}, r"correlation must have shape \(3, 3\)"),
        ("varimax", {"correlation": 2 * np.eye(3)}, "ones on its diagonal"),
        ("varimax", {"correlation": np.ones((3, 3))}, "not positive definite"),
    ],
)
def test_what_cannot_be_rotated(method, options, message):
    with pytest.raises(ValueError, match=message):
        rotate(LAMBDA, method, **options)


@pytest.mark.parametrize("loadings", [[1.0, 2.0], [[1.0, np.nan]], [["a"]], np.empty((0, 2))])
def test_what_are_no_loadings(loadings):
    with pytest.raises(mg.DataError, match="loadings must"):
        rotate(loadings)
