"""A covariance that is known, and the part of one that random effects make."""

from __future__ import annotations

from typing import Any, ClassVar, Self, final

import numpy as np

from mvngrad.core.checks import as_floats
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array, cholesky
from mvngrad.errors import DataError, NotPositiveDefiniteError
from mvngrad.models.structure import Structure


@final
class Known(Structure):
    """S = S₀: nothing is estimated, θ is empty.

    In sums it is what is known beforehand, such as the covariance of measurement errors;
    ``Scaled(Known(S0))`` is σ²S₀.

    Parameters
    ----------
    S : (d, d) array             symmetric and positive definite

    Raises
    ------
    DataError, NotPositiveDefiniteError

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.Known([[4.0, 1.0], [1.0, 9.0]]).sized(2).cov(np.zeros(0))
    array([[4., 1.],
           [1., 9.]])
    """

    start_is_optimum: ClassVar[bool] = True

    def __init__(self, S: Any) -> None:
        given = np.atleast_2d(as_floats(S, "Known(S)"))
        if given.ndim != 2 or given.shape[0] != given.shape[1] or not np.isfinite(given).all():
            raise DataError(
                f"Known(S): S must be a finite (d, d) array; got shape {given.shape}"
                f"{'' if np.isfinite(given).all() else ' with values that are not finite'}."
            )
        if not np.allclose(given, given.T, rtol=1e-12, atol=0.0):
            i, j = np.unravel_index(int(np.abs(given - given.T).argmax()), given.shape)
            raise DataError(
                f"Known(S): S must be symmetric; got S[{i}, {j}] = {given[i, j]} and "
                f"S[{j}, {i}] = {given[j, i]}."
            )
        try:
            self._root = cholesky(given)
        except NotPositiveDefiniteError as error:
            raise NotPositiveDefiniteError(
                f"Known(S): S is not positive definite. {error}"
            ) from error
        self._S = given
        self._S.flags.writeable = False

    @property
    def size(self) -> int:
        """0."""
        return 0

    @property
    def own_columns(self) -> int | None:
        """Those of S₀."""
        return len(self._S)

    def sized(self, d: int) -> Self:
        """This structure for d columns."""
        if d != len(self._S):
            raise DataError(f"Known(S) is for {len(self._S)} columns; there are {d}.")
        return super().sized(d)

    def factor(self, theta: Array) -> Array:  # noqa: ARG002
        """The Cholesky factor of S₀."""
        return self._root

    def cov(self, theta: Array) -> Array:  # noqa: ARG002
        """S₀."""
        return self._S

    def operator(self, theta: Array) -> DenseCovariance:  # noqa: ARG002
        """By the Cholesky factor."""
        return DenseCovariance(self._root)

    def push(self, theta: Array, v: Array) -> Array:  # noqa: ARG002
        """0."""
        return np.zeros_like(self._S)

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:  # noqa: ARG002
        """Nothing."""
        return np.zeros((len(self._S), 0)), np.zeros((len(self._S), 0))

    def pull(self, theta: Array, score: Score) -> Array:  # noqa: ARG002
        """Nothing."""
        return np.zeros(0)

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:  # noqa: ARG002
        """Nothing."""
        return np.zeros(0)

    def start(self, S: Array) -> Array:  # noqa: ARG002
        """Nothing."""
        return np.zeros(0)

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"S": self._S}
