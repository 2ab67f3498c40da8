"""The likelihood of rows with holes to fifty digits, pattern by pattern as defined.

    J = Σᵢ wᵢ ½ [ |oᵢ| log 2π + log|S_oo| + (x_o−μ_o)ᵀ S_oo⁻¹ (x_o−μ_o) ]

with its gradients from ∂J/∂S = ½ Σᵢ wᵢ E_o (S_oo⁻¹ − S_oo⁻¹ r rᵀ S_oo⁻¹) E_oᵀ. Sizes of terms are
those of complete data: n‖L⁻¹‖(1 + ‖K‖), with K the scatter of the whitened observed residuals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accuracy.truth import Truth, cholesky, covariance, exact, inverse_lower, mp


def truth_observed(X: Any, mu: Any, Lambda: Any, psi: Any = None, weights: Any = None) -> Truth:
    """J and its gradients at float64 inputs, NaN where missing, and their sizes."""
    X = np.asarray(X, dtype=float)
    n, d = X.shape
    w = exact(np.ones(n) if weights is None else weights)
    S = covariance(Lambda, psi)
    L = cholesky(S)
    zero = exact(np.zeros((d, d)))
    G, g = zero.copy(), zero[0].copy()
    J, size, Z = mp.zero, 0.0, []
    for x, weight in zip(X, w, strict=True):
        o = np.flatnonzero(~np.isnan(x))
        if not o.size:
            continue
        at = np.ix_(o, o)
        R = cholesky(S[at])
        V = inverse_lower(R)
        z = V @ (exact(x[o]) - exact(np.asarray(mu)[o]))
        logs = np.array([mp.log(R[j, j]) for j in range(len(o))])
        constant, square = len(o) * mp.log(2 * mp.pi) / 2, z @ z / 2
        J += weight * (constant + logs.sum() + square)
        size += float(weight * (constant + abs(logs).sum() + square))
        P, v = V.T @ V, V.T @ z
        G[at] += weight * (P - np.multiply.outer(v, v)) / 2
        g[o] -= weight * v
        Z.append(np.pad(z.astype(float), (0, d - len(o))) * np.sqrt(float(weight)))
    rows = exact(np.array(Z))
    return Truth(
        nll=J,
        mean=g,
        factor=2 * (G @ exact(Lambda)),
        noise=np.diagonal(G),
        nll_size=size,
        w=exact(np.ones(len(Z))) if weights is None else w[: len(Z)],
        Z=rows,
        L=L,
        W=inverse_lower(L),
    )
