"""THE formula: minus the log-likelihood of N(μ, S), and its gradients. Written once, here.

Complete data enter only through n = Σwᵢ and A = Σ wᵢ(xᵢ−μ)(xᵢ−μ)ᵀ = C + n(m−μ)(m−μ)ᵀ, with m
the weighted mean and C the scatter about it. With S = LLᵀ (L any square root),

    r = L⁻¹(m − μ)                                whitened residual of the mean
    K = L⁻¹AL⁻ᵀ/n = L⁻¹CL⁻ᵀ/n + rrᵀ               whitened scatter
    J = ½ n [ d log 2π + log|S| + tr K ]          Rennie 2006, eqs. 1–4
    ∂J/∂μ = −n S⁻¹(m − μ) = −n L⁻ᵀr               eq. 9, halved
    ∂J/∂S = G = ½ (nS⁻¹ − S⁻¹AS⁻¹) = L⁻ᵀ[½n(I − K)]L⁻¹
    ∂J/∂Λ = 2GΛ                                   eqs. 7 and 14, halved and summed

and for square Λ, ∂J/∂Λ = nΛ⁻ᵀ(I − K) with K whitened by Λ: **the gradient vanishes exactly
when the whitened data have identity scatter**.

G is symmetric, entries of S taken as independent. It is handed on as a ``Score``, never as a
dense matrix: from L⁻ᵀ[½n(I − K)]L⁻¹ a product G·B loses √cond(S), from a dense G it loses
cond(S). ``docs/derivation.md`` walks from the note's equations to these lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import Any, NamedTuple, Protocol

import numpy as np

from mvngrad.core.operators import Covariance, unwhitened_diagonal, whitened_scatter
from mvngrad.core.ops import Array, add_outer, outer

LOG_2PI = log(2.0 * pi)


class Statistics(Protocol):
    """What complete data are to the formula: n, m and C, in the coordinates of μ and S."""

    @property
    def weight(self) -> float:
        """n."""

    @property
    def center(self) -> Array:
        """m (d,)."""

    @property
    def spread(self) -> Array:
        """C (d, d)."""


@dataclass(frozen=True, eq=False)
class Score:
    """G = L⁻ᵀML⁻¹, M symmetric: a cotangent of S = LLᵀ, known through what it does.

    M = ½n(I − K) makes it ∂J/∂S; M = ½n L⁻¹ṠL⁻ᵀ makes it the Fisher information of N(μ, S)
    applied to a tangent Ṡ of S.
    """

    core: Array
    covariance: Covariance

    def __matmul__(self, B: Array) -> Array:
        """G·B for B (d, m)."""
        S = self.covariance
        return S.unwhiten(self.core @ S.whiten(B))

    def times_root(self) -> Array:
        """G·L = L⁻ᵀM, with the root that the formula was evaluated with."""
        return self.covariance.unwhiten(self.core)

    def diagonal(self) -> Array:
        """diag G."""
        return unwhitened_diagonal(self.covariance, self.core)

    def dense(self) -> Array:
        """G itself, for checks and for structures that have no better use of it."""
        G = self @ np.eye(len(self.core))
        return 0.5 * (G + G.T)


class Evaluation(NamedTuple):
    """J, ∂J/∂μ, the whitened scatter K and residual r; and from these ∂J/∂S.

    ``made``: what whoever evaluated rows with holes can use again for the curvature there.
    """

    nll: float
    mean: Array
    scatter: Array
    residual: Array
    weight: float
    covariance: Covariance
    made: Any = None

    @property
    def score(self) -> Score:
        """∂J/∂S = L⁻ᵀ[½n(I − K)]L⁻¹."""
        core = -0.5 * self.weight * self.scatter
        core.ravel("K")[:: len(core) + 1] += 0.5 * self.weight
        return Score(core, self.covariance)


def evaluate(data: Statistics, mu: Array, S: Covariance) -> Evaluation:
    """J(μ, S) and its gradients, equation by equation as above.

    Cost: two triangular solves with d right-hand sides, O(d³), whatever the number of rows.
    """
    n, m, C = data.weight, data.center, data.spread
    r = S.whiten(m - mu)
    return _evaluation(n, r, add_outer(whitened_scatter(S, C) / n, r), S)


def value(data: Statistics, mu: Array, S: Covariance) -> float:
    """J(μ, S) alone, which asks for no more of K than its trace."""
    n, r = data.weight, S.whiten(data.center - mu)
    return _value(n, len(r), whitened_scatter(S, data.spread).trace() / n + r @ r, S)


def evaluate_about(n: float, t: Array, A: Array, S: Covariance) -> Evaluation:
    """The same from sums about μ itself: n, t = Σwᵢ(xᵢ−μ) = n(m−μ), and A."""
    return _evaluation(n, S.whiten(t / n), whitened_scatter(S, A) / n, S)


def _evaluation(n: float, r: Array, K: Array, S: Covariance) -> Evaluation:
    J = _value(n, len(r), K.trace(), S)
    return Evaluation(J, -n * S.unwhiten(r), K, r, n, S)


def _value(n: float, d: int, trace: float, S: Covariance) -> float:
    return float(0.5 * n * (d * LOG_2PI + S.logdet + trace))


def curvature(e: Evaluation, delta: Array, E: Array) -> tuple[Array, Array]:
    """Changes of Lᵀ∂J/∂μ and of the core of ∂J/∂S along δ = L⁻¹μ̇ and E = L⁻¹ṠL⁻ᵀ, symmetric.

    n(Er + δ)        ½n (EK + KE + δrᵀ + rδᵀ − E)

    Of rows with designs δ and r are (d, P).
    """
    # K is symmetric but for rounding, which would make the two orders of two tangents differ.
    n, r, K = e.weight, e.residual, 0.5 * (e.scatter + e.scatter.T)
    half = E @ K + outer(delta, r)
    return n * (E @ r + delta), 0.5 * n * (half + half.T - E)


def fisher(n: float, E: Array, S: Covariance) -> Score:
    """The Fisher information of S in n observations, times a tangent Ṡ, E = L⁻¹ṠL⁻ᵀ.

    ½n S⁻¹ṠS⁻¹ = L⁻ᵀ[½nE]L⁻¹          (Magnus & Neudecker 2019, §15.5)
    """
    return Score(0.5 * n * E, S)
