"""F⁺b for a symmetric F that is not negative, by products with it or from the matrix itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mvngrad.core.ops import Array

SOLVED = 1e-12
UNSEEN = 1e-11  # an eigenvalue of F, relative to the largest, that tells nothing


def solve_consistent(
    product: Callable[[Array], Array], target: Array, solved: float = SOLVED
) -> tuple[Array, float]:
    """F⁺b for F symmetric, not negative, and b in its range, and |b − FF⁺b|/|b|; by CG.

    Started at 0 the iteration never leaves the range, so gauge directions (Λ → ΛQ), along which
    F is 0, stay out by themselves.
    """
    x, r = np.zeros_like(target), target.copy()
    p, rr = r, float(r @ r)
    floor = rr * solved**2
    for _ in range(2 * len(target) + 10):
        if rr <= floor:
            break
        Fp = product(p)
        curvature = float(p @ Fp)
        if not curvature > 0.0:
            break
        x, r = x + (rr / curvature) * p, r - (rr / curvature) * Fp
        rr, before = float(r @ r), rr
        p = r + (rr / before) * p
    return x, float(np.linalg.norm(r) / np.linalg.norm(target)) if target.any() else 0.0


def pseudo_inverse(F: Array, rank: int) -> Callable[[Array], tuple[Array, float]]:
    """b ↦ F⁺b and |b − FF⁺b|/|b|, for symmetric F, not negative, of this rank at most.

    It is less where parameters meet an edge of their family, as a variance that is estimated 0.
    """
    values, vectors = np.linalg.eigh(0.5 * (F + F.T))
    seen = values > UNSEEN * values[-1]
    seen[: len(F) - rank] = False
    values, vectors = values[seen], vectors[:, seen]

    def solve(b: Array) -> tuple[Array, float]:
        inside = vectors.T @ b
        outside = float(np.linalg.norm(b - vectors @ inside))
        return vectors @ (inside / values), outside / float(np.linalg.norm(b)) if b.any() else 0.0

    return solve
