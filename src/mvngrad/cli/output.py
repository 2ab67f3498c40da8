"""Results on stdout: paragraphs and tables for people, or one JSON document for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mvngrad.cli.failures import in_shell_words

if TYPE_CHECKING:
    from mvngrad.fitting.plaintext import Summary

WIDTH = 100  # where there is no terminal to ask
# What stands out in each part of a summary: patterns and styles, for a terminal.
STYLES = {
    "title": [(".+", "bold")],
    "facts": [("(?m)(?<=  )converged$", "green"), ("not converged.*", "red")],
    "table": [(r"(?s)\A.*?(?=\n---)", "bold"), ("---+", "dim")],
    "warning": [("(?s).+", "yellow")],
    "note": [(".+", "dim")],
}


def show(result: Summary | dict[str, Any]) -> None:
    """Print a summary, or a document as JSON."""
    with unread_is_fine():
        if isinstance(result, dict):
            click.echo(as_json(result))
        else:
            _show_summary(result)
        sys.stdout.flush()


@contextmanager
def unread_is_fine() -> Iterator[None]:
    """Do not mind if nobody reads what is printed to the end."""
    try:
        yield
    except BrokenPipeError:
        # What follows, the interpreter's own flush at exit included, goes nowhere quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_json(document: dict[str, Any]) -> str:
    """One JSON document; it must hold no number that JSON cannot write."""
    return json.dumps(document, allow_nan=False, indent=2)


def _show_summary(said: Summary) -> None:
    from dataclasses import replace

    from mvngrad.fitting.plaintext import as_text

    said = replace(
        said,
        warnings=tuple(map(in_shell_words, said.warnings)),
        notes=tuple(map(in_shell_words, said.notes)),
    )
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
    from mvngrad.fitting.plaintext import parts

    console = Console(highlight=False)
    for number, (kind, words) in enumerate(parts(said, width)):
        text = Text(words)
        for pattern, style in STYLES[kind]:
            text.highlight_regex(pattern, style)
        console.print(*([""] if number else []), text, sep="\n", soft_wrap=True)
    return True
