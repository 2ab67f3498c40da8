"""What loadings and correlations of factors come in as, or an error that helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvngrad.core.checks import as_factor, as_floats
from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.inference.simple_structure import unit_rows

EPS = float(np.finfo(float).eps)


def as_loadings(value: Any) -> Array:
    """A finite (d, k) array."""
    Lambda = as_floats(value, "loadings")
    if Lambda.ndim != 2 or not len(Lambda):
        raise DataError(
            f"loadings must be (d, k), columns of the data by factors; got shape {Lambda.shape}."
        )
    return as_factor(Lambda, len(Lambda), name="loadings")


def independent(A: Array, name: str) -> Array:
    """A, or an error where its columns depend on each other: T is then not determined."""
    sizes = np.linalg.svd(unit_rows(A)[0], compute_uv=False) if A.size else np.ones(0)
    k = A.shape[1]
    rank = int((sizes > max(A.shape) * EPS * sizes.max(initial=0.0)).sum())
    if rank < k:
        raise DataError(
            f"{name} needs loadings with independent columns; got {k} of rank {rank}. Fit "
            f"{rank} factors, or rotate with 'varimax'."
        )
    return A


def correlation_root(correlation: Any, k: int) -> Array:
    """R (k, k) with RRᵀ = Φ; I where no correlation is given."""
    if correlation is None:
        return np.eye(k)
    Phi = as_floats(correlation, "correlation")
    if Phi.shape != (k, k):
        raise DataError(f"correlation must have shape ({k}, {k}), a row a factor; got {Phi.shape}.")
    if not (np.allclose(Phi, Phi.T, atol=1e-8) and np.allclose(np.diagonal(Phi), 1.0, atol=1e-8)):
        raise DataError(
            "correlation must be symmetric with ones on its diagonal; got "
            f"{np.array2string(Phi, precision=3, threshold=16)}. Scale factors to variance 1."
        )
    try:
        return cholesky(Phi)
    except NotPositiveDefiniteError as error:
        raise NotPositiveDefiniteError(
            "the correlation of the factors is not positive definite: some factor is a "
            "combination of the others. Leave it out."
        ) from error
