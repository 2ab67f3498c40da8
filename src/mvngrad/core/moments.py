"""Moments: all that complete data are to the likelihood; a commutative monoid.

    n = Σwᵢ        m = Σwᵢxᵢ/n        C = Σ wᵢ(xᵢ−m)(xᵢ−m)ᵀ

Weights, chunks, files, partitions and groups are all ``+``. Two sets merge by Chan's update,

    n = n_a + n_b,   m = m_a + (n_b/n)δ,   C = C_a + C_b + (n_a n_b/n) δδᵀ,   δ = m_b − m_a,

always centred (a raw Σxxᵀ loses every digit once mean/sd passes 1e8), in an affine frame.
(Chan, Golub & LeVeque 1983, eq. 2.1)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mvngrad.core.checks import as_factor, as_floats, as_number, as_vector
from mvngrad.core.frame import AffineFrame, power_of_two, read_only
from mvngrad.core.ops import Array, add_outer, partial_cholesky
from mvngrad.errors import DataError, NotPositiveDefiniteError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, eq=False)
class Moments:
    """Weight, mean and centred scatter of rows, kept in an affine frame x = m₀ + L₀z.

    Parameters
    ----------
    weight : float               n = Σw
    n_obs  : int                 rows with positive weight
    center : (d,) array          mean of z
    spread : (d, d) array        scatter of z about its mean
    frame  : AffineFrame         x = m₀ + L₀z
    mean_known : bool            False where they came from a covariance without its mean

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.array([[1.0, 2.0], [3.0, 5.0], [8.0, 4.0]])
    >>> a, b = mg.Moments.of(X[:1]), mg.Moments.of(X[1:])
    >>> np.allclose((a + b).scatter, (X - X.mean(0)).T @ (X - X.mean(0)))
    True
    """

    weight: float
    n_obs: int
    center: Array
    spread: Array
    frame: AffineFrame
    mean_known: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", float(self.weight))
        object.__setattr__(self, "center", read_only(self.center))
        object.__setattr__(self, "spread", read_only(self.spread))

    @classmethod
    def of(
        cls,
        X: Any,
        weights: Any = None,
        frame: AffineFrame | str | None = None,
        *,
        threads: int | None = None,
    ) -> Moments:
        """Moments of the rows of X, in one pass and without a copy.

        Parameters
        ----------
        X : (n, d) array, or an iterator of such arrays (chunks)
            float32 and integers are accumulated in float64.
        weights : (n,) array, or an iterator of such arrays beside the chunks
            Frequencies; fractions allowed.
        frame : "diagonal" (default), "full", or an AffineFrame
            "full" takes L₀ from the QR of some of the rows: it keeps all digits of nearly
            collinear columns, for about twice the time.
        threads : int
            Default: the cores this process may use. The result does not depend on it.

        Raises
        ------
        MissingValuesError, DataError
            For NaN, and for infinite, non-numeric, empty or misshapen data.
        """
        frame = frame.checked() if isinstance(frame, AffineFrame) else frame
        from mvngrad.core import passes  # the pass needs SciPy's BLAS and threads; Moments does not

        if isinstance(X, Iterator):
            return passes.of_chunks(X, weights, frame, threads)
        return passes.of_rows(X, weights, frame, threads)

    @classmethod
    def from_covariance(cls, S: Any, n: float, mean: Any = None, *, ddof: float = 0.0) -> Moments:
        """Moments from a covariance matrix S (d, d), its sample size n and divisor n − ddof.

        C = (n − ddof) S. With ``mean=None`` the mean is free, counted, and reported as 0.
        """
        S = np.atleast_2d(as_floats(S, "covariance matrix"))
        d = len(S)
        S = as_factor(S, d, name="covariance matrix")
        n, ddof = as_number(n, "n"), as_number(ddof, "ddof")
        _require_covariance(S, n, ddof)
        origin = np.zeros(d) if mean is None else as_vector(mean, "mean", d)
        frame = AffineFrame(origin.copy(), power_of_two(np.sqrt(np.diagonal(S))))
        spread = (float(n) - ddof) * frame.whiten(frame.whiten(0.5 * (S + S.T)).T)
        return cls(float(n), round(n), np.zeros(d), spread, frame, mean is not None)

    @property
    def d(self) -> int:
        """Number of columns."""
        return len(self.center)

    @property
    def mean(self) -> Array:
        """m (d,), in the units of the data."""
        return self.frame.origin + self.frame.color(self.center)

    @property
    def scatter(self) -> Array:
        """C (d, d) = Σ w (x−m)(x−m)ᵀ, in the units of the data; inf where those overflow."""
        with np.errstate(over="ignore"):
            return self.frame.color(self.frame.color(self.spread).T)

    @property
    def cov(self) -> Array:
        """C/n (d, d), the maximum-likelihood covariance (divisor n, not n − 1)."""
        return self.scatter / self.weight

    @cached_property
    def root_and_pivots(self) -> tuple[Array, Array]:
        """L (d, d) with LLᵀ = C/n in the frame, and 1 − R² of each column given those before it.

        Where C is singular to rounding the pivots are 0 from the column on that shows it.
        """
        variances = np.diagonal(self.spread)
        scales = np.sqrt(np.where(variances > 0.0, variances, 1.0))
        correlation = np.multiply.outer(scales, scales)
        np.divide(self.spread, correlation, out=correlation)
        L, pivots = partial_cholesky(correlation)
        L *= (scales / np.sqrt(self.weight))[:, None]
        return L, pivots

    def in_frame(self, frame: AffineFrame) -> Moments:
        """The same moments in another frame: exact between diagonal frames, to rounding else."""
        if frame.equals(self.frame):
            return self
        old = self.frame
        shift = frame.whiten(old.origin - frame.origin)
        if old.is_diagonal and frame.is_diagonal:
            ratio = old.root / frame.root
            center, spread = self.center * ratio, self.spread * np.multiply.outer(ratio, ratio)
        else:
            center = frame.whiten(old.color(self.center))
            spread = frame.whiten(frame.whiten(old.color(old.color(self.spread).T)).T)
        return replace(self, center=center + shift, spread=spread, frame=frame)

    def __add__(self, other: Moments) -> Moments:
        """Moments of both sets of rows together, in this one's frame."""
        if not isinstance(other, Moments):
            return NotImplemented
        if other.d != self.d:
            raise DataError(f"cannot add moments of {self.d} and of {other.d} columns.")
        if not (self.mean_known and other.mean_known):
            raise DataError(
                "moments without their mean cannot be added: how far apart the means are is part "
                "of the scatter. Pass mean=… to Moments.from_covariance."
            )
        return _merged(self, other.in_frame(self.frame))

    def __radd__(self, other: object) -> Moments:
        """0 + moments, so that ``sum`` works."""
        return self if other == 0 else NotImplemented

    def save(self, path: str | Path) -> None:
        """Write to a model file (safetensors, readable by ``Moments.load``)."""
        _modelfile().save_moments(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Moments:
        """Read what ``save`` wrote."""
        return _modelfile().load_moments(path)


def _modelfile() -> Any:
    from mvngrad.io.adapters import adapter

    return adapter("modelfile")


def _merged(a: Moments, b: Moments) -> Moments:
    if 0.0 in (a.weight, b.weight):
        return a if b.weight == 0.0 else b
    n = a.weight + b.weight
    delta = b.center - a.center
    u = delta * np.sqrt(a.weight * b.weight / n)
    spread = add_outer(a.spread + b.spread, u)
    return Moments(n, a.n_obs + b.n_obs, a.center + delta * (b.weight / n), spread, a.frame)


def _require_covariance(S: Array, n: float, ddof: float) -> None:
    if S.shape[0] != S.shape[1]:
        raise DataError(f"a covariance matrix must be square; got shape {S.shape}.")
    if not (np.isfinite(n) and n > ddof):
        raise DataError(f"n must be finite and larger than ddof={ddof}; got {n}.")
    negative = np.flatnonzero(np.diagonal(S) < 0.0)
    if negative.size:
        j = int(negative[0])
        raise DataError(f"a variance cannot be negative; got S[{j}, {j}] = {S[j, j]}.")
    deviations = np.sqrt(np.diagonal(S))
    scale = np.multiply.outer(deviations, deviations)
    if not (np.abs(S - S.T) <= 1e-8 * scale).all():
        worst = int(np.argmax(np.abs(S - S.T) - 1e-8 * scale))
        i, j = divmod(worst, len(S))
        raise DataError(
            f"a covariance matrix must be symmetric; got S[{i}, {j}] = {S[i, j]} and "
            f"S[{j}, {i}] = {S[j, i]}."
        )
    _require_semidefinite(S, np.where(scale > 0.0, scale, 1.0))


def _require_semidefinite(S: Array, scale: Array) -> None:
    smallest = float(np.linalg.eigvalsh(S / scale)[0])
    if smallest < -1e-8 * len(S):
        raise NotPositiveDefiniteError(
            f"this is no covariance matrix: its correlations have an eigenvalue of {smallest:.3g}, "
            "so some combination of the columns would have a negative variance. Correlations taken "
            "pair by pair do that; take all from the same rows.",
            smallest_eigenvalue=smallest,
        )
