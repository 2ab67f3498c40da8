"""Operators: whitening, its transpose and log|S| agree; fast paths equal what specifies them."""

from __future__ import annotations

import numpy as np
import pytest

from mvngrad.core.frame import AffineFrame
from mvngrad.core.operators import (
    MANY,
    DenseCovariance,
    DiagonalCovariance,
    FramedCovariance,
    IdentityCovariance,
    WhitenedCovariance,
    whitened_scatter,
)
from mvngrad.core.ops import add_outer, lower_root, mirrored, solve_lower, whiten_symmetric

EPS = np.finfo(float).eps


def root(d, rng):
    return lower_root(rng.standard_normal((d, 2 * d)))


def operators(d, rng):
    L, s = root(d, rng), rng.uniform(0.5, 2.0, d)
    frame = AffineFrame(rng.standard_normal(d), root(d, rng))
    yield DenseCovariance(L), L
    yield DiagonalCovariance(s), np.diag(s)
    yield WhitenedCovariance(np.linalg.inv(L)), L
    yield IdentityCovariance(), np.eye(d)
    yield FramedCovariance(frame, DenseCovariance(L)), frame.root @ L


@pytest.mark.parametrize("d", [1, 2, 7])
def test_operators_are_their_matrices(d, rng):
    for S, L in operators(d, rng):
        B = rng.standard_normal((d, 3))
        assert S.whiten(L @ B) == pytest.approx(B, abs=1e-9)
        assert S.unwhiten(B) == pytest.approx(np.linalg.solve(L.T, B), abs=1e-9)
        assert S.whiten(L @ B[:, 0]) == pytest.approx(B[:, 0], abs=1e-9)
        assert S.logdet == pytest.approx(np.linalg.slogdet(L @ L.T)[1], abs=1e-9)


@pytest.mark.parametrize("d", [1, 2, 7, MANY - 1, MANY, MANY + 3])
def test_symmetric_reduction_equals_two_solves(d, rng):
    L, Z = root(d, rng), rng.standard_normal((d, d + 5))
    C = Z @ Z.T
    K = whiten_symmetric(L, C)
    specified = solve_lower(L, solve_lower(L, C).T)
    size = np.abs(solve_lower(L, np.eye(d))).sum() ** 2 / d**2 * np.abs(C).max()
    assert (K == K.T).all()
    assert np.abs(K - specified).max() <= 100 * d * EPS * size
    assert np.abs(whitened_scatter(DenseCovariance(L), C) - specified).max() <= 100 * d * EPS * size


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("d", [1, 5, 130])
def test_in_place_helpers(order, d, rng):
    S = rng.standard_normal((d, d))
    S = np.array(S + S.T, order=order)
    u = rng.standard_normal(d)
    before = S.copy()
    result = add_outer(S, u, -1.0)
    assert np.shares_memory(result, S)
    assert (result == result.T).all()
    assert result == pytest.approx(before - np.outer(u, u), abs=1e-12)
    lower = np.array(np.tril(before), order=order)
    assert (mirrored(lower) == before).all()
