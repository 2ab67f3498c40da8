"""Data and model → J, its gradient and curvature, as functions of one flat vector (β, θ).

Everything is per unit weight and in the frame of the data, so that it is O(1) whatever the
units. No formula stands here: the gradient is the likelihood's score through the adjoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import cast

import numpy as np

from mvngrad.core.likelihood import Evaluation, Score, fisher
from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, Mask, outer
from mvngrad.models.means import FreeMean, Mean
from mvngrad.models.protocol import Data
from mvngrad.models.ridge import LoadingRidge
from mvngrad.models.solving import pseudo_inverse, solve_consistent
from mvngrad.models.structure import Structure

HALF_DIGITS = 1e-6
FORMED = 400  # parameters up to which an information with redundant ones is formed


@dataclass(frozen=True, eq=False)
class Point:
    """The objective at one parameter vector: J/n, its gradient, and what they were made of."""

    params: Array
    value: float
    gradient: Array
    evaluation: Evaluation
    covariance: Covariance
    free: Mask | None = None  # entries not held at the edge of the family; None: all
    above_edge: float = 0.0  # how far J/n is above its value at the edge, for those held
    known: dict[str, float] = field(default_factory=dict, repr=False)  # worked out before

    def off_edge(self, v: Array) -> Array:
        """v without the entries held at the edge."""
        return v if self.free is None else np.where(self.free, v, 0.0)


@dataclass(frozen=True, eq=False)
class Objective:
    """J/n of a mean and a covariance structure on data."""

    data: Data
    structure: Structure
    mean: Mean

    @cached_property
    def n_beta(self) -> int:
        """Length of β."""
        return len(self.mean.pull(self.data.center))

    def split(self, params: Array) -> tuple[Array, Array]:
        """(β, θ)."""
        return params[: self.n_beta], params[self.n_beta :]

    def at(self, params: Array) -> Point:
        """J/n and its gradient (∂β, ∂θ) = (pull ∂J/∂μ, pull ∂J/∂S)/n."""
        beta, theta = self.split(params)
        S = self.structure.operator(theta)
        return self.seen(params, self.data.evaluation(self.mean.mean(beta), S))

    def seen(self, params: Array, e: Evaluation) -> Point:
        """The same of an evaluation that was made there."""
        (beta, theta), n = self.split(params), self.data.weight
        gradient = np.concatenate([self.mean.pull(e.mean), self.structure.pull(theta, e.score)]) / n
        value = e.nll / n
        if self.ridge is not None:
            value += self.ridge.value(theta) / n
            gradient[len(beta) :] += self.ridge.gradient(theta) / n
        held = self.structure.at_edge(theta, e.score)
        if held is None or not held.any():
            return Point(params, value, gradient, e, e.covariance)
        height = self.structure.above_edge(theta, gradient[len(beta) :], held)
        free = np.concatenate([np.ones(len(beta), dtype=bool), ~held])
        return Point(params, value, gradient, e, e.covariance, free, height)

    @cached_property
    def ridge(self) -> LoadingRidge | None:
        """What a prior on loadings adds to J, as a function of θ."""
        r = self.data.ridge
        return None if r is None else LoadingRidge(self.structure, r)

    def total(self, value: float) -> float:
        """J in the units of the data from J/n in the frame."""
        return self.data.weight * value + self.data.volume

    def value_of_terms(self, point: Point) -> float:
        """What priors add to J at a point, in the units of the data."""
        beta, theta = self.split(point.params)
        terms = self.data.value_of_terms(self.mean.mean(beta), point.covariance)
        return terms if self.ridge is None else terms + self.ridge.value(theta)

    def fisher_product(self, point: Point, v: Array) -> Array:
        """The Fisher information per unit weight times v, at complete data, off the edge."""
        v = point.off_edge(v)
        n, S = self.data.weight, point.covariance
        _, theta = self.split(point.params)
        v_beta, v_theta = self.split(v)
        of_mean = self.mean.pull(S.unwhiten(S.whiten(self.mean.push(v_beta))))
        E = self.structure.whitened_push(theta, v_theta, S)
        of_cov = self.structure.pull(theta, fisher(n, E, S)) / n
        return point.off_edge(np.concatenate([of_mean, of_cov]))

    def hessian_product(self, point: Point, v: Array) -> Array:
        """The second derivative of J/n times v: that of J in (μ, S), and the structure's own."""
        return self.hessian(point)(v)

    def hessian(self, point: Point) -> Callable[[Array], Array]:
        """The second derivative of J/n as a map: what belongs to the point alone is made once."""
        S, (beta, theta) = point.covariance, self.split(point.params)
        bend = self.data.curvature(point.evaluation, self.mean.mean(beta))

        def product(v: Array) -> Array:
            v_beta, v_theta = self.split(v)
            delta = S.whiten(self.mean.push(v_beta))
            E = self.structure.whitened_push(theta, v_theta, S)
            dg, dG = bend(delta, E)
            of_cov = self.structure.pull(theta, Score(dG, S))
            of_cov = of_cov + self.structure.pull_tangent(theta, point.evaluation.score, v_theta)
            if self.ridge is not None:
                of_cov = of_cov + self.ridge.product(theta, v_theta)
            return np.concatenate([self.mean.pull(S.unwhiten(dg)), of_cov]) / self.data.weight

        return product

    def lengths(self, params: Array) -> Array:
        """What a step in each parameter is measured in."""
        beta, theta = self.split(params)
        return np.concatenate([np.ones(len(beta)), self.structure.lengths(theta)])

    def across(self, point: Point) -> Iterator[Array]:
        """Other parameters, on an edge of the family or off it, at which J may be lower."""
        beta, theta = self.split(point.params)
        for other in self.structure.across(theta, self.split(point.gradient)[1]):
            yield np.concatenate([beta, other])

    def em_step(self, point: Point) -> Array:
        """(β, θ) that maximise the likelihood of complete data as expected at a point."""
        beta, _ = self.split(point.params)
        moments = self.data.expected(point.evaluation, self.mean.mean(beta))
        return self.best_for(moments, point)

    def best_for(self, moments: Moments, near: Point | None = None) -> Array:
        """(β, θ) of the best mean and covariance for complete data, in closed form.

        Where the best mean depends on S, it is that for S at a point nearby: J falls all the same.
        """
        if near is None:
            beta, S = self.covariance_of(moments)
            return np.concatenate([beta, self.structure.start(S)])
        beta, S = self.covariance_of(moments, near.covariance)
        return np.concatenate([beta, self.structure.best(S, self.split(near.params)[1])])

    def covariance_of(
        self, moments: Moments, near: Covariance | None = None
    ) -> tuple[Array, Array]:
        """β of the best mean, and A/n about it; with a prior (A + κT)/(n + κ)."""
        beta = self.mean.start(moments.center, near)
        c = moments.center - self.mean.mean(beta)
        kappa, prior = self.data.prior_scatter
        scatter = moments.spread + moments.weight * outer(c, c) + prior
        return beta, scatter / (moments.weight + kappa)

    def natural_direction(self, point: Point) -> Array:
        """−F⁺∇: the step that Fisher scoring would take."""
        return self._scoring(point)[0]

    def _scoring(self, point: Point) -> tuple[Array, float]:
        """−F⁺∇, and what of ∇ is not in the range of F; by a few products if they tell enough."""
        g = point.off_edge(point.gradient)
        closed = self._solved(point, -g)
        if closed is not None:
            return closed, 0.0
        if self.is_singular and self.structure.regular:
            product = partial(self.fisher_product, point)
            direction, unsolved = solve_consistent(product, -g, HALF_DIGITS)
            if unsolved <= HALF_DIGITS:
                return direction, unsolved
        return self.information_solver(point)(-g)

    @property
    def is_singular(self) -> bool:
        """Whether there may be directions of θ along which S stays where it is."""
        return self.structure.size > self.structure.n_params or not self.structure.regular

    def information_solver(self, point: Point) -> Callable[[Array], tuple[Array, float]]:
        """b ↦ F⁺b off the edge, and what of b, relative to it, is not in the range of F.

        Where F is singular, as by the two scales of a Kronecker product, rounding leaves a little
        of b outside its range, on which CG would go astray: F is then formed, if it is small.
        """
        product, size = partial(self.fisher_product, point), len(point.params)
        if self._solved(point, np.zeros(size)) is not None:
            return lambda b: (cast(Array, self._solved(point, point.off_edge(b))), 0.0)
        if not self.is_singular or self.structure.saturated or size > FORMED:
            return partial(solve_consistent, product)
        rank = size - self.structure.size + self.structure.n_params
        return pseudo_inverse(np.array([product(v) for v in np.eye(size)]), rank)

    def _solved(self, point: Point, b: Array) -> Array | None:
        """F⁺b in closed form, where the structure has one."""
        if not (self.mean_is_free or self.n_beta == 0):
            return None
        of_beta, of_theta = self.split(b)
        free = np.ones(len(b), dtype=bool) if point.free is None else point.free
        S, (_, theta) = point.covariance, self.split(point.params)
        found = self.structure.solve_information(theta, S, of_theta, free[len(of_beta) :])
        if found is None:
            return None
        of_mean = self.structure.times(theta, of_beta.reshape(len(self.data.center), -1))
        return np.concatenate([of_mean.ravel(), found])

    def optimality(self, point: Point) -> float:
        """½∇ᵀF⁺∇, half the squared Newton decrement per unit weight: J/n above its minimum.

        F is the information of complete data. It has no block between μ and S. For a free mean
        its part is ½‖r‖², for a covariance with every direction free ¼‖I − K‖², r and K the
        whitened residual and scatter: no units enter, and no gauge direction. Where F is singular,
        as where a variance is estimated 0, what is outside its range counts by its square; what is
        held at the edge of the family, by the height from there.
        """
        if "optimality" not in point.known:
            point.known["optimality"] = self._optimality(point)
        return point.known["optimality"]

    def _optimality(self, point: Point) -> float:
        if self.structure.saturated:
            return self.saturated_optimality(point)
        direction, unsolved = self._scoring(point)
        g = point.off_edge(point.gradient)
        decrement = float(-0.5 * g @ direction) + point.above_edge
        if self.is_singular:  # where F is blind S stands still, and J falls by second order only
            return decrement + 0.5 * (unsolved * float(np.linalg.norm(g))) ** 2
        return decrement if unsolved <= HALF_DIGITS else np.inf

    def saturated_optimality(self, point: Point) -> float:
        """½‖r‖², of as much of the mean as is free, + ¼‖I − K‖²."""
        e = point.evaluation
        of_mean = 0.5 * float((self._free_residual(point) ** 2).sum())
        return of_mean + float(((e.score.core / self.data.weight) ** 2).sum())

    def _free_residual(self, point: Point) -> Array:
        if self.mean_is_free or not self.n_beta:
            return point.evaluation.residual * self.mean_is_free
        g, _ = self.split(point.gradient)
        return np.asarray(np.linalg.solve(self.mean_root(point.covariance).T, g))

    def mean_root(self, S: Covariance) -> Array:
        """R (q, q), RᵀR the information of β per unit weight: QR of the whitened tangents of μ."""
        columns = [S.whiten(self.mean.push(v)).ravel() for v in np.eye(self.n_beta)]
        return np.asarray(np.linalg.qr(np.array(columns).T, mode="r"))

    @property
    def mean_is_free(self) -> bool:
        """Whether every entry of μ is a parameter."""
        return isinstance(self.mean, FreeMean)
