"""Rows with holes → J of what is observed, and its gradients by the formula for complete data.

Fisher's identity: the gradient is that of complete data at the moments *expected* given what was
observed (the E-step of EM). In coordinates whitened by L, S = LLᵀ,

    r = Σ w E z/n        K = Σ w [ (E z)(E z)ᵀ + cov z ]/n        z = L⁻¹(x − μ), given x_o

go into ``likelihood.evaluate_about`` as they are, and only the value is another:

    J = ½ Σ w [ |o| log 2π + log|S_oo| + |E z|² ]

EM, gradient and quasi-Newton all share this. Two ways to the sums, each with its compiled loop:
``marginal_sums`` by QR, errors ε√cond(S); and ``plain_sums`` from S and S⁻¹, ε·cond(S), faster,
used while cond(L) is small. (Fisher 1925; Dempster, Laird & Rubin 1977; Little & Rubin 2019, §8.2)
"""

from __future__ import annotations

import itertools
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.likelihood import LOG_2PI, Evaluation, evaluate_about
from mvngrad.core.marginal import Sums, marginal_sums
from mvngrad.core.operators import IdentityCovariance
from mvngrad.core.ops import Array, condition_estimate, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.sorting import Mask
from mvngrad.core.threads import default_threads, map_reduce

SAFE = 8.0  # cond(L) per column up to which ε·cond(S) is as good as ε√cond(S)
KERNEL_WORK = 3e5  # of an evaluation, from which the compiled loop pays: NumPy takes about 1 ms
BLOCK = 2**17  # numbers in the matrices of a block of patterns: 1 MB
CHUNK = 2**17  # numbers in the rows of a chunk: they stay in a second-level cache
SHARED = 2  # chunks of work from which threads pay


def evaluate_observed(data: Patterns, mu: Array, L: Array) -> Evaluation:
    """J of the observed entries under N(μ, LLᵀ), and its gradients seen from x = μ + Lz.

    ``mu`` (d,) and ``L`` (d, d), lower-triangular, are in the frame of the data, and so is J.
    """
    sums = expected_sums(data, mu, L)
    second = sums.scatter + sums.spread
    e = evaluate_about(data.weight, sums.total, second, IdentityCovariance())
    entries = float(data.pattern_weights @ data.observed.sum(axis=1))
    return e._replace(nll=0.5 * float(entries * LOG_2PI + sums.logdet + sums.scatter.trace()))


def expected_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """The sums by the way that is accurate enough for cond(L), compiled where that pays."""
    accurate = condition_estimate(L) > SAFE * data.d
    if work_of(data) >= KERNEL_WORK and (kernel := _kernel()) is not None:
        return _kernel_sums(kernel, data, mu, L, accurate)
    return marginal_sums(data, mu, L) if accurate else plain_sums(data, mu, L)


def work_of(data: Patterns) -> float:
    """Multiply-adds of an evaluation, about: a function of the data's shape alone."""
    return float(data.d**2 * (len(data.kept.z) + data.d * len(data.counts)))


# From S and its inverse, many patterns at once


def plain_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """The sums by Ω = S_oo⁻¹ widened with zeros: E z = LᵀΩ(x − μ), cov z = I − LᵀΩL."""
    rows = max(BLOCK // data.d**2, 1)
    ends = [*range(0, len(data.counts), rows), len(data.counts)]
    blocks = [_plain_block(data, mu, L, *bounds) for bounds in itertools.pairwise(ends)]
    Omega, total, scatter, logdet = reduce(_added, blocks)
    return Sums(total, scatter, data.weight * np.eye(data.d) - L.T @ Omega @ L, logdet)


Parts = tuple[Array, Array, Array, float]


def _added(a: Parts, b: Parts) -> Parts:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def _plain_block(data: Patterns, mu: Array, L: Array, begin: int, end: int) -> Parts:
    z, w, a, ids, Omega, logdets = block_of(data, L, begin, end)
    n = data.pattern_weights[begin:end]
    y = z - np.multiply.outer(a, mu)  # at holes Ω is zero, whatever y is there
    expected = each(Omega, ids, y) @ L
    weighted = expected * w[:, None]
    return np.tensordot(n, Omega, 1), a @ weighted, expected.T @ weighted, float(n @ logdets)


class Block(NamedTuple):
    """Kept rows of some patterns, the number of each row's pattern, Ω and log|S_oo| of each."""

    z: Array
    weights: Array
    anchored: Array
    ids: Any
    Omega: Array
    logdets: Array


def block_of(data: Patterns, L: Array, begin: int, end: int) -> Block:
    """The patterns from … to …, with their precisions."""
    starts = data.starts[begin : end + 1]
    z, w, a = (part[starts[0] : starts[-1]] for part in data.kept)
    ids = np.repeat(np.arange(end - begin), np.diff(starts))
    return Block(z, w, a, ids, *precisions(L @ L.T, data.observed[begin:end]))


def precisions(S: Array, observed: Mask) -> tuple[Array, Array]:
    """S_oo⁻¹ widened with zeros to (p, d, d), and log|S_oo| (p,)."""
    both = observed[:, :, None] & observed[:, None, :]
    filled = np.where(both, S, np.eye(len(S)))
    W = np.linalg.inv(np.linalg.cholesky(filled))
    Omega = np.matmul(W.transpose(0, 2, 1), W) * both
    return Omega, -2.0 * np.log(np.diagonal(W, axis1=1, axis2=2)).sum(axis=1)


def each(Omega: Array, ids: Any, y: Array) -> Array:
    """Ωy of every row, Ω that of its pattern."""
    rows = max(BLOCK // y.shape[1] ** 2, 1)
    parts = [
        np.matmul(Omega[ids[i : i + rows]], y[i : i + rows, :, None])[:, :, 0]
        for i in range(0, len(y), rows)
    ]
    return np.concatenate(parts)


# Compiled


def _kernel() -> Any:
    try:
        from mvngrad.core.kernels import expected
    except ImportError:  # no compiler here: the specification serves
        return None
    return expected


def _kernel_sums(kernel: Any, data: Patterns, mu: Array, L: Array, accurate: bool) -> Sums:
    W = solve_lower(L, np.eye(data.d))
    side = kernel.marginal_side(L) if accurate else kernel.plain_side(L @ L.T, W.T @ W)

    def task(bounds: tuple[int, int]) -> Sums:
        return kernel.sums(data, mu, side, bounds)

    bounds = chunks(data)
    threads = default_threads() if len(bounds) >= SHARED else 1
    sums: Sums = map_reduce(task, bounds, Sums.__add__, threads)
    return sums if accurate else _seen_whitened(sums, L)


def _seen_whitened(sums: Sums, L: Array) -> Sums:
    both = np.stack([sums.scatter, sums.spread])
    scatter, spread = (solve_lower(L, solve_lower(L, part).T) for part in both)
    return Sums(solve_lower(L, sums.total), scatter, spread, sums.logdet)


def chunks(data: Patterns) -> list[tuple[int, int]]:
    """Patterns from … to …, as many as have the rows of a chunk: the data alone decide."""
    rows = max(CHUNK // data.d, 256)
    ends = np.searchsorted(data.starts, np.arange(rows, len(data.kept.z), rows))
    edges = np.unique(np.concatenate([[0], ends, [len(data.counts)]]))
    return list(itertools.pairwise(edges.tolist()))
