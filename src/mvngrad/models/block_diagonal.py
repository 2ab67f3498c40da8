"""Groups of columns that are independent of each other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar, Self, final

import numpy as np
from scipy.linalg import block_diag

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import DenseCovariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.composite import Composite, require_structures, score_through
from mvngrad.models.structure import Structure


@final
class BlockDiagonal(Composite):
    """S = diag(S₁, S₂, …): the first columns have S₁, the next S₂, and so on.

    push = diag(push₁, push₂, …)        pull(G) = (pull₁(G₁₁), pull₂(G₂₂), …)

    Parameters
    ----------
    *blocks : Structure          all but one of them ``.sized(d)``, or such as know how
                                 many columns they are for; the last size follows

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.BlockDiagonal(mg.Spherical().sized(1), mg.CompoundSymmetry()).sized(3)
    >>> family.cov(np.log([9.0, 7.0, 1.0]))
    array([[9., 0., 0.],
           [0., 4., 3.],
           [0., 3., 4.]])
    """

    closure: ClassVar[Equivariance] = "diagonal"

    def __init__(self, *blocks: Structure) -> None:
        require_structures("BlockDiagonal", *blocks)
        if not blocks:
            raise DataError("BlockDiagonal() of nothing: give the structures of the blocks.")
        self.parts = blocks

    @property
    def start_is_optimum(self) -> bool:  # type: ignore[override]
        """Where it is of every block: J is their sum."""
        return all(part.start_is_optimum for part in self.parts)

    @property
    def linear_precision(self) -> bool:  # type: ignore[override]
        """Likewise."""
        return all(part.linear_precision for part in self.parts)

    @property
    def own_columns(self) -> int | None:
        """Those of all blocks together, where all say."""
        told = [n for n in self._of_parts if n is not None]
        return self.d or (sum(told) if len(told) == len(self.parts) else None)

    def sized(self, d: int) -> Self:
        """This structure for d columns in all."""
        sizes = self._sizes(d)
        return self.with_parts([p.sized(s) for p, s in zip(self.parts, sizes, strict=True)], d)

    def _sizes(self, d: int) -> list[int]:
        told = self._of_parts
        left = d - sum(size for size in told if size is not None)
        if told.count(None) > 1 or (left < 1 if None in told else left):
            sizes = ", ".join("?" if size is None else str(size) for size in told)
            raise DataError(
                f"blocks of {sizes} columns cannot make {d}. Say how many columns each block but "
                "one has, for example BlockDiagonal(mg.Cholesky().sized(2), mg.Diagonal())."
            )
        return [left if size is None else size for size in told]

    def factor(self, theta: Array) -> Array:
        """diag(Λ₁, Λ₂, …)."""
        each = zip(self.parts, self.split(theta), strict=True)
        return np.asarray(block_diag(*(part.factor(t) for part, t in each)))

    def cov(self, theta: Array) -> Array:
        """diag(S₁, S₂, …)."""
        each = zip(self.parts, self.split(theta), strict=True)
        return np.asarray(block_diag(*(part.cov(t) for part, t in each)))

    def operator(self, theta: Array) -> DenseCovariance:
        """The roots of the blocks."""
        each = zip(self.parts, self.split(theta), strict=True)
        return DenseCovariance(block_diag(*(p.operator(t).root(p.columns) for p, t in each)))

    def push(self, theta: Array, v: Array) -> Array:
        """diag(push₁, push₂, …)."""
        each = zip(self.parts, self.split(theta), self.split(v), strict=True)
        return np.asarray(block_diag(*(part.push(t, u) for part, t, u in each)))

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """Those of the blocks."""
        each = zip(self.parts, self.split(theta), self.split(v), strict=True)
        A, B = zip(*(part.push_halves(t, u) for part, t, u in each), strict=True)
        return np.asarray(block_diag(*A)), np.asarray(block_diag(*B))

    def pull(self, theta: Array, score: Score) -> Array:
        """(pull₁(G₁₁), pull₂(G₂₂), …)."""
        each = zip(self.parts, self.split(theta), self._seen(theta, score), strict=True)
        return np.concatenate([part.pull(t, G) for part, t, G in each])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """Block by block."""
        scores = self._seen(theta, score)
        each = zip(self.parts, self.split(theta), scores, self.split(v), strict=True)
        return np.concatenate([part.pull_tangent(t, G, u) for part, t, G, u in each])

    def start(self, S: Array) -> Array:
        """Each block at its part of S."""
        return self._started(lambda part, own: part.start(S[own, own]))

    def start_at(self, factor: Array) -> Array:
        """Each block at its rows of Λ."""
        return self._started(lambda part, own: part.start(factor[own] @ factor[own].T))

    def rescale(self, theta: Array, T: Array) -> Array:
        """Each block in its own units."""
        each = zip(self.parts, self.split(theta), self._places(), strict=True)
        return np.concatenate([part.rescale(t, T[own]) for part, t, own in each])

    def describe(self) -> dict[str, Any]:
        """The blocks."""
        return {"blocks": list(self.parts)}

    @classmethod
    def of_description(cls, **arguments: Any) -> Self:
        """Of these blocks."""
        return cls(*arguments["blocks"])

    def _places(self) -> list[slice]:
        ends = np.cumsum([0, *(part.columns for part in self.parts)])
        return [slice(start, end) for start, end in pairwise(ends.tolist())]

    def _started(self, start: Callable[[Structure, slice], Array]) -> Array:
        each = zip(self.parts, self._places(), strict=True)
        return np.concatenate([start(part, own) for part, own in each])

    def _seen(self, theta: Array, score: Score) -> list[Score]:
        """Gₖₖ of each block."""
        E = np.eye(self.columns)
        each = zip(self.parts, self.split(theta), self._places(), strict=True)
        return [score_through(score, E[:, own], part.operator(t)) for part, t, own in each]
