"""The public door to the formula: J and its gradients for rows or Moments, any Λ, any ψ."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core import passes
from mvngrad.core.checks import as_factor, as_rows, as_vector
from mvngrad.core.expected import evaluate_observed
from mvngrad.core.frame import AffineFrame, power_of_two
from mvngrad.core.likelihood import Evaluation, Score, evaluate, evaluate_about
from mvngrad.core.moments import Moments
from mvngrad.core.operators import DenseCovariance, FramedCovariance, IdentityCovariance
from mvngrad.core.ops import Array, condition_estimate, is_lower
from mvngrad.core.patterns import CHUNK_ELEMENTS, Patterns
from mvngrad.core.roots import full_rank_root
from mvngrad.core.threads import calm_blas
from mvngrad.errors import DataError, MissingValuesError

CALM_WORK = 1e7  # rows · d² from which it is worth the while to calm BLAS


class Gradient(NamedTuple):
    """∂J/∂μ (d,), ∂J/∂Λ (d, k), and ∂J/∂ψ (d,) where noise was given."""

    mean: Array
    factor: Array
    noise: Array | None


def nll(X: Any, mean: Any, factor: Any, *, noise: Any = None, weights: Any = None) -> float:
    """J, minus the log-likelihood of rows X under N(μ, S), S = ΛΛᵀ + diag ψ.

    J = ½ [ n d log 2π + n log|S| + Σᵢ wᵢ (xᵢ−μ)ᵀS⁻¹(xᵢ−μ) ],  n = Σwᵢ

    Parameters
    ----------
    X : (n, d) array or Moments
    mean : (d,) array                μ
    factor : (d, k) array            Λ; k ≥ d, or any k ≥ 0 with noise
    noise : (d,) array, optional     ψ ≥ 0
    weights : (n,) array, optional   frequencies wᵢ ≥ 0

    Returns
    -------
    float
        A total over rows, constant included; in nats.

    Raises
    ------
    NotPositiveDefiniteError
        If S is singular.
    DataError, MissingValuesError
        If shapes disagree or entries are not finite.

    Notes
    -----
    Rennie 2006, eqs. 1–4 (whose eq. 2 writes J = P for J = −log P). Cost O(nd² + d²k).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X, mu, L = np.array([[1.0, 2.0], [0.5, 0.0]]), np.zeros(2), np.array([[2.0, 0], [1, 1]])
    >>> S = L @ L.T
    >>> J = 0.5 * (2 * 2 * np.log(2 * np.pi) + 2 * np.log(np.linalg.det(S))
    ...            + np.trace(X @ np.linalg.inv(S) @ X.T))
    >>> np.isclose(mg.nll(X, mu, L), J)
    np.True_
    """
    with _calm(X):
        return _evaluate(X, mean, factor, noise, weights).J.nll


def nll_and_grad(
    X: Any, mean: Any, factor: Any, *, noise: Any = None, weights: Any = None
) -> tuple[float, Gradient]:
    """J and its exact gradient in μ, Λ and ψ.

    ∂J/∂μ = −S⁻¹ Σ wᵢ(xᵢ−μ),   ∂J/∂Λ = nS⁻¹Λ − S⁻¹AS⁻¹Λ,   ∂J/∂ψ = ½ diag(nS⁻¹ − S⁻¹AS⁻¹),
    A = Σ wᵢ(xᵢ−μ)(xᵢ−μ)ᵀ

    Parameters
    ----------
    X, mean, factor, noise, weights
        As in ``nll``.

    Returns
    -------
    float, Gradient
        J, and the gradient with fields ``mean`` (d,), ``factor`` (d, k), every entry of Λ taken
        as free (for a triangular Λ keep the lower triangle), and ``noise`` (d,) or None.

    Notes
    -----
    Rennie 2006, eqs. 7, 9 and 14, halved and summed. Rows are whitened by L, S = LLᵀ, where
    cond(L) asks for it; errors then go with ε√cond(S). Moments are used as they are.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.array([[1.0, 2.0], [0.5, 0.0], [-1.0, 1.0]])
    >>> L = np.array([[2.0, 0.0], [1.0, 1.0]])
    >>> J, gradient = mg.nll_and_grad(X, np.zeros(2), L)
    >>> P = np.linalg.inv(L @ L.T)
    >>> np.allclose(gradient.factor, 3 * P @ L - P @ X.T @ X @ P @ L)
    True
    """
    with _calm(X):
        J, Lambda, root = _evaluate(X, mean, factor, noise, weights)
        score = J.score
        of_factor = _twice_score_times(score, Lambda, root, noise)
        of_noise = None if noise is None else score.diagonal()
    return J.nll, Gradient(J.mean, of_factor, of_noise)


def _twice_score_times(score: Score, Lambda: Array, root: Array, noise: Any) -> Array:
    """2GΛ; a triangular Λ is the root itself, but for the signs of its columns."""
    if root is Lambda:
        return 2.0 * score.times_root()
    if noise is None and is_lower(Lambda):
        return score.times_root() * (2.0 * np.sign(np.diagonal(Lambda)))
    return 2.0 * (score @ Lambda)


def _calm(X: Any) -> AbstractContextManager[None]:
    """BLAS keeps to one thread where there are rows enough for threads of our own."""
    many = isinstance(X, np.ndarray) and X.ndim == 2 and X.size * X.shape[1] >= CALM_WORK
    return calm_blas(X.shape[1]) if many else nullcontext()


class _Point(NamedTuple):
    """J and its gradients, Λ, and the triangular root of S: Λ itself where it is one."""

    J: Evaluation
    factor: Array
    root: Array


def _evaluate(X: Any, mean: Any, factor: Any, noise: Any, weights: Any) -> _Point:
    """The formula where it is accurate, seen from the data's units."""
    if isinstance(X, Moments):
        if weights is not None:
            raise DataError("Moments carry their weights already; pass weights to Moments.of.")
        rows, d = None, X.d
    else:
        rows = as_rows(X)
        d = rows.shape[1]
    mu, Lambda = as_vector(mean, "mean", d), as_factor(factor, d)
    root = full_rank_root(Lambda, noise)
    J = _of_moments(X, mu, root) if rows is None else _of_rows(rows, weights, mu, root)
    return _Point(J, Lambda, root)


def _of_moments(moments: Moments, mu: Array, root: Array) -> Evaluation:
    """Moments as they are, in their frame."""
    frame = moments.frame
    S_z = DenseCovariance(frame.whiten(root))  # L₀⁻¹L is triangular too
    return _seen_from_outside(evaluate(moments, frame.whiten(mu - frame.origin), S_z), frame)


def _of_rows(X: passes.Rows, weights: Any, mu: Array, root: Array) -> Evaluation:
    """Rows centred at μ; each is whitened by L where whitening their scatter would cost digits."""
    try:
        if _is_harmless(root):
            return evaluate_about(*passes.sums_about(X, mu, weights), DenseCovariance(root))
        sums = passes.sums_about(X, mu, weights, root)
    except MissingValuesError:  # found by the sums themselves: complete rows are never asked
        return _of_rows_with_holes(X, weights, mu, root)
    return _seen_from_outside(
        evaluate_about(*sums, IdentityCovariance()), AffineFrame(mu.copy(), root.copy())
    )


def _of_rows_with_holes(X: passes.Rows, weights: Any, mu: Array, root: Array) -> Evaluation:
    """J of the observed entries; rows with none say nothing."""
    sizes = power_of_two(np.abs(root).max(axis=1))
    # Merging rows of a pattern pays where they are asked again, or do not fit in memory twice.
    merged = X.size > CHUNK_ELEMENTS
    data = Patterns.of(X, weights, AffineFrame(mu.copy(), sizes), merged=merged)
    inside = IdentityCovariance()
    if data.weight == 0.0:
        nothing = np.zeros_like(mu)
        J = evaluate_about(1.0, nothing, np.eye(len(mu)), inside)._replace(nll=0.0, weight=0.0)
    else:
        with np.errstate(all="ignore"):
            J = evaluate_observed(data, np.zeros_like(mu), root / sizes[:, None])
        if not np.isfinite(J.nll):
            raise passes.overflow(X[~np.isnan(X)])
    frame = AffineFrame(mu.copy(), root.copy())
    return J._replace(
        nll=J.nll + data.log_volume,
        mean=frame.unwhiten(J.mean),
        covariance=FramedCovariance(frame, inside),
    )


def _seen_from_outside(J: Evaluation, frame: AffineFrame) -> Evaluation:
    return J._replace(
        nll=J.nll + J.weight * frame.logdet,
        mean=frame.unwhiten(J.mean),
        covariance=FramedCovariance(frame, J.covariance),
    )


def _is_harmless(root: Array) -> bool:
    """Whether L may whiten a scatter: squares keep clear of overflow, and digits are kept.

    Whitening the scatter costs ε·cond(L)² where whitening rows costs ε·cond(L), L with rows of
    one size; cond(L) ≤ 2d keeps the first well inside the bound 30 d ε·cond(L).
    """
    sizes = np.abs(root).max(axis=1)
    tame = 1.0 / passes.TAME < sizes.min() <= sizes.max() < passes.TAME
    return bool(tame) and condition_estimate(root / sizes[:, None]) <= 2.0 * len(root)
