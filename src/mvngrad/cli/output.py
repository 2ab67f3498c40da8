"""Results on stdout: a table for people, or one JSON document for programs."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from mvngrad.cli.failures import in_shell_words
from mvngrad.cli.request import Request

if TYPE_CHECKING:
    from mvngrad.core.ops import Array
    from mvngrad.fitting.result import Fit
    from mvngrad.fitting.summary import Summary

WIDTH = 100  # where there is no terminal to ask
# What stands out in each part of a summary: patterns and styles, for a terminal.
STYLES = {
    "title": [(".+", "bold")],
    "facts": [("(?m)(?<=  )converged$", "green"), ("not converged.*", "red")],
    "table": [(r"(?s)\A.*?(?=\n---)", "bold"), ("---+", "dim")],
    "warning": [("(?s).+", "yellow")],
    "note": [(".+", "dim")],
}


def show(request: Request, fit: Fit) -> None:
    """Print the result, and do not mind if nobody reads it to the end."""
    try:
        if request.as_json:
            click.echo(as_json(fit))
        else:
            _show_table(request, fit)
        sys.stdout.flush()
    except BrokenPipeError:
        # What follows, the interpreter's own flush at exit included, goes nowhere quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# The table


def _show_table(request: Request, fit: Fit) -> None:
    from dataclasses import replace

    from mvngrad.fitting.summary import as_text, summarise

    said = summarise(fit, source=request.file.name)
    said = replace(said, warnings=tuple(map(in_shell_words, said.warnings)))
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    if not (sys.stdout.isatty() and _show_styled(said, width)):
        click.echo(as_text(said, width), nl=False)


def _show_styled(said: Summary, width: int) -> bool:
    """The same text with colours; False if rich is not installed."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    from mvngrad.fitting.summary import parts

    console = Console(highlight=False)
    for number, (kind, words) in enumerate(parts(said, width)):
        text = Text(words)
        for pattern, style in STYLES[kind]:
            text.highlight_regex(pattern, style)
        console.print(*([""] if number else []), text, sep="\n", soft_wrap=True)
    return True


# The document


def as_json(fit: Fit) -> str:
    """One JSON document; a number that JSON cannot write is null."""
    return json.dumps(document(fit), allow_nan=False, indent=2)


def document(fit: Fit) -> dict[str, Any]:
    """Everything a program may ask of the fit."""
    columns = fit.columns
    return {
        "version": fit.version,
        "status": fit.status.name.lower(),
        "converged": fit.converged,
        "message": fit.message,
        "method": fit.method,
        "loglik": _number(fit.loglik),
        "aic": _number(fit.aic),
        "bic": _number(fit.bic),
        "n_obs": fit.n_obs,
        "weight": _number(fit.weight),
        "n_params": fit.n_params,
        "n_iter": fit.n_iter,
        "n_eval": fit.n_eval,
        "optimality": _number(fit.optimality),
        "seconds": _number(fit.seconds),
        "columns": list(columns),
        "mean": _named(columns, fit.mean),
        "covariance": {
            name: _named(columns, row) for name, row in zip(columns, fit.covariance, strict=True)
        },
        "factor": [[_number(x) for x in row] for row in fit.factor.tolist()],
        "warnings": list(fit.warnings),
    }


def _named(columns: tuple[str, ...], values: Array) -> dict[str, float | None]:
    return {name: _number(x) for name, x in zip(columns, values.tolist(), strict=True)}


def _number(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
