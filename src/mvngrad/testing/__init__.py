"""The laws of a covariance structure, to run on one of your own.

    >>> import numpy as np, mvngrad as mg
    >>> from mvngrad.testing import check_structure
    >>> check_structure(mg.Cholesky(), np.array([0.3, -1.2, 0.5]))

Each law is also a function by itself, ``check_…(structure, theta, d=None, *, rng=0)``, that
returns nothing or raises an AssertionError naming the law, what was measured and its bound.
Bounds are multiples of the rounding unit ε, times what the condition of S must cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance, IdentityCovariance
from mvngrad.core.ops import cholesky, condition_estimate
from mvngrad.models.rank import numerical_rank
from mvngrad.models.structure import Structure, times
from mvngrad.testing.subject import (
    EPS,
    SEEN,
    Subject,
    extrapolated,
    largest,
    relative_difference,
    whitened,
)

__all__ = [
    "check_adjoint",
    "check_covariance",
    "check_equivariance",
    "check_operator",
    "check_optimum",
    "check_precision",
    "check_pull_tangent",
    "check_rank",
    "check_start",
    "check_structure",
    "check_tangent",
    "check_taylor",
    "check_whitened_push",
]


class Law(Protocol):
    """A check of a structure at θ; d where the length of θ does not tell it."""

    def __call__(
        self, structure: Structure, theta: Any, d: int | None = None, *, rng: Any = 0
    ) -> None:
        """Return, or raise an AssertionError."""


LAWS: list[Law] = []


def check_structure(
    structure: Structure, theta: Any, d: int | None = None, *, rng: Any = 0
) -> None:
    """Every law of this module, at one θ.

    Parameters
    ----------
    structure : Structure
    theta : (p,) array
        A generic point: where S(θ) is singular, or θ special, some laws cannot be seen.
    d : int
        Number of columns; needed where the length of θ does not tell it.
    rng : seed or Generator
        For the random directions and data.

    Raises
    ------
    AssertionError
        Names the law that is broken, the value measured and its bound.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family, theta = mg.Diagonal().sized(2), np.array([0.1, 0.7])
    >>> check_structure(family, theta)
    >>> family.pull = lambda theta, score: score.diagonal()         # exp θ forgotten
    >>> check_structure(family, theta)
    Traceback (most recent call last):
    AssertionError: Diagonal() breaks the law ⟨G, push v⟩ = ⟨v, pull G⟩: measured ...
    """
    for check in LAWS:
        check(structure, theta, d, rng=rng)


def law(of: Callable[[Subject, np.random.Generator], None]) -> Law:
    """Make a law of a subject one of a structure at θ, and one of ``LAWS``."""

    def check(structure: Structure, theta: Any, d: int | None = None, *, rng: Any = 0) -> None:
        of(Subject(structure, theta, d), np.random.default_rng(rng))

    check.__name__, check.__qualname__, check.__doc__ = of.__name__, of.__qualname__, of.__doc__
    LAWS.append(check)
    return check


@law
def check_covariance(s: Subject, rng: np.random.Generator) -> None:  # noqa: ARG001
    """S(θ) = Λ(θ)Λ(θ)ᵀ, symmetric and positive definite, and θ has ``size`` entries."""
    s.demand("S = Sᵀ", s.gap(s.S, s.S.T), 2.0 * EPS)
    s.demand("S = ΛΛᵀ", s.gap(s.S, s.L @ s.L.T), 100.0 * s.d * EPS)
    smallest = 1.0 / np.linalg.cond(s.L / s.deviations[:, None])
    s.demand("S positive definite (negated smallest singular value)", -smallest, -s.d * EPS)


@law
def check_operator(s: Subject, rng: np.random.Generator) -> None:
    """operator(θ) is S: L⁻¹SL⁻ᵀ = I, ⟨L⁻¹B, C⟩ = ⟨B, L⁻ᵀC⟩, logdet = log|S|."""
    S, bound = s.structure.operator(s.theta), 100.0 * s.d * EPS * s.amplification
    W = S.whiten(s.L)
    s.demand("whiten: L⁻¹SL⁻ᵀ = I", largest(W @ W.T - np.eye(s.d)), bound)
    B, C = s.L @ rng.standard_normal((s.d, 3)), rng.standard_normal((s.d, 3))
    mismatch = relative_difference(S.whiten(B) * C, B * S.unwhiten(C))
    s.demand("unwhiten: ⟨L⁻¹B, C⟩ = ⟨B, L⁻ᵀC⟩", mismatch, bound)
    s.demand("whiten of a vector", largest(S.whiten(B[:, 0]) - S.whiten(B)[:, 0]), bound)
    logs = 2.0 * np.log(np.diagonal(s.L))
    mismatch = abs(S.logdet - logs.sum()) / (1.0 + np.abs(logs).sum())
    s.demand("logdet = log|S|", mismatch, bound)


@law
def check_adjoint(s: Subject, rng: np.random.Generator) -> None:
    """⟨G, push(θ, v)⟩ = ⟨v, pull(θ, G)⟩ to 100 ε, for a random symmetric G and for G = ∂J/∂S."""
    v, M = rng.standard_normal(len(s.theta)), rng.standard_normal((s.d, s.d))
    E = s.structure.push(s.theta, v)
    s.demand("push(θ, v) symmetric", largest(E - E.T), 100.0 * EPS * largest(E))
    of_data = s.evaluate(s.theta, s.data(rng)).score
    for G, cost in ((Score(M + M.T, IdentityCovariance()), 1.0), (of_data, s.amplification)):
        mismatch = relative_difference(G.dense() * E, v * s.structure.pull(s.theta, G))
        s.demand("⟨G, push v⟩ = ⟨v, pull G⟩", mismatch, 100.0 * EPS * cost)


@law
def check_tangent(s: Subject, rng: np.random.Generator) -> None:
    """S(θ + hv) − S(θ) − h·push(θ, v) falls as h²: its slope in log h is 2.

    More than 2 where the second derivative along v vanishes; a wrong tangent has slope 1.
    """
    v = s.direction(rng)
    E = s.structure.push(s.theta, v)
    s.demand_quadratic(
        "push: S(θ+hv) − S(θ) − h·push(v) = O(h²)",
        lambda h: s.gap(s.structure.cov(s.theta + h * v), s.S + h * E),
        rounding=s.d * EPS,
    )


@law
def check_whitened_push(s: Subject, rng: np.random.Generator) -> None:
    """push = ABᵀ + BAᵀ by its halves, and whitened_push(θ, v, S) = L⁻¹ push L⁻ᵀ."""
    v = s.direction(rng)
    E, (A, B) = s.structure.push(s.theta, v), s.structure.push_halves(s.theta, v)
    sizes = np.abs(A) @ np.abs(B).T / np.multiply.outer(s.deviations, s.deviations)
    bound = 100.0 * s.d * EPS
    gap = s.gap(A @ B.T + B @ A.T, E)
    s.demand("push_halves: push = ABᵀ + BAᵀ", gap, bound * (1.0 + largest(sizes)))
    found = s.structure.whitened_push(s.theta, v, s.structure.operator(s.theta))
    within = s.structure.operator(s.theta)
    expected = within.whiten(within.whiten(E).T)  # from push itself, which has lost as much again
    gap = largest(found - expected)
    s.demand("whitened_push: L⁻¹ push L⁻ᵀ", gap, bound * s.amplification**2)


@law
def check_pull_tangent(s: Subject, rng: np.random.Generator) -> None:
    """pull_tangent(θ, G, v) is the derivative of pull(θ, G) along v with G held: ⟨G, D²S[·, v]⟩.

    Seen against extrapolated differences of pull; and ⟨u, D²S[v]⟩ = ⟨v, D²S[u]⟩, to rounding
    where the structure has its own, to seven digits by the default, which takes differences.
    """
    M = rng.standard_normal((s.d, s.d))
    score, (u, v) = Score(M + M.T, DenseCovariance(s.L)), (s.direction(rng), s.direction(rng))
    along_v, along_u = (s.structure.pull_tangent(s.theta, score, x) for x in (v, u))
    change = extrapolated(lambda h: s.structure.pull(s.theta + h * v, score))
    own_size = np.abs(along_v) + np.abs(change) + np.abs(s.structure.pull(s.theta, score))
    size = float(np.abs(u) @ own_size)
    gap = abs(float(u @ along_v - u @ change))
    s.demand("pull_tangent: d pull(θ, G)[v]", gap, SEEN * s.amplification * size)
    own = type(s.structure).pull_tangent is not Structure.pull_tangent
    bound = 100.0 * EPS * s.amplification if own else 1e-7
    mismatch = relative_difference(u * along_v, v * along_u)
    s.demand("pull_tangent: ⟨u, D²S[v]⟩ = ⟨v, D²S[u]⟩", mismatch, bound)


@law
def check_taylor(s: Subject, rng: np.random.Generator) -> None:
    """J(θ + hv) − J(θ) − h·⟨v, pull(∂J/∂S)⟩ falls as h², on random data."""
    v, data = s.direction(rng), s.data(rng)
    at = s.evaluate(s.theta, data)
    slope = float(v @ s.structure.pull(s.theta, at.score))
    s.demand_quadratic(
        "pull: J(θ+hv) − J(θ) − h⟨v, pull(∂J/∂S)⟩ = O(h²)",
        lambda h: abs(s.evaluate(s.theta + h * v, data).nll - at.nll - h * slope) / data.weight,
        rounding=s.d * EPS * condition_estimate(s.L) ** 2,  # moments are squares
    )


@law
def check_equivariance(s: Subject, rng: np.random.Generator) -> None:
    """S(rescale(θ, T)) = T S(θ) Tᵀ for T of the kind declared, and T⁻¹ leads back."""
    scales = np.exp(0.5 * rng.standard_normal(s.d))
    triangle = np.tril(rng.standard_normal((s.d, s.d)), -1) / s.d + np.diag(scales)
    equal = np.full(s.d, scales[0])
    kinds = {
        "scalar": [(equal, 1.0 / equal)],
        "diagonal": [(scales, 1.0 / scales)],
        "affine": [(scales, 1.0 / scales), (triangle, np.linalg.inv(triangle))],
    }
    bound = 100.0 * s.d * EPS * s.amplification
    if not s.structure.rescales:  # it is fitted in the units of the data, and promises nothing
        return
    for T, back in kinds[s.structure.equivariance]:
        there = Subject(s.structure, s.structure.rescale(s.theta, T), s.d)
        again = Subject(s.structure, s.structure.rescale(there.theta, back), s.d)
        reach = times(np.abs(T), s.deviations) / s.deviations
        mismatch = s.gap(there.S, times(T, times(T, s.S).T), reach)
        s.demand(f"S(rescale(θ, T)) = TSTᵀ, T {T.shape}", mismatch, bound)
        reach = times(np.abs(back), reach * s.deviations) / s.deviations
        mismatch = s.gap(again.S, s.S, reach)
        s.demand(f"rescale by T then T⁻¹ is nothing, T {T.shape}", mismatch, 10.0 * bound)


@law
def check_start(s: Subject, rng: np.random.Generator) -> None:
    """start(S) and start_at(Λ) are legal θ for any S; where ``saturated``, θ of S itself."""
    data = s.data(rng)
    S = data.scatter / data.weight
    starts = {"start(S)": s.structure.start(S), "start_at(Λ)": s.structure.start_at(cholesky(S))}
    for name, start in starts.items():
        finite = bool(np.isfinite(start).all())
        s.demand(f"{name} is finite (0: yes, 1: no)", not finite, 0)
        found = Subject(s.structure, start, s.d)
        if s.structure.saturated:
            s.demand(f"cov at {name} is S", s.gap(found.S, S), 100.0 * s.d * EPS * s.amplification)


@law
def check_optimum(s: Subject, rng: np.random.Generator) -> None:
    """If ``start_is_optimum``: at start(C/n) pull(∂J/∂S) = 0, and J is higher all around."""
    if not s.structure.start_is_optimum:
        return
    data = s.data(rng)
    best = Subject(s.structure, s.structure.start(data.scatter / data.weight), s.d)
    at = best.evaluate(best.theta, data)
    gradient = best.structure.pull(best.theta, at.score) / data.weight
    bound = 100.0 * best.d * EPS * best.amplification**2
    for v in (best.direction(rng) for _ in range(5)):
        best.demand("start is optimum: ⟨v, pull(∂J/∂S)⟩ = 0", abs(float(v @ gradient)), bound)
        for h in (0.03, -0.03):
            fall = at.nll - best.evaluate(best.theta + h * v, data).nll
            best.demand("start is optimum: J(θ) < J(θ ± hv)", fall / data.weight, 0.0)


@law
def check_rank(s: Subject, rng: np.random.Generator) -> None:  # noqa: ARG001
    """``n_params`` is the rank of θ ↦ S(θ); if ``saturated``, d(d+1)/2."""
    rank, declared, full = s.rank(), s.structure.n_params, s.d * (s.d + 1) // 2
    s.demand(f"n_params = {declared} is the rank of push, {rank}", abs(declared - rank), 0)
    if s.structure.saturated:
        s.demand(f"saturated: the rank of push, {rank}, is {full}", full - rank, 0)


@law
def check_precision(s: Subject, rng: np.random.Generator) -> None:
    """If ``linear_precision``: S(θ)⁻¹ spans no more dimensions than S(θ) has."""
    if not s.structure.linear_precision:
        return
    rank = s.rank()
    nearby = (s.structure.cov(s.theta + s.direction(rng)) for _ in range(rank + 3))
    inverses = [np.linalg.inv(whitened(s.L, S))[np.tril_indices(s.d)] for S in nearby]
    span = numerical_rank(np.array(inverses))
    s.demand(f"linear_precision: S⁻¹ spans {span} dimensions of {rank}", abs(span - rank), 0)
