"""Data with a prior beside them: what an objective of J and its terms is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.information import by_products
from mvngrad.core.likelihood import Evaluation, curvature
from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance, triangular
from mvngrad.core.ops import Array
from mvngrad.core.whole import Product
from mvngrad.models.data import Complete, Observed
from mvngrad.models.penalty import Penalty

Rows = Complete | Observed


@final
@dataclass(frozen=True, eq=False)
class Penalised:
    """J of the data and the terms of a penalty in (μ, S), seen as if it were J of data alone.

    The scatter K and residual r of an evaluation are such that the gradients are those of the sum:
    ½n(I − K) is the core of its gradient in S, −nL⁻ᵀr its gradient in μ.

    Parameters
    ----------
    data : Complete or Observed
    given : Penalty              in the units of the data
    """

    data: Rows
    given: Penalty

    @cached_property
    def penalty(self) -> Penalty:
        """The terms in the frame of the data."""
        return self.given.in_frame(self.data.frame)

    @property
    def weight(self) -> float:
        """n, of the data alone."""
        return self.data.weight

    @property
    def center(self) -> Array:
        """That of the data."""
        return self.data.center

    @property
    def frame(self) -> AffineFrame:
        """That of the data."""
        return self.data.frame

    @property
    def volume(self) -> float:
        """That of the data, and κ log|L₀|."""
        return self.data.volume + self.penalty_volume

    @property
    def penalty_volume(self) -> float:
        """κ log|L₀|: ½κ log|S| in the units of the data lies this much above that in the frame."""
        return self.given.weight * self.data.frame.logdet

    @property
    def ridge(self) -> Array | None:
        """λ/sⱼ², which is for the objective to add: it is no function of S."""
        return self.penalty.ridge if self.penalty.ridge.any() else None

    @property
    def prior_scatter(self) -> tuple[float, Array]:
        """κ and κT."""
        return self.penalty.weight, self.penalty.scatter

    def evaluation(self, mu: Array, S: Covariance) -> Evaluation:
        """J and the terms together."""
        # What a term in μ adds to r is seen through Lᵀ, so L must be what ``root`` gives.
        e = self.data.evaluation(mu, triangular(S, len(mu)) if self._has_mean else S)
        return self._with_terms(e, mu, e.covariance)  # seen through the root that e was made with

    def _with_terms(self, e: Evaluation, mu: Array, S: Covariance) -> Evaluation:
        n, of_mean = self.weight, self.penalty.of_mean(mu) if self._has_mean else None
        if self.penalty.weight:
            p = self.penalty.of_covariance(S)
            scatter = e.scatter + (p.scatter - np.eye(len(p.scatter))) * (p.weight / n)
            e = e._replace(nll=e.nll + p.nll, scatter=scatter)
        if of_mean is not None:
            value, pull = of_mean
            residual = e.residual - S.root(len(mu)).T @ pull / n
            e = e._replace(nll=e.nll + value, mean=e.mean + pull, residual=residual)
        return e

    @property
    def _has_mean(self) -> bool:
        return bool(self.penalty.precision.any())

    def value_of_terms(self, mu: Array, S: Covariance) -> float:
        """The terms alone, in the units of the data."""
        value = self.penalty.of_mean(mu)[0] if self._has_mean else 0.0
        if self.penalty.weight:
            value += self.penalty.of_covariance(S).nll + self.penalty_volume
        return value

    def curvature(self, e: Evaluation, mu: Array) -> Product:
        """That of the data, and of the terms."""
        S = e.covariance
        base, terms = self.data.curvature(self.data.evaluation(mu, S), mu), self._of_terms(S)

        def product(delta: Array, E: Array) -> tuple[Array, Array]:
            (dg, dG), (of_mean, of_S) = base(delta, E), terms(delta, E)
            return dg + of_mean, dG + of_S

        return product

    def _of_terms(self, S: Covariance) -> Product:
        d = len(self.center)
        p = self.penalty.of_covariance(S) if self.penalty.weight else None
        root = S.root(d)
        Q = root.T @ self.penalty.precision @ root

        def product(delta: Array, E: Array) -> tuple[Array, Array]:
            of_S = np.zeros_like(E) if p is None else curvature(p, np.zeros(d), E)[1]
            return (Q @ delta if self._has_mean else np.zeros_like(delta)), of_S

        return product

    def information(self, e: Evaluation, mu: Array, *, expected: bool) -> Array:
        """That of the data, and of the terms as they are."""
        of_data = self.data.evaluation(mu, e.covariance)
        terms = by_products(self._of_terms(e.covariance), mu.shape)
        return self.data.information(of_data, mu, expected=expected) + terms

    def curvature_matrix(self, e: Evaluation, mu: Array) -> Array | None:  # noqa: ARG002
        """None: products do."""
        return None

    def flat(self, S: Covariance) -> Array:
        """Nothing that a term in S does not bend."""
        flat = self.data.flat(S)
        return flat[:0] if self.penalty.weight else flat

    def expected(self, e: Evaluation, mu: Array) -> Moments:
        """Of the data alone."""
        return self.data.expected(self.data.evaluation(mu, e.covariance), mu)

    def moved(self, mu: Array, L: Array) -> Penalised:
        """The same in another frame."""
        assert isinstance(self.data, Observed)
        return Penalised(self.data.moved(mu, L), self.given)


def penalised(data: Rows, penalty: Penalty | None) -> Rows | Penalised:
    """The data, with a penalty where there is one."""
    return data if penalty is None else Penalised(data, penalty)
