"""Standard errors to fifty digits: second derivatives of J, exact or by differences, inverted.

Along (μ̇, Ṡ), with Ω = S_oo⁻¹ widened with zeros, t = Σ w r and A = Σ w rrᵀ of a pattern of n rows,

    d ∂J/∂μ = Ω(nμ̇ + ṠΩt)      d ∂J/∂S = ½ Ω[ −nṠ + ṠΩA + AΩṠ + μ̇tᵀ + tμ̇ᵀ ]Ω

and as expected with t = 0, A = nS_oo. Of other parameters, differences of J in steps of 10⁻²⁰.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from accuracy.truth import Array, cholesky, exact, inverse_lower, log_diagonal, mp


class Pattern(NamedTuple):
    """What some rows observe, how many they are, and they."""

    observed: Array
    rows: Array


def patterns_of(X: Array) -> list[Pattern]:
    """Rows by what they observe."""
    seen, which = np.unique(~np.isnan(X), axis=0, return_inverse=True)
    return [
        Pattern(np.flatnonzero(o), exact(X[which.ravel() == k][:, o]))
        for k, o in enumerate(seen)
        if o.any()
    ]


def inverse(H: Array) -> Array:
    """Of a positive definite matrix."""
    W = inverse_lower(cholesky(H))
    return W.T @ W


def solved(K: Array, B: Array) -> Array:
    """K⁻¹B of any regular matrix."""
    found = mp.lu_solve  # one column at a time
    columns = [found(mp.matrix(K.tolist()), mp.matrix(b.tolist())) for b in B.T]
    return np.array([list(column) for column in columns], dtype=object).T


class Moments(NamedTuple):
    """μ and S."""

    mu: Array
    S: Array


def lower(d: int) -> list[tuple[int, int]]:
    """Entries of S, (i, j) with j ≤ i."""
    return [(i, j) for i in range(d) for j in range(i + 1)]


def _tangent(d: int, k: int) -> Moments:
    mu, S = exact(np.zeros(d)), exact(np.zeros((d, d)))
    if k < d:
        mu[k] = mp.one
    else:
        i, j = lower(d)[k - d]
        S[i, j] = S[j, i] = mp.one
    return Moments(mu, S)


def _packed(mu: Array, G: Array) -> Array:
    """Derivatives in μ and in entries of S, two of which move at once off the diagonal."""
    of_S = [G[i, j] * (1 if i == j else 2) for i, j in lower(len(mu))]
    return np.array([*mu, *of_S], dtype=object)


def derivatives(
    patterns: list[Pattern], at: Moments, *, expected: bool = False
) -> tuple[Array, Array]:
    """∂J and ∂²J in (μ, lower triangle of S)."""
    d = len(at.mu)
    size = d + d * (d + 1) // 2
    g, H = exact(np.zeros(size)), exact(np.zeros((size, size)))
    for o, rows in patterns:
        n, r = len(rows), rows - at.mu[o]
        here = np.ix_(o, o)
        Omega, t, A = inverse(at.S[here]), r.sum(axis=0), r.T @ r
        of_mean, of_S = exact(np.zeros(d)), exact(np.zeros((d, d)))
        of_mean[o], of_S[here] = -(Omega @ t), Omega @ (n * at.S[here] - A) @ Omega / 2
        g += _packed(of_mean, of_S)
        if expected:
            t, A = 0 * t, n * at.S[here]
        for k in range(size):
            mu, S = _tangent(d, k)
            m, E = mu[o], S[here]
            inner = -n * E + E @ Omega @ A + A @ Omega @ E + np.outer(m, t) + np.outer(t, m)
            of_mean[o], of_S[here] = Omega @ (n * m + E @ Omega @ t), Omega @ inner @ Omega / 2
            H[k] += _packed(of_mean, of_S)
    return g, H


def saturated_errors(X: Array, near: Any, *, expected: bool = False) -> tuple[Array, Array]:
    """Of the means (d,) and of S (d, d), at the maximum near an estimate, by Newton's method."""
    patterns, d = patterns_of(np.asarray(X, dtype=float)), X.shape[1]
    at = Moments(exact(near.mean), exact(near.covariance))
    for _ in range(4):
        g, H = derivatives(patterns, at)
        step = inverse(H) @ g
        S = at.S.copy()
        for (i, j), change in zip(lower(d), step[d:], strict=True):
            S[i, j] = S[j, i] = at.S[i, j] - change
        at = Moments(at.mu - step[:d], S)
    V = inverse(derivatives(patterns, at, expected=expected)[1])
    errors, of_S = [mp.sqrt(v) for v in np.diagonal(V)], exact(np.zeros((d, d)))
    for (i, j), error in zip(lower(d), errors[d:], strict=True):
        of_S[i, j] = of_S[j, i] = error
    return np.array(errors[:d], dtype=object), of_S


def gradient(f: Callable[[Array], Any], x: Array) -> Array:
    """f′ by central differences, good to forty digits."""
    h = mp.mpf(10) ** -20
    units = exact(np.eye(len(x))) * h
    return np.array([(f(x + u) - f(x - u)) / (2 * h) for u in units], dtype=object)


def second(f: Callable[[Array], Any], x: Array) -> Array:
    """f″ (p, p) by central differences, good to forty digits."""
    h = mp.mpf(10) ** -20
    units, p = exact(np.eye(len(x))) * h, len(x)
    H = exact(np.zeros((p, p)))
    for i in range(p):
        for j in range(i + 1):
            a, b = units[i], units[j]
            H[i, j] = H[j, i] = (f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / (
                4 * h * h
            )
    return H


def complete_nll(S: Array, C: Array, n: int) -> Any:
    """½ n [ log|S| + tr(S⁻¹C) ], without its constant."""
    L = cholesky(S)
    W = inverse_lower(L)
    return n * (log_diagonal(L).sum() + ((W @ C) * W).sum() / 2)


def constrained_errors(
    f: Callable[[Array], Any], x: Array, constraint: Callable[[Array], Any] | None = None
) -> Array:
    """√diag of f″⁻¹ at the stationary point near x; along a constraint, of the bordered matrix."""
    for last in (False, True):
        g, H, p = gradient(f, x), second(f, x), len(x)
        if constraint is not None:
            c = gradient(constraint, x)
            H = np.block([[H, c[:, None]], [c[None, :], exact(np.zeros((1, 1)))]])
            g = np.append(g, constraint(x))
        if not last:
            x = x - solved(H, g[:, None])[:p, 0]
    V = solved(H, exact(np.eye(len(H))))
    return np.array([mp.sqrt(V[k, k]) for k in range(p)], dtype=object)
