"""Perfectly correlated factors: the edge of a family with free correlations.

A row of R, RRᵀ = Φ, is u_f/|u_f| with unit diagonal in u, so that 1 − R² of factor f given those
before it is 1/|u_f|². Data that want a factor to be a combination of others drive |u_f| → ∞. There

    J = J_∞ + c/|u_f|² + …,      J − J_∞ = −½⟨u_f, ∂J/∂u_f⟩

so J falls ever more slowly, and no step along the slope arrives. The edge is tried at once instead:
at |u_f| = ``FAR`` what is left of J − J_∞ is below rounding, and W = ΛR as regular as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.ops import Array, Mask
from mvngrad.models.loadings import PatternedLoadings

FAR = 1e6
TRIED = 5.0  # |u_f| from which the edge is tried: a multiple correlation of 0.98
BACK = (1.0, 10.0, 100.0)  # where a factor that leaves the edge goes
PARTNER = 0.1  # correlation from which a factor is named

Pull = Callable[[Array, Score], Array]


def held(loadings: PatternedLoadings, theta: Array, pull: Pull, score: Score) -> Mask:
    """Entries of η that hold a factor at the edge, J not falling from it."""
    eta = theta[: loadings.size]
    found = np.zeros(loadings.size, dtype=bool)
    far = np.flatnonzero(loadings.spans(eta) >= 0.5 * FAR)
    if far.size:
        outward = loadings.outward(eta, pull(theta, score)[: loadings.size])
        found[[loadings.longest(eta, f) for f in far.tolist() if outward[f] <= 0.0]] = True
    return found


def above(loadings: PatternedLoadings, eta: Array, gradient: Array) -> float:
    """Σ −½⟨u_f, ∇⟩ over factors at the edge, J not falling from it."""
    outward = loadings.outward(eta, gradient)[loadings.spans(eta) >= 0.5 * FAR]
    return -0.5 * float(np.minimum(outward, 0.0).sum())


def across(loadings: PatternedLoadings, eta: Array, gradient: Array) -> Iterator[Array]:
    """η at the edge for each factor that J falls with towards it, and off it where J falls so."""
    spans, outward = loadings.spans(eta), loadings.outward(eta, gradient)
    for f in np.flatnonzero((spans > TRIED) & (spans < 0.5 * FAR) & (outward < 0.0)).tolist():
        yield loadings.spanned(eta, f, FAR)
    for f in np.flatnonzero((spans >= 0.5 * FAR) & (outward > 0.0)).tolist():
        for length in BACK:
            yield loadings.spanned(eta, f, length)


def combined(loadings: PatternedLoadings, eta: Array) -> list[tuple[int, list[int]]]:
    """Each factor that is a combination of factors before it, and those with a share in it."""
    R = loadings.parts(eta).R
    found = np.flatnonzero(loadings.spans(eta) >= 0.5 * FAR).tolist()
    Phi = R @ R.T
    return [(f, [g for g in range(f) if abs(Phi[f, g]) > PARTNER]) for f in found]
