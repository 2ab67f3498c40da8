"""Likelihoods of several models of the same data, side by side: on numbers.

    AIC  = −2ℓ + 2p                          p parameters, means included
    AICc = AIC + 2p(p+1)/(n − p − 1)         n = Σw
    BIC  = −2ℓ + p log n
    w_i  = exp(−Δ_i/2)/Σ_j exp(−Δ_j/2)       Δ_i = AIC_i − min AIC

    X² = 2 (ℓ_big − ℓ_small)                 df = p_big − p_small

(Akaike 1974; Hurvich & Tsai 1989; Schwarz 1978; Burnham & Anderson 2002, §2.9; Wilks 1938)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.goodness import ROUNDING, chi_square_tail

AT_EDGE = 1e-9  # a row: X² that a variance at 0 may have to rounding

Reference = Literal["chi-square", "mixture", "none"]  # none where there is no test


class Model(NamedTuple):
    """A fitted model, as far as a comparison of likelihoods needs it."""

    name: str
    loglik: float
    n_params: int
    weight: float


class ComparedModel(NamedTuple):
    """A line of the table; ``delta`` is AIC less the smallest, ``akaike_weight`` as above."""

    name: str
    loglik: float
    n_params: int
    aic: float
    bic: float
    aicc: float
    delta: float
    akaike_weight: float


class NestedTest(NamedTuple):
    """X² of two models, its df and p, the law that p is by, and why there is none, if so."""

    small: str
    big: str
    statistic: float
    df: int
    pvalue: float
    reference: Reference = "chi-square"
    reason: str = ""


def compared(models: Sequence[Model]) -> tuple[ComparedModel, ...]:
    """AIC, BIC, AICc and Akaike weights of each, in the order given.

    AICc is NaN where n ≤ p + 1. It is that of a regression of one column: of covariances of many
    it takes too much. (Bedrick & Tsai 1994)

    Examples
    --------
    >>> import numpy as np
    >>> a, b = compared([Model("a", -101.0, 2, 50.0), Model("b", -100.0, 3, 50.0)])
    >>> a.aic, a.aicc == 206.0 + 2 * 2 * 3 / (50 - 2 - 1), a.delta, b.akaike_weight
    (206.0, True, 0.0, 0.5)
    >>> np.isclose(b.bic, 200.0 + 3 * np.log(50.0))
    np.True_
    """
    aic = np.array([-2.0 * m.loglik + 2.0 * m.n_params for m in models])
    delta = aic - aic.min()
    weights = akaike_weights(aic)
    return tuple(
        ComparedModel(
            m.name,
            m.loglik,
            m.n_params,
            float(aic[i]),
            float(-2.0 * m.loglik + np.log(m.weight) * m.n_params),
            float(aic[i]) + _small_sample(m),
            float(delta[i]),
            float(weights[i]),
        )
        for i, m in enumerate(models)
    )


def akaike_weights(aic: Array) -> Array:
    """exp(−Δ_i/2)/Σ_j exp(−Δ_j/2)."""
    relative = np.exp(-0.5 * (aic - aic.min()))
    return relative / relative.sum()


def nested_test(small: Model, big: Model, reference: Reference = "chi-square") -> NestedTest:
    """X² = 2 (ℓ_big − ℓ_small) and P(χ²(df) ≥ X²), or half of it for a mixture with 0.

    Parameters
    ----------
    small, big : Model           of the same data; that one is a case of the other is taken as given
    reference : "chi-square" or "mixture"
        A mixture, ½ χ²(0) + ½ χ²(1), is for a single variance that is 0 in the smaller (Self &
        Liang 1987, case 5).

    Raises
    ------
    DataError
        If the larger is less likely, beyond rounding.

    Examples
    --------
    >>> small, big = Model("a", -102.0, 2, 50.0), Model("b", -100.0, 3, 50.0)
    >>> test = nested_test(small, big)
    >>> test.statistic, test.df, round(test.pvalue, 4)
    (4.0, 1, 0.0455)
    >>> nested_test(small, big, "mixture").pvalue == test.pvalue / 2
    True
    """
    df = big.n_params - small.n_params
    if df == 0:
        reason = f"{small.name} and {big.name} have {big.n_params} parameters each: none is a case"
        return NestedTest(small.name, big.name, np.nan, 0, np.nan, "none", f"{reason} of the other")
    if is_less_likely(big, small):
        raise DataError(
            f"{big.name} has more parameters than {small.name} and is less likely "
            f"({big.loglik:.6g} and {small.loglik:.6g}), which no model is that has the other as a "
            "case. One of the two may be at a lower maximum (n_starts=…), or not converged; or "
            "they are not nested."
        )
    statistic = max(2.0 * (big.loglik - small.loglik), 0.0)
    p = chi_square_tail(df, statistic)
    if reference == "mixture":
        p = 1.0 if statistic <= AT_EDGE * big.weight else 0.5 * p
    return NestedTest(small.name, big.name, statistic, df, p, reference)


def is_less_likely(big: Model, small: Model) -> bool:
    """Beyond the rounding of fits that have converged."""
    slack = ROUNDING * max(abs(big.loglik), abs(small.loglik), 1.0)
    return not big.loglik - small.loglik >= -slack


def _small_sample(model: Model) -> float:
    """2p(p+1)/(n − p − 1)."""
    p, left = model.n_params, model.weight - model.n_params - 1.0
    return 2.0 * p * (p + 1.0) / left if left > 0.0 else np.nan
