"""Columns that are pairs: S = S_a ⊗ S_b, as of occasions × variables."""

from __future__ import annotations

from typing import Any, ClassVar, Self, final

import numpy as np

from mvngrad.core.frame import Equivariance
from mvngrad.core.kronecker import KroneckerCovariance
from mvngrad.core.likelihood import Score
from mvngrad.core.operators import Covariance
from mvngrad.core.ops import Array, cholesky, solve_lower
from mvngrad.errors import DataError
from mvngrad.models.composite import Composite, require_structures
from mvngrad.models.structure import Structure

FLIPS = 3  # of the flip-flop algorithm, that a start takes

# With L = L_a ⊗ L_b and M = LᵀGL as M[i_a i_b, j_a j_b]:
#
#     ⟨G, V ⊗ S_b⟩ = ⟨M, L_a⁻¹VL_a⁻ᵀ ⊗ I⟩         the cotangent of S_a: core Σ_b M[·b, ·b], root L_a
#     ⟨G, V ⊗ Ṡ_b⟩ = ⟨M, L_a⁻¹VL_a⁻ᵀ ⊗ E_b⟩       its change along v: core Σ M[·b, ·b′]E_b[b, b′]


@final
class Kronecker(Composite):
    """S = S_a ⊗ S_b; column j of the data is the pair i_a·d_b + i_b.

    push = Ṡ_a ⊗ S_b + S_a ⊗ Ṡ_b        pull = (pull_a, pull_b) of G traced over the other

    A scale may move from one part to the other, so ``n_params`` is one less than those of the
    parts. (Dutilleul 1999)

    Parameters
    ----------
    a, b : Structure             one of them ``.sized(d)`` at least, or such as knows how many
                                 columns it is for; the other's size follows

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> family = mg.Kronecker(mg.Diagonal().sized(2), mg.AR1()).sized(4)
    >>> theta = np.array([0.0, np.log(2.0), np.log(4.0), np.arctanh(0.5)])
    >>> family.cov(theta)
    array([[4., 2., 0., 0.],
           [2., 4., 0., 0.],
           [0., 0., 8., 4.],
           [0., 0., 4., 8.]])
    """

    closure: ClassVar[Equivariance] = "scalar"

    def __init__(self, a: Structure, b: Structure) -> None:
        require_structures("Kronecker", a, b)
        self.parts = (a, b)

    @property
    def own_columns(self) -> int | None:
        """d_a·d_b, where both say."""
        d_a, d_b = self._of_parts
        return self.d or (d_a * d_b if d_a and d_b else None)

    def sized(self, d: int) -> Self:
        """This structure for d = d_a·d_b columns."""
        a, b = self.parts
        (d_a, d_b), told = self._of_parts, [n or "unknown" for n in self._of_parts]
        if d_a is None and d_b is None:
            raise DataError(
                f"Kronecker(a, b) for {d} columns: how many are a's? Say it of one of them, for "
                "example Kronecker(mg.AR1().sized(4), mg.Cholesky())."
            )
        d_a, d_b = d_a or d // (d_b or 1), d_b or d // (d_a or 1)
        if d_a * d_b != d:
            raise DataError(
                f"Kronecker(a, b) with {told[0]} and {told[1]} columns cannot "
                f"make {d}: they multiply."
            )
        return self.with_parts([a.sized(d_a), b.sized(d_b)], d)

    def factor(self, theta: Array) -> Array:
        """Λ_a ⊗ Λ_b."""
        (a, b), (of_a, of_b) = self.parts, self.split(theta)
        return np.asarray(np.kron(a.factor(of_a), b.factor(of_b)), dtype=np.float64)

    def operator(self, theta: Array) -> KroneckerCovariance:
        """Whitening by the two small roots."""
        (a, b), (of_a, of_b) = self.parts, self.split(theta)
        return KroneckerCovariance(a.operator(of_a), b.operator(of_b), (a.columns, b.columns))

    def push(self, theta: Array, v: Array) -> Array:
        """Ṡ_a ⊗ S_b + S_a ⊗ Ṡ_b."""
        (a, b), (of_a, of_b), (v_a, v_b) = self.parts, self.split(theta), self.split(v)
        moved = np.kron(a.push(of_a, v_a), b.cov(of_b))
        return moved + np.kron(a.cov(of_a), b.push(of_b, v_b))

    def push_halves(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """(A_a ⊗ Λ_b, B_a ⊗ Λ_b) beside (Λ_a ⊗ A_b, Λ_a ⊗ B_b)."""
        (a, b), (of_a, of_b), (v_a, v_b) = self.parts, self.split(theta), self.split(v)
        each = zip(a.push_halves(of_a, v_a), b.push_halves(of_b, v_b), strict=True)
        F_a, F_b = a.factor(of_a), b.factor(of_b)
        A, B = (np.hstack([np.kron(X_a, F_b), np.kron(F_a, X_b)]) for X_a, X_b in each)
        return A, B

    def whitened_push(self, theta: Array, v: Array, S: Covariance) -> Array:
        """E_a ⊗ I + I ⊗ E_b, where S is such a product too."""
        if not isinstance(S, KroneckerCovariance):
            return super().whitened_push(theta, v, S)
        (a, b), (of_a, of_b), (v_a, v_b) = self.parts, self.split(theta), self.split(v)
        F_a, F_b = S.a.whiten(a.factor(of_a)), S.b.whiten(b.factor(of_b))
        moved = np.kron(a.whitened_push(of_a, v_a, S.a), F_b @ F_b.T)
        return moved + np.kron(F_a @ F_a.T, b.whitened_push(of_b, v_b, S.b))

    def pull(self, theta: Array, score: Score) -> Array:
        """pull_a and pull_b of the traced G."""
        (a, b), (of_a, of_b) = self.parts, self.split(theta)
        S, M = self._seen(theta, score)
        of_first = a.pull(of_a, Score(_over_b(M, np.eye(b.columns)), S.a))
        of_second = b.pull(of_b, Score(_over_a(M, np.eye(a.columns)), S.b))
        return np.concatenate([of_first, of_second])

    def pull_tangent(self, theta: Array, score: Score, v: Array) -> Array:
        """Those of the parts, and their pulls of G traced against the other's tangent."""
        (a, b), (of_a, of_b), (v_a, v_b) = self.parts, self.split(theta), self.split(v)
        S, M = self._seen(theta, score)
        E_a = a.whitened_push(of_a, v_a, S.a)
        E_b = b.whitened_push(of_b, v_b, S.b)
        of_first = a.pull_tangent(of_a, Score(_over_b(M, np.eye(b.columns)), S.a), v_a)
        of_second = b.pull_tangent(of_b, Score(_over_a(M, np.eye(a.columns)), S.b), v_b)
        of_first = of_first + a.pull(of_a, Score(_over_b(M, E_b), S.a))
        of_second = of_second + b.pull(of_b, Score(_over_a(M, E_a), S.b))
        return np.concatenate([of_first, of_second])

    def start(self, S: Array) -> Array:
        """A few turns of the flip-flop algorithm: each part's start given the other."""
        a, b = self.parts
        blocks = S.reshape(a.columns, b.columns, a.columns, b.columns)
        of_b = b.start(_over_a(blocks, np.eye(a.columns)) / a.columns)
        for _ in range(FLIPS):
            of_a = a.start(_over_b(blocks, _inverse(b.cov(of_b))) / b.columns)
            of_b = b.start(_over_a(blocks, _inverse(a.cov(of_a))) / a.columns)
        return np.concatenate([of_a, of_b])

    def rescale(self, theta: Array, T: Array) -> Array:
        """The scale goes to the first part."""
        a, (of_a, of_b) = self.parts[0], self.split(theta)
        return np.concatenate([a.rescale(of_a, np.full(a.columns, T[0])), of_b])

    def describe(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"a": self.parts[0], "b": self.parts[1]}

    def _seen(self, theta: Array, score: Score) -> tuple[KroneckerCovariance, Array]:
        """S, and M = LᵀGL as (d_a, d_b, d_a, d_b)."""
        S = self.operator(theta)
        L = S.root(self.columns)
        M = L.T @ (score @ L)
        return S, (0.5 * (M + M.T)).reshape(*S.shape, *S.shape)


def _over_b(M: Array, E: Array) -> Array:
    """Σ M[·b, ·b′]E[b, b′]."""
    return np.einsum("ikjl,kl->ij", M, E)


def _over_a(M: Array, E: Array) -> Array:
    """Σ M[a·, a′·]E[a, a′]."""
    return np.einsum("ikjl,ij->kl", M, E)


def _inverse(S: Array) -> Array:
    W = solve_lower(cholesky(S), np.eye(len(S)))
    return W.T @ W
