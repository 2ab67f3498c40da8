"""What was asked for on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """The arguments of ``mvngrad fit``; None where the library's default is meant."""

    file: Path
    columns: tuple[str, ...] | None = None
    covariance: str = "full"
    missing: str = "fiml"
    method: str = "auto"
    max_iter: int | None = None
    tol: float | None = None
    threads: int | None = None
    as_json: bool = False
    trace: Path | None = None
    output: Path | None = None
    debug: bool = False
