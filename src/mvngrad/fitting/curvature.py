"""Is it a summit? The smallest curvature of J in the metric of the information.

By Lanczos on products with the Hessian; from the matrix itself where that is small.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.linalg import LinAlgError
from scipy.linalg import eigh

from mvngrad.core.lanczos import lanczos
from mvngrad.core.ops import Array, cholesky, smallest_eigenvalue
from mvngrad.core.whole import lower_of, symmetric, symmetric_cotangent
from mvngrad.models.data import Complete
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.objective import Objective, Point
from mvngrad.models.shares import Unsettled, hessian_of
from mvngrad.models.spectrum import Spectrum, best_loadings, spectrum_of
from mvngrad.models.spectrum import smallest_curvature as profile_curvature

NOISE = 1e-6  # of a curvature: what is nearer to 0 is flat
MOST_DENSE = 300  # columns of a factor model up to which its curvature is a matrix
OVERLOOKED = 1e-6  # of Σ (e_r − 1), r ≤ k: an eigenvector that iterations have not seen
MOST_FORMED = 400  # parameters up to which F is formed, to look where it is blind
UNSEEN = 1e-9  # an eigenvalue of F, relative to the largest, that tells nothing
STEEPER = 10.0  # than the slope that is left: a bend that is none of a gauge

Rows = npt.NDArray[np.intp]


class Curvature(NamedTuple):
    """The smallest eigenvalue of ∇²J/n in the metric of the information of complete data.

    ``path(t)`` are parameters at distance t from the point along its eigenvector.
    """

    value: float
    path: Callable[[float], Array]


def smallest_curvature(objective: Objective, point: Point) -> Curvature:
    """min vᵀHv / vᵀFv over v off the gauge directions, H the Hessian of J/n, F the information.

    Where data are complete and S⁻¹ ranges over a linear space J is convex in it and H = F at its
    one stationary point: the answer is 1. With holes 1 minus it is EM's rate of convergence, the
    largest fraction of missing information. Covariances of columns never observed together, along
    which J is flat by the data's making, are left out. NaN where it cannot be told.
    """
    convex = isinstance(objective.data, Complete) and objective.structure.linear_precision
    if convex or not len(point.params):
        return Curvature(1.0, lambda _: point.params)
    try:
        with np.errstate(all="ignore"):
            if objective.structure.saturated:
                return _of_covariances(objective, point)
            if isinstance(objective.data, Complete) and objective.structure.by_profile:
                return _of_profile(objective, point)
            unseen = _of_unseen(objective, point)
            return _of_parameters(objective, point) if unseen is None else unseen
    except (LinAlgError, ValueError):
        return Curvature(float("nan"), lambda _: point.params)


def _of_parameters(objective: Objective, point: Point) -> Curvature:
    metric, hessian = partial(objective.fisher_product, point), objective.hessian(point)
    solve = objective.information_solver(point)

    def apply(v: Array) -> Array:
        return solve(hessian(point.off_edge(v)))[0]

    def seen(v: Array) -> Array:
        return solve(metric(v))[0] if objective.is_singular else v

    value, v = lanczos(apply, metric, metric(_anywhere(len(point.params))), seen)
    return Curvature(value, lambda t: point.params + t * v)


# Where two parts of a sum are equal, or loadings 0, push has less than its generic rank: S stands
# still to first order along directions N that are no gauge, and F, blind to them, has no metric to
# offer. There ∂²J is that of ⟨G, S⟩ alone, and J may fall.


def _of_unseen(objective: Objective, point: Point) -> Curvature | None:
    """The smallest eigenvalue of NᵀHN, FN = 0, if negative, as a share of F's mean; else None."""
    size = len(point.params)
    free = np.arange(size) if point.free is None else np.flatnonzero(point.free)
    if not 0 < len(free) <= MOST_FORMED:
        return None
    F = np.array([objective.fisher_product(point, v)[free] for v in np.eye(size)[free]])
    values, vectors = np.linalg.eigh(0.5 * (F + F.T))
    rank = len(free) - objective.structure.size + objective.structure.n_params
    unseen = values <= UNSEEN * values[-1]
    if np.count_nonzero(~unseen) >= rank:
        return None
    N = np.zeros((size, int(np.count_nonzero(unseen))))
    N[free] = vectors[:, unseen]
    hessian = objective.hessian(point)
    H = N.T @ np.array([hessian(v) for v in N.T]).T
    bends, turn = np.linalg.eigh(0.5 * (H + H.T))
    scale = float(values.mean())
    slope = float(np.linalg.norm(point.off_edge(point.gradient)))  # a gauge bends J by as much
    if not bends[0] < -(NOISE * scale + STEEPER * slope):
        return None
    v = N @ turn[:, 0]
    return Curvature(float(bends[0]) / scale, lambda t: point.params + t * v)


# Of factor analysis J is looked at as a function of the noise, the loadings at their best for each:
# the global one, so a summit of that function is one of J.


def _of_profile(objective: Objective, point: Point) -> Curvature:
    structure, data = objective.structure, objective.data
    assert isinstance(structure, FactorAnalytic)
    assert isinstance(data, Complete)
    beta, theta = objective.split(point.params)
    _, M = objective.covariance_of(data.moments)
    psi, k = structure.noise(theta), structure.rank
    if point.free is not None and np.count_nonzero(~point.free) <= k:
        psi = np.where(point.free[-len(psi) :], psi, 0.0)
    found, spectrum = _spectrum(M, psi, k)

    def overlooked(t: float) -> Array:  # noqa: ARG001 - there is but one place to go
        return np.concatenate([beta, structure.theta(found, psi)])

    if not _is_best(structure.common(theta), found, psi):
        return Curvature(-1.0, overlooked)
    value, v, rows = _smallest_of_profile(M, psi, k, spectrum)

    def path(t: float) -> Array:
        moved = psi.copy()
        moved[rows] *= np.exp(t * v / np.abs(v).max())
        return np.concatenate([beta, structure.theta(best_loadings(M, moved, k), moved)])

    return Curvature(value, path)


def _spectrum(M: Array, psi: Array, k: int) -> tuple[Array, Spectrum]:
    """Λ̂(ψ), found anew: by products of many columns, from a block at random."""
    return spectrum_of(M, psi, k, whole=len(M) <= MOST_DENSE)


def _is_best(W: Array, best: Array, psi: Array) -> bool:
    """Whether the loadings of a point are Λ̂(ψ): Σ W²/ψ is Σ (e_r − 1) of the eigenvalues taken."""
    seen = psi > 0.0
    taken, all_of_k = (float((L[seen] ** 2 / psi[seen, None]).sum()) for L in (W, best))
    return all_of_k - taken <= OVERLOOKED * (1.0 + all_of_k)


def _smallest_of_profile(M: Array, psi: Array, k: int, at: Spectrum) -> tuple[float, Array, Rows]:
    """The smallest curvature, its direction, and the rows it is of: by products of many columns."""
    if len(M) > MOST_DENSE:
        with suppress(Unsettled):
            return *by_products(at), at.rows
        at = spectrum_of(M, psi, k)[1]
    return *profile_curvature(at), at.rows


def by_products(at: Spectrum) -> tuple[float, Array]:
    """What ``models.spectrum.smallest_curvature`` says, by Lanczos: no eigenvalues of (d, d)."""
    F, hessian = at.information, hessian_of(at)

    def apply(v: Array) -> Array:
        return 2.0 * F.solve(hessian(v))

    start = 0.5 * F.product(_anywhere(len(at.rows)))
    return lanczos(apply, lambda v: 0.5 * F.product(v), start)


# Where θ reaches every S, curvature is that of J in (μ, S) itself, at a point where ∂J/∂S = 0: no
# gauge, and in whitened coordinates ½‖E‖² + ‖δ‖² is the metric, so nothing needs to be solved.


def _of_covariances(objective: Objective, point: Point) -> Curvature:
    data, e, n = objective.data, point.evaluation, objective.data.weight
    d, beta = len(data.center), objective.split(point.params)[0]
    mean = _MeanTangents(objective, point)
    size = mean.size
    mu = objective.mean.mean(beta)

    def tangent(v: Array) -> tuple[Array, Array]:
        return mean.tangent(v[:size]), symmetric(v[size:], d)

    def path(v: Array, t: float) -> Array:
        delta, E = tangent(t * v)
        L = e.covariance.root(d)
        S_root = L @ cholesky(np.eye(d) + E / max(1.0, 2.0 * float(np.linalg.norm(E, 2))))
        moved = objective.mean.start(mu + L @ delta)
        return np.concatenate([moved, objective.structure.start_at(np.tril(S_root))])

    i, j, scale = lower_of(d)
    flat = data.flat(e.covariance)[:, i, j] * scale
    if not len(flat) and mean.free and (H := data.curvature_matrix(e, mu)) is not None:
        H = H / n
        return Curvature(smallest_eigenvalue(H), lambda t: path(_lowest(H), t))
    bend = data.curvature(e, mu)

    def apply(v: Array) -> Array:
        dg, dG = bend(*tangent(v))
        return np.concatenate([mean.cotangent(dg), symmetric_cotangent(dG)]) / n

    flat = np.linalg.qr(np.pad(flat, ((0, 0), (size, 0))).T)[0]

    def off_flat(v: Array) -> Array:
        return v - flat @ (flat.T @ v)

    start = off_flat(_anywhere(size + len(i)))
    value, v = lanczos(lambda v: off_flat(apply(v)), None, start, off_flat)
    return Curvature(value, partial(path, v))


def _lowest(H: Array) -> Array:
    """The eigenvector of the smallest eigenvalue: looked for only where that is negative."""
    return np.asarray(eigh(H, subset_by_index=[0, 0])[1][:, 0])


class _MeanTangents:
    """Whitened tangents δ of the mean in coordinates in which ‖δ‖² is the metric."""

    def __init__(self, objective: Objective, point: Point) -> None:
        self.objective, self.S = objective, point.covariance
        self.free, self.size = objective.mean_is_free, objective.n_beta
        bound = self.size and not self.free
        self.root = objective.mean_root(self.S) if bound else np.zeros((0, 0))

    def tangent(self, v: Array) -> Array:
        """δ = L⁻¹μ̇ along v."""
        if self.free:
            return v.reshape(self.objective.data.center.shape)
        return self.S.whiten(self.objective.mean.push(_solved(self.root, v)))

    def cotangent(self, dg: Array) -> Array:
        """Its adjoint."""
        if self.free:
            return dg.ravel()
        pulled = self.objective.mean.pull(self.S.unwhiten(dg))
        return _solved(self.root.T, pulled)


def _solved(A: Array, b: Array) -> Array:
    return np.asarray(np.linalg.solve(A, b))


def _anywhere(size: int) -> Array:
    """A direction with a share of every other: no symmetry of the problem hides one from it."""
    return np.random.default_rng(0).standard_normal(size)
