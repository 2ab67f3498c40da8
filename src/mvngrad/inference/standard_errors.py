"""Standard errors by name, each worked out when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, final

import numpy as np

from mvngrad.core.ops import Array, Mask
from mvngrad.inference.uncertainty import SEEN, TIED, Uncertainty

STILL = 1e-10  # of its natural size: an error that differences of a constant have
ErrorKind = Literal["observed", "expected", "sandwich"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class StandardErrors:
    """Standard errors of a fit: the shapes are those of the estimates.

    kind                     "observed", "expected" or "sandwich"
    mean (d,)                of μ̂; 0 where it was known
    covariance (d, d)        of the entries of Ŝ
    deviations (d,)          of √Ŝⱼⱼ
    correlation (d, d)       of the correlations; 0 on the diagonal
    factor                   of Λ̂ in the form it is reported in; 0 where fixed
    noise (d,), factor_correlation (k, k), communalities (d,)    of factor models; else None
    loadings (d, k)          of Λ̂ at unit variances, of columns and factors; else None
    coefficients             of a linear mean, shaped as they are; else None

    NaN: the data do not tell it, or it stands at the edge of what it may be (``boundary``), where a
    standard error has no meaning. The others are then those given that edge. Of a fit that has not
    converged there are none: all are NaN.
    """

    kind: ErrorKind
    of: Uncertainty = field(repr=False)
    coefficients_like: Any = field(default=None, repr=False)
    turned: tuple[int, ...] | None = field(default=None, repr=False)
    boundary: tuple[str, ...] = ()

    @cached_property
    def mean(self) -> Array:
        """Of μ̂ (d,)."""
        return self.of.errors(self.of.of_mean, self.of.deviations)

    @cached_property
    def covariance(self) -> Array:
        """Of Ŝ (d, d)."""
        s = self.of.deviations
        return self.of.errors(self.of.of_covariance, np.multiply.outer(s, s))

    @cached_property
    def deviations(self) -> Array:
        """Of standard deviations (d,)."""
        return self.of.errors(self.of.of_deviations, self.of.deviations)

    @cached_property
    def correlation(self) -> Array:
        """Of correlations (d, d)."""
        return self.of.errors(self.of.of_correlation, np.ones_like(self.of.correlation))

    @cached_property
    def factor(self) -> Array:
        """Of Λ̂ (d, k)."""
        if self._is_loaded:
            return self._loaded[0]
        if self.turned is not None:  # any rotation of Λ̂, of this shape, does as well
            return np.full(self.turned, np.nan)
        return self.of.errors(self.of.of_root, self.of.deviations[:, None])

    @property
    def loadings(self) -> Array | None:
        """Of Λ̂ⱼₖ√(Φ̂ₖₖ/Ŝⱼⱼ) (d, k)."""
        return self._loaded[3] if self._is_loaded else None

    @property
    def noise(self) -> Array | None:
        """Of ψ̂ (d,)."""
        return self._loaded[1] if self._is_loaded else None

    @property
    def factor_correlation(self) -> Array | None:
        """Of correlations of factors (k, k)."""
        return self._loaded[2] if self._is_loaded else None

    @cached_property
    def communalities(self) -> Array | None:
        """Of the share of each variance that is common (d,)."""
        if not self._is_loaded:
            return None
        found = self.of.errors(self.of.of_communalities, np.ones_like(self.of.deviations))
        return np.where(np.isnan(self._loaded[1]), np.nan, found)

    @cached_property
    def coefficients(self) -> Any:
        """Of coefficients."""
        like = self.coefficients_like
        if like is None:
            return None
        flat = self.of.errors(lambda moves: moves.of_mean, self._coefficient_sizes)
        if not isinstance(like, list):
            return flat.reshape(like.shape)
        return np.split(flat, np.cumsum([len(beta) for beta in like])[:-1])

    @property
    def _coefficient_sizes(self) -> Array:
        """How far a whitened unit moves each: the scale on which a move is none."""
        unit = np.eye(len(self.of.root))
        return np.maximum(np.abs(self.of.along(unit).of_mean).max(axis=0), 1e-300)

    def __repr__(self) -> str:
        factors = " .noise .factor_correlation .loadings .communalities" * self._is_loaded
        design = " .coefficients" * (self.coefficients_like is not None)
        mean = np.array2string(self.mean, precision=4, threshold=6, edgeitems=3)
        names = f".covariance .deviations .correlation .factor{factors}{design}"
        return f"<StandardErrors, {self.kind}: mean {mean}, and {names}>"

    @property
    def _is_loaded(self) -> bool:
        at = self.of.estimate
        return at.structure.loaded(at.theta) is not None

    @cached_property
    def _loaded(self) -> tuple[Array, Array, Array, Array]:
        """Of Λ, ψ, Φ, and Λ at unit variances."""
        s = self.of.deviations
        sizes = s[:, None], s**2, np.ones(()), np.ones(())
        found = [
            np.where(
                loose > SEEN * size,
                np.nan,
                self.of.errors(lambda moves, k=k: self.of.of_loaded(moves)[k], size),  # type: ignore[misc]
            )
            for k, (size, loose) in enumerate(zip(sizes, self.of.loose, strict=True))
        ]
        still = [np.where(e <= STILL * size, 0.0, e) for e, size in zip(found, sizes, strict=True)]
        factor, noise, correlation, loadings = still
        np.fill_diagonal(correlation, 0.0)
        held = self.of.estimate.held[-len(noise) :]
        factor, loadings = (np.where(self._tied, np.nan, part) for part in (factor, loadings))
        return factor, np.where(held, np.nan, noise), correlation, loadings

    @property
    def _tied(self) -> Mask:
        """Columns of Λ whose eigenvalues of ΛᵀS⁻¹Λ are equal, where these tell them apart (k,)."""
        at = self.of.estimate
        loaded = at.structure.loaded(at.theta)
        assert loaded is not None
        k = loaded.factor.shape[1]
        tied = np.zeros(k, dtype=bool)
        if getattr(at.structure, "pattern", None) is None and k > 1:
            b = (at.covariance.whiten(loaded.factor) ** 2).sum(axis=0)
            near = np.abs(np.diff(b)) <= TIED * b[:-1]
            tied[:-1] |= near
            tied[1:] |= near
        return tied
