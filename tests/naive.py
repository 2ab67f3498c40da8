"""Gradients and second derivatives of J as they are defined, row by row and by differences.

    ∂J/∂μ_o = −S_oo⁻¹r      ∂J/∂S_oo = ½ (S_oo⁻¹ − S_oo⁻¹rrᵀS_oo⁻¹)      r = x_o − μ_o

Nothing here is shared with the library but S(θ) and its ``push``, which have laws of their own.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def of_rows(X: Array, mu: Array, S: Array) -> tuple[Array, Array]:
    """∂J/∂μ (n, d) and ∂J/∂S (n, d, d) of every row; μ (d,) or one for each row."""
    n, d = X.shape
    means = np.broadcast_to(mu, (n, d))
    of_mean, of_S = np.zeros((n, d)), np.zeros((n, d, d))
    for i in range(n):
        o = np.flatnonzero(~np.isnan(X[i]))
        P = np.linalg.inv(S[np.ix_(o, o)])
        v = P @ (X[i] - means[i])[o]
        of_mean[i, o] = -v
        of_S[i][np.ix_(o, o)] = 0.5 * (P - np.outer(v, v))
    return of_mean, of_S


class Model:
    """J of rows X with weights under means Tβ, T (n, d, q), and S(θ), at x = (β, θ)."""

    def __init__(self, X, structure, T=None, weights=None):
        self.X, self.structure = X, structure
        self.T = np.broadcast_to(np.eye(X.shape[1]), (*X.shape, X.shape[1])) if T is None else T
        self.w = np.ones(len(X)) if weights is None else weights
        self.q = self.T.shape[2]

    def tangents(self, theta: Array) -> Array:
        """∂S/∂θₖ (p, d, d)."""
        d = self.X.shape[1]
        moved = [self.structure.push(theta, unit) for unit in np.eye(len(theta))]
        return np.array(moved).reshape(len(theta), d, d)

    def scores(self, x: Array) -> Array:
        """∂ℓᵢ/∂x (n, q + p)."""
        beta, theta = x[: self.q], x[self.q :]
        of_mean, of_S = of_rows(self.X, self.T @ beta, self.structure.cov(theta))
        of_theta = np.tensordot(of_S, self.tangents(theta), axes=([1, 2], [1, 2]))
        return -np.hstack([np.einsum("nd,ndq->nq", of_mean, self.T), of_theta])

    def gradient(self, x: Array) -> Array:
        """∂J/∂x."""
        return -self.w @ self.scores(x)

    def information(self, x: Array) -> Array:
        """∂²J/∂x², by differences of fourth order."""
        H = np.empty((len(x), len(x)))
        for k, unit in enumerate(np.eye(len(x))):
            t = 1e-3 * max(abs(x[k]), 0.1)
            f = {m: self.gradient(x + m * t * unit) for m in (-2, -1, 1, 2)}
            H[k] = (8.0 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12.0 * t)
        return 0.5 * (H + H.T)

    def stands_still(self, x: Array) -> bool:
        """Whether S stays where it is along some direction of θ."""
        p = len(x) - self.q
        A = self.tangents(x[self.q :]).reshape(p, self.X.shape[1] ** 2)
        return bool(np.linalg.matrix_rank(A, rtol=1e-6) < p) if p else False

    def errors(self, x: Array, V: Array) -> Array:
        """Standard errors of S (d, d), V the covariance of x."""
        A = self.tangents(x[self.q :])
        return np.sqrt(np.einsum("aij,ab,bij->ij", A, V[self.q :, self.q :], A))


def inverse(H: Array) -> Array:
    """H⁺ of a matrix with null directions of rounding size, each entry in its own unit."""
    units = np.sqrt(np.maximum(np.diag(H), 1e-9 * np.diag(H).max()))
    values, vectors = np.linalg.eigh(H / np.outer(units, units))
    told = values > 1e-5 * values[-1]
    return (vectors[:, told] / values[told]) @ vectors[:, told].T / np.outer(units, units)
