"""How much to shrink a covariance toward its target: ρ of least expected squared error."""

from __future__ import annotations

import numpy as np

from mvngrad.core.ops import Array


def ledoit_wolf(Z: Array, S: Array, weights: Array | None = None) -> float:
    """ρ = min(β, δ)/δ of centred rows Z and their covariance S, with m = tr S/d.

    δ = ‖S − mI‖²/d, β = (Σ|zᵢ|⁴/n − ‖S‖²)/(nd). (Ledoit & Wolf 2004, §3.3)
    """
    w = np.ones(len(Z)) if weights is None else weights
    n, d = float(w.sum()), len(S)
    m = S.trace() / d
    delta = ((S - m * np.eye(d)) ** 2).sum() / d
    beta = (w @ (Z**2).sum(axis=1) ** 2 / n - (S**2).sum()) / (n * d)
    return float(min(beta, delta) / delta) if delta > 0.0 else 1.0


def oracle_approximating(S: Array, n: float) -> float:
    """ρ = min(1, (a + m²)/((n + 1)(a − m²/d))), a the mean of the entries of S squared, m = tr S/d.

    Chen, Wiesel, Eldar & Hero (2010), eq. 23, without its terms in 2/d, as programs have it.
    """
    d, a = len(S), float((S**2).mean())
    m = float(S.trace()) / d
    below = (n + 1.0) * (a - m**2 / d)
    return min(1.0, (a + m**2) / below) if below > 0.0 else 1.0
