"""Likelihoods without a maximum: J falls as S becomes singular, for ever or to a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array
from mvngrad.errors import NotPositiveDefiniteError, listed
from mvngrad.models.objective import Objective

# 1 − R² of a column given others at which the likelihood has no summit ahead; or none was found.
HOPELESS, SUSPECT = 1e-14, 1e-10
FLAT = 1e-6  # and where J is flat besides, for no reason that the holes give


def require_bounded(
    S: Covariance, objective: Objective, columns: Sequence[str], floor: float
) -> None:
    """Refuse to follow a likelihood that keeps rising as S becomes singular."""
    L = objective.data.frame.color(S.root(len(columns)))
    L = L / np.sqrt((L**2).sum(axis=1))[:, None]
    if (np.diagonal(L) ** 2).min() <= floor:
        raise unbounded(L @ L.T, columns)


def unbounded_at(moments: Moments, columns: Sequence[str]) -> NotPositiveDefiniteError:
    """The error for expected moments that are singular already."""
    S = moments.cov
    scales = np.sqrt(np.maximum(np.diagonal(S), np.finfo(float).tiny))
    return unbounded(S / np.multiply.outer(scales, scales), columns)


def unbounded(correlation: Array, columns: Sequence[str]) -> NotPositiveDefiniteError:
    """An error that names the columns that become linearly dependent."""
    values, vectors = np.linalg.eigh(correlation)
    shares = np.abs(vectors[:, 0])
    names = [columns[j] for j in np.argsort(-shares).tolist() if shares[j] > 0.1 * shares.max()]
    return NotPositiveDefiniteError(
        f"the likelihood has no maximum: it keeps rising as {listed(names)} become linearly "
        "dependent. Where they are observed together they are collinear, closer to it than can be "
        "told with holes, or contradict each other, or there are too few such rows. Drop one of "
        "them (columns=…), give more rows, or fit a smaller model such as covariance='diagonal'.",
        smallest_eigenvalue=float(values[0]),
        columns=names,
        rank=int(np.count_nonzero(values > SUSPECT)),
    )
