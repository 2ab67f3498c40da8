"""How many parameters of a structure data can tell apart: the rank of θ ↦ S(θ)."""

from __future__ import annotations

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.models.structure import Structure

NEGLIGIBLE = 1e-8  # of the largest singular value: counts as none


def generic_rank(structure: Structure) -> int:
    """Rank of dS/dθ at a θ without symmetries, where it is largest.

    Cost: a push a parameter, and the singular values of a (p, d(d+1)/2) matrix.
    """
    if structure.size == 0:
        return 0
    near = structure.start(np.eye(structure.columns))
    theta = near + 0.3 * np.random.default_rng(0).standard_normal(len(near))
    lower = np.tril_indices(structure.columns)
    return numerical_rank(np.array([structure.push(theta, v)[lower] for v in np.eye(len(theta))]))


def numerical_rank(rows: Array) -> int:
    """Rank of a matrix whose rows are taken at length 1."""
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows[lengths > 0.0] / lengths[lengths > 0.0, None]
    values = np.linalg.svd(rows, compute_uv=False)
    return int(np.count_nonzero(values > NEGLIGIBLE * values.max(initial=0.0)))
