"""The smallest eigenvalue of an operator that is known by its products: Lanczos' process."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mvngrad.core.ops import Array

LEAST = 8  # steps of Lanczos, or as many as there are parameters
MOST = 150
VANISHED = 1e-10  # length of what is left of a direction once all others are taken out
SETTLED = 0.05  # error bound, relative to the smallest curvature, at which Lanczos ends


def lanczos(
    apply: Callable[[Array], Array],
    metric: Callable[[Array], Array] | None,
    start: Array,
    seen: Callable[[Array], Array] = lambda v: v,
) -> tuple[float, Array]:
    """Smallest eigenvalue and eigenvector of an operator symmetric in a metric; None for ⟨u, v⟩.

    With full reorthogonalisation, for some steps and then until the error bound |βs| of the
    smallest Ritz value is a twentieth of it. NaN where not even its sign is certain after many.
    ``seen`` takes out of each new direction what the metric does not see, before it is blown up.
    (Parlett 1998, §13)
    """
    most = min(len(start), MOST)
    basis = np.zeros((most + 1, len(start)))
    images = basis if metric is None else np.zeros_like(basis)
    alphas: list[float] = []
    betas: list[float] = []
    value, s, bound, w = math.nan, np.zeros(0), math.inf, start
    for k in range(most + 1):
        Mw = w if metric is None else metric(w)
        norm = math.sqrt(max(float(w @ Mw), 0.0))
        if k >= LEAST or (k and (k == most or norm <= VANISHED)):
            value, s = _smallest(alphas, betas)
            bound = norm * abs(float(s[-1]))
            if norm <= VANISHED or bound <= SETTLED * abs(value):
                return value, np.asarray(s @ basis[:k])
        if k:
            betas.append(norm)
        basis[k] = w / norm
        if metric is not None:
            images[k] = Mw / norm
        w = apply(basis[k])
        alphas.append(float(w @ images[k]))
        for _ in range(2):
            w = w - (images[: k + 1] @ w) @ basis[: k + 1]
        w = seen(w)
    return (value if bound < abs(value) else math.nan), np.asarray(s @ basis[:most])


def _smallest(alphas: list[float], betas: list[float]) -> tuple[float, Array]:
    """Of the tridiagonal matrix of a Lanczos process."""
    T = np.diag(alphas) + np.diag(betas, -1)
    values, vectors = np.linalg.eigh(T)  # reads the lower triangle
    return float(values[0]), vectors[:, 0]
