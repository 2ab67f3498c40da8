"""Where a fit of rows with holes begins, and the frame its parameters live in."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mvngrad.core.design import Design
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.ops import Array, lower_root, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.errors import NotPositiveDefiniteError
from mvngrad.fitting.convergence import nothing_at_start
from mvngrad.fitting.monotone import monotone_estimate
from mvngrad.fitting.start import Start, near, scaled_to_unit_variance
from mvngrad.fitting.whitened import serves, warmed
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.data import Observed
from mvngrad.models.means import FixedMean, FreeMean, Mean
from mvngrad.models.objective import Objective
from mvngrad.models.penalised import Penalised, penalised
from mvngrad.models.penalty import Penalty
from mvngrad.models.structure import Structure

STEPS = 3  # of EM to a covariance of which a structure may begin near
WARM_UP = 2  # EM steps from standard deviations to the frame of a fit


def _about(patterns: Patterns, mean: Mean, design: Design | None) -> tuple[Array, Array]:
    """Means and variances of the columns' own rows, about a known mean where it is known.

    Rows with designs are residuals about a first estimate already.
    """
    center, variances = patterns.available()
    if design is not None:
        return np.zeros((patterns.d, len(design.basis))), variances + center**2
    if not isinstance(mean, FixedMean):
        return center, variances
    known = patterns.frame.whiten(mean.value - patterns.frame.origin)
    return known, variances + (center - known) ** 2


def _plain(patterns: Patterns, structure: Structure, mean: Mean, design: Design | None) -> Observed:
    """Parameters in the frame of the columns' own means and scales, as the structure allows."""
    center, variances = _about(patterns, mean, design)
    scales = power_of_two(np.sqrt(variances)) * patterns.frame.root
    if not structure.rescales:
        scales = np.ones_like(scales)
    outer = AffineFrame(patterns.frame.origin, scales).restricted(structure.equivariance)
    return Observed(patterns, AffineFrame(center, outer.root / patterns.frame.root), design)


def _initial(objective: Objective, variances: Array, start: Start) -> Array:
    """β and θ of the start; by default of the columns' own means and standard deviations."""
    frame, structure = objective.data.frame, objective.structure
    factor = start.factor_in(frame, variances)
    at = objective.data.center
    if start.mean is not None and at.ndim == 1:  # rows with designs begin at least squares
        at = frame.whiten(start.mean - frame.origin)
    beta, theta = objective.mean.start(at), start.params_in(frame, structure)
    if theta is None and start.factor is None and not structure.start_is_optimum:
        theta = near(structure, _any_covariance(objective, beta, factor))
    theta = structure.start_at(factor) if theta is None else theta
    return np.concatenate([beta, theta])


def _any_covariance(objective: Objective, beta: Array, factor: Array) -> Array:
    """S₀ (d, d): where a few EM steps lead if S may be any covariance; the last that has one."""
    free = replace(objective, structure=Cholesky().sized(objective.structure.columns))
    params = np.concatenate([beta, free.structure.start_at(factor)])
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            try:
                params = free.em_step(free.at(params))
            except (NotPositiveDefiniteError, np.linalg.LinAlgError):
                break
    return free.structure.cov(free.split(params)[1])


class Beginning(NamedTuple):
    """An objective, where iterations begin, and whether that is the summit in closed form."""

    objective: Objective
    params: Array
    closed: bool = False


def begin(
    patterns: Patterns,
    structure: Structure,
    mean: Mean,
    start: Start,
    design: Design | None = None,
    penalty: Penalty | None = None,
) -> Beginning:
    """At the closed form of monotone holes; else where a few EM steps lead, in a frame there."""
    plain = _plain(patterns, structure, mean, design)
    objective = Objective(penalised(plain, penalty), structure, mean.in_frame(plain.frame))
    variances = _about(patterns, mean, design)[1] * patterns.frame.root**2
    params = _initial(objective, variances, start)
    if not moves_freely(structure):
        return Beginning(objective, params)
    plainly = design is None and penalty is None and _is_plain(structure, mean, start)
    closed = monotone_estimate(patterns) if plainly else None
    if closed is not None:
        found: Array | None = _params_of(objective, *closed)
    elif serves(objective) and structure.start_is_optimum:
        place = warmed(objective, params, WARM_UP)
        place = warmed(objective, _rescaled(objective, params), WARM_UP) if place is None else place
        if place is not None:
            return Beginning(*_framed_about(objective, *place, structure, mean))
        found = None
    else:
        found = _warmed(objective, params)
        found = _warmed(objective, _rescaled(objective, params)) if found is None else found
    if found is None:
        raise nothing_at_start()
    return Beginning(*framed_at(objective, found, structure, mean), closed is not None)


def _warmed(objective: Objective, params: Array) -> Array | None:
    """Where a few EM steps lead; None if J has no value on the way.

    No step may be taken from where expected moments are singular: for iterations to find out. That
    J has a value where one leads needs no look: along EM it does not rise.
    """
    with np.errstate(all="ignore"):
        for _ in range(max(WARM_UP * objective.structure.start_is_optimum, 1)):
            try:
                point = objective.at(params)
            except np.linalg.LinAlgError:
                return None
            if not np.isfinite(point.value):
                return None
            if objective.structure.start_is_optimum:
                try:
                    params = objective.em_step(point)
                except NotPositiveDefiniteError:
                    break
    return params


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


def _is_plain(structure: Structure, mean: Mean, start: Start) -> bool:
    """Whether every mean and covariance is free, and the caller named no start."""
    return structure.saturated and isinstance(mean, FreeMean) and start.factor is None


def moves_freely(structure: Structure) -> bool:
    """Whether the family is the same in every frame. Rows stay: only the parameters move."""
    return structure.equivariance == "affine" and structure.rescales


def framed_at(
    objective: Objective, params: Array, structure: Structure, mean: Mean
) -> tuple[Objective, Array]:
    """The objective in the frame of a point's own S, and the point in it: S = I."""
    beta, theta = objective.split(params)
    mu, Lambda = objective.mean.mean(beta), objective.structure.factor(theta)
    L = lower_root(Lambda)
    assert isinstance(objective.data, Observed | Penalised)
    data = objective.data.moved(mu, L)
    objective = Objective(data, structure.working(), mean.in_frame(data.frame))
    here = objective.structure.start_at(solve_lower(L, Lambda))
    return objective, np.concatenate([objective.mean.start(data.center), here])


def _framed_about(
    objective: Objective, mu: Array, L: Array, structure: Structure, mean: Mean
) -> tuple[Objective, Array]:
    """The same for a point μ, L in the frame of the rows."""
    assert isinstance(objective.data, Observed)
    data = replace(objective.data, inner=AffineFrame(mu, L))
    objective = Objective(data, structure.working(), mean.in_frame(data.frame))
    here = objective.structure.start_at(np.eye(len(mu)))
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
    at = frame.origin + frame.root * mu if frame.origin.ndim == 1 else None
    return Start(at, scales[:, None] * lower_root(G))
