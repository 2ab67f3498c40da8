"""A structure made of others: θ is their θ, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.rank import generic_rank
from mvngrad.models.structure import Structure

FREEDOM: tuple[Equivariance, ...] = ("scalar", "diagonal", "affine")


class Composite(Structure):
    """Parts, and what follows from them whatever is made of them.

    Attributes
    ----------
    closure : "affine" | "diagonal" | "scalar"
        The most freedom of units the composition itself leaves to its parts.
    """

    closure: ClassVar[Equivariance] = "affine"
    parts: tuple[Structure, ...]

    @property
    def equivariance(self) -> Equivariance:  # type: ignore[override]
        """The least of its parts, and of the composition."""
        return least([self.closure, *(part.equivariance for part in self.parts)])

    @property
    def rescales(self) -> bool:
        """Whether all parts say how they change with the units."""
        return all(part.rescales for part in self.parts)

    @property
    def regular(self) -> bool:  # type: ignore[override]
        """Whether all parts are."""
        return all(part.regular for part in self.parts)

    @property
    def size(self) -> int:
        """That of all parts."""
        return sum(part.size for part in self.parts)

    @cached_property
    def n_params(self) -> int:
        """Generic rank of push: what parts share is counted once."""
        return generic_rank(self)

    @property
    def own_columns(self) -> int | None:
        """That of any part that says."""
        return self.d or next((n for n in self._of_parts if n is not None), None)

    @property
    def _of_parts(self) -> list[int | None]:
        return [part.own_columns for part in self.parts]

    def split(self, theta: Array) -> list[Array]:
        """θ of each part."""
        return np.split(theta, np.cumsum([part.size for part in self.parts])[:-1])

    def with_parts(self, parts: Sequence[Structure], d: int) -> Self:
        """The same of these parts, for d columns."""
        sized = super().sized(d)
        sized.parts = tuple(parts)
        sized.__dict__.pop("n_params", None)
        return sized

    def sized(self, d: int) -> Self:
        """This structure, and its parts, for d columns."""
        return self.with_parts([part.sized(d) for part in self.parts], d)


def score_through(score: Score, B: Array, D: Covariance) -> Score:
    """BᵀGB, the cotangent of D where S = BDBᵀ + …, with the root F of D: its core is FᵀBᵀGBF.

    So a part sees its cotangent whitened by its own root, and loses √cond(D) and not cond(D).
    """
    root = B @ D.root(B.shape[1])
    core = root.T @ (score @ root)
    return Score(0.5 * (core + core.T), D)


def least(kinds: Iterable[Equivariance]) -> Equivariance:
    """The least freedom of units among these."""
    return min(kinds, key=FREEDOM.index)


def require_structures(name: str, *parts: Any) -> None:
    """Refuse parts that are no structures."""
    for part in parts:
        if not isinstance(part, Structure):
            raise DataError(
                f"{name} is made of structures such as mvngrad.Cholesky(); got {part!r:.80}."
            )
