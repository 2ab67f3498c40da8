"""How many parameters of a structure data can tell apart: the rank of θ ↦ S(θ)."""

from __future__ import annotations

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import IdentityCovariance
from mvngrad.core.ops import Array
from mvngrad.models.structure import Structure

NEGLIGIBLE = 1e-8  # of the largest singular value: counts as none
SPARE = 5  # cotangents more than the rank can be


def generic_rank(structure: Structure) -> int:
    """Rank of dS/dθ at a θ without symmetries, where it is largest, by its adjoint.

    Cost: a few more pulls of random cotangents than parameters, and the singular values of a
    (p, p) matrix.
    """
    d, p = structure.columns, structure.size
    if p == 0:
        return 0
    rng = np.random.default_rng(0)
    near = structure.start(np.eye(d))
    theta = near + 0.3 * rng.standard_normal(p)
    cotangents = rng.standard_normal((min(p, d * (d + 1) // 2) + SPARE, d, d))
    scores = (Score(M + M.T, IdentityCovariance()) for M in cotangents)
    return numerical_rank(np.array([structure.pull(theta, score) for score in scores]).T)


def numerical_rank(rows: Array) -> int:
    """Rank of a matrix whose rows are taken at length 1."""
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows[lengths > 0.0] / lengths[lengths > 0.0, None]
    values = np.linalg.svd(rows, compute_uv=False)
    return int(np.count_nonzero(values > NEGLIGIBLE * values.max(initial=0.0)))
