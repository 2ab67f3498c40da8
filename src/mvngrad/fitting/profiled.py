"""Iterations on the noise of a factor model, its loadings at their best: models/profile.py."""

from __future__ import annotations

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.fitting.convergence import Monitor, Status, Stop
from mvngrad.models.data import Complete
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.profile import Profile


def profile(monitor: Monitor, x: Array) -> None:
    """ψ ← a point where J(Λ̂(ψ), ψ) is lower: Newton's method on log ψ, and the edge ψ_j = 0."""
    objective = monitor.objective
    data, structure = objective.data, objective.structure
    assert isinstance(data, Complete)
    assert isinstance(structure, FactorAnalytic)
    beta, M = objective.covariance_of(data.moments)

    def params(Lambda: Array, psi: Array) -> Array:
        return np.concatenate([beta, structure.theta(Lambda, psi)])

    def evaluate(Lambda: Array, psi: Array) -> tuple[float, Score]:
        theta = params(Lambda, psi)
        value, _ = monitor.evaluate(theta)
        score = monitor.point(theta).evaluation.score
        return value, Score(score.core / data.weight, score.covariance)

    surface = Profile(M, structure.rank, evaluate)
    theta = objective.split(x)[1]
    at = surface.at(structure.noise(theta), structure.common(theta))
    step = 0.0
    while True:
        after = surface.released(at)
        if after is None:
            monitor.accept(params(at.Lambda, at.psi), step)
            after = surface.next(at)
        if after is None:
            raise Stop(Status.STALLED)
        step, at = float(np.linalg.norm(np.sqrt(after.psi) - np.sqrt(at.psi))), after


def require_profile(structure: object, *, holes: bool) -> None:
    """Refuse what has no profile."""
    if holes or not getattr(structure, "by_profile", False):
        what = "data with holes have" if holes else f"{structure!r} has"
        raise DataError(f"{what} no profile to follow; use method='auto'.")
