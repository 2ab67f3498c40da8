"""The delta method: var f(μ̂, Ŝ) = ∂f V ∂fᵀ, for any smooth function of mean and covariance.

Derivatives are differences of fourth order along the directions that the model can move in, in
steps that are small beside what the data tell. Ready-made functions are at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.goodness import chi_square_tail
from mvngrad.inference.intervals import IDENTITY, Scale, wald
from mvngrad.inference.uncertainty import SEEN, STEP, Moves, Uncertainty, difference

Function = Callable[[Array, Array], Any]


class Delta(NamedTuple):
    """f at the estimate, its standard error, both shaped as f, and their covariance (k, k).

    NaN where f depends on what the data do not tell.
    """

    value: Array
    error: Array
    covariance: Array

    def interval(self, level: float = 0.95, scale: Scale = IDENTITY) -> Array:
        """f ± z·error (…, 2)."""
        return wald(self.value, self.error, level, scale)


class WaldTest(NamedTuple):
    """(f − c)ᵀ V⁻¹ (f − c), χ² with df degrees of freedom if f = c."""

    statistic: float
    df: int
    pvalue: float


def delta(of: Uncertainty, f: Function, mean: Array, covariance: Array) -> Delta:
    """f(μ, S) with its error, f of any shape.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> fit = mg.fit(np.random.default_rng(0).normal(size=(100, 2)))
    >>> product = fit.delta(lambda mean, S: S[0, 0] * S[1, 1])
    >>> V = 2 * np.multiply.outer(*[np.diag(fit.covariance)] * 2) * fit.correlation**2 / 100
    >>> g = np.diag(fit.covariance)[::-1]                           # its gradient in variances
    >>> bool(np.isclose(product.error, np.sqrt(g @ V @ g)))
    True
    """
    value = _valued(f, mean, covariance)
    J = _derivatives(of, f, mean, covariance)
    told = np.tensordot(of.root.T, J, axes=1)
    V = told.T @ told
    if of.blind.shape[1]:
        untold = np.abs(np.tensordot(of.blind.T, J, axes=1)).max(axis=0)
        lost = untold > SEEN * np.abs(J).max(axis=0, initial=0.0)
        V[lost] = V[:, lost] = np.nan
    return Delta(value, np.sqrt(np.diagonal(V)).reshape(value.shape), V)


def wald_test(found: Delta, value: Any) -> WaldTest:
    """f = value, by what ``delta`` found; df the rank of its covariance.

    Raises
    ------
    DataError
        If there is no standard error, or a part of f that does not vary is not what it should be.
    """
    gap = (found.value - np.asarray(value, dtype=np.float64)).ravel()
    V, sizes = found.covariance, np.sqrt(np.diagonal(found.covariance))
    if not np.isfinite(V).all():
        raise DataError(
            "what is tested has no standard error, NaN: the data do not tell it, or the fit has "
            "not converged."
        )
    units = np.where(sizes > 0.0, sizes, 1.0)
    values, vectors = np.linalg.eigh(V / np.multiply.outer(units, units))
    free = values > 1e-9 * max(values[-1], 1e-300)
    along = vectors.T @ (gap / units)
    if (np.abs(along[~free]) > SEEN).any():
        raise DataError(
            "the hypothesis cannot hold in this model: f, or a combination of its entries, is the "
            "same for all of its parameters, and not the value tested. Leave out what is known, "
            "and what follows from the other entries."
        )
    z = along[free] / np.sqrt(values[free])
    statistic, df = float(z @ z), int(free.sum())
    return WaldTest(statistic, df, chi_square_tail(df, statistic))


def _valued(f: Function, mean: Array, covariance: Array) -> Array:
    value = np.asarray(f(mean.copy(), covariance.copy()))
    if value.dtype.kind not in "fiub":
        raise DataError(f"the function must return real numbers; got {value.dtype}.")
    if not np.isfinite(value).all():
        raise DataError("the function must be finite at the estimate, f(mean, covariance).")
    return value.astype(np.float64)


def _derivatives(of: Uncertainty, f: Function, mean: Array, covariance: Array) -> Array:
    """∂f along every direction of the model (r, k)."""
    moves = of.along(np.eye(len(of.root)))
    d_mean, d_cov = of.of_mean(moves), of.of_covariance(moves)
    rows = []
    for along, dm, dS in zip(_reach(moves), d_mean, d_cov, strict=True):
        t = STEP / max(along, 1.0)

        def at(x: float, dm: Array = dm, dS: Array = dS) -> tuple[Array]:
            return (np.asarray(f(mean + x * dm, covariance + x * dS), dtype=np.float64).ravel(),)

        rows.append(difference(at, t)[0])
    return np.array(rows).reshape(len(moves.delta), -1)


def _reach(moves: Moves) -> Array:
    """How far S moves, relative to itself."""
    return np.asarray(np.abs(moves.E).max(axis=(1, 2)))


# Ready-made


def partial_correlations(mean: Array, S: Array) -> Array:  # noqa: ARG001 - of S alone
    """−P_ij/√(P_iiP_jj), P = S⁻¹: of two columns, all others held; 1 on the diagonal."""
    P = np.linalg.inv(S)
    s = np.sqrt(np.diagonal(P))
    R = -P / np.multiply.outer(s, s)
    np.fill_diagonal(R, 1.0)
    return R


def eigenvalues(mean: Array, S: Array) -> Array:  # noqa: ARG001
    """Of S, the largest first."""
    return np.asarray(np.linalg.eigvalsh(S)[::-1])


def deviations(mean: Array, S: Array) -> Array:  # noqa: ARG001
    """√Sⱼⱼ."""
    return np.sqrt(np.diagonal(S))


def correlations(mean: Array, S: Array) -> Array:  # noqa: ARG001
    """S_ij/√(S_iiS_jj)."""
    s = np.sqrt(np.diagonal(S))
    return np.asarray(S / np.multiply.outer(s, s))


READY: dict[str, Function] = {
    "deviations": deviations,
    "correlations": correlations,
    "partial correlations": partial_correlations,
    "eigenvalues": eigenvalues,
}
