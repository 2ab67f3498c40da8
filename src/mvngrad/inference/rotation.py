"""Rotations of factor loadings to simple structure: varimax, quartimax, oblimin, promax.

S = ΛΛᵀ + Ψ says nothing of Λ beyond ΛΛᵀ, so Λ may be replaced by L = ΛU with correlated factors,

    LΦLᵀ = ΛΛᵀ,   Φ = (UᵀU)⁻¹ of unit diagonal,

and U is chosen so that L is easy to read: few entries of a row far from 0. Varimax and quartimax
keep Φ = I; oblimin and promax let factors be correlated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, Literal

import numpy as np

from mvngrad.core.checks import as_number
from mvngrad.core.frame import read_only
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.inference.loadings import as_loadings, correlation_root, independent
from mvngrad.inference.projection import Oblique, Orthogonal
from mvngrad.inference.simple_structure import Search, at_most_one, best

Method = Literal["varimax", "quartimax", "oblimin", "promax"]


@dataclass(frozen=True, eq=False)
class Rotation:
    """Rotated loadings L = ΛU with LΦLᵀ = ΛΦ₀Λᵀ, columns by variance explained, sums ≥ 0.

    Attributes
    ----------
    loadings : (d, k) array        L, the pattern: weights of the factors in each column
    transform : (k, k) array       U; the factors themselves become U⁻¹f
    correlation : (k, k) array     Φ of the rotated factors; I where the rotation is orthogonal
    value : float                  the criterion q reached, of normalised rows where those were
                                   asked for; NaN for promax, which minimises none
    converged : bool               whether the criterion is stationary to ``tol``
    """

    loadings: Array
    transform: Array
    correlation: Array
    value: float
    converged: bool = True

    def __post_init__(self) -> None:
        for name in ("loadings", "transform", "correlation"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def rotate(
    loadings: Any, method: Method = "varimax", *, correlation: Any = None, **options: Any
) -> Rotation:
    """L = ΛU with LΦLᵀ = ΛΦ₀Λᵀ and U by one of four criteria.

    Parameters
    ----------
    loadings : (d, k) array           Λ, columns of the data by factors
    method : "varimax", "quartimax", "oblimin" or "promax"
    correlation : (k, k) array        Φ₀ of the factors as they are; default: I
    **options
        Those of the function of that name: ``kaiser``, ``gamma``, ``power``, ``n_starts``, …

    Returns
    -------
    Rotation

    Raises
    ------
    DataError
        If an option does not belong to the method, or an oblique one is asked of loadings whose
        columns depend on each other.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda = np.array([[0.6, 0.5], [0.7, 0.4], [0.5, -0.6], [0.4, -0.5]])
    >>> rotation = rotate(Lambda, "oblimin")
    >>> L, Phi = rotation.loadings, rotation.correlation
    >>> np.allclose(L @ Phi @ L.T, Lambda @ Lambda.T), np.allclose(L, Lambda @ rotation.transform)
    (True, True)
    """
    if method not in METHODS:
        known = ", ".join(map(repr, METHODS))
        raise DataError(f"method must be one of {known}; got {method!r:.60}.")
    function = METHODS[method]
    _require_options(method, function, options)
    Lambda = as_loadings(loadings)
    R = correlation_root(correlation, Lambda.shape[1])
    found = function(Lambda @ R, **options)
    return replace(found, transform=R @ found.transform)


def varimax(
    loadings: Any,
    *,
    kaiser: bool = True,
    n_starts: int = 10,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> Rotation:
    """L = ΛT, TᵀT = I, with Σⱼ [ ΣᵢLᵢⱼ⁴ − (ΣᵢLᵢⱼ²)²/d ] as large as can be.

    Parameters
    ----------
    loadings : (d, k) array   Λ
    kaiser : bool             scale rows to length 1 while rotating, so that units do not matter
    n_starts : int            starts, of which the best is returned: Λ as it is, its principal
                              axes, and rotations of these at random, the same ones every time
    tol : float               bound on the slope, for loadings of mean communality 1, a row
    max_iter : int            iterations a start

    Notes
    -----
    Kaiser 1958. It is ``oblimin``'s q with γ = 1, which differs from this by a constant.

    Examples
    --------
    >>> import numpy as np
    >>> simple = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.6]])
    >>> turned = simple @ np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> np.allclose(varimax(turned).loadings, simple)
    True
    """
    search = Search(Orthogonal, 1.0, kaiser, n_starts, tol, max_iter)
    return _turned(as_loadings(loadings), search)


def quartimax(
    loadings: Any,
    *,
    kaiser: bool = False,
    n_starts: int = 10,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> Rotation:
    """L = ΛT, TᵀT = I, with Σᵢⱼ Lᵢⱼ⁴ as large as can be; parameters as in ``varimax``.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda = np.array([[0.6, 0.5], [0.7, 0.4], [0.5, -0.6]])
    >>> angles = np.linspace(0.0, np.pi, 1000)
    >>> turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    >>> best = max(((Lambda @ T) ** 4).sum() for T in turns)
    >>> bool(best <= (quartimax(Lambda).loadings ** 4).sum() <= best + 1e-4)
    True
    """
    search = Search(Orthogonal, 0.0, kaiser, n_starts, tol, max_iter)
    return _turned(as_loadings(loadings), search)


def oblimin(
    loadings: Any,
    *,
    gamma: float = 0.0,
    kaiser: bool = False,
    n_starts: int = 10,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> Rotation:
    """L = ΛT⁻ᵀ, Φ = TᵀT of unit diagonal, with q(L) as small as can be.

    q(L) = ¼ Σ_{j≠l} [ Σᵢ Lᵢⱼ²Lᵢₗ² − γ/d ΣᵢLᵢⱼ² ΣᵢLᵢₗ² ]

    Parameters
    ----------
    loadings : (d, k) array   Λ, columns independent
    gamma : float             γ: 0 is quartimin; below 0 factors are less correlated. Above 0 there
                              may be no minimum, which is then an error
    kaiser, n_starts, tol, max_iter
        As in ``varimax``.

    Notes
    -----
    Jennrich & Sampson 1966; by gradient projection, Jennrich 2002.

    Examples
    --------
    >>> import numpy as np
    >>> simple = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.6]])
    >>> R = np.array([[1.0, 0.0], [0.5, 0.75**0.5]])  # factors of correlation ½
    >>> found = oblimin(simple @ R)
    >>> np.allclose(found.loadings, simple), np.allclose(found.correlation, R @ R.T)
    (True, True)
    """
    gamma = as_number(gamma, "gamma")
    if not np.isfinite(gamma):
        raise DataError(f"gamma must be finite, 0 for quartimin; got {gamma}.")
    A = independent(as_loadings(loadings), "oblimin")
    T, value, converged = best(A, Search(Oblique, gamma, kaiser, n_starts, tol, max_iter))
    return _canonical(A, np.asarray(np.linalg.inv(T).T), T.T @ T, value, converged)


def promax(
    loadings: Any,
    *,
    power: float = 4.0,
    kaiser: bool = True,
    n_starts: int = 10,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> Rotation:
    """L = VU, V the varimax loadings, U the least-squares fit of VU to V|V|^(power−1), scaled.

    U = (VᵀV)⁻¹Vᵀ(V|V|^(power−1)) D,   D such that (UᵀU)⁻¹ = Φ has unit diagonal

    Parameters
    ----------
    loadings : (d, k) array   Λ, columns independent
    power : float             above 1; the larger, the more the factors are correlated
    kaiser, n_starts, tol, max_iter
        Of the varimax rotation it begins with.

    Notes
    -----
    Hendrickson & White 1964. Row scaling is of the varimax step only, as in R's ``promax``.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda = np.array([[0.6, 0.5], [0.7, 0.4], [0.5, -0.6], [0.4, -0.5]])
    >>> found = promax(Lambda)
    >>> np.allclose(found.loadings @ found.correlation @ found.loadings.T, Lambda @ Lambda.T)
    True
    """
    power = as_number(power, "power")
    if not 1.0 < power < np.inf:
        raise DataError(f"power must be a number above 1, as 4; got {power}.")
    A = independent(as_loadings(loadings), "promax")
    first = varimax(A, kaiser=kaiser, n_starts=n_starts, tol=tol, max_iter=max_iter)
    U = _promax_step(first.loadings, power) if A.size else np.eye(0)
    W = np.linalg.inv(U)
    return _canonical(A, first.transform @ U, W @ W.T, np.nan, first.converged)


METHODS: dict[str, Callable[..., Rotation]] = {
    "varimax": varimax,
    "quartimax": quartimax,
    "oblimin": oblimin,
    "promax": promax,
}


def _turned(A: Array, search: Search) -> Rotation:
    T, value, converged = best(A, search)
    return _canonical(A, T, np.eye(len(T)), value, converged)


def _promax_step(V: Array, power: float) -> Array:
    """U (k, k) of promax, its inverse with rows of length 1."""
    B = at_most_one(V)[0]
    U = np.linalg.lstsq(B, B * np.abs(B) ** (power - 1.0), rcond=None)[0]
    return U * np.linalg.norm(np.linalg.inv(U), axis=1)


def _canonical(A: Array, U: Array, Phi: Array, value: float, converged: bool) -> Rotation:
    """Columns by variance explained, diag(ΦLᵀL), and with sums that are not negative."""
    L = A @ U
    order = np.argsort(-(L * (L @ Phi)).sum(axis=0), kind="stable")
    signs = np.where(L.sum(axis=0) < 0.0, -1.0, 1.0)[order]
    Phi = Phi[np.ix_(order, order)] * np.multiply.outer(signs, signs) + 0.0  # no −0
    np.fill_diagonal(Phi, 1.0)
    return Rotation(L[:, order] * signs, U[:, order] * signs, Phi, value, converged)


def _require_options(
    method: str, function: Callable[..., Rotation], options: dict[str, Any]
) -> None:
    known = list(signature(function).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise DataError(f"{method} has no option {unknown[0]!r}; it has {', '.join(known)}.")
