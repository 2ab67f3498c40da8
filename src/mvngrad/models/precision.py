"""A structure for the inverse of S: partial correlations rather than correlations."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance, WhitenedCovariance
from mvngrad.core.ops import Array, cholesky, lower_root, solve_lower
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.composite import Composite, require_structures
from mvngrad.models.structure import Structure

# With T = WWᵀ the inner structure's own operator, Ṫ = WEWᵀ and G any cotangent of S = T⁻¹:
#
#     Ṡ = −SṪS = −W⁻ᵀEW⁻¹
#     ⟨G, Ṡ⟩ = ⟨−SGS, Ṫ⟩,   −SGS = W⁻ᵀNW⁻¹,   N = −W⁻¹GW⁻ᵀ
#
# so the cotangent of T is a Score with core N and the root W: no inverse, no dense G. Along v
# the core changes by −(EN + NE).


@final
class Precision(Composite):
    """S = T⁻¹, T of a structure of its own.

    push(θ, v) = −SṪS        pull(θ, G) = pull_T(−SGS)

    A zero of T is a zero partial correlation: ``Precision(Banded(1))`` is the Markov model in
    which a column depends on its neighbours alone.

    Parameters
    ----------
    inner : Structure            of T; default ``Cholesky()``, every precision

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.Precision(mg.Diagonal()).sized(2).cov(np.log([4.0, 0.5]))
    array([[0.25, 0.  ],
           [0.  , 2.  ]])
    """

    def __init__(self, inner: Structure | None = None) -> None:
        inner = Cholesky() if inner is None else inner
        require_structures("Precision", inner)
        self.parts = (inner,)

    @property
    def inner(self) -> Structure:
        """The structure of T."""
        return self.parts[0]

    @property
    def saturated(self) -> bool:  # type: ignore[override]
        """As T."""
        return self.inner.saturated

    @property
    def start_is_optimum(self) -> bool:  # type: ignore[override]
        """Where every S is reached."""
        return self.saturated

    @property
    def linear_precision(self) -> bool:  # type: ignore[override]
        """Where every S is reached, as far as is known."""
        return self.saturated

    @property
    def n_params(self) -> int:
        """As T: the inverse is one to one."""
        return self.inner.n_params

    def factor(self, theta: Array) -> Array:
        """W⁻ᵀ."""
        return self.inner.operator(theta).unwhiten(np.eye(self.columns))

    def operator(self, theta: Array) -> Covariance:
        """By L⁻¹ = Uᵀ, T = UUᵀ with U upper-triangular: the lower root of T turned about."""
        turned = lower_root(self.inner.factor(theta)[::-1])
        return WhitenedCovariance(np.ascontiguousarray(turned[::-1, ::-1].T))

    def push(self, theta: Array, v: Array) -> Array:
        """−SṪS, of Ṫ = ABᵀ + BAᵀ by −SA(SB)ᵀ and its transpose."""
        A, B = self.push_halves(theta, v)
        half = A @ B.T
        return half + half.T

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """−SA and SB, A and B those of T."""
        W = self.inner.operator(theta)
        A, B = (W.unwhiten(W.whiten(half)) for half in self.inner.push_halves(theta, v))
        return -A, B

    def pull(self, theta: Array, score: Score) -> Array:
        """pull_T(−SGS)."""
        return self.inner.pull(theta, self._seen(self.inner.operator(theta), score))

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """That of T, and pull_T of the change of −SGS."""
        W = self.inner.operator(theta)
        seen, E = self._seen(W, score), self._moved(W, theta, v)
        half = E @ seen.core
        change = Score(-(half + half.T), W)
        return self.inner.pull_tangent(theta, seen, v) + self.inner.pull(theta, change)

    def start(self, S: Array) -> Array:
        """T near S⁻¹."""
        return self.start_at(cholesky(S))

    def start_at(self, factor: Array) -> Array:
        """T near L⁻ᵀL⁻¹."""
        L = lower_root(factor)
        return self.inner.start_at(solve_lower(L, np.eye(len(L))).T)

    def rescale(self, theta: Array, T: Array) -> Array:
        """T⁻¹ in the inverse units: its T by the inverse transpose."""
        back = 1.0 / T if T.ndim == 1 else solve_lower(T, np.eye(len(T))).T
        return self.inner.rescale(theta, back)

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"inner": self.inner}

    def _moved(self, W: Covariance, theta: Array, v: Array) -> Array:
        return self.inner.whitened_push(theta, v, W)

    def _seen(self, W: Covariance, score: Score) -> Score:
        core = -W.whiten(score @ W.unwhiten(np.eye(self.columns)))
        return Score(0.5 * (core + core.T), W)
