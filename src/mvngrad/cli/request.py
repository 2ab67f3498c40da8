"""What was asked for on the command line; None where the library's default is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FitRequest:
    """The arguments of ``mvngrad fit``."""

    file: Path
    columns: tuple[str, ...] | None = None
    covariance: str = "full"
    loadings: Path | None = None
    correlated: bool = False
    rotate: str | None = None
    mean: str | None = None
    shrinkage: float | str | None = None
    missing: str = "fiml"
    method: str = "auto"
    max_iter: int | None = None
    tol: float | None = None
    n_starts: int | None = None
    seed: int | None = None
    threads: int | None = None
    weights: str | None = None
    weights_kind: str | None = None
    clusters: str | None = None
    se: str | None = None
    level: float = 0.95
    ci: str = "wald"
    n_boot: int | None = None
    as_json: bool = False
    trace: Path | None = None
    output: Path | None = None
    debug: bool = False


@dataclass(frozen=True)
class InspectRequest:
    """The arguments of ``mvngrad inspect``."""

    file: Path
    columns: tuple[str, ...] | None = None
    threads: int | None = None
    as_json: bool = False
    debug: bool = False


@dataclass(frozen=True)
class ImputeRequest:
    """The arguments of ``mvngrad impute``."""

    file: Path
    output: Path | None = None
    model: Path | None = None
    columns: tuple[str, ...] | None = None
    covariance: str | None = None
    draws: int | None = None
    proper: bool = False
    n_starts: int | None = None
    seed: int | None = None
    threads: int | None = None
    debug: bool = False


@dataclass(frozen=True)
class CompareRequest:
    """The arguments of ``mvngrad compare``."""

    files: tuple[Path, ...]
    as_json: bool = False
    debug: bool = False
