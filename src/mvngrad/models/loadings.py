"""Maps η ↦ W (d, k) of parameters to loadings: all free, or by a pattern with correlated factors.

tangent(η, v) = dW      cotangent(η, g) = dWᵀ[g]      bend(η, g, v) = d cotangent[v], g held
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError


class Loadings(Protocol):
    """A smooth map η ↦ W (d, k)."""

    @property
    def size(self) -> int:
        """Length of η."""

    def at(self, eta: Array) -> Array:
        """W."""

    def tangent(self, eta: Array, v: Array) -> Array:
        """dW along v."""

    def cotangent(self, eta: Array, g: Array) -> Array:
        """Cotangent of η for one of W."""

    def bend(self, eta: Array, g: Array, v: Array) -> Array:
        """The change of ``cotangent(η, g)`` along v with g held."""


@final
@dataclass(frozen=True)
class FreeLoadings:
    """W = η, row by row."""

    d: int
    k: int

    @property
    def size(self) -> int:
        """dk."""
        return self.d * self.k

    def at(self, eta: Array) -> Array:
        """W."""
        return eta.reshape(self.d, self.k)

    def tangent(self, eta: Array, v: Array) -> Array:  # noqa: ARG002 - linear
        """V."""
        return v.reshape(self.d, self.k)

    def cotangent(self, eta: Array, g: Array) -> Array:  # noqa: ARG002
        """g."""
        return g.ravel()

    def bend(self, eta: Array, g: Array, v: Array) -> Array:  # noqa: ARG002
        """0."""
        return np.zeros(self.size)


class Parts(NamedTuple):
    """Λ, the root R of Φ, and what R is made of: rows u of a unit triangle, and log deviations."""

    Lambda: Array
    R: Array
    u: Array
    deviations: Array


@final
@dataclass(frozen=True, eq=False)
class PatternedLoadings:
    """W = ΛR: Λ affine in its free entries, RRᵀ = Φ the covariance of the factors.

    The rows of R are those of a triangle u with unit diagonal, brought to length 1 and, where the
    variances of factors are free, stretched by exp a. So every real η = (free entries, u, a) is
    legal, and Φ is a correlation matrix without one.

    Parameters
    ----------
    fixed : (d, k) array         Λ where it is not free, 0 elsewhere
    label : (d, k) of int        which free entry stands here, −1 for none
    correlated : bool            whether u is free, or the identity
    stretched : bool             whether a is free, or 0
    """

    fixed: Array
    label: npt.NDArray[np.int64]
    correlated: bool
    stretched: bool

    @cached_property
    def n_free(self) -> int:
        """Free entries of Λ."""
        return int(self.label.max(initial=-1)) + 1

    @cached_property
    def _lower(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        return np.tril_indices(self.fixed.shape[1] if self.correlated else 0, -1)

    @property
    def size(self) -> int:
        """Free loadings, k(k−1)/2 correlations and k variances, as far as they are free."""
        return self.n_free + len(self._lower[0]) + self.stretched * self.fixed.shape[1]

    def parts(self, eta: Array) -> Parts:
        """Λ, R and its ingredients."""
        k, (loads, corr, logs) = self.fixed.shape[1], self._split(eta)
        u = np.eye(k)
        u[self._lower] = corr
        deviations = np.exp(logs) if self.stretched else np.ones(k)
        R = u * (deviations / np.linalg.norm(u, axis=1))[:, None]
        return Parts(self.fixed + self._placed(loads), R, u, deviations)

    def at(self, eta: Array) -> Array:
        """ΛR."""
        p = self.parts(eta)
        return p.Lambda @ p.R

    def tangent(self, eta: Array, v: Array) -> Array:
        """dΛ R + Λ dR."""
        p, dR = self.parts(eta), self._root_tangent(eta, v)
        return self._placed(self._split(v)[0]) @ p.R + p.Lambda @ dR

    def cotangent(self, eta: Array, g: Array) -> Array:
        """(gRᵀ at the free entries, Λᵀg through the root)."""
        p = self.parts(eta)
        return self._joined(g @ p.R.T, p.Lambda.T @ g, p)

    def bend(self, eta: Array, g: Array, v: Array) -> Array:
        """(g dRᵀ, dΛᵀg through the root, and the root's own bend at Λᵀg)."""
        p, dR = self.parts(eta), self._root_tangent(eta, v)
        dLambda = self._placed(self._split(v)[0])
        return self._joined(g @ dR.T, dLambda.T @ g, p) + self._root_bend(p, p.Lambda.T @ g, v, dR)

    def eta(self, Lambda: Array, Phi: Array) -> Array:
        """η of free entries near those of Λ, and of Φ."""
        R = np.linalg.cholesky(Phi)
        return self.joined(Lambda, R / np.diagonal(R)[:, None], np.sqrt(np.diagonal(Phi)))

    def joined(self, Lambda: Array, u: Array, deviations: Array) -> Array:
        """η of free entries near those of Λ, and of what R is made of."""
        sums = np.bincount(self.label[self._is_free], Lambda[self._is_free], self.n_free)
        counts = np.bincount(self.label[self._is_free], minlength=self.n_free)
        logs = np.log(deviations) if self.stretched else np.zeros(0)
        return np.concatenate([sums / counts, u[self._lower], logs])

    @cached_property
    def _is_free(self) -> npt.NDArray[np.bool_]:
        return self.label >= 0

    # |u_f| → ∞ where a factor becomes a combination of those before it, 1 − R² = 1/|u_f|².

    def spans(self, eta: Array) -> Array:
        """|u_f| (k,) of the entries that are free."""
        return np.sqrt(self._by_row(self._split(eta)[1] ** 2))

    def lengths(self, eta: Array) -> Array:
        """By how much entries of η move for a row of R to turn by about 1: √(1 + |u_f|²)."""
        found = np.ones(self.size)
        rows = np.sqrt(1.0 + self.spans(eta) ** 2)[self._lower[0]]
        found[self.n_free : self.n_free + len(rows)] = rows
        return found

    def outward(self, eta: Array, gradient: Array) -> Array:
        """⟨u_f, ∂/∂u_f⟩ (k,)."""
        return self._by_row(self._split(eta)[1] * self._split(gradient)[1])

    def spanned(self, eta: Array, f: int, length: float) -> Array:
        """η with |u_f| of this length."""
        a, (loads, corr, logs) = self.spans(eta)[f], self._split(eta)
        return np.concatenate(
            [loads, np.where(self._lower[0] == f, corr * (length / a), corr), logs]
        )

    def longest(self, eta: Array, f: int) -> int:
        """The place in η of the largest entry of u_f: held, the direction of u_f is free."""
        sizes = np.where(self._lower[0] == f, np.abs(self._split(eta)[1]), -1.0)
        return self.n_free + int(np.argmax(sizes))

    def _by_row(self, entries: Array) -> Array:
        rows = np.bincount(self._lower[0], entries, self.fixed.shape[1])
        return np.asarray(rows, dtype=float)

    def _split(self, eta: Array) -> tuple[Array, Array, Array]:
        a, b = self.n_free, self.n_free + len(self._lower[0])
        return eta[:a], eta[a:b], eta[b:]

    def _placed(self, loads: Array) -> Array:
        placed = np.zeros_like(self.fixed)
        placed[self._is_free] = loads[self.label[self._is_free]]
        return placed

    def _joined(self, of_Lambda: Array, of_R: Array, p: Parts) -> Array:
        loads = np.bincount(self.label[self._is_free], of_Lambda[self._is_free], self.n_free)
        length = np.linalg.norm(p.u, axis=1)[:, None]
        along = (p.u * of_R).sum(axis=1)[:, None]
        of_u = p.deviations[:, None] * (of_R / length - p.u * along / length**3)
        logs = (p.R * of_R).sum(axis=1) if self.stretched else np.zeros(0)
        return np.concatenate([loads, of_u[self._lower], logs])

    # R = e^a u/|u|, row by row:  dR = e^a (du/|u| − u ⟨u,du⟩/|u|³) + R da.

    def _row_tangents(self, v: Array) -> tuple[Array, Array]:
        du = np.zeros((self.fixed.shape[1],) * 2)
        du[self._lower] = self._split(v)[1]
        return du, self._split(v)[2] if self.stretched else np.zeros(len(du))

    def _root_tangent(self, eta: Array, v: Array) -> Array:
        p, (du, da) = self.parts(eta), self._row_tangents(v)
        length = np.linalg.norm(p.u, axis=1)[:, None]
        along = (p.u * du).sum(axis=1)[:, None]
        dR = p.deviations[:, None] * (du / length - p.u * along / length**3)
        return dR + p.R * da[:, None]

    def _root_bend(self, p: Parts, g: Array, v: Array, dR: Array) -> Array:
        du, da = self._row_tangents(v)
        n = np.linalg.norm(p.u, axis=1)[:, None]
        ug, udu = (p.u * g).sum(axis=1)[:, None], (p.u * du).sum(axis=1)[:, None]
        of_u = -(g * udu + du * ug + p.u * (du * g).sum(axis=1)[:, None]) / n**3
        of_u = of_u + 3.0 * p.u * ug * udu / n**5 + da[:, None] * (g / n - p.u * ug / n**3)
        logs = (dR * g).sum(axis=1) if self.stretched else np.zeros(0)
        of_u = p.deviations[:, None] * of_u
        return np.concatenate([np.zeros(self.n_free), of_u[self._lower], logs])


def principal(Lambda: Array, S: Covariance) -> Array:
    """ΛQ with (ΛQ)ᵀS⁻¹ΛQ diagonal and decreasing, and column sums ≥ 0."""
    _, _, turn = np.linalg.svd(S.whiten(Lambda), full_matrices=False)
    turned = Lambda @ turn.T
    return np.asarray(turned * np.where(turned.sum(axis=0) < 0.0, -1.0, 1.0))


def as_rank(rank: Any) -> int:
    """A number of factors, or an error."""
    if not (isinstance(rank, int | np.integer) and not isinstance(rank, bool) and rank >= 0):
        raise DataError(f"rank must be a whole number of factors, 0 or more; got {rank!r}.")
    return int(rank)


def check_rank(rank: int, d: int) -> None:
    """An error if d columns cannot tell so many factors apart."""
    if rank > max(d - 1, 1):
        raise DataError(
            f"FactorAnalytic({rank}) has too many factors for {d} columns: with d − 1 factors or "
            "more any covariance can be reached. Use a smaller rank, or covariance='full'."
        )
