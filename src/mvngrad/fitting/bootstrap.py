"""Bootstrap of a Fit: its rows drawn anew, or data from it, and the model fitted to them again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from mvngrad.core.checks import as_generator
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, lower_root
from mvngrad.core.patterns import Patterns
from mvngrad.core.threads import default_threads
from mvngrad.errors import DataError, NeedsRowsError
from mvngrad.fitting.grounds import rows_of
from mvngrad.fitting.refit import refitted
from mvngrad.fitting.standard_errors import numbered, pushed_errors
from mvngrad.inference.bootstrap import (
    BootstrapIntervals,
    Progress,
    Resample,
    aligned,
    draw_clusters,
    draw_frequencies,
    draw_moments,
    replicates,
)
from mvngrad.inference.contributions import Rows
from mvngrad.models.factor import Factor
from mvngrad.models.linear import Linear, predicted

if TYPE_CHECKING:
    from mvngrad.fitting.inferred import Inferred
    from mvngrad.fitting.result import Fit

FEW = 8  # columns with holes
MANY = 10**8  # numbers in the replicates of all covariances: 800 MB

Refit = Callable[[np.random.Generator], "Fit"]


class Asked(NamedTuple):
    """How a bootstrap is to be done."""

    n_boot: int
    resample: Resample
    clusters: Any
    rng: Any
    threads: int | None
    progress: Progress | None

    def checked(self, d: int) -> Asked:
        """An error in words where it cannot be."""
        n, kinds = self.n_boot, get_args(Resample)
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
            raise DataError(f"n_boot must be a whole number of samples, 2 or more; got {n!r}.")
        if self.resample not in kinds:
            raise DataError(f"resample must be 'cases' or 'parametric'; got {self.resample!r:.60}.")
        if self.clusters is not None and self.resample != "cases":
            raise DataError("clusters are drawn as a whole: they are for resample='cases'.")
        if n * d * d > MANY:
            raise DataError(
                f"{n} covariances of {d} columns are too many numbers to keep: at most {MANY:,}. "
                f"Take n_boot={max(MANY // (d * d), 1)}, or fewer columns."
            )
        if self.progress is not None and not callable(self.progress):
            raise DataError(
                f"progress must be called with (done, n_boot); got {self.progress!r:.60}."
            )
        threads = 1 if self.threads is None else self.threads
        if not (isinstance(threads, int | np.integer) and threads >= 1):
            raise DataError(f"threads must be a whole number, 1 or more; got {threads!r:.60}.")
        return self


def bootstrap_of(fit: Inferred, level: float, asked: Asked) -> BootstrapIntervals:
    """``Fit.conf_int`` by the bootstrap."""
    asked.checked(len(fit.columns))
    if not fit.converged:
        raise DataError(
            f"a bootstrap is of the maximum of the likelihood, and the fit has not converged: "
            f"{fit.message}."
        )
    if fit.prior and not fit.refit_priors:
        raise DataError(
            "a bootstrap refits the model with its prior, and a model file has only a description "
            f"of that, {' and '.join(fit.prior)}. Fit the data anew."
        )
    refit = (_by_cases if asked.resample == "cases" else _parametric)(fit, asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say was said of the fit itself
        found = replicates(
            lambda rng: _kept(fit, refit(rng)),
            int(asked.n_boot),
            as_generator(asked.rng),
            asked.threads or _threads_for(fit),
            asked.progress,
        )
    return BootstrapIntervals(level, asked.resample, int(asked.n_boot), _told(fit, _stacked(found)))


def _threads_for(fit: Inferred) -> int:
    """One where fits are so small that Python itself, which runs one thread, is what takes time."""
    holes = fit.grounds is not None and isinstance(fit.grounds.sample, Patterns)
    return 1 if holes and len(fit.columns) <= FEW else default_threads()


# What is drawn


def _by_cases(fit: Inferred, asked: Asked) -> Refit:
    rows = rows_of(fit)
    X, w, linear = rows.X, rows.w, _linear_of(fit, rows)
    there = ~np.isnan(X).all(axis=1)
    frequencies = w * there
    numbers = None if asked.clusters is None else numbered(asked.clusters, rows)
    alone = np.arange(len(X)) if fit.weights_kind == "sampling" else None

    def refit(rng: np.random.Generator) -> Fit:
        if numbers is not None or alone is not None:  # as they were sampled, with their weights
            drawn = draw_clusters(numbers if numbers is not None else alone, rng) * frequencies  # type: ignore[arg-type]
        else:
            drawn = draw_frequencies(frequencies, rng)
        used = drawn > 0.0
        design = None if linear is None else linear.take(used)
        return refitted(fit, X[used], design, drawn[used], threads=1)

    return refit


def _parametric(fit: Inferred, asked: Asked) -> Refit:  # noqa: ARG001 - one signature
    fit.require_frequencies("a parametric bootstrap")
    if fit.grounds is None:
        raise NeedsRowsError(
            "this fit came from a model file, which does not say what was missing: a parametric "
            "bootstrap draws data with the same holes. Fit the data anew, with start= this fit."
        )
    root = lower_root(fit.root)
    if isinstance(fit.grounds.sample, Moments) and fit.grounds.regressed is None:
        return lambda rng: refitted(fit, draw_moments(fit.mean, root, fit.weight, rng), threads=1)
    rows = rows_of(fit)
    times = _whole(rows.w)
    X, linear = np.repeat(rows.X, times, axis=0), _linear_of(fit, rows)
    linear = None if linear is None else linear.take(np.repeat(np.arange(len(times)), times))
    missing = np.isnan(X)
    means = fit.mean if linear is None else predicted(linear, fit.coefficients)

    def refit(rng: np.random.Generator) -> Fit:
        drawn = rng.standard_normal(X.shape) @ root.T + means
        return refitted(fit, np.where(missing, np.nan, drawn), linear, threads=1)

    return refit


def _whole(w: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    times = np.rint(w)
    if not np.array_equal(times, w):
        raise DataError(
            f"weights that are fractions, as {w[times != w][0]!r}, count no rows that could be "
            "drawn from N(μ̂, Ŝ). Use resample='cases', or whole numbers."
        )
    return times.astype(np.int64)


def _linear_of(fit: Inferred, rows: Rows) -> Linear | None:
    """The designs of these rows, where the mean is linear in them."""
    regressed = None if fit.grounds is None else fit.grounds.regressed
    if regressed is None or rows.zeta is None:
        return None
    return regressed.regression.linear.with_joint(rows.zeta @ regressed.regression.basis)


# What is kept


def _kept(fit: Inferred, again: Fit) -> dict[str, Any]:
    """Estimates of a replicate, loadings turned to those of the fit."""
    found: dict[str, Any] = {
        "mean": again.mean,
        "covariance": again.covariance,
        "coefficients": again.coefficients,
        "noise": again.noise,
    }
    factor, Phi = again.factor, again.factor_correlation
    if isinstance(fit.structure, Factor):  # any rotation does as well
        factor = np.full(fit.factor.shape, np.nan)
    elif fit.noise is not None:
        ordered = getattr(fit.structure, "pattern", None) is not None
        order, signs = aligned(factor, fit.factor, ordered=ordered)
        factor = factor[:, order] * signs
        if Phi is not None:
            Phi = Phi[np.ix_(order, order)] * np.multiply.outer(signs, signs)
    return {**found, "factor": factor, "factor_correlation": Phi}


def _stacked(found: list[dict[str, Any]]) -> dict[str, Any]:
    def of(name: str) -> Any:
        first = found[0][name]
        if first is None:
            return None
        if isinstance(first, list):
            return [np.stack([each[name][k] for each in found]) for k in range(len(first))]
        return np.stack([each[name] for each in found])

    return {name: of(name) for name in found[0]}


def _told(fit: Inferred, draws: dict[str, Any]) -> dict[str, Any]:
    """NaN where no data tell an estimate: where refits of it come to lie says nothing."""
    if not fit.not_identified or not fit.converged:
        return draws
    errors = pushed_errors(fit, "observed", None)
    names = ("covariance",) if fit.noise is not None else ("covariance", "factor")
    lost = {name: np.isnan(getattr(errors, name)) for name in names}
    return draws | {name: np.where(lost[name], np.nan, draws[name]) for name in names}
