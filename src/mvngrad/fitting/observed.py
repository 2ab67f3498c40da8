"""Fits of rows with holes: J of the observed entries, to the best of some certified summits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, condition_estimate, lower_root, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.roots import correlation_condition
from mvngrad.core.threads import calm_blas
from mvngrad.errors import NotPositiveDefiniteError, listed
from mvngrad.fitting.convergence import Monitor, Status
from mvngrad.fitting.monotone import monotone_estimate
from mvngrad.fitting.requirements import EPS
from mvngrad.fitting.solution import Solution, reported
from mvngrad.fitting.solve import Run, to_summit
from mvngrad.fitting.start import Start
from mvngrad.models.data import Observed
from mvngrad.models.means import FreeMean, Mean
from mvngrad.models.objective import Objective, Point
from mvngrad.models.structure import Structure

# With holes J may lie above its summit by optimality over the smallest curvature, so optimality
# must be smaller by this: at the default tol it asks for a whitened gradient of 5e-9 a row.
TIGHTER = 1e-7
# 1 − R² of a column given others at which the likelihood has no summit ahead; or none was found.
HOPELESS, SUSPECT = 1e-14, 1e-11
FAR = 30.0  # cond(L) in the frame of a fit at which a frame nearer by is taken
WARM_UP = 2  # EM steps from standard deviations to the frame of a fit


def iterate_observed(
    patterns: Patterns,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    n_starts: int,
    rng: Any,
    columns: Sequence[str],
) -> Solution:
    """The best local maximum from the given start and from random ones."""
    generator = np.random.default_rng(rng)
    starts = [start, *(_random_start(patterns, generator) for _ in range(n_starts - 1))]
    with calm_blas(patterns.d):
        found = [_from(patterns, structure, mean, at, run, columns) for at in starts]
    best = min(found, key=lambda s: (s.status is not Status.CONVERGED, s.nll))
    return replace(best, n_starts=n_starts)


def _from(
    patterns: Patterns,
    structure: Structure,
    mean: Mean,
    start: Start,
    run: Run,
    columns: Sequence[str],
) -> Solution:
    objective, params = _begin(patterns, structure, mean, start)
    monitor = Monitor(
        objective, tol=run.tol * TIGHTER, max_iter=run.max_iter, callback=run.callback
    )
    while True:
        monitor.guard = _Guard(monitor.objective, structure, columns)
        try:
            status, curvature = to_summit(monitor, run.method, params)
            break
        except _Far as far:
            objective, params = _framed_at(monitor.objective, far.point, structure, mean)
            monitor.move_to(objective)
    assert monitor.best is not None
    if status is not Status.CONVERGED:
        _require_bounded(monitor.best.covariance, monitor.objective, columns, SUSPECT)
    return _at_rounding(reported(monitor, monitor.best, structure, mean, status, curvature))


def _plain(patterns: Patterns, structure: Structure) -> Observed:
    """Parameters in the frame of the columns' own means and scales, as the structure allows."""
    center, variances = patterns.available()
    scales = power_of_two(np.sqrt(variances)) * patterns.frame.root
    if not structure.rescales:
        scales = np.ones_like(scales)
    outer = AffineFrame(patterns.frame.origin, scales).restricted(structure.equivariance)
    return Observed(patterns, AffineFrame(center, outer.root / patterns.frame.root))


def _initial(objective: Objective, patterns: Patterns, start: Start) -> Array:
    """β and θ of the start; by default of the columns' own means and standard deviations."""
    frame, structure = objective.data.frame, objective.structure
    _, variances = patterns.available()
    factor = start.factor_in(frame, variances * patterns.frame.root**2)
    at = objective.data.center if start.mean is None else frame.whiten(start.mean - frame.origin)
    return np.concatenate([objective.mean.start(at), structure.start_at(factor)])


def _begin(
    patterns: Patterns, structure: Structure, mean: Mean, start: Start
) -> tuple[Objective, Array]:
    """The objective and its start, in the frame where S ≈ I after a few EM steps."""
    plain = _plain(patterns, structure)
    objective = Objective(plain, structure, mean.in_frame(plain.frame))
    params = _initial(objective, patterns, start)
    if not _moves_freely(structure):
        return objective, params
    closed = monotone_estimate(patterns) if _is_plain(structure, mean, start) else None
    if closed is not None:
        frame = plain.inner
        factor = lower_root(frame.whiten(closed[1]))
        beta = objective.mean.start(frame.whiten(closed[0] - frame.origin))
        point = objective.at(np.concatenate([beta, structure.start_at(factor)]))
        return _framed_at(objective, point, structure, mean)
    for _ in range(WARM_UP * structure.start_is_optimum):
        params = objective.em_step(objective.at(params))
    return _framed_at(objective, objective.at(params), structure, mean)


def _is_plain(structure: Structure, mean: Mean, start: Start) -> bool:
    """Whether every mean and covariance is free, and the caller named no start."""
    return structure.saturated and isinstance(mean, FreeMean) and start.factor is None


def _moves_freely(structure: Structure) -> bool:
    """Whether the family is the same in every frame. Rows stay: only the parameters move."""
    return structure.equivariance == "affine" and structure.rescales


def _framed_at(
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


class _Far(Exception):  # noqa: N818 - not an error: the way out of a driver to a nearer frame
    """S has come far from I in the frame of the fit."""

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point


class _Guard:
    """Looks at every accepted point: is a summit still ahead, and is it seen from near enough?"""

    def __init__(self, objective: Objective, structure: Structure, columns: Sequence[str]) -> None:
        self.objective, self.columns = objective, columns
        self.movable = _moves_freely(structure)

    def __call__(self, point: Point) -> None:
        _require_bounded(point.covariance, self.objective, self.columns, HOPELESS)
        if self.movable and condition_estimate(point.covariance.root(len(self.columns))) > FAR:
            raise _Far(point)


def _require_bounded(
    S: Covariance, objective: Objective, columns: Sequence[str], floor: float
) -> None:
    """Refuse to follow a likelihood that grows without bound as S becomes singular, by name."""
    L = objective.data.frame.color(S.root(len(columns)))
    L = L / np.sqrt((L**2).sum(axis=1))[:, None]
    if (np.diagonal(L) ** 2).min() > floor:
        return
    values, vectors = np.linalg.eigh(L @ L.T)
    shares = np.abs(vectors[:, 0])
    names = [columns[j] for j in np.argsort(-shares).tolist() if shares[j] > 0.1 * shares.max()]
    raise NotPositiveDefiniteError(
        f"the likelihood grows without bound as {listed(names)} become linearly dependent: where "
        "they are observed together they are collinear, or there are too few such rows. Drop one "
        "of them (columns=…), give more rows, or fit a smaller model such as "
        "covariance='diagonal'.",
        smallest_eigenvalue=float(values[0]),
        columns=names,
        rank=int(np.count_nonzero(values > floor)),
    )


def _at_rounding(solution: Solution) -> Solution:
    """Stalled where rounding hides anything better is as good as converged."""
    if solution.status is not Status.STALLED:
        return solution
    d = len(solution.mean)
    root = math.sqrt(correlation_condition(solution.factor))
    floor = 0.5 * (30.0 * d * EPS * root) ** 2
    return replace(solution, status=Status.CONVERGED) if solution.optimality <= floor else solution


def _random_start(patterns: Patterns, rng: np.random.Generator) -> Start:
    """Means and deviations of the columns, moved at random, and a random correlation matrix."""
    d = patterns.d
    center, variances = patterns.available()
    frame, deviations = patterns.frame, np.sqrt(variances)
    G = rng.standard_normal((d, d + 2))
    G /= np.linalg.norm(G, axis=1)[:, None]
    scales = deviations * np.exp(0.3 * rng.standard_normal(d)) * frame.root
    mu = center + 0.5 * deviations * rng.standard_normal(d)
    return Start(frame.origin + frame.root * mu, scales[:, None] * lower_root(G))
