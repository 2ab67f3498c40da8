"""Factor models as a fit reports them: loadings and noise, and what is said of the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import (
    DataError,
    DataWarning,
    NotIdentifiedWarning,
    NotPositiveDefiniteError,
    listed,
)
from mvngrad.fitting.estimates import NO_NOISE, Estimates
from mvngrad.fitting.solution import Solution
from mvngrad.inference.factors import Factors
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.structure import Structure

DEPENDENT = 3e-5  # singular value of rows of length 1
VANISHED = 1e-9  # noise as a share of a variance; with more of these than factors S is singular


Said = list[tuple[str, type[Warning]]]


def loaded(structure: Structure, solution: Solution, columns: Sequence[str]) -> dict[str, Any]:
    """The fields of a Fit that hold Λ, ψ, Φ and θ̂; of other structures Λ and θ̂ as they are."""
    form = None if solution.params is None else structure.loaded(solution.params)
    if form is None:
        return {"factor": solution.factor, "given_params": solution.params}
    shares = form.noise / (solution.factor**2).sum(axis=1)
    _require_bounded(solution.factor, shares, form.factor.shape[1], columns)
    scales = np.sqrt(np.diagonal(form.factor_covariance))
    return {
        "factor": form.factor,
        "noise": form.noise,
        "factor_correlation": form.factor_covariance / np.multiply.outer(scales, scales),
        "given_params": form.params,
    }


def _require_bounded(root: Array, shares: Array, k: int, columns: Sequence[str]) -> None:
    """Where J has a minimum k columns at most are without noise, and they are independent."""
    gone = np.flatnonzero(shares <= VANISHED)
    rows = root[gone] / np.sqrt((root[gone] ** 2).sum(axis=1))[:, None]
    if len(gone) > k or np.linalg.svd(rows, compute_uv=False).min(initial=1.0) <= DEPENDENT:
        names = [columns[j] for j in gone.tolist()]
        raise NotPositiveDefiniteError(
            f"the likelihood has no maximum: it keeps rising as {listed(names)} lose all noise, "
            f"which {k} factor{'s' * (k != 1)} can hold. They are collinear, or there are too few "
            "rows. Drop one of them (columns=…), or use a smaller rank.",
            smallest_eigenvalue=0.0,
            columns=names,
        )


def said_of_factors(
    structure: Structure, solution: Solution, form: dict[str, Any], columns: Sequence[str]
) -> Said:
    """Warnings: columns without noise, factors that are one, more parameters than S can tell."""
    said: Said = []
    noise = form.get("noise")
    if noise is None:
        return said
    edge = noise <= NO_NOISE * (solution.factor**2).sum(axis=1)
    if edge.any():
        names = listed([columns[j] for j in np.flatnonzero(edge).tolist()])
        text = (
            f"Heywood case: the likelihood is highest where {names} "
            f"{'has' if edge.sum() == 1 else 'have'} no noise, as if factors held all of it. There "
            "may be too many factors, too few rows, or a column that is nearly another"
        )
        said.append((text, DataWarning))
    said += _said_of_correlations(structure, solution)
    if structure.excess:
        text = (
            f"{structure!r} is not identified: it has {structure.excess} parameter"
            f"{'s' * (structure.excess != 1)} more than a covariance of {len(columns)} columns can "
            "tell. The covariance is the best one, the loadings are some of many"
        )
        said.append((text, NotIdentifiedWarning))
    return said


def _said_of_correlations(structure: Structure, solution: Solution) -> Said:
    """A warning where factors are perfectly correlated."""
    if not isinstance(structure, FactorAnalytic) or solution.params is None:
        return []
    pairs = [
        f"f{f + 1} with {' and '.join(f'f{o + 1}' for o in others)}"
        for f, others in structure.combined(solution.params)
    ]
    if not pairs:
        return []
    text = (
        f"perfectly correlated factors: the likelihood is highest where {', and '.join(pairs)} "
        "are as one, their correlation matrix singular. The data do not tell them apart by this "
        "pattern: use fewer factors, or free more loadings"
    )
    return [(text, DataWarning)]


def factors_of(fit: Estimates) -> Factors:
    """Loadings on factors of variance 1, noise, and what is read off them."""
    if fit.noise is None or fit.factor_covariance is None:
        raise DataError(
            f"{fit.structure!r} is no factor model: fit FactorAnalytic(rank), as in "
            "mvngrad.fit(X, mvngrad.FactorAnalytic(2))."
        )
    deviations = np.sqrt(np.diagonal(fit.factor_covariance))
    return Factors.of(
        fit.factor * deviations, fit.noise, fit.factor_correlation, fit.mean, fit.columns
    )
