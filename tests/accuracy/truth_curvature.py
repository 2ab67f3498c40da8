"""∂²J in (β, θ) to forty digits: mixed differences, in 100-digit arithmetic, of J as it is defined.

    (Hv)ⱼ = [J(x + he_j + hv) − J(x + he_j − hv) − J(x − he_j + hv) + J(x − he_j − hv)]/4h²

S(θ) is given entry by entry: nothing of roots, recursions or adjoints is shared. With L of S, K
the whitened scatter, δⱼ = L⁻¹∂ⱼμ, Eⱼ = L⁻¹∂ⱼS L⁻ᵀ and Eⱼᵥ = L⁻¹∂ⱼ∂ᵥS L⁻ᵀ, the terms of (Hv)ⱼ are

    n(1 + ‖K‖) [(‖δⱼ‖ + ‖Eⱼ‖)(‖δᵥ‖ + ‖Eᵥ‖) + ½‖Eⱼᵥ‖]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from accuracy.truth import Array, cholesky, exact, inverse_lower, largest, mp

H = mp.mpf(10) ** -30
Map = Callable[[Any], Any]


class Pattern(NamedTuple):
    """Rows that observe the entries o: x_o (m, |o|), their weights and places."""

    o: list[int]
    x: Array
    w: Array
    rows: list[int]


class Rows:
    """Rows X (n, d), floats or mpf, NaN where missing, and their weights."""

    def __init__(self, X: Any, w: Any) -> None:
        found: dict[tuple[int, ...], list[int]] = {}
        for i, there in enumerate(~np.isnan(np.asarray(X, dtype=float))):
            if there.any():
                found.setdefault(tuple(np.flatnonzero(there).tolist()), []).append(i)
        self.patterns = [
            Pattern(list(o), exact(X[np.ix_(rows, o)]), exact(w[rows]), rows)
            for o, rows in found.items()
        ]
        self.weight = float(sum(p.w.sum() for p in self.patterns))

    def whitened(self, mu: Array, S: Array) -> Iterator[tuple[Pattern, Array, Array]]:
        """Of each pattern L, LLᵀ = S_oo, and the rows L⁻¹(x_o − μ_o); μ (d,) or (n, d)."""
        for p in self.patterns:
            L = cholesky(S[np.ix_(p.o, p.o)])
            means = mu[np.ix_(p.rows, p.o)] if mu.ndim == 2 else mu[p.o]
            yield p, L, (p.x - means) @ inverse_lower(L).T

    def nll(self, mu: Array, S: Array) -> Any:
        """J."""
        total = mp.zero
        for p, L, Z in self.whitened(mu, S):
            constant = len(L) * mp.log(2 * mp.pi) / 2 + sum(mp.log(x) for x in np.diagonal(L))
            total += p.w.sum() * constant + p.w @ (Z * Z).sum(axis=1) / 2
        return total

    def scatter(self, mu: Array, S: Array) -> float:
        """‖K‖, of rows whitened as far as they are observed, per unit weight."""
        each = []
        for p, _, Z in self.whitened(mu, S):
            part = Z.astype(float) * np.sqrt(p.w.astype(float))[:, None]
            each.append(np.pad(part, ((0, 0), (0, len(S) - len(p.o)))))
        K = np.vstack(each)
        return largest(K.T @ K) / self.weight


class Model(NamedTuple):
    """J of x = (β, θ): rows, means (n, d) or (d,) of β, S of θ, and what else there is."""

    rows: Rows
    mean: Map
    S: Map
    n_beta: int
    more: Map = lambda _: mp.zero  # priors, of x

    def value(self, x: Array) -> Any:
        """J."""
        beta, theta = x[: self.n_beta], x[self.n_beta :]
        return self.rows.nll(self.mean(beta), self.S(theta)) + self.more(x)


def slope(f: Map, x: Array, v: Array) -> Any:
    """Df[v]."""
    return (f(x + H * v) - f(x - H * v)) / (2 * H)


def bend(f: Map, x: Array, u: Array, v: Array) -> Any:
    """D²f[u, v]."""
    ahead = f(x + H * (u + v)) + f(x - H * (u + v))
    return (ahead - f(x + H * (u - v)) - f(x - H * (u - v))) / (4 * H * H)


class Product(NamedTuple):
    """Entries of Hv, and the size of the terms of each."""

    value: Array
    size: Array


class Curvature:
    """∂²J of a model at float64 parameters."""

    def __init__(self, model: Model, x: Any) -> None:
        self.model, self.x = model, exact(x)
        k = model.n_beta
        self.beta, self.theta = self.x[:k], self.x[k:]
        S, mu = model.S(self.theta), model.mean(self.beta)
        L = cholesky(S)
        self.W = inverse_lower(L)
        self.condition = (largest(self.W) * largest(L)) ** 2
        self._lengths: dict[bytes, float] = {}
        self.weighted = model.rows.weight * (1.0 + model.rows.scatter(mu, S))

    def length(self, v: Array) -> float:
        """‖δᵥ‖ + ‖Eᵥ‖, kept."""
        key = v.astype(float).tobytes()
        if key not in self._lengths:
            self._lengths[key] = self._length(v)
        return self._lengths[key]

    def _length(self, v: Array) -> float:
        k, total = self.model.n_beta, 0.0
        if k:
            moved = np.atleast_2d(slope(self.model.mean, self.beta, v[:k]))
            total += float(max(mp.sqrt(z @ z) for z in moved @ self.W.T))
        if len(v) > k:
            total += largest(self.W @ slope(self.model.S, self.theta, v[k:]) @ self.W.T)
        return total

    def own(self, u: Array, v: Array) -> float:
        """‖Eᵤᵥ‖."""
        k = self.model.n_beta
        if not u[k:].any() or not v[k:].any():
            return 0.0
        return largest(self.W @ bend(self.model.S, self.theta, u[k:], v[k:]) @ self.W.T)

    def product(self, v: Any, places: Any) -> Product:
        """Hv at these places."""
        v, E = exact(v), exact(np.eye(len(self.x)))[places]
        along = self.length(v)
        value = np.array([bend(self.model.value, self.x, e, v) for e in E])
        size = np.array([self.length(e) * along + 0.5 * self.own(e, v) for e in E])
        return Product(value, self.weighted * size)
