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

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.grouping import KERNEL_WORK, work
from mvngrad.core.kept import PatternMoments
from mvngrad.core.kernels import loops
from mvngrad.core.likelihood import LOG_2PI, Evaluation, evaluate_about
from mvngrad.core.marginal import Sums, marginal_sums
from mvngrad.core.operators import IdentityCovariance
from mvngrad.core.ops import Array, condition_estimate, solve_lower
from mvngrad.core.patterns import Patterns
from mvngrad.core.projections import projected_sums
from mvngrad.core.sorting import Mask
from mvngrad.core.threads import default_threads, map_reduce

SAFE = 8.0  # cond(L) per column up to which ε·cond(S) is as good as ε√cond(S)
MOST_KEPT = 2**22  # numbers in the projections of all patterns, a few times: 32 MB
ONE_BY_ONE = 1e4  # what whitening a pattern by QR in NumPy is like
BLOCK = 2**17  # numbers in the matrices of a block of patterns: 1 MB
FEW = 12  # columns up to which the matrix of J's curvature, of 90 parameters, is made whole
SHARED = 2  # chunks of work from which threads pay


def evaluate_observed(data: Patterns, mu: Array, L: Array) -> Evaluation:
    """J of the observed entries under N(μ, LLᵀ), and its gradients seen from x = μ + Lz.

    ``mu`` (d,) and ``L`` (d, d), lower-triangular, are in the frame of the data, and so is J.
    """
    sums, made = _made(data, mu, L)
    second = sums.scatter + sums.spread
    e = evaluate_about(data.weight, sums.total, second, IdentityCovariance())
    nll = 0.5 * float(data.entries * LOG_2PI + sums.logdet + sums.scatter.trace())
    return e._replace(nll=nll, made=made)


def expected_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """The sums by the way that is accurate enough for cond(L), compiled where that pays."""
    return _made(data, mu, L)[0]


class Made(NamedTuple):
    """What the sums at (μ, L) were made of, where columns are few: for the curvature there.

    A block of all patterns, or one chunk of rows filled by the compiled loop.
    """

    mu: Array
    L: Array
    sums: Sums
    of: Any


def _made(data: Patterns, mu: Array, L: Array) -> tuple[Sums, Made | None]:
    if np.count_nonzero(L) == data.d and _has_squares(s := np.diagonal(L)):
        return diagonal_sums(data, mu, s), None
    accurate = condition_estimate(L) > SAFE * data.d
    work = ONE_BY_ONE * len(data.counts) if accurate else work_of(data)
    if work >= KERNEL_WORK and (kernel := loops("expected")) is not None:
        if accurate or data.d > FEW or len(data.chunks) > 1:
            return _kernel_sums(kernel, data, mu, L, accurate), None
        return _of_one_chunk(kernel, data, mu, L)
    if accurate:
        few = len(data.counts) * data.d**2 <= MOST_KEPT
        return projected_sums(data, mu, L) if few else marginal_sums(data, mu, L), None
    if data.d > FEW or not _is_one_block(data):
        return plain_sums(data, mu, L), None
    block = Block(data.moments, *precisions(L @ L.T, data.pairs))
    sums = _sums_of(data, L, [block], mu)
    return sums, Made(mu, L, sums, block)


def _has_squares(s: Array) -> bool:
    """Whether S has its diagonal: where that over- or underflows other ways say so."""
    return bool(s.min() > 1e-150 and s.max() < 1e150)


def work_of(data: Patterns) -> float:
    """Multiply-adds of an evaluation, about: a function of the data's shape alone."""
    return work(data.d, len(data.kept.z), len(data.counts))


# Where S is diagonal, as where a fit begins


def diagonal_sums(data: Patterns, mu: Array, s: Array) -> Sums:
    """The sums at L = diag s: nothing tells of what is missing, so E z = 0 there, cov z = 1."""

    def task(bounds: tuple[int, int]) -> Sums:
        return _diagonal(data, mu, s, *bounds)

    bounds = data.chunks
    return map_reduce(task, bounds, Sums.__add__, _threads_for(bounds))


def _diagonal(data: Patterns, mu: Array, s: Array, begin: int, end: int) -> Sums:
    """Over the patterns from … to …"""
    rows, observed = slice(data.starts[begin], data.starts[end]), data.observed[begin:end]
    (z, w, a), of_each = (part[rows] for part in data.kept), data.pattern_weights[begin:end]
    y, n = (z - np.multiply.outer(a, mu)) / s, of_each @ observed
    y *= np.repeat(observed, np.diff(data.starts[begin : end + 1]), axis=0)
    y *= np.sqrt(w)[:, None]
    spread = np.diag(of_each.sum() - n)
    return Sums((a * np.sqrt(w)) @ y, y.T @ y, spread, float(2.0 * n @ np.log(s)))


# From S and its inverse, many patterns at once


def plain_sums(data: Patterns, mu: Array, L: Array) -> Sums:
    """The sums by Ω = S_oo⁻¹ widened with zeros, and moments n, c, C of every pattern.

    v = Ω(c − μ):   Σ w E z = LᵀΣnv     Σ w (E z)(E z)ᵀ = LᵀΣ(ΩCΩ + nvvᵀ)L     cov z = I − LᵀΩL
    """
    return _sums_of(data, L, blocks_of(data, L), mu)


def _sums_of(data: Patterns, L: Array, blocks: Iterable[Block], mu: Array) -> Sums:
    Omega, total, scatter, logdet = reduce(_added, (_plain(block, mu) for block in blocks))
    spread = data.weight * np.eye(data.d) - L.T @ Omega @ L
    return Sums(total @ L, L.T @ scatter @ L, spread, logdet)


Parts = tuple[Array, Array, Array, float]


def _added(a: Parts, b: Parts) -> Parts:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def _plain(block: Block, mu: Array) -> Parts:
    (n, c, C), Omega, logdets = block
    v = np.matmul(Omega, (c - mu)[:, :, None])[:, :, 0]  # at holes Ω is zero, whatever c is there
    weighted = v * n[:, None]
    scatter = summed(Omega @ C, Omega) + weighted.T @ v
    whole = (n @ Omega.reshape(len(n), -1)).reshape(scatter.shape)
    return whole, weighted.sum(axis=0), scatter, float(n @ logdets)


def summed(A: Array, B: Array) -> Array:
    """Σ_p A_p B_p of (p, d, d), as one product."""
    d = len(A[0])
    product: Array = A.transpose(1, 0, 2).reshape(d, -1) @ B.reshape(-1, d)
    return product


class Block(NamedTuple):
    """Moments of some patterns, their Ω and log|S_oo|."""

    moments: PatternMoments
    Omega: Array
    logdets: Array


def blocks_of(data: Patterns, L: Array) -> Iterator[Block]:
    """All patterns, as many at a time as fit in cache."""
    size, S = _block_size(data), L @ L.T
    if _is_one_block(data):
        yield Block(data.moments, *precisions(S, data.pairs))
        return
    for begin in range(0, len(data.counts), size):
        part = slice(begin, begin + size)
        yield Block(data.moments_of(part), *precisions(S, data.pairs_of(part)))


def _block_size(data: Patterns) -> int:
    return max(BLOCK // data.d**2, 1)


def _is_one_block(data: Patterns) -> bool:
    return len(data.counts) <= _block_size(data)


def precisions(S: Array, pairs: Mask) -> tuple[Array, Array]:
    """S_oo⁻¹ widened with zeros to (p, d, d), and log|S_oo| (p,), of pairs observed (p, d, d)."""
    widened = np.where(pairs, S, np.eye(len(S)))
    roots = np.linalg.cholesky(widened)  # says so where it is not definite
    logdets = 2.0 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    return np.linalg.inv(widened) * pairs, logdets


# Compiled


def _kernel_sums(kernel: Any, data: Patterns, mu: Array, L: Array, accurate: bool) -> Sums:
    W = solve_lower(L, np.eye(data.d))
    side = kernel.marginal_side(L) if accurate else kernel.plain_side(L, W)

    def task(bounds: tuple[int, int]) -> Sums:
        return kernel.sums(data, mu, side, bounds)

    bounds = data.chunks
    sums: Sums = map_reduce(task, bounds, Sums.__add__, _threads_for(bounds))
    return sums if accurate else seen_whitened(sums, W)


def _threads_for(bounds: Sequence[tuple[int, int]]) -> int:
    return default_threads() if len(bounds) >= SHARED else 1


def _of_one_chunk(kernel: Any, data: Patterns, mu: Array, L: Array) -> tuple[Sums, Made]:
    """The same, from S and its inverse, of rows that are filled once for all."""
    W = solve_lower(L, np.eye(data.d))
    chunk = kernel.filled_and_blocks(data, mu, kernel.plain_side(L, W), data.chunks[0])
    sums = seen_whitened(chunk.sums(data.kept.weights), W)
    return sums, Made(mu, L, sums, chunk)


def seen_whitened(sums: Sums, W: Array) -> Sums:
    """Sums in the coordinates of the data, in those whitened by W = L⁻¹."""
    return Sums(W @ sums.total, W @ sums.scatter @ W.T, W @ sums.spread @ W.T, sums.logdet)
