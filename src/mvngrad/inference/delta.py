"""The delta method: var f(μ̂, Ŝ) = ∂f V ∂fᵀ, for any smooth function of mean and covariance.

Derivatives are differences of fourth order along the directions that the model can move in, in
steps that are small beside what the data tell. Ready-made functions are at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_floats
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.goodness import chi_square_tail
from mvngrad.inference.intervals import IDENTITY, Scale, wald
from mvngrad.inference.uncertainty import SEEN, STEP, Moves, Uncertainty, difference

Function = Callable[[Array, Array], Any]

CONSTANT = 1e-12  # of f: an error that differences of fourth order make up by rounding
FOLLOWS = 1e-3  # of a hypothesis, off what f can be: more than f bends on the way there


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
        If the data do not tell f, or f cannot be value: where an entry is a constant, or follows
        from others, and the values given contradict that.
    """
    gap = _gap(found.value, value).ravel()
    V, sizes = found.covariance, np.sqrt(np.diagonal(found.covariance))
    if not np.isfinite(V).all():
        raise DataError(
            "the data do not tell all that is tested: its standard error is NaN. Leave out what "
            "has none: see fit.delta(f).error."
        )
    moves = sizes > CONSTANT * np.abs(found.value.ravel())
    _require_kept(found.value.ravel(), gap, moves)
    gap, units = gap[moves], sizes[moves]
    values, vectors = np.linalg.eigh(V[np.ix_(moves, moves)] / np.multiply.outer(units, units))
    free = values > 1e-9 * values.max(initial=1e-300)
    along = vectors.T @ (gap / units)
    if np.linalg.norm(along[~free]) > FOLLOWS * np.linalg.norm(along):
        raise DataError(
            f"the {len(gap)} entries of the function move in {int(free.sum())} ways only, and all "
            "of them cannot have the values given. Leave out those that follow from others; "
            "errors by few clusters tell no more entries than there are clusters, less one."
        )
    z = along[free] / np.sqrt(values[free])
    statistic, df = float(z @ z), int(free.sum())
    return WaldTest(statistic, df, chi_square_tail(df, statistic))


def _gap(found: Array, value: Any) -> Array:
    """f̂ − value, the value one number or shaped as f."""
    asked = as_floats(value, "value")
    if asked.shape not in ((), found.shape) or not np.isfinite(asked).all():
        raise DataError(
            f"value must be a finite number, or an array shaped as the function is, "
            f"{found.shape}; got {value!r:.60}."
        )
    return found - asked


def _require_kept(value: Array, gap: Array, moves: npt.NDArray[np.bool_]) -> None:
    """Refuse a hypothesis on what is the same whatever μ and S are, if it is another value."""
    wrong = np.flatnonzero(~moves & (np.abs(gap) > 1e-9 * np.maximum(np.abs(value), np.abs(gap))))
    if wrong.size:
        k = int(wrong[0])
        raise DataError(
            f"entry {k} of the function, counted from 0 row by row, is {value[k]:.6g} whatever the "
            f"data are, and cannot be {value[k] - gap[k]:.6g} ({wrong.size} such in all). Leave it "
            "out, as the diagonal of correlations: S[np.tril_indices(len(S), -1)]."
        )


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
