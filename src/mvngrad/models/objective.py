"""Data and model → J, its gradient and curvature, as functions of one flat vector (β, θ).

Everything is per unit weight and in the frame of the data, so that it is O(1) whatever the
units. No formula stands here: the gradient is the likelihood's score through the adjoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import Evaluation, Score, fisher
from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance, whitened_scatter
from mvngrad.core.ops import Array, Mask
from mvngrad.models.means import FreeMean, Mean
from mvngrad.models.structure import Structure

SOLVED = 1e-12
HALF_DIGITS = 1e-6


class Data(Protocol):
    """What an objective asks of data: ``Complete`` moments, or ``Observed`` rows with holes."""

    @property
    def weight(self) -> float:
        """n."""

    @property
    def center(self) -> Array:
        """A mean (d,) to begin with; of complete data the best one."""

    @property
    def frame(self) -> AffineFrame:
        """Where parameters live."""

    @property
    def volume(self) -> float:
        """What J in the units of the data has beyond J in the frame."""

    def evaluation(self, mu: Array, S: Covariance) -> Evaluation:
        """J and its gradients."""

    def curvature(self, e: Evaluation, mu: Array, delta: Array, E: Array) -> tuple[Array, Array]:
        """Changes of the whitened gradients along whitened tangents of μ and S."""

    def flat(self, S: Covariance) -> Array:
        """Whitened tangents of S (q, d, d) along which J does not change, whatever the data say."""

    def expected(self, e: Evaluation, mu: Array) -> Moments:
        """Moments of complete data, given what is observed, at the parameters of e."""


@dataclass(frozen=True, eq=False)
class Point:
    """The objective at one parameter vector: J/n, its gradient, and what they were made of."""

    params: Array
    value: float
    gradient: Array
    evaluation: Evaluation
    covariance: Covariance
    free: Mask | None = None  # entries not held at the edge of the family; None: all

    def off_edge(self, v: Array) -> Array:
        """v without the entries held at the edge."""
        return v if self.free is None else np.where(self.free, v, 0.0)

    @property
    def above_edge(self) -> float:
        """½⟨θ, ∇⟩ of the entries held: how far J/n, even in them, is above its value at 0."""
        held = self.params - self.off_edge(self.params)
        return 0.5 * float(held @ self.gradient)


@dataclass(frozen=True, eq=False)
class Objective:
    """J/n of a mean and a covariance structure on data."""

    data: Data
    structure: Structure
    mean: Mean

    @property
    def n_beta(self) -> int:
        """Length of β."""
        return len(self.mean.start(self.data.center))

    def split(self, params: Array) -> tuple[Array, Array]:
        """(β, θ)."""
        return params[: self.n_beta], params[self.n_beta :]

    def at(self, params: Array) -> Point:
        """J/n and its gradient (∂β, ∂θ) = (pull ∂J/∂μ, pull ∂J/∂S)/n."""
        beta, theta = self.split(params)
        S = self.structure.operator(theta)
        e = self.data.evaluation(self.mean.mean(beta), S)
        n = self.data.weight
        gradient = np.concatenate([self.mean.pull(e.mean), self.structure.pull(theta, e.score)]) / n
        held = self.structure.at_edge(theta, e.score)
        free = None
        if held is not None and held.any():
            free = np.concatenate([np.ones(len(beta), dtype=bool), ~held])
        return Point(params, e.nll / n, gradient, e, e.covariance, free)

    def total(self, value: float) -> float:
        """J in the units of the data from J/n in the frame."""
        return self.data.weight * value + self.data.volume

    def fisher_product(self, point: Point, v: Array) -> Array:
        """The Fisher information per unit weight times v, at complete data, off the edge."""
        v = point.off_edge(v)
        n, S = self.data.weight, point.covariance
        _, theta = self.split(point.params)
        v_beta, v_theta = self.split(v)
        of_mean = self.mean.pull(S.unwhiten(S.whiten(self.mean.push(v_beta))))
        of_cov = self.structure.pull(theta, fisher(n, self.structure.push(theta, v_theta), S)) / n
        return point.off_edge(np.concatenate([of_mean, of_cov]))

    def hessian_product(self, point: Point, v: Array) -> Array:
        """The second derivative of J/n times v: that of J in (μ, S), and the structure's own."""
        S, (beta, theta) = point.covariance, self.split(point.params)
        v_beta, v_theta = self.split(v)
        delta = S.whiten(self.mean.push(v_beta))
        E = whitened_scatter(S, self.structure.push(theta, v_theta))
        dg, dG = self.data.curvature(point.evaluation, self.mean.mean(beta), delta, E)
        of_cov = self.structure.pull(theta, Score(dG, S))
        of_cov = of_cov + self.structure.pull_tangent(theta, point.evaluation.score, v_theta)
        return np.concatenate([self.mean.pull(S.unwhiten(dg)), of_cov]) / self.data.weight

    def em_step(self, point: Point) -> Array:
        """(β, θ) that maximise the likelihood of complete data as expected at a point."""
        beta, _ = self.split(point.params)
        moments = self.data.expected(point.evaluation, self.mean.mean(beta))
        return self.best_for(moments, near=point.params)

    def best_for(self, moments: Moments, near: Array | None = None) -> Array:
        """(β, θ) of the best mean and covariance for complete data, in closed form."""
        beta, S = self.covariance_of(moments)
        if near is None:
            return np.concatenate([beta, self.structure.start(S)])
        return np.concatenate([beta, self.structure.best(S, self.split(near)[1])])

    def covariance_of(self, moments: Moments) -> tuple[Array, Array]:
        """β of the best mean, and A/n about it."""
        beta = self.mean.start(moments.center)
        c = moments.center - self.mean.mean(beta)
        scatter = moments.spread + moments.weight * np.multiply.outer(c, c)
        return beta, scatter / moments.weight

    def natural_direction(self, point: Point) -> Array:
        """−F⁺∇: the step that Fisher scoring would take."""
        return -self.information_solve(point, point.gradient)[0]

    def information_solve(self, point: Point, g: Array) -> tuple[Array, float]:
        """F⁺g off the edge, and |g − FF⁺g|/|g|; in closed form where the structure has one."""
        g = point.off_edge(g)
        g_beta, g_theta = self.split(g)
        if self.mean_is_free or not len(g_beta):
            free = np.ones(len(g), dtype=bool) if point.free is None else point.free
            S, (_, theta) = point.covariance, self.split(point.params)
            found = self.structure.solve_information(theta, S, g_theta, free[len(g_beta) :])
            if found is not None:
                of_mean = self.structure.cov(theta) @ g_beta if g_beta.any() else g_beta
                return np.concatenate([of_mean, found]), 0.0
        return solve_consistent(partial(self.fisher_product, point), g)

    def optimality(self, point: Point) -> float:
        """½∇ᵀF⁺∇, half the squared Newton decrement per unit weight: J/n above its minimum.

        F is the information of complete data. It has no block between μ and S. For a free mean
        its part is ½‖r‖², for a covariance with every direction free ¼‖I − K‖², r and K the
        whitened residual and scatter: no units enter, and no gauge direction. What is held at the
        edge of the family counts by the height from there.
        """
        if self.structure.saturated and (self.mean_is_free or self.n_beta == 0):
            return self.saturated_optimality(point.evaluation)
        solved, unsolved = self.information_solve(point, point.gradient)
        if unsolved > HALF_DIGITS:
            return np.inf
        return float(0.5 * point.off_edge(point.gradient) @ solved) + point.above_edge

    def saturated_optimality(self, e: Evaluation) -> float:
        """½‖r‖² (if the mean is free) + ¼‖I − K‖²."""
        of_mean = 0.5 * float(e.residual @ e.residual) * self.mean_is_free
        return of_mean + float(((e.score.core / self.data.weight) ** 2).sum())

    @property
    def mean_is_free(self) -> bool:
        """Whether every entry of μ is a parameter."""
        return isinstance(self.mean, FreeMean)


def solve_consistent(product: Callable[[Array], Array], target: Array) -> tuple[Array, float]:
    """F⁺b for F symmetric, not negative, and b in its range, and |b − FF⁺b|/|b|; by CG.

    Started at 0 the iteration never leaves the range, so gauge directions (Λ → ΛQ), along which
    F is 0, stay out by themselves.
    """
    x, r = np.zeros_like(target), target.copy()
    p, rr = r, float(r @ r)
    floor = rr * SOLVED**2
    for _ in range(2 * len(target) + 10):
        if rr <= floor:
            break
        Fp = product(p)
        curvature = float(p @ Fp)
        if not curvature > 0.0:
            break
        x, r = x + (rr / curvature) * p, r - (rr / curvature) * Fp
        rr, before = float(r @ r), rr
        p = r + (rr / before) * p
    return x, float(np.linalg.norm(r) / np.linalg.norm(target)) if target.any() else 0.0
