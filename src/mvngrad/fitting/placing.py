"""Where a fit of rows with holes begins, and the frame its parameters live in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.ops import Array, lower_root, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.fitting.convergence import nothing_at_start
from mvngrad.fitting.monotone import monotone_estimate
from mvngrad.fitting.start import Start, scaled_to_unit_variance
from mvngrad.models.data import Observed
from mvngrad.models.means import FixedMean, FreeMean, Mean
from mvngrad.models.objective import Objective, Point
from mvngrad.models.structure import Structure

WARM_UP = 2  # EM steps from standard deviations to the frame of a fit


def _about(patterns: Patterns, mean: Mean) -> tuple[Array, Array]:
    """Means and variances of the columns' own rows, about a known mean where it is known."""
    center, variances = patterns.available()
    if not isinstance(mean, FixedMean):
        return center, variances
    known = patterns.frame.whiten(mean.value - patterns.frame.origin)
    return known, variances + (center - known) ** 2


def _plain(patterns: Patterns, structure: Structure, mean: Mean) -> Observed:
    """Parameters in the frame of the columns' own means and scales, as the structure allows."""
    center, variances = _about(patterns, mean)
    scales = power_of_two(np.sqrt(variances)) * patterns.frame.root
    if not structure.rescales:
        scales = np.ones_like(scales)
    outer = AffineFrame(patterns.frame.origin, scales).restricted(structure.equivariance)
    return Observed(patterns, AffineFrame(center, outer.root / patterns.frame.root))


def _initial(objective: Objective, variances: Array, start: Start) -> Array:
    """β and θ of the start; by default of the columns' own means and standard deviations."""
    frame, structure = objective.data.frame, objective.structure
    factor = start.factor_in(frame, variances)
    at = objective.data.center if start.mean is None else frame.whiten(start.mean - frame.origin)
    theta = start.params_in(frame, structure)
    theta = structure.start_at(factor) if theta is None else theta
    return np.concatenate([objective.mean.start(at), theta])


class Beginning(NamedTuple):
    """An objective, where iterations begin, and whether that is the summit in closed form."""

    objective: Objective
    params: Array
    closed: bool = False


def begin(patterns: Patterns, structure: Structure, mean: Mean, start: Start) -> Beginning:
    """At the closed form of monotone holes; else where a few EM steps lead, in a frame there."""
    plain = _plain(patterns, structure, mean)
    objective = Objective(plain, structure, mean.in_frame(plain.frame))
    params = _initial(objective, _about(patterns, mean)[1] * patterns.frame.root**2, start)
    if not moves_freely(structure):
        return Beginning(objective, params)
    closed = monotone_estimate(patterns) if _is_plain(structure, mean, start) else None
    if closed is not None:
        point = _found(objective, _params_of(objective, *closed))
    else:
        point = _found(objective, params) or _found(objective, _rescaled(objective, params))
    if point is None:
        raise nothing_at_start()
    return Beginning(*framed_at(objective, point, structure, mean), closed is not None)


def _found(objective: Objective, params: Array) -> Point | None:
    """Where a few EM steps lead, if J has a value there."""
    with np.errstate(all="ignore"):
        try:
            point = objective.at(_warmed(objective, params))
        except np.linalg.LinAlgError:
            return None
    return point if np.isfinite(point.value) else None


def _rescaled(objective: Objective, params: Array) -> Array:
    """A start too large or small to be squared, brought to the size of the data."""
    beta, theta = objective.split(params)
    factor = objective.structure.factor(theta)
    factor = scaled_to_unit_variance(factor / np.abs(factor).max(), np.eye(len(factor)))
    return np.concatenate([beta, objective.structure.start_at(factor)])


def _params_of(objective: Objective, mu: Array, Lambda: Array) -> Array:
    """(β, θ) of μ and Λ in the frame of the patterns."""
    data = objective.data
    assert isinstance(data, Observed)
    beta = objective.mean.start(data.inner.whiten(mu - data.inner.origin))
    return np.concatenate(
        [beta, objective.structure.start_at(lower_root(data.inner.whiten(Lambda)))]
    )


def _warmed(objective: Objective, params: Array) -> Array:
    """A few EM steps, where they can be taken: what is singular is for iterations to find out."""
    for _ in range(WARM_UP * objective.structure.start_is_optimum):
        try:
            params = objective.em_step(objective.at(params))
        except NotPositiveDefiniteError:
            break
    return params


def _is_plain(structure: Structure, mean: Mean, start: Start) -> bool:
    """Whether every mean and covariance is free, and the caller named no start."""
    return structure.saturated and isinstance(mean, FreeMean) and start.factor is None


def moves_freely(structure: Structure) -> bool:
    """Whether the family is the same in every frame. Rows stay: only the parameters move."""
    return structure.equivariance == "affine" and structure.rescales


def framed_at(
    objective: Objective, point: Point, structure: Structure, mean: Mean
) -> tuple[Objective, Array]:
    """The objective in the frame of a point's own S, and the point in it: S = I."""
    data = objective.data
    assert isinstance(data, Observed)
    beta, theta = objective.split(point.params)
    mu, Lambda = objective.mean.mean(beta), objective.structure.factor(theta)
    L, inner = lower_root(Lambda), data.inner
    moved = AffineFrame(inner.origin + inner.color(mu), np.tril(inner.color(L)))
    data = Observed(data.patterns, moved)
    objective = Objective(data, structure.working(), mean.in_frame(data.frame))
    here = objective.structure.start_at(solve_lower(L, Lambda))
    return objective, np.concatenate([objective.mean.start(data.center), here])


def random_start(patterns: Patterns, rng: np.random.Generator) -> Start:
    """Means and deviations of the columns, moved at random, and a random correlation matrix."""
    d = patterns.d
    center, variances = patterns.available()
    frame, deviations = patterns.frame, np.sqrt(variances)
    G = rng.standard_normal((d, d + 2))
    G /= np.linalg.norm(G, axis=1)[:, None]
    scales = deviations * np.exp(0.3 * rng.standard_normal(d)) * frame.root
    mu = center + 0.5 * deviations * rng.standard_normal(d)
    return Start(frame.origin + frame.root * mu, scales[:, None] * lower_root(G))
