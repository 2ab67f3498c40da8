"""What ``--json`` prints: documents of plain values, whose keys stay what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mvngrad.cli.failures import in_shell_words

if TYPE_CHECKING:
    from mvngrad.cli.inspection import Inspection
    from mvngrad.core.ops import Array
    from mvngrad.fitting.result import Fit
    from mvngrad.fitting.spread import Spread

Named = Callable[[Sequence[str], Any], dict[str, Any]]
PER_COLUMN = ("observed", "missing", "mean", "sd", "min", "max")
MOST_PATTERNS = 1000  # most frequent first; ``missing.patterns`` counts them all


def of_fit(
    fit: Fit,
    rotation: Any = None,
    factors: Sequence[str] | None = None,
    spread: Spread | None = None,
) -> dict[str, Any]:
    """Everything a program may ask of the fit."""
    columns, counts = fit.columns, fit.weights_kind == "frequency"
    return {
        "version": fit.version,
        "status": fit.status.name.lower(),
        "converged": fit.converged,
        "message": fit.message,
        "method": fit.method,
        "loglik": number(fit.loglik),
        "penalty": number(fit.penalty),
        "prior": list(fit.prior),
        "aic": number(fit.aic) if counts else None,
        "bic": number(fit.bic) if counts else None,
        "n_obs": fit.n_obs,
        "n_empty": fit.n_empty,
        "weight": number(fit.weight),
        "n_params": fit.n_params,
        "n_iter": fit.n_iter,
        "n_eval": fit.n_eval,
        "n_starts": fit.n_starts,
        "optimality": number(fit.optimality),
        "curvature": number(fit.curvature),
        "seconds": number(fit.seconds),
        "columns": list(columns),
        "mean": _named(columns, fit.mean),
        "coefficients": _coefficients(fit, fit.coefficients, _named),
        "covariance": _square(columns, fit.covariance),
        "factor": [[number(x) for x in row] for row in fit.factor.tolist()],
        "factors": _factors(fit, rotation, factors),
        "saturated": None if fit.saturated is None else number(fit.saturated),
        "missing": _missing(fit),
        **of_spread(fit, spread, rotation, factors),
        "not_identified": [list(pair) for pair in fit.not_identified],
        "warnings": list(fit.warnings),
    }


def of_inspection(found: Inspection) -> dict[str, Any]:
    """Everything a program may ask of the data."""
    from mvngrad._version import __version__

    report, columns = found.report, found.columns
    return {
        "version": __version__,
        "n_rows": found.n_rows,
        "n_obs": report.n_obs,
        "n_empty": report.n_empty,
        "columns": {
            name: dict(
                zip(("observed", "missing", "mean", "sd", "min", "max"), values, strict=True)
            )
            for name, values in zip(columns, _per_column(found), strict=True)
        },
        "left_out": {"words": list(found.words), "nothing": list(found.nothing)},
        "missing": {
            "cells": found.cells,
            "share": found.share,
            "patterns": len(report.rows),
            "complete_rows": report.n_complete,
        },
        "patterns": [
            {"rows": pattern.rows, "missing": list(pattern.missing)}
            for pattern in report.patterns[:MOST_PATTERNS]
        ],
        "coverage": _square(columns, report.coverage),
        "never_together": [list(pair) for pair in report.never_together],
        "mcar": found.mcar and {k: number(v) for k, v in found.mcar._asdict().items()},
        "mcar_reason": found.no_mcar,
        "obstacles": list(found.obstacles),
        "warnings": list(found.warnings),
    }


def _per_column(found: Inspection) -> list[tuple[Any, ...]]:
    counts = found.report.counts.tolist()
    values = (found.mean, found.deviation, found.least, found.most)
    numbers = zip(*([number(x) for x in v.tolist()] for v in values), strict=True)
    return [(n, found.n_rows - n, *row) for n, row in zip(counts, numbers, strict=True)]


def _factors(fit: Fit, rotation: Any, called: Sequence[str] | None) -> dict[str, Any] | None:
    """Loadings (rotated where asked for), uniquenesses and correlations of factors, by name."""
    if fit.noise is None:
        return None
    factors = fit.factors if rotation is None else fit.factors.rotate(rotation)
    names = called or [f"f{k + 1}" for k in range(factors.factor.shape[1])]
    return {
        "rotation": rotation,
        "loadings": {
            c: _named(names, row) for c, row in zip(fit.columns, factors.factor, strict=True)
        },
        "uniquenesses": _named(fit.columns, fit.noise),
        "correlation": _square(names, factors.correlation),
        "heywood": list(fit.heywood),
    }


def _coefficients(fit: Fit, given: Any, named: Named) -> dict[str, Any] | None:
    """{column: {coefficient: value}}, or {coefficient: value} of those that columns share."""
    names = fit.design_names
    if given is None:
        return None
    if isinstance(given, list):
        triples = zip(fit.columns, names, given, strict=True)
        return {column: named(labels, beta) for column, labels, beta in triples}
    if fit.coefficients.ndim == 1:  # type: ignore[union-attr]
        return named(names[0], given)
    each = (given[:, j] for j in range(len(fit.columns)))
    return {c: named(names[0], beta) for c, beta in zip(fit.columns, each, strict=True)}


def _missing(fit: Fit) -> dict[str, Any] | None:
    from mvngrad.fitting.summary import holes

    found = holes(fit)
    return None if found is None else dict(found._asdict())


# Standard errors and intervals


def of_spread(
    fit: Fit, spread: Spread | None, rotation: Any, called: Sequence[str] | None
) -> dict[str, Any]:
    """Both by the names of the estimates, null where there are none, and why."""
    errors = None if spread is None else spread.errors
    intervals = None if spread is None else spread.intervals
    if spread is None or errors is None or intervals is None:
        reason = None if spread is None else in_shell_words(spread.reason) or None
        return {"standard_errors": None, "intervals": None, "no_standard_errors": reason}
    of_errors = {"kind": errors.kind, **_like_estimates(fit, errors, _named, rotation, called)}
    of_ends = _like_estimates(fit, intervals, _named_ends, rotation, called)
    return {
        "standard_errors": of_errors,
        "intervals": {"level": intervals.level, "method": intervals.method, **of_ends},
        "no_standard_errors": None,
    }


def _like_estimates(
    fit: Fit, of: Any, named: Named, rotation: Any, called: Sequence[str] | None
) -> dict[str, Any]:
    columns = fit.columns

    def square(names: Sequence[str], values: Any) -> dict[str, Any]:
        return {name: named(names, row) for name, row in zip(names, values, strict=True)}

    factors = None
    if fit.noise is not None and rotation is None:
        names = called or [f"f{k + 1}" for k in range(fit.factor.shape[1])]
        factors = {
            "loadings": _rows_of(columns, names, of, named),
            "uniquenesses": named(columns, of.noise),
            "correlation": square(names, of.factor_correlation),
        }
    return {
        "mean": named(columns, of.mean),
        "coefficients": _coefficients(fit, of.coefficients, named),
        "sd": named(columns, of.deviations),
        "covariance": square(columns, of.covariance),
        "correlation": square(columns, of.correlation),
        "factors": factors,
    }


def _rows_of(
    columns: Sequence[str], names: Sequence[str], of: Any, named: Named
) -> dict[str, Any] | None:
    """Of loadings; null where these have no interval of the kind that was asked for."""
    if not getattr(of, "has_loadings", True):
        return None
    return {c: named(names, row) for c, row in zip(columns, of.factor, strict=True)}


def _square(columns: Sequence[str], values: Array) -> dict[str, dict[str, float | None]]:
    return {name: _named(columns, row) for name, row in zip(columns, values, strict=True)}


def _named(columns: Sequence[str], values: Array) -> dict[str, float | None]:
    return {name: number(x) for name, x in zip(columns, values.tolist(), strict=True)}


def _named_ends(columns: Sequence[str], values: Array) -> dict[str, list[float | None]]:
    return {c: [number(x) for x in ends] for c, ends in zip(columns, values.tolist(), strict=True)}


def number(x: float) -> float | None:
    """A number that JSON can write, or null; whole numbers stay whole."""
    return x if math.isfinite(x) else None
