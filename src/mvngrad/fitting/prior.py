"""Priors meet data: the terms they mean, in the units of the columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import DataError
from mvngrad.fitting.sample import Sample
from mvngrad.models.penalty import Penalty
from mvngrad.models.priors import Facts, InverseWishart, NormalMean, Prior, penalty_of


def keep_regular(priors: Sequence[Prior]) -> bool:
    """Whether S stays regular whatever the data."""
    return any(isinstance(prior, InverseWishart) for prior in priors)


def penalty_for(priors: Sequence[Prior], sample: Sample) -> Penalty | None:
    """All terms together; None without priors."""
    if not priors:
        return None
    if sample.regressed is not None and any(isinstance(p, NormalMean) for p in priors):
        raise DataError("NormalMean is for means, and here they are linear in a design.")
    data = sample.data
    complete = data if isinstance(data, Moments) else None
    facts = Facts(_deviations(data), data.weight, complete, sample.rows, sample.weights)
    return penalty_of(priors, facts)


def _deviations(data: Moments | Patterns) -> Array:
    """s of each column, over the rows that have it."""
    if isinstance(data, Moments):
        return np.sqrt(np.diagonal(data.cov))
    return np.sqrt(data.available()[1]) * data.frame.root
