"""Regressions: a mean for every row, linear in what else is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from mvngrad.core.checks import as_floats
from mvngrad.core.ops import Array
from mvngrad.errors import DataError, listed
from mvngrad.models.means import FreeMean, LinearMean, Row

Index = npt.NDArray[np.int64]
Coefficients = Array | list[Array]


@final
class Linear:
    """μᵢ linear in the designs of the rows; nothing is added to them, no intercept either.

    Parameters
    ----------
    Z : (n, p) array or dataframe, list of d arrays (n, pⱼ), or (n, d, q) array
        (n, p): μᵢ = Bᵀzᵢ, one design for all columns, ``fit.coefficients`` B (p, d).
        A list: μᵢⱼ = zᵢⱼ·βⱼ, a design for each column (seemingly unrelated regressions), a list
        of βⱼ (pⱼ,).
        (n, d, q): μᵢ = Zᵢβ, coefficients shared by the columns (growth curves), β (q,).
    names : sequence of str, optional
        Of the p or q coefficients, or a list of such; default those of a dataframe, or z1, z2, …

    Raises
    ------
    DataError
        If an entry is missing or infinite, or shapes make no design.

    Notes
    -----
    J of rows xᵢ is that of their residuals xᵢ − μᵢ (Zellner 1962; Magnus & Neudecker 2019, §15.3).

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> rng = np.random.default_rng(0)
    >>> Z = np.column_stack([np.ones(50), rng.normal(size=50)])
    >>> X = Z @ [[1.0, 2.0], [0.5, -1.0]] + rng.normal(size=(50, 2))
    >>> fit = mg.fit(X, mean=mg.Linear(Z))
    >>> np.allclose(fit.coefficients, np.linalg.lstsq(Z, X)[0])
    True
    >>> E = X - Z @ fit.coefficients
    >>> np.allclose(fit.covariance, E.T @ E / 50)
    True
    """

    def __init__(self, Z: Any, names: Sequence[Any] | None = None) -> None:
        # A list of rows of numbers is one design; a list of tables is one for each column.
        self.per_column = isinstance(Z, list | tuple) and all(np.ndim(part) > 1 for part in Z)
        if isinstance(Z, list | tuple) and not len(Z):
            raise DataError("Linear needs a design: got none, an empty list.")
        parts = list(Z) if self.per_column else [Z]
        self.designs = tuple(_as_design(part, k) for k, part in enumerate(parts))
        self.general = self.designs[0].ndim == 3
        if self.per_column and any(design.ndim != 2 for design in self.designs):
            raise DataError("a list of designs has an array (n, p) for each column of the data.")
        if len({len(design) for design in self.designs}) != 1:
            lengths = [len(design) for design in self.designs]
            raise DataError(f"all designs must have as many rows; got {lengths}.")
        self.names = self._names(parts, names)

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.designs[0])

    @property
    def size(self) -> int:
        """Coefficients of one column, of all columns of a list, or of the whole."""
        return sum(design.shape[-1] for design in self.designs)

    def take(self, rows: Any) -> Linear:
        """The designs of some rows."""
        parts = [design[rows] for design in self.designs]
        return Linear(parts if self.per_column else parts[0], self._given(self.names))

    def require_shape(self, n: int, d: int) -> None:
        """Refuse designs that are not for n rows of d columns."""
        if self.n != n:
            raise DataError(f"the design has {self.n} rows, the data have {n}; one for each.")
        columns = self.designs[0].shape[1] if self.general else len(self.designs)
        if (self.general or self.per_column) and columns != d:
            raise DataError(f"the design is for {columns} columns, the data have {d}.")

    def joint(self) -> Array:
        """All designs side by side (n, P)."""
        if self.general:
            return self.designs[0].reshape(self.n, -1)
        return np.hstack(self.designs)

    def with_joint(self, joint: Array) -> Linear:
        """Such designs of other rows, side by side (n, P)."""
        if self.general:
            d, q = self.designs[0].shape[1:]
            return Linear(joint.reshape(-1, d, q), self.names[0])
        ends = np.cumsum([design.shape[1] for design in self.designs])[:-1]
        parts = np.split(joint, ends, axis=1)
        return Linear(parts if self.per_column else parts[0], self._given(self.names))

    def structure(self, basis: Array, d: int) -> FreeMean | LinearMean:
        """M(β) with μᵢ = Mζᵢ, for a joint design that is ζR, R (P, p) the basis.

        β are coefficients of orthonormal designs, near independent of one another.
        """
        if not (self.general or self.per_column):
            return FreeMean(len(basis))
        rows = []
        for j, columns in enumerate(self._columns(d)):
            G = basis[:, columns].T
            basis_j = np.linalg.qr(G.T)[0].T if self.per_column else self._scaled(basis, d) @ G
            rows.append(Row(self._places(d)[j], basis_j))
        return LinearMean(tuple(rows), self.size)

    def coefficients(self, M: Array, basis: Array) -> Coefficients:
        """B, βⱼ or β from M (d, P): the solution of Mζ = μ in the designs as they were given."""
        d = len(M)
        if self.general:
            return _solved(np.vstack([basis[:, c] for c in self._columns(d)]), M.ravel())
        if self.per_column:
            return [_solved(basis[:, c], M[j]) for j, c in enumerate(self._columns(d))]
        return _solved(basis, M.T)

    def of_coefficients(self, basis: Array, d: int) -> LinearMean:
        """M as a function of the coefficients in the designs as they were given: ``coefficients``
        turned round.
        """
        if self.general or self.per_column:
            columns, places = self._columns(d), self._places(d)
        else:  # B (p, d), row by row
            columns = [np.arange(self.size)] * d
            places = [np.arange(self.size) * d + j for j in range(d)]
        rows = tuple(Row(i, basis[:, c].T) for i, c in zip(places, columns, strict=True))
        return LinearMean(rows, self.size if self.general or self.per_column else self.size * d)

    def designs_of(self, basis: Array, d: int) -> list[Array]:
        """R of each separate regression, in which it must have full rank."""
        if self.general:
            return [np.vstack([basis[:, c] for c in self._columns(d)])]
        return [basis[:, c] for c in self._columns(d)] if self.per_column else [basis]

    def _columns(self, d: int) -> list[Index]:
        """Which columns of the joint design belong to each column of the data."""
        if self.general:
            q = self.size
            return [np.arange(j * q, (j + 1) * q) for j in range(d)]
        return self._places(d)

    def _places(self, d: int) -> list[Index]:
        """Which coefficients belong to each column of the data."""
        if self.general:
            return [np.arange(self.size)] * d
        ends = np.cumsum([design.shape[1] for design in self.designs])
        return [np.arange(end - D.shape[1], end) for end, D in zip(ends, self.designs, strict=True)]

    def _scaled(self, basis: Array, d: int) -> Array:
        """T with β = Tᵀβ̃, in which the columns' designs together are orthonormal."""
        stacked = np.vstack([basis[:, c] for c in self._columns(d)])
        return np.linalg.inv(np.linalg.qr(stacked, mode="r")).T

    def _names(self, parts: Sequence[Any], names: Any) -> tuple[tuple[str, ...], ...]:
        given = [None] * len(parts) if names is None else names if self.per_column else [names]
        if not isinstance(given, list | tuple) or len(given) != len(parts):
            raise DataError(f"names for {len(parts)} designs must be a list of {len(parts)} lists.")
        return tuple(
            _named(part, design, own)
            for part, design, own in zip(parts, self.designs, given, strict=True)
        )

    def _given(self, names: tuple[tuple[str, ...], ...]) -> Any:
        return names if self.per_column else names[0]

    def __repr__(self) -> str:
        shapes = [design.shape for design in self.designs]
        return f"Linear({shapes if self.per_column else shapes[0]})"


def linear_like(Z: Any, coefficients: Any, d: int, names: Sequence[tuple[str, ...]] = ()) -> Linear:
    """Z as designs of the kind that the coefficients are for; of a dataframe by their names."""
    if coefficients is None:
        raise DataError("this fit has one mean for all rows, fit.mean; it has no design.")
    if len(names) == 1 and not isinstance(Z, Linear):
        Z = _by_name(Z, names[0])
    linear = Z if isinstance(Z, Linear) else Linear(Z)
    per_column = isinstance(coefficients, list)
    sizes = [len(beta) for beta in coefficients] if per_column else [len(coefficients)]
    general = not per_column and coefficients.ndim == 1
    found = [design.shape[-1] for design in linear.designs]
    if (linear.per_column, linear.general, found) != (per_column, general, sizes):
        kind = f"(n, {d}, {sizes[0]})" if general else f"(n, {sizes[0]})"
        wanted = f"a list of {d} designs with {sizes} columns" if per_column else f"one {kind}"
        raise DataError(f"the coefficients are for {wanted}; got {linear!r}.")
    linear.require_shape(linear.n, d)
    return linear


def _by_name(Z: Any, names: tuple[str, ...]) -> Any:
    """The columns of a dataframe that coefficients are of; whatever else as it is."""
    own = getattr(Z, "columns", None)
    if own is None or names == tuple(f"z{k + 1}" for k in range(len(names))):
        return Z
    labels = {str(label): label for label in own}
    lost = [name for name in names if name not in labels]
    if lost:
        raise DataError(
            f"the design has no column {listed(lost)}; the coefficients are of {listed(names)}. "
            "Give the design itself, an intercept and categories in columns of their own, under "
            "these names or as an array."
        )
    return Z[[labels[name] for name in names]]


def predicted(linear: Linear, coefficients: Any) -> Array:
    """μᵢ of each row (n, d)."""
    if linear.general:
        return np.asarray(linear.designs[0] @ coefficients)
    if linear.per_column:
        pairs = zip(linear.designs, coefficients, strict=True)
        return np.column_stack([Z @ beta for Z, beta in pairs])
    return np.asarray(linear.designs[0] @ coefficients)


def _as_design(Z: Any, k: int) -> Array:
    if isinstance(Z, list | tuple) and all(isinstance(z, np.ndarray) and z.ndim == 1 for z in Z):
        raise DataError(
            "a list of vectors is no design: np.column_stack(…) makes columns of one of them."
        )
    design = as_floats(Z, f"design {k}" if k else "the design").copy()
    if design.ndim not in (2, 3) or 0 in design.shape:
        raise DataError(
            f"a design is (n, p), a list of those, or (n, d, q), none of them 0; got shape "
            f"{design.shape}. One column of numbers: Z.reshape(-1, 1)."
        )
    if not np.isfinite(design).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(design))[0])
        raise DataError(
            f"a design must be finite; got {design[index]} at index {index}. Only responses may be "
            "missing: leave such rows out, or impute the design."
        )
    return design


def _named(Z: Any, design: Array, names: Any) -> tuple[str, ...]:
    width = design.shape[-1]
    if names is None:
        own = getattr(Z, "columns", None)
        names = [f"z{k + 1}" for k in range(width)] if own is None else list(own)
    if len(names) != width:
        raise DataError(f"{len(names)} names were given for {width} coefficients.")
    return tuple(map(str, names))


def _solved(A: Array, b: Array) -> Array:
    """The least-squares solution of Aβ = b, whatever the units of A's columns; A has full rank."""
    sizes = np.linalg.norm(A, axis=0)
    Q, R = np.linalg.qr(A / sizes)
    return np.asarray((solve_triangular(R, Q.T @ b).T / sizes).T)
