"""Rows with holes under N(μ, LLᵀ): distances of what is observed, and what fills the rest.

Of one pattern, rows o of L and then rows m, triangularised once:

    [L_o; L_m]ᵀ = QR,   T = Rᵀ = [T_oo 0; T_mo T_mm]        TTᵀ = S in that order of entries
    z = T_oo⁻¹(x_o − μ_o)                                   |z|² = (x_o−μ_o)ᵀS_oo⁻¹(x_o−μ_o)
    log|S_oo| = 2 Σ log|Tⱼⱼ|                                j in o
    x_m | x_o ~ N(μ_m + T_mo z, T_mm T_mmᵀ)

S is never formed and nothing is squared: errors go with ε√cond(S), as in ``Marginal``, which is
the specification of z. Patterns are triangularised many at once. (Little & Rubin 2019, §11.2)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_rows, require_no_infinity
from mvngrad.core.ops import Array, log_diagonal, solve_lower
from mvngrad.core.sorting import Mask, distinct_in_order
from mvngrad.core.threads import calm_blas
from mvngrad.errors import DataError, NotPositiveDefiniteError

BLOCK = 2**18  # numbers in the roots that are alive at once: 2 MB

Index = npt.NDArray[np.int64]


class Distances(NamedTuple):
    """Of each row (n,): |z|², log|S_oo| and |o|; all 0 where nothing is observed."""

    square: Array
    logdet: Array
    sizes: Index


class Given(NamedTuple):
    """The rows of one pattern, the entries they have and lack, and T (d, d).

    Examples
    --------
    >>> import numpy as np
    >>> L = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, 0.3, 1.0]])
    >>> given = Given.of(L, np.array([False, True, True]))
    >>> S, y, o = L @ L.T, np.array([1.0, -1.0]), [1, 2]
    >>> mean = given.root[2:, :2] @ given.whiten(y)
    >>> np.allclose(mean, S[0, o] @ np.linalg.solve(S[np.ix_(o, o)], y))
    True
    """

    rows: Index
    observed: Index
    missing: Index
    root: Array

    @classmethod
    def of(cls, L: Array, observed: Mask) -> Given:
        """One row with these entries observed."""
        return next(_triangularised(L, observed[None, :], [np.zeros(1, np.int64)]))

    @property
    def logdet(self) -> float:
        """log|S_oo|."""
        return float(2.0 * np.log(np.abs(self._diagonal)).sum())

    def whiten(self, y: Array) -> Array:
        """z = T_oo⁻¹y of residuals y (|o|,) or (|o|, r)."""
        k = len(self.observed)
        if not self._diagonal.all():
            raise NotPositiveDefiniteError(
                f"the covariance of entries {self.observed.tolist()} is singular to rounding: "
                "one of them is a combination of the others. Leave one of them out."
            )
        return solve_lower(self.root[:k, :k], y) if k else y

    def residuals(self, X: Array, mu: Array) -> Array:
        """x_o − μ_o of these rows of X, (|o|, r)."""
        return np.ascontiguousarray((X[self.rows[:, None], self.observed] - mu[self.observed]).T)

    def expected(self, X: Array, mu: Array) -> Array:
        """E[x_m | x_o] of these rows of X, (r, |m|)."""
        k = len(self.observed)
        z = self.whiten(self.residuals(X, mu))
        return mu[self.missing] + z.T @ self.root[k:, :k].T

    @property
    def conditional_root(self) -> Array:
        """T_mm, the triangular root of cov[x_m | x_o]."""
        k = len(self.observed)
        return self.root[k:, k:]

    @property
    def _diagonal(self) -> Array:
        return np.diagonal(self.root)[: len(self.observed)]


def by_pattern(observed: Mask, L: Array) -> Iterator[Given]:
    """Rows (n, d), grouped by the entries they have."""
    first, ids, order = distinct_in_order(observed)
    rows = np.split(order, np.cumsum(np.bincount(ids))[:-1])
    size = max(BLOCK // len(L) ** 2, 1)
    for k in range(0, len(first), size):
        yield from _triangularised(L, observed[first[k : k + size]], rows[k : k + size])


def _triangularised(L: Array, patterns: Mask, rows: list[Index]) -> Iterator[Given]:
    """T of each pattern, by one call for all of them."""
    entries = np.argsort(~patterns, axis=1, kind="stable")
    R = np.linalg.qr(L[entries].transpose(0, 2, 1), mode="r")
    counts = patterns.sum(axis=1).tolist()
    for these, order, k, upper in zip(rows, entries, counts, R, strict=True):
        yield Given(these, order[:k], order[k:], upper.T)


def distances(X: Array, mu: Array, L: Array) -> Distances:
    """|z|², log|S_oo| and |o| of rows X (n, d) with NaN where missing; inf is an error."""
    with np.errstate(over="ignore", invalid="ignore"):
        complete = np.isfinite(X.sum())  # no NaN then, no inf, and no second array
    if complete:
        return _complete(X, mu, L)
    require_no_infinity(X)
    return _by_pattern(X, mu, L)


def _complete(X: Array, mu: Array, L: Array) -> Distances:
    z = solve_lower(L, np.ascontiguousarray((X - mu).T))
    n, d = X.shape
    square, logdet = np.einsum("ji,ji->i", z, z), 2.0 * log_diagonal(L)
    return Distances(square, np.full(n, logdet), np.full(n, d))


def _by_pattern(X: Array, mu: Array, L: Array) -> Distances:
    n = len(X)
    out = Distances(np.zeros(n), np.zeros(n), np.zeros(n, np.int64))
    with calm_blas(len(L)):
        for given in by_pattern(~np.isnan(X), L):
            z = given.whiten(given.residuals(X, mu))
            out.square[given.rows] = np.einsum("ji,ji->i", z, z)
            out.logdet[given.rows] = given.logdet
            out.sizes[given.rows] = len(given.observed)
    return out


def filled(X: Array, mu: Array, L: Array) -> Array:
    """X with its holes at E[x_m | x_o], and every observed entry as it was."""
    require_no_infinity(X)
    out = X.copy()
    with calm_blas(len(L)):
        for given in by_pattern(~np.isnan(X), L):
            out[given.rows[:, None], given.missing] = given.expected(X, mu)
    return out


def filled_at_random(X: Array, mu: Array, L: Array, draws: int, rng: np.random.Generator) -> Array:
    """X with its holes drawn from x_m | x_o, ``draws`` times: (draws, n, d).

    The normal deviates are dealt out in the order of the holes, row by row, so that a draw does
    not depend on how rows are grouped.
    """
    require_no_infinity(X)
    observed = ~np.isnan(X)
    out = np.repeat(X[None], draws, axis=0)
    out[:, ~observed] = rng.standard_normal((draws, int((~observed).sum())))
    with calm_blas(len(L)):
        for given in by_pattern(observed, L):
            holes = (slice(None), given.rows[:, None], given.missing)
            out[holes] = given.expected(X, mu) + out[holes] @ given.conditional_root.T
    return out


# What points, entries and draws come in as


def as_points(x: Any, d: int) -> tuple[Array, bool]:
    """Rows (n, d) of float64, the caller's own or not, and whether they came as one point (d,)."""
    single = _is_point(x)
    rows = as_rows(np.atleast_2d(x) if single else x)
    if rows.shape[1] != d:
        raise DataError(f"x must have {d} entries a row, as many as the mean; got {np.shape(x)}.")
    return rows.astype(np.float64, copy=False), single


def _is_point(x: Any) -> bool:
    try:
        return np.ndim(x) == 1
    except ValueError:  # rows of different lengths: ``as_rows`` says so
        return False


def as_entries(idx: Any, d: int) -> npt.NDArray[np.int64]:
    """Numbers 0 … d−1 of the entries that integers or a mask name."""
    index = np.atleast_1d(np.asarray(idx))
    if index.dtype.kind not in "iub" or index.ndim != 1 or not index.size:
        raise DataError(
            f"idx must be entries' numbers, counted from 0, or a boolean mask; got {idx!r:.80}."
        )
    if index.dtype.kind == "b" and index.shape != (d,):
        raise DataError(f"a mask must have shape ({d},), one entry each; got {index.shape}.")
    try:
        entries = np.arange(d)[index]
    except IndexError as error:
        raise DataError(f"idx must be from {-d} to {d - 1}; got {idx!r:.80}.") from error
    if not 0 < len(entries) == len(np.unique(entries)):
        raise DataError(f"idx must name some entries, none of them twice; got {idx!r:.80}.")
    return entries


def as_draws(draws: Any) -> int:
    """How many draws: a positive whole number."""
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
        raise DataError(f"draws must be a whole number, 1 or more; got {draws!r}.")
    return int(draws)
