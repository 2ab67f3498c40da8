"""A pattern of loadings: which are free, fixed or tied; where to begin, and what rescales it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.frame import Equivariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.entries import entries
from mvngrad.models.loadings import PatternedLoadings

SHARED = 0.6  # of what a column has in common with its factor's, at the start
NEGLIGIBLE = 1e-9  # of the largest singular value: counts as none


@final
@dataclass(frozen=True, eq=False)
class Pattern:
    """Fixed numbers and labels of free entries (d, k), and what of the factors is free."""

    given: npt.NDArray[Any]
    map: PatternedLoadings
    scale: Literal["variance", "marker"]

    @classmethod
    def of(cls, pattern: Any, correlated: Any, scale: Any) -> Pattern:
        """From an array (d, k), or rows, of NaN, numbers and labels: ``models/entries.py``."""
        if scale not in ("variance", "marker"):
            raise DataError(f"scale must be 'variance' or 'marker'; got {scale!r}.")
        given = entries(pattern)
        fixed, label = _read(given)
        marker = scale == "marker"
        _require_markers(fixed, label, marker)
        loadings = PatternedLoadings(fixed, label, bool(correlated), marker)
        return cls(given, loadings, "marker" if marker else "variance")

    @property
    def d(self) -> int:
        """Rows."""
        return len(self.given)

    @property
    def rank(self) -> int:
        """Columns: factors."""
        return int(self.given.shape[1])

    @cached_property
    def _markers(self) -> npt.NDArray[np.intp]:
        """The first fixed loading ≠ 0 of each factor."""
        return np.argmax(self.map.fixed != 0.0, axis=0)

    @property
    def _tied(self) -> bool:
        label = self.map.label
        return bool((label >= 0).sum() > self.map.n_free)

    @property
    def equivariance(self) -> Equivariance:
        """Diagonal, unless loadings of several columns are tied or fixed to one another."""
        allowed = self.rank if self.map.stretched else 0
        return "scalar" if self._tied or (self.map.fixed != 0.0).sum() > allowed else "diagonal"

    @property
    def rescales(self) -> bool:
        """Not where a loading is a number while the factor's variance is one too."""
        return self.map.stretched or not self.map.fixed.any()

    def rescaled(self, eta: Array, T: Array) -> Array:
        """η' with W(η') = diag(T) W(η)."""
        p = self.map.parts(eta)
        t = T[self._markers] if self.map.stretched else np.ones(self.rank)
        return self.map.joined(p.Lambda * np.divide.outer(T, t), p.u, t * p.deviations)

    def check_columns(self, d: int) -> None:
        """An error if the data have other columns than the pattern."""
        if self.d != d:
            raise DataError(
                f"the pattern has {self.d} rows and the data {d} columns; need one row of loadings "
                "a column."
            )

    def turned(self, eta: Array) -> tuple[Array, Array, Array]:
        """Λ, Φ and η with the first free loading of each factor ≥ 0, where no number says more."""
        p = self.map.parts(eta)
        f = np.arange(self.rank)
        first = p.Lambda[np.argmax(self.map.label >= 0, axis=0), f]
        open_to = ~(self.map.fixed != 0.0).any(axis=0)
        signs = np.where((first < 0.0) & open_to & ~self._spanned, -1.0, 1.0)
        Lambda, both = p.Lambda * signs, np.multiply.outer(signs, signs)
        return Lambda, (p.R @ p.R.T) * both, self.map.joined(Lambda, p.u * both, p.deviations)

    @cached_property
    def _spanned(self) -> npt.NDArray[np.bool_]:
        """Factors with a loading tied to one of another: they turn together or not at all."""
        label = self.map.label
        owners = [np.unique(np.nonzero(label == i)[1]) for i in range(self.map.n_free)]
        shared = np.zeros(self.rank, dtype=bool)
        for own in owners:
            shared[own] |= len(own) > 1
        return shared

    def near(self, S: Array) -> tuple[Array, Array, Array]:
        """Λ, Φ, ψ: a principal component for each factor of its own columns, the widest first."""
        scales = np.sqrt(np.diagonal(S))
        left = S / np.multiply.outer(scales, scales)
        on = (self.map.label >= 0) | (self.map.fixed != 0.0)
        loads = np.zeros(self.given.shape)
        done: list[int] = []
        for f in np.argsort(-on.sum(axis=0), kind="stable").tolist():
            own = np.flatnonzero(on[:, f])
            twins = (on[:, done] == on[:, [f]]).all(axis=0).sum() if self.map.correlated else 0
            loads[own, f] = _component(left[np.ix_(own, own)], min(int(twins), len(own) - 1))
            done.append(f)
            if not self.map.correlated:
                left = left - np.multiply.outer(loads[:, f], loads[:, f])
        common = np.minimum((loads**2).sum(axis=1), 0.9)
        Lambda, Phi = loads * scales[:, None], np.eye(self.rank)
        if self.map.correlated:
            Phi = _between(loads, S / np.multiply.outer(scales, scales))
        if self.map.stretched:
            Lambda, Phi = self._by_markers(Lambda, Phi)
        return Lambda, Phi, scales**2 * (1.0 - common)

    def _by_markers(self, Lambda: Array, Phi: Array) -> tuple[Array, Array]:
        f = np.arange(self.rank)
        t = Lambda[self._markers, f] / self.map.fixed[self._markers, f]
        t = np.where(np.abs(t) > 1e-3 * np.abs(Lambda).max(axis=0), t, 1.0)
        return Lambda / t, Phi * np.multiply.outer(t, t)

    def __str__(self) -> str:
        ends = f", correlated={self.map.correlated}, scale={self.scale!r}"
        return f"pattern ({self.d}, {self.rank}){ends}"

    def describe(self) -> dict[str, Any]:
        """Constructor arguments; labels go as lists."""
        numeric = self.given.dtype != object
        pattern = self.given if numeric else [list(map(_plain, row)) for row in self.given]
        return {"pattern": pattern, "correlated": self.map.correlated, "scale": self.scale}


def _plain(entry: Any) -> str | float:
    return entry if isinstance(entry, str) else float(entry)


def _read(given: npt.NDArray[Any]) -> tuple[Array, npt.NDArray[np.int64]]:
    fixed, label = np.zeros(given.shape), np.full(given.shape, -1, dtype=np.int64)
    numbers: dict[str, int] = {}
    n_free = 0
    for (i, f), entry in np.ndenumerate(given):
        name = entry if isinstance(entry, str) else None
        if name is None and not np.isnan(entry):
            fixed[i, f] = entry
            continue
        if name is None or name not in numbers:
            numbers[name or f"\0{n_free}"] = n_free
            n_free += 1
        label[i, f] = numbers[name] if name is not None else n_free - 1
    return fixed, label


def _require_markers(fixed: Array, label: npt.NDArray[np.int64], marker: bool) -> None:
    empty = np.flatnonzero(~((label >= 0) | (fixed != 0.0)).any(axis=0))
    if empty.size:
        raise DataError(
            f"factor {int(empty[0])} of the pattern has no loading: its column holds only zeros. "
            "Leave it out, or free one with NaN."
        )
    bare = np.flatnonzero(~(fixed != 0.0).any(axis=0))
    if marker and bare.size:
        raise DataError(
            f"scale='marker' frees the variances of factors, which a fixed loading of each must "
            f"set; factor {int(bare[0])} has none. Fix one, say to 1, or use scale='variance'."
        )


def _component(R: Array, after: int = 0) -> Array:
    """Loadings of one factor on some columns: a principal component, the first, reduced.

    ``after`` is how many factors of just these columns have had theirs already.
    """
    values, vectors = np.linalg.eigh(R)
    v = vectors[:, -1 - after] * np.sign(vectors[:, -1 - after].sum() or 1.0)
    size = np.sqrt(max(SHARED * values[-1 - after], 0.1)) if len(R) > 1 else 0.7
    found = v * size
    return np.asarray(np.clip(found, -0.9, 0.9) if len(R) > 1 else np.array([size]))


def _between(loads: Array, R: Array) -> Array:
    """Correlations of the factors, from composites of their columns, drawn towards 0."""
    C = loads.T @ R @ loads
    s = np.sqrt(np.diagonal(C))
    Phi = 0.8 * C / np.multiply.outer(s, s)
    np.fill_diagonal(Phi, 1.0)
    return np.asarray(Phi)
