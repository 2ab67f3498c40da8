"""Sums and multiples of structures: a + b and c·a."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.likelihood import Score
from mvngrad.core.ops import Array
from mvngrad.errors import DataError
from mvngrad.models.composite import Composite, require_structures
from mvngrad.models.known import Known
from mvngrad.models.structure import Structure


@final
class Sum(Composite):
    """S = S₁ + S₂ + …: independent parts of what varies. Written ``a + b``.

    Λ = [Λ₁ Λ₂ …], so that S is never formed: its root is the QR of the joined roots.
    push = Σ pushₖ        pull(G) = (pull₁(G), pull₂(G), …)

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = (mg.RandomEffects([[1.0], [1.0]]) + mg.Spherical()).sized(2)
    >>> family.cov(np.array([2.0, np.log(3.0)]))            # D = 2², σ² = 3
    array([[7., 4.],
           [4., 7.]])
    """

    def __init__(self, *parts: Structure) -> None:
        require_structures("Sum", *parts)
        if not parts:
            raise DataError("Sum() of nothing: give structures, or write a + b.")
        flat = [part.parts if isinstance(part, Sum) else (part,) for part in parts]
        self.parts = tuple(part for some in flat for part in some)

    def factor(self, theta: Array) -> Array:
        """[Λ₁ Λ₂ …]."""
        return np.hstack([p.factor(t) for p, t in zip(self.parts, self.split(theta), strict=True)])

    def push(self, theta: Array, v: Array) -> Array:
        """Σ pushₖ."""
        each = zip(self.parts, self.split(theta), self.split(v), strict=True)
        return np.sum([part.push(t, u) for part, t, u in each], axis=0)

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """Those of all parts, side by side."""
        each = zip(self.parts, self.split(theta), self.split(v), strict=True)
        A, B = zip(*(part.push_halves(t, u) for part, t, u in each), strict=True)
        return np.hstack(A), np.hstack(B)

    def pull(self, theta: Array, score: Score) -> Array:
        """(pull₁, pull₂, …)."""
        each = zip(self.parts, self.split(theta), strict=True)
        return np.concatenate([part.pull(t, score) for part, t in each])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """Part by part."""
        each = zip(self.parts, self.split(theta), self.split(v), strict=True)
        return np.concatenate([part.pull_tangent(t, score, u) for part, t, u in each])

    def start(self, S: Array) -> Array:
        """A share of S to each; of those of one type the later ones less, and less correlated.

        Equal parts would stay equal for ever: along that symmetry J has no slope.
        """
        kinds = [type(part) for part in self.parts]
        before = np.array([kinds[:i].count(kind) for i, kind in enumerate(kinds)])
        weights = 1.0 / (1.0 + before)
        diagonal = np.diag(np.diagonal(S))
        tilts = [t * S + (1.0 - t) * diagonal for t in weights]
        shares = [w * tilted for w, tilted in zip(weights / weights.sum(), tilts, strict=True)]
        return np.concatenate([p.start(share) for p, share in zip(self.parts, shares, strict=True)])

    def rescale(self, theta: Array, T: Array) -> Array:
        """Part by part."""
        each = zip(self.parts, self.split(theta), strict=True)
        return np.concatenate([part.rescale(t, T) for part, t in each])

    def describe(self) -> dict[str, Any]:
        """The parts."""
        return {"parts": list(self.parts)}

    @classmethod
    def of_description(cls, **arguments: Any) -> Self:
        """A sum of these parts."""
        return cls(*arguments["parts"])


@final
class Scaled(Composite):
    """S = c·S₁, c known; or with ``by`` left out, S = exp(θ₀)·S₁, its scale to be estimated.

    push = c·push₁        pull(G) = c·pull₁(G)        and of the scale, ⟨G, S⟩

    ``2 * mg.AR1()`` is ``Scaled(AR1(), 2)``; ``Scaled(Known(S0))`` is σ²S₀, in closed form.

    Parameters
    ----------
    part : Structure
    by : float                   c > 0; None to estimate it

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> mg.Scaled(mg.Known(np.eye(2))).sized(2).cov(np.log([3.0]))
    array([[3., 0.],
           [0., 3.]])
    """

    def __init__(self, part: Structure, by: float | None = None) -> None:
        require_structures("Scaled", part)
        if by is not None and not _is_positive(by):
            raise DataError(
                f"a structure can be scaled by a positive number; got {by!r:.60}. Leave it out "
                "for a scale to be estimated."
            )
        self.parts, self.by = (part,), None if by is None else float(by)

    @property
    def part(self) -> Structure:
        """S₁."""
        return self.parts[0]

    @property
    def _free(self) -> int:
        """How many scales are estimated."""
        return int(self.by is None)

    @property
    def rescales(self) -> bool:
        """A scale that is estimated takes up any change of unit."""
        return bool(self._free) or self.part.rescales

    @property
    def equivariance(self) -> Equivariance:  # type: ignore[override]
        """That of the part, if it can follow."""
        return self.part.equivariance if self.part.rescales else "scalar"

    @property
    def start_is_optimum(self) -> bool:  # type: ignore[override]
        """Where that of the part is, or only the scale is estimated."""
        return isinstance(self.part, Known) or (not self._free and self.part.start_is_optimum)

    @property
    def linear_precision(self) -> bool:  # type: ignore[override]
        """Likewise."""
        return isinstance(self.part, Known) or (not self._free and self.part.linear_precision)

    @property
    def size(self) -> int:
        """One more than the part if the scale is estimated."""
        return self._free + self.part.size

    def factor(self, theta: Array) -> Array:
        """√c·Λ₁."""
        return np.sqrt(self._scale(theta)) * self.part.factor(theta[self._free :])

    def cov(self, theta: Array) -> Array:
        """c·S₁."""
        return self._scale(theta) * self.part.cov(theta[self._free :])

    def push(self, theta: Array, v: Array) -> Array:
        """c·push₁, and v₀S."""
        c, k = self._scale(theta), self._free
        moved = c * self.part.push(theta[k:], v[k:])
        return moved + v[0] * self.cov(theta) if k else moved

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """(cA₁, B₁), and of the scale (½v₀Λ, Λ)."""
        k = self._free
        A, B = self.part.push_halves(theta[k:], v[k:])
        A = self._scale(theta) * A
        if not k:
            return A, B
        Lambda = self.factor(theta)
        return np.hstack([A, 0.5 * v[0] * Lambda]), np.hstack([B, Lambda])

    def pull(self, theta: Array, score: Score) -> Array:
        """⟨G, S⟩ of the scale, and c·pull₁."""
        of_part = self._scale(theta) * self.part.pull(theta[self._free :], score)
        return np.concatenate([self._of_scale(self.factor(theta), score), of_part])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """⟨G, Ṡ⟩ of the scale, and c·(pull_tangent₁ + v₀pull₁)."""
        c, k = self._scale(theta), self._free
        change = self.part.pull_tangent(theta[k:], score, v[k:])
        if not k:
            return c * change
        own = self.part.pull(theta[k:], score)
        of_scale = v @ np.concatenate([self._of_scale(self.factor(theta), score), c * own])
        return np.concatenate([[of_scale], c * (change + v[0] * own)])

    def start(self, S: Array) -> Array:
        """The part at S/c; with a free scale the part at S, and the best scale for it."""
        if self.by is not None:
            return self.part.start(S / self.by)
        of_part = self.part.start(S)
        W = self.part.operator(of_part)
        ratio = np.trace(W.whiten(W.whiten(S).T)) / len(S)
        return np.concatenate([[np.log(ratio)], of_part])

    def rescale(self, theta: Array, T: Array) -> Array:
        """The part's own where it has one, else the scale's."""
        k = self._free
        if self.part.rescales:
            return np.concatenate([theta[:k], self.part.rescale(theta[k:], T)])
        return np.concatenate([theta[:1] + 2.0 * np.log(T[0]), theta[1:]])

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"part": self.part, "by": self.by}

    def _scale(self, theta: Array) -> float:
        return float(np.exp(theta[0])) if self.by is None else self.by

    def _of_scale(self, Lambda: Array, score: Score) -> Array:
        """⟨G, ΛΛᵀ⟩, if it is asked for."""
        return np.array([np.vdot(Lambda, score @ Lambda)]) if self._free else np.zeros(0)


def _is_positive(by: Any) -> bool:
    real = isinstance(by, int | float | np.integer | np.floating) and not isinstance(by, bool)
    return real and bool(np.isfinite(by) and by > 0.0)
