"""A variance of its own for every column, around the correlations of another structure."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from mvngrad.core.frame import AffineFrame, Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import FramedCovariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.composite import Composite, require_structures
from mvngrad.models.structure import Structure, times

# S = DRD with R = S(θ) of the inner structure and D = diag(1, e^η₂, …), Δ = diag(0, v_η):
#
#     Ṡ = DṘD + ΔS + SΔ
#     pull = (pull_R(DGD), 2 diag(GS) after the first)
#
# DGD is the score itself, seen through the frame x = D⁻¹z. Along v, DGD changes by
# ΔDGD + DGDΔ, whose core, with L the root of the score in that frame, is XᵀM + MX, X = L⁻¹ΔL.


@final
class Heterogeneous(Composite):
    """S = D·R·D: R of an inner structure, D = diag(1, exp η) the scales of the other columns.

    The inner structure keeps the variance of the first column, so nothing is counted twice:
    ``Heterogeneous(AR1())`` has d + 1 parameters, d variances and a correlation.

    Parameters
    ----------
    inner : Structure            of R, with its scale: ``AR1()``, ``CompoundSymmetry()``, …

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Heterogeneous(mg.AR1()).sized(2)
    >>> family.cov(np.array([np.log(4.0), np.arctanh(0.5), np.log(3.0)]))
    array([[ 4.,  6.],
           [ 6., 36.]])
    """

    def __init__(self, inner: Structure) -> None:
        require_structures("Heterogeneous", inner)
        if not inner.rescales:
            raise DataError(
                f"Heterogeneous({inner!r}): the inner structure has no scale of its own, which "
                "the first column takes its variance from. Give it one: mg.Scaled(…)."
            )
        self.parts = (inner,)

    @property
    def equivariance(self) -> Equivariance:  # type: ignore[override]
        """Diagonal, whatever R is closed under."""
        return "diagonal"

    @property
    def inner(self) -> Structure:
        """The structure of R."""
        return self.parts[0]

    @property
    def size(self) -> int:
        """That of R, and d − 1."""
        return self.inner.size + self.columns - 1

    def split(self, theta: Array) -> list[Array]:
        """θ of R, and η."""
        return np.split(theta, [self.inner.size])

    def factor(self, theta: Array) -> Array:
        """D times the factor of R."""
        of_R, eta = self.split(theta)
        return times(_scales(eta), self.inner.factor(of_R))

    def push(self, theta: Array, v: Array) -> Array:
        """DṘD + ΔS + SΔ."""
        (of_R, eta), (v_R, v_eta) = self.split(theta), self.split(v)
        D = _scales(eta)
        half = times(_after_first(v_eta), self.cov(theta))
        return np.multiply.outer(D, D) * self.inner.push(of_R, v_R) + half + half.T

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """D times those of R, and (ΔΛ, Λ)."""
        (of_R, eta), (v_R, v_eta) = self.split(theta), self.split(v)
        D, Lambda = _scales(eta), self.factor(theta)
        A, B = (times(D, half) for half in self.inner.push_halves(of_R, v_R))
        return np.hstack([A, times(_after_first(v_eta), Lambda)]), np.hstack([B, Lambda])

    def pull(self, theta: Array, score: Score) -> Array:
        """pull_R(DGD), and 2 diag(GS) after the first."""
        of_R, eta = self.split(theta)
        Lambda = self.factor(theta)
        of_scales = 2.0 * ((score @ Lambda) * Lambda).sum(axis=1)
        return np.concatenate([self.inner.pull(of_R, _seen(score, eta)), of_scales[1:]])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """That of R, pull_R(ΔDGD + DGDΔ), and 2 diag(GṠ) after the first."""
        (of_R, eta), (v_R, v_eta) = self.split(theta), self.split(v)
        seen = _seen(score, eta)
        L = seen.covariance.root(self.columns)
        half = seen.core @ seen.covariance.whiten(times(_after_first(v_eta), L))
        moved = Score(half + half.T, seen.covariance)
        of_inner = self.inner.pull_tangent(of_R, seen, v_R) + self.inner.pull(of_R, moved)
        A, B = self.push_halves(theta, v)
        of_scales = 2.0 * ((score @ A) * B + (score @ B) * A).sum(axis=1)
        return np.concatenate([of_inner, of_scales[1:]])

    def start(self, S: Array) -> Array:
        """The ratios of standard deviations, and R from what is left."""
        deviations = np.sqrt(np.diagonal(S))
        D = deviations / deviations[0]
        return np.concatenate([self.inner.start(S / np.multiply.outer(D, D)), np.log(D[1:])])

    def start_at(self, factor: Array) -> Array:
        """The same, from a root."""
        deviations = np.sqrt((factor**2).sum(axis=1))
        D = deviations / deviations[0]
        return np.concatenate([self.inner.start_at(times(1.0 / D, factor)), np.log(D[1:])])

    def rescale(self, theta: Array, T: Array) -> Array:
        """R by the first unit, η by the ratios to it."""
        of_R, eta = self.split(theta)
        first = np.full(self.columns, T[0])
        return np.concatenate([self.inner.rescale(of_R, first), eta + np.log(T[1:] / T[0])])

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"inner": self.inner}


def _scales(eta: Array) -> Array:
    """The diagonal of D."""
    return np.exp(_after_first(eta))


def _after_first(values: Array) -> Array:
    return np.concatenate([[0.0], values])


def _seen(score: Score, eta: Array) -> Score:
    """DGD."""
    frame = AffineFrame(np.zeros(len(eta) + 1), 1.0 / _scales(eta))
    return Score(score.core, FramedCovariance(frame, score.covariance))
