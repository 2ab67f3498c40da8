"""Small solvers of symmetric matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mvngrad.core.ops import definite_solver, smallest_eigenvalue

close = np.testing.assert_allclose


@pytest.mark.parametrize("size", [1, 2, 20, 90])
def test_a_definite_matrix_is_solved_and_left_as_it_was(size, rng):
    A = rng.standard_normal((size, 2 * size))
    H, b = A @ A.T, rng.standard_normal(size)
    before = H.copy(), b.copy()
    solve = definite_solver(H)
    close(H @ solve(b), b, rtol=1e-9, atol=1e-9)
    close(H @ solve(2.0 * b), 2.0 * b, rtol=1e-9, atol=1e-9)
    for now, then in zip((H, b), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_other_matrix_is_solved():
    assert definite_solver(np.diag([1.0, -1e-3, 2.0])) is None
    assert definite_solver(np.zeros((2, 2))) is None


@pytest.mark.parametrize("size", [1, 2, 20, 90])
def test_the_smallest_eigenvalue(size, rng):
    A = rng.standard_normal((size, size))
    H = A + A.T
    before = H.copy()
    close(smallest_eigenvalue(H), np.linalg.eigvalsh(H)[0], rtol=1e-12)
    np.testing.assert_array_equal(H, before)


def test_a_matrix_that_is_not_finite_has_no_eigenvalues():
    with pytest.raises(np.linalg.LinAlgError, match="not finite"):
        smallest_eigenvalue(np.array([[1.0, np.nan], [np.nan, 1.0]]))
