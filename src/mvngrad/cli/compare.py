"""``mvngrad compare``: load, compare, print."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvngrad.cli.documents import number
from mvngrad.cli.failures import USAGE, Failure
from mvngrad.cli.output import show
from mvngrad.cli.request import CompareRequest

if TYPE_CHECKING:
    from mvngrad.fitting.comparison import Comparison
    from mvngrad.fitting.result import Fit


def compare_files(request: CompareRequest) -> int:
    """Do what is asked; the exit code."""
    from mvngrad.fitting.comparison import compare

    if len(request.files) < 2:
        raise Failure("give two model files or more, as mvngrad fit -o writes them.", USAGE)
    fits = [_loaded(path) for path in request.files]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table says the same
        found = compare(*fits, names=names_of(request.files))
    show(of_comparison(found) if request.as_json else found.summary())
    return 0


def names_of(files: Sequence[Path]) -> list[str]:
    """Names of files without their endings, or the whole paths where two are named alike."""
    stems = [path.name.removesuffix(".safetensors") for path in files]
    short = max(Counter(stems).values()) == 1
    names = stems if short else [str(path) for path in files]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Failure(f"{twice[0]} is named twice.", USAGE)
    return names


def of_comparison(found: Comparison) -> dict[str, Any]:
    """Everything a program may ask of the comparison."""
    from mvngrad._version import __version__

    return {
        "version": __version__,
        "n_obs": found.n_obs,
        "columns": list(found.columns),
        "models": [_plain(row._asdict()) for row in found.rows],
        "tests": [_plain(test._asdict()) for test in found.tests],
        "warnings": list(found.warnings),
    }


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: number(v) if isinstance(v, float) else v for k, v in fields.items()}


def _loaded(path: Path) -> Fit:
    from mvngrad.modelfile import load

    return load(path)
