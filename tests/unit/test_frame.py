"""AffineFrame: x = m₀ + L₀z, and moments seen from it."""

from __future__ import annotations

import numpy as np
import pytest

from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.passes import frame_of

ORIGIN = np.array([1.0, -2.0, 0.5])
ROOTS = {
    "diagonal": np.array([0.5, 3.0, 20.0]),
    "full": np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-3.0, 4.0, 10.0]]),
}


@pytest.fixture(params=ROOTS)
def frame(request):
    return AffineFrame(ORIGIN.copy(), ROOTS[request.param].copy())


def dense(frame):
    return np.diag(frame.root) if frame.is_diagonal else frame.root


@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 5)])
def test_actions_are_those_of_the_matrix(frame, shape, rng):
    B, L = rng.standard_normal(shape), dense(frame)
    np.testing.assert_allclose(frame.color(B), L @ B)
    np.testing.assert_allclose(frame.whiten(B), np.linalg.solve(L, B))
    np.testing.assert_allclose(frame.unwhiten(B), np.linalg.solve(L.T, B))
    np.testing.assert_allclose(frame.whiten(frame.color(B)), B)


def test_logdet(frame):
    assert frame.logdet == pytest.approx(np.log(np.linalg.det(dense(frame))))


def test_identity_does_nothing(rng):
    B, frame = rng.standard_normal((3, 2)), AffineFrame.identity(3)
    for action in (frame.color, frame.whiten, frame.unwhiten):
        np.testing.assert_array_equal(action(B), B)
    assert frame.logdet == 0.0


def test_frames_are_read_only(frame):
    with pytest.raises(ValueError, match="read-only"):
        frame.origin[0] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        frame.root[0] = 7.0


def test_equals(frame):
    same = AffineFrame(frame.origin.copy(), frame.root.copy())
    assert frame.equals(frame)
    assert frame.equals(same)
    assert not frame.equals(AffineFrame(frame.origin + 1e-9, frame.root.copy()))
    assert not frame.equals(AffineFrame(frame.origin.copy(), np.ones(3)))


def test_restricted(frame):
    assert frame.restricted("affine") is frame
    deviations = np.sqrt(np.diagonal(dense(frame) @ dense(frame).T))
    diagonal = frame.restricted("diagonal")
    np.testing.assert_array_equal(diagonal.root, power_of_two(deviations))
    scalar = frame.restricted("scalar")
    assert (scalar.root == scalar.root[0]).all()
    for restricted in (diagonal, scalar):
        np.testing.assert_array_equal(restricted.origin, frame.origin)


def test_power_of_two():
    scales = np.array([1.0, 1.5, 2.0, 3.9, 0.3, 1e300, 1e-300, 0.0, np.inf, np.nan, -2.0])
    powers = power_of_two(scales)
    mantissa, _ = np.frexp(powers)
    assert (mantissa == 0.5).all()
    np.testing.assert_array_equal(powers[:5], [1.0, 1.0, 2.0, 2.0, 0.25])
    assert (powers[:7] <= scales[:7]).all()
    assert (2.0 * powers[:7] > scales[:7]).all()
    np.testing.assert_array_equal(powers[7:], 1.0)


@pytest.mark.parametrize("full", [False, True])
def test_frame_of_rows_brings_them_near_zero_and_one(full, rng):
    X = rng.standard_normal((200, 3)) @ np.diag([1e-6, 1.0, 1e8]) + np.array([5.0, 1e6, 0.0])
    frame = frame_of(X, full=full)
    Z = frame.whiten((X - frame.origin).T)
    assert np.abs(Z.mean(axis=1)).max() < 1e-8
    assert np.abs(Z).max() < 10.0
    if full:
        np.testing.assert_allclose(Z @ Z.T / 200, np.eye(3), atol=1e-8)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "X",
    [np.ones((5, 3)), np.full((5, 3), np.nan), np.zeros((1, 3)), np.arange(6.0).reshape(2, 3)],
    ids=["constant", "missing", "one row", "fewer rows than columns"],
)
def test_frame_of_awkward_rows_is_still_a_frame(X, full):
    frame = frame_of(X, full=full)
    diagonal = frame.root if frame.is_diagonal else np.diagonal(frame.root)
    assert np.isfinite(frame.origin).all()
    assert np.isfinite(frame.root).all()
    assert (diagonal > 0.0).all()
