"""Factor analysis with Λ at its best for each ψ: J as a function of ψ alone.

With M = A/n and Ψ^-½MΨ^-½ = ΩEΩᵀ, E decreasing, the best Λ (d, k) for ψ is

    Λ̂(ψ) = Ψ^½Ω_k(E_k − I)₊^½                          (Jöreskog 1967, eq. 18)

and ∂J/∂ψ = diag G at (Λ̂(ψ), ψ), the formula's own score: the envelope theorem. In x = log ψ, with
the sums over r ≤ k < m, e the eigenvalues and A = Ω_> E_> Ω_>ᵀ, B = Ω_>Ω_>ᵀ, the curvature is

    ∂²J/∂x_i∂x_j = ½n [ A_ijB_ij + Σ (1 − e_m)(e_r + e_m)/(e_r − e_m) ω_imω_jmω_irω_jr ]

(Clarke 1970), and its expectation ½n B∘B. Where ψ_j is 0, x_j itself is a factor: the rows Z with
ψ = 0 have Λ_ZΛ_Zᵀ = M_ZZ, and the others, given x_Z, are a factor model with k − |Z| columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mvngrad.core.frame import AffineFrame
from mvngrad.core.likelihood import Score, evaluate
from mvngrad.core.low_rank import LowRankCovariance
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, partial_cholesky
from mvngrad.models.spectrum import EXACT, Spectrum, spectrum_of

LONGEST = 3.0  # step of a log ψ
LOW = 0.03  # ψ_j/M_jj below which ψ_j = 0 is tried, if J falls towards it
FLOOR = 1e-12  # of M_jj: no ψ_j goes below it but to 0
RELEASED = 0.05  # ψ_j/M_jj with which a row leaves the edge
SUFFICIENT, HALVINGS = 1e-4, 40
ROUNDING, MOST_ROUNDING = 1e-15, 1e-9
ENOUGH = 100
NEARER = 1e-3  # of the slope, at which an M-step ends: what it is a maximum of moves with it

Evaluate = Callable[[Array, Array], tuple[float, Score]]


class State(NamedTuple):
    """ψ, Λ̂(ψ), J/n there, and ∂J/∂ψ/n."""

    psi: Array
    Lambda: Array
    value: float
    slope: Array
    spectrum: Spectrum


def first_noise(M: Array, k: int) -> Array:
    """ψ_j = (1 − k/2d)/(M⁻¹)_jj, what a column does not share, reduced (Jöreskog 1967, eq. 26).

    Of a singular M the shares come from M with a tenth of its diagonal added. Of many columns they
    are what k principal components leave.
    """
    scales = np.sqrt(np.diagonal(M))
    if len(M) > EXACT and k:
        return np.asarray(scales**2 * np.clip(_beyond_components(M, scales, k), 1e-3, 1.0))
    R = M / np.multiply.outer(scales, scales)
    _, pivots = partial_cholesky(R.copy())
    ridge = 0.1 if pivots.min() < 1e-6 else 0.0
    shares = 1.0 / np.diagonal(np.linalg.inv(R + ridge * np.eye(len(R))))
    share = (1.0 - 0.5 * min(k, len(M) - 1) / len(M)) if k else 1.0
    return np.asarray(scales**2 * (np.clip(share * shares, 1e-3, 1.0) if k else 1.0))


def _beyond_components(M: Array, scales: Array, k: int) -> Array:
    """ψ_j/M_jj of the best Λ(d, k) beside noise that is one share of all variances."""
    left = spectrum_of(M, scales**2, k, whole=False)[1]
    values, V = left.values[:k], left.vectors[:, :k]
    share = (len(M) - values.sum()) / (len(M) - k)
    return np.asarray(1.0 - (V**2) @ np.maximum(values - share, 0.0))


@dataclass(frozen=True, eq=False)
class Profile:
    """J/n of M as a function of ψ; ``evaluate(Λ, ψ)`` gives J/n and ∂J/∂S/n at a point."""

    M: Array
    k: int
    evaluate: Evaluate

    def at(self, psi: Array, near: Array | None = None) -> State:
        """The point above ψ; ``near`` (d, ·) are loadings for a ψ nearby, to begin from."""
        whole = len(psi) <= EXACT
        Lambda, spectrum = spectrum_of(self.M, psi, self.k, whole=whole, near=near)
        value, score = self.evaluate(Lambda, psi)
        return State(psi, Lambda, value, score.diagonal(), spectrum)

    def next(self, at: State) -> State | None:
        """A lower point; None if there is none that rounding lets be told, or no lowest one."""
        if np.count_nonzero(at.psi <= FLOOR * np.diagonal(self.M)) > self.k:
            return None
        return self.released(at) or self._stepped(at)

    def released(self, at: State) -> State | None:
        """A lower point inside, where J falls away from the edge."""
        out = (at.psi == 0.0) & (at.slope < 0.0)
        share = RELEASED
        while out.any() and share > FLOOR:
            after = self.at(np.where(out, share * np.diagonal(self.M), at.psi), at.Lambda)
            if after.value < at.value:
                return after
            share *= 0.1
        return None

    def _stepped(self, at: State) -> State | None:
        step, gain = self._step(at)
        there = self._moved(at, step, 1.0)
        on_edge = self._on_edge(at, there)
        if on_edge is not None:
            return on_edge
        length, rounding = 1.0, self._rounding(at)
        for _ in range(HALVINGS):
            after = self.at(there, at.Lambda)
            if after.value <= at.value - SUFFICIENT * length * gain + rounding:
                seen = after.value < at.value - rounding
                return after if seen or self.steepness(after) < 0.8 * self.steepness(at) else None
            length *= 0.5
            there = self._moved(at, step, length)
        return None

    @staticmethod
    def _rounding(at: State) -> float:
        """By how much J/n may seem to rise: ε times the largest terms that cancel."""
        largest = float(at.spectrum.values.max(initial=1.0))
        return min(ROUNDING * (1.0 + abs(at.value) + largest), MOST_ROUNDING)

    def steepness(self, at: State) -> float:
        """The largest slope in log ψ."""
        return float(np.abs(self._slopes(at)).max(initial=0.0))

    def _slopes(self, at: State) -> Array:
        """∂J/∂x/n of the rows with noise."""
        rows = at.spectrum.rows
        return at.psi[rows] * at.slope[rows]

    def _step(self, at: State) -> tuple[Array, float]:
        """−H⁻¹∇ in x, and by how much J falls along it to first order."""
        g = self._slopes(at)
        if len(self.M) <= EXACT:
            step = -_solved(at.spectrum.curvature(), g)
        else:
            step = -2.0 * at.spectrum.information.solve(g)
        step *= LONGEST / max(LONGEST, float(np.abs(step).max(initial=0.0)))
        return step, -float(g @ step)

    def _moved(self, at: State, step: Array, length: float) -> Array:
        psi, rows = at.psi.copy(), at.spectrum.rows
        moved = psi[rows] * np.exp(length * step)
        psi[rows] = np.maximum(moved, FLOOR * np.diagonal(self.M)[rows])
        return psi

    def _on_edge(self, at: State, there: Array) -> State | None:
        """The point with ψ_j = 0 where a step goes there, if it is lower and J rises from it."""
        low = (there > 0.0) & (there < LOW * np.diagonal(self.M)) & (there < 0.7 * at.psi)
        low &= at.slope > 0.0
        room = self.k - int(np.count_nonzero(at.psi == 0.0))
        if not (low.any() and room > 0):
            return None
        chosen = np.flatnonzero(low)[np.argsort((there / np.diagonal(self.M))[low])[:room]]
        psi = there.copy()
        psi[chosen] = 0.0
        try:
            after = self.at(psi)
        except np.linalg.LinAlgError:
            return None
        edge = after.psi == 0.0
        return after if after.value < at.value and (after.slope[edge] >= 0.0).all() else None


def _solved(H: Array, g: Array) -> Array:
    """|H|⁻¹g, H's small eigenvalues lifted: a direction in which J falls."""
    try:
        factor = cho_factor(H)
        if np.diagonal(factor[0]).min(initial=1.0) > 1e-4 * np.diagonal(factor[0]).max(initial=1.0):
            return np.asarray(cho_solve(factor, g))
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(H)
    if not values.any():
        return np.zeros_like(g)
    sizes = np.maximum(np.abs(values), 1e-6 * np.abs(values).max())
    return np.asarray(vectors @ ((vectors.T @ g) / sizes))


def evaluator(M: Array) -> Evaluate:
    """J/n and ∂J/∂S/n of complete data with covariance M, by the formula."""
    d = len(M)
    data = Moments(1.0, 1, np.zeros(d), M, AffineFrame.identity(d))

    def at(Lambda: Array, psi: Array) -> tuple[float, Score]:
        e = evaluate(data, data.center, LowRankCovariance.of(Lambda, psi))
        return e.nll, e.score

    return at


def solution(M: Array, k: int, psi: Array | None = None, share: float = 0.0) -> tuple[Array, Array]:
    """(Λ, ψ) at a local maximum of the likelihood for complete data with covariance M.

    ``psi`` is where to begin. Iterations end where rounding hides anything better, or the slope is
    a ``share`` of that at the beginning.
    """
    if k == 0:
        return np.zeros((len(M), 0)), np.diagonal(M).copy()
    scales = np.sqrt(np.diagonal(M))
    R = M / np.multiply.outer(scales, scales)
    profile = Profile(R, k, evaluator(R))
    at = profile.at(first_noise(R, k) if psi is None else _usable(psi / scales**2, k))
    goal = share * profile.steepness(at)
    for _ in range(ENOUGH):
        after = profile.next(at)
        if after is None:
            break
        at = after
        if profile.steepness(at) <= goal:
            break
    return scales[:, None] * at.Lambda, scales**2 * at.psi


def _usable(psi: Array, k: int) -> Array:
    """ψ with its zeros, if they are not too many, and nothing else below the floor."""
    zero = (psi == 0.0) if np.count_nonzero(psi == 0.0) <= k else np.zeros(len(psi), dtype=bool)
    return np.where(zero, 0.0, np.maximum(psi, FLOOR))
