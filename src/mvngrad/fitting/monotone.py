"""Monotone holes: whoever has a column has all before it. Then the estimate has a closed form.

The likelihood is a product of regressions, each column on those before it, by the rows that have
it (Anderson 1957; Little & Rubin 2019, §7.4):

    x_k = c_k + Σ_{j<k} B_kj x_j + e_k,   S = LLᵀ with L_kk² = var e_k,  L_k = B_k L_{<k}
"""

from __future__ import annotations

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns

MOST_WORK = 1e9  # multiply-adds beyond which iterations are faster
LEAST = 1e-10  # residual variance, of the column's own, from which a regression is one


def monotone_estimate(patterns: Patterns) -> tuple[Array, Array] | None:
    """μ (d,) and Λ (d, d) in the frame of the patterns; None if holes are not monotone.

    None also where a regression has no residual: the likelihood may be unbounded, which is for
    iterations to find out.
    """
    z, w, a = patterns.kept
    d = patterns.d
    order = np.argsort(-np.diagonal(patterns.coverage), kind="stable")
    O = patterns.observed[:, order]
    if (O[:, 1:] & ~O[:, :-1]).any() or len(z) * float(d) ** 3 > MOST_WORK:
        return None
    rows, scale = np.repeat(O, np.diff(patterns.starts), axis=0), np.sqrt(w)[:, None]
    design, mu, L = np.column_stack([a, z[:, order]]) * scale, np.zeros(d), np.zeros((d, d))
    for k in range(d):
        A, y = design[rows[:, k], : k + 1], design[rows[:, k], k + 1]
        coefficients, _, rank, _ = np.linalg.lstsq(A, y, rcond=None)
        n = float(A[:, 0] @ A[:, 0])
        left = float(((y - A @ coefficients) ** 2).sum()) / n
        if rank <= k or left <= LEAST * float(y @ y) / n:
            return None
        c, B = coefficients[0], coefficients[1:]
        mu[k], L[k, :k], L[k, k] = c + B @ mu[:k], B @ L[:k, :k], np.sqrt(left)
    back = np.argsort(order)
    return mu[back], L[back]
