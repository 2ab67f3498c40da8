"""Estimates of the factors f from what is observed of x = μ + Λf + e.

    regression   E[f | x_o] = ΦΛ_oᵀS_oo⁻¹(x_o − μ_o)
    Bartlett     (Λ_oᵀΨ_o⁻¹Λ_o)⁻¹Λ_oᵀΨ_o⁻¹(x_o − μ_o) = (Λ_oᵀS_oo⁻¹Λ_o)⁻¹Λ_oᵀS_oo⁻¹(x_o − μ_o)

With Φ = RRᵀ and f = Rg, g ~ N(0, I), the joint normal of (x, f) has the root [[ΛR, Ψ^½], [R, 0]].
The second form of Bartlett's scores needs no Ψ⁻¹, so that ψⱼ = 0 is no special case. It holds
because S_oo = Λ_oΦΛ_oᵀ + Ψ_o adds to the variance of x_o only within the span of Λ_o.
(Thurstone 1935; Bartlett 1937)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvngrad.core.conditional import Given, by_pattern, filled
from mvngrad.core.ops import Array
from mvngrad.core.roots import full_rank_root
from mvngrad.core.threads import calm_blas

UNKNOWN = 1e-8  # multiple correlation of a direction of g with x_o that is rounding


class Joint(NamedTuple):
    """The joint normal of (x, f): μ (d,), ΛR (d, k), ψ (d,) and R (k, k).

    Examples
    --------
    >>> import numpy as np
    >>> Lambda, psi = np.array([[2.0], [1.0]]), np.array([5.0, 1.0])
    >>> joint, x = Joint(np.zeros(2), Lambda, psi, np.eye(1)), np.array([[1.0, -2.0]])
    >>> S = Lambda @ Lambda.T + np.diag(psi)
    >>> np.allclose(regression(joint, x), x @ np.linalg.solve(S, Lambda))
    True
    """

    mean: Array
    common: Array
    noise: Array
    root: Array

    @property
    def all_roots(self) -> Array:
        """[[ΛR, Ψ^½], [R, 0]] (d + k, k + d)."""
        d, k = self.common.shape
        above = np.hstack([self.common, np.diag(np.sqrt(self.noise))])
        return np.vstack([above, np.hstack([self.root, np.zeros((k, d))])])


def regression(joint: Joint, X: Array) -> Array:
    """E[f | x_o] of rows X (n, d), NaN where missing: (n, k); 0 where nothing is observed."""
    (n, d), k = X.shape, len(joint.root)
    with_f = np.hstack([X, np.full((n, k), np.nan)])
    return filled(with_f, np.append(joint.mean, np.zeros(k)), joint.all_roots)[:, d:]


def bartlett(joint: Joint, X: Array) -> Array:
    """(Λ_oᵀS_oo⁻¹Λ_o)⁻¹Λ_oᵀS_oo⁻¹(x_o − μ_o) of rows X (n, d): (n, k); NaN where not determined."""
    out = np.full((len(X), len(joint.root)), np.nan)
    L = full_rank_root(joint.common, joint.noise)
    with calm_blas(len(L)):
        for given in by_pattern(~np.isnan(X), L):
            out[given.rows] = _of_pattern(joint, given, X)
    return out


def _of_pattern(joint: Joint, given: Given, X: Array) -> Array:
    """f = R argmin |Bg − z|², B = T_oo⁻¹Λ_oR, z = T_oo⁻¹(x_o − μ_o); (r, k).

    Singular values of B are multiple correlations of directions of g with x_o.
    """
    k = len(joint.root)
    unknown = np.full((len(given.rows), k), np.nan)
    if len(given.observed) < k:
        return unknown
    z = given.whiten(given.residuals(X, joint.mean))
    U, s, Vt = np.linalg.svd(given.whiten(joint.common[given.observed]), full_matrices=False)
    return (joint.root @ (Vt.T / s) @ (U.T @ z)).T if (s > UNKNOWN).all() else unknown
