"""What an objective asks of data: ``Complete`` moments, or ``Observed`` rows with holes."""

from __future__ import annotations

from typing import Protocol

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import Evaluation
from mvngrad.core.moments import Moments
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array
from mvngrad.core.whole import Product


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

    def curvature(self, e: Evaluation, mu: Array) -> Product:
        """Changes of the whitened gradients along whitened tangents (δ, E) of μ and S."""

    def curvature_matrix(self, e: Evaluation, mu: Array) -> Array | None:
        """The same as one matrix (``Whole.matrix``) where that is cheap, for a common mean."""

    def information(self, e: Evaluation, mu: Array, *, expected: bool) -> Array:
        """The whole matrix in packed tangents (``core.information``): observed, or expected."""

    @property
    def ridge(self) -> Array | None:
        """λ/sⱼ² (d,) of a prior on loadings."""

    @property
    def prior_scatter(self) -> tuple[float, Array]:
        """κ and κT (d, d), as if so many more rows had that scatter about μ; 0 without a prior."""

    def value_of_terms(self, mu: Array, S: Covariance) -> float:
        """What priors add to J, in the units of the data."""

    def flat(self, S: Covariance) -> Array:
        """Whitened tangents of S (q, d, d) along which J does not change, whatever the data say."""

    def expected(self, e: Evaluation, mu: Array) -> Moments:
        """Moments of complete data, given what is observed, at the parameters of e."""
