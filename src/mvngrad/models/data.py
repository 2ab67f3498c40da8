"""What an objective is of: moments of complete data, or rows with holes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import final

import numpy as np

from mvngrad.core.curvature import curvature_at
from mvngrad.core.design import Design
from mvngrad.core.expected import evaluate_observed
from mvngrad.core.frame import AffineFrame
from mvngrad.core.information import (
    MOST_WHOLE,
    by_products,
    expected_matrix,
    expected_product,
    observed_matrix,
)
from mvngrad.core.likelihood import Evaluation, curvature, evaluate, evaluate_about
from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance, triangular
from mvngrad.core.ops import Array, outer, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.whole import Product, whole_at

NO_PRIOR = (0.0, np.zeros(()))
MOST_FLAT = 500  # pairs that are told apart; a matrix is kept of each


class Unpenalised:
    """Data by themselves: no prior."""

    @property
    def ridge(self) -> Array | None:
        """None."""
        return None

    @property
    def prior_scatter(self) -> tuple[float, Array]:
        """None."""
        return NO_PRIOR

    def value_of_terms(self, mu: Array, S: Covariance) -> float:  # noqa: ARG002
        """None."""
        return 0.0


@final
@dataclass(frozen=True, eq=False)
class Complete(Unpenalised):
    """Moments, in their frame."""

    moments: Moments

    @property
    def weight(self) -> float:
        """n."""
        return self.moments.weight

    @property
    def center(self) -> Array:
        """m (d,)."""
        return self.moments.center

    @property
    def frame(self) -> AffineFrame:
        """The frame of the moments."""
        return self.moments.frame

    @property
    def volume(self) -> float:
        """n log|L₀|."""
        return self.moments.weight * self.moments.frame.logdet

    def evaluation(self, mu: Array, S: Covariance) -> Evaluation:
        """The formula; for M (d, P) of designs with Σ w ζζᵀ = nI, moments those of residuals.

        About Mζ they have the scatter C + nMMᵀ and Σ w (x − Mζ)ζᵀ = −nM.
        """
        if mu.ndim == 1:
            return evaluate(self.moments, mu, S)
        n = self.weight
        return evaluate_about(n, -n * mu, self.moments.spread + n * outer(mu, mu), S)

    def curvature(self, e: Evaluation, mu: Array) -> Product:  # noqa: ARG002 - e knows all
        """The formula's own curvature."""
        return partial(curvature, e)

    def curvature_matrix(self, e: Evaluation, mu: Array) -> Array | None:  # noqa: ARG002
        """Not needed: products cost little."""
        return None

    def information(self, e: Evaluation, mu: Array, *, expected: bool) -> Array:
        """nI if expected."""
        if expected:
            d, size = len(self.center), self.center.size
            return self.weight * np.eye(size + d * (d + 1) // 2)
        return by_products(self.curvature(e, mu), mu.shape)

    def flat(self, S: Covariance) -> Array:  # noqa: ARG002 - nothing is unseen
        """None."""
        return np.zeros((0, len(self.center), len(self.center)))

    def expected(self, e: Evaluation, mu: Array) -> Moments:  # noqa: ARG002 - nothing to expect
        """The moments themselves."""
        return self.moments


@final
@dataclass(frozen=True, eq=False)
class Observed(Unpenalised):
    """Rows with holes, and a frame for the parameters, which holes do not hinder: z = m₁ + L₁w.

    Parameters
    ----------
    patterns : Patterns      the rows z, in their own diagonal frame
    inner : AffineFrame      (m₁, L₁), relative to that frame
    design : Design, optional
        Rows with means of their own, Mζ: then all origins are (d, P), and so is what μ is here.
    """

    patterns: Patterns
    inner: AffineFrame
    design: Design | None = None

    @property
    def weight(self) -> float:
        """n, of rows with something observed."""
        return self.patterns.weight

    @property
    def center(self) -> Array:
        """The origin: the frame is laid about the data."""
        return np.zeros_like(self.inner.origin)

    @cached_property
    def frame(self) -> AffineFrame:
        """x = m₀ + L₀(m₁ + L₁w) from outside."""
        outer = self.patterns.frame
        origin = outer.origin + outer.color(self.inner.origin)
        return AffineFrame(origin, outer.color(self.inner.root))

    @property
    def volume(self) -> float:
        """Σ w log|L₀| over observed entries: J of the rows does not see the inner frame."""
        return self.patterns.log_volume

    def evaluation(self, mu: Array, S: Covariance) -> Evaluation:
        """J of the observed entries; gradients from expected moments."""
        S = triangular(S, self.patterns.d)
        at = self._seen(mu), self._root(S)
        e = self.design.evaluate(*at) if self.design else evaluate_observed(self.patterns, *at)
        return self.framed(e, S)

    @staticmethod
    def framed(e: Evaluation, S: Covariance) -> Evaluation:
        """An evaluation of the rows, ∂J/∂μ whitened by S, as one in the frame."""
        return e._replace(mean=S.unwhiten(e.mean), covariance=S)

    def curvature(self, e: Evaluation, mu: Array) -> Product:
        """The observed-data curvature."""
        at = self._seen(mu), self._root(e.covariance)
        return self.design.curvature(*at) if self.design else curvature_at(self.patterns, *at)

    def curvature_matrix(self, e: Evaluation, mu: Array) -> Array | None:
        """The same as a matrix, where the rows have one mean and columns are few."""
        at = self._seen(mu), self._root(e.covariance)
        found = None if self.design else whole_at(self.patterns, *at, e.made)
        return None if found is None else found.matrix()

    def information(self, e: Evaluation, mu: Array, *, expected: bool) -> Array:
        """From all patterns at once where columns are few enough."""
        at, L = self._seen(mu), self._root(e.covariance)
        if self.design is not None:
            design = self.design
            return by_products(
                design.expected_curvature(L) if expected else design.curvature(at, L), mu.shape
            )
        if self.patterns.d <= MOST_WHOLE:
            rows = self.patterns
            return expected_matrix(rows, L) if expected else observed_matrix(rows, at, L)
        product = expected_product(self.patterns, L) if expected else self.curvature(e, mu)
        return by_products(product, mu.shape)

    def moved(self, mu: Array, L: Array) -> Observed:
        """The same rows, with parameters in the frame of N(μ, LLᵀ)."""
        inner = self.inner
        moved = AffineFrame(inner.origin + inner.color(mu), np.tril(inner.color(L)))
        return replace(self, inner=moved)

    def flat(self, S: Covariance) -> Array:
        """L⁻¹(eᵢeⱼᵀ + eⱼeᵢᵀ)L⁻ᵀ of each pair of columns that no row has both of (q, d, d)."""
        i, j = np.nonzero(np.triu(self.patterns.coverage == 0.0, 1))
        i, j = i[:MOST_FLAT], j[:MOST_FLAT]
        W = solve_lower(self._root(S), np.eye(self.patterns.d)).T
        half = W[i][:, :, None] * W[j][:, None, :]
        return half + half.transpose(0, 2, 1)

    def expected(self, e: Evaluation, mu: Array) -> Moments:
        """m = μ + Lr and C = nL(K − rrᵀ)Lᵀ, in the frame of the parameters."""
        L, r, n = e.covariance.root(len(mu)), e.residual, self.weight
        spread = L @ (n * (e.scatter - outer(r, r))) @ L.T
        return Moments(n, self.patterns.n_obs, mu + L @ r, spread, self.frame)

    def _seen(self, mu: Array) -> Array:
        return self.inner.origin + self.inner.color(mu)

    def _root(self, S: Covariance) -> Array:
        return self.inner.color(S.root(self.patterns.d))  # of triangles, so a triangle
