"""Errors as a person at a terminal sees them: a sentence on stderr and an exit code."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

DATA, USAGE, NOT_CONVERGED, ILL_CONDITIONED, INTERRUPTED = 1, 2, 3, 4, 130


class Failure(click.ClickException):
    """A message and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: int = DATA) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


@contextmanager
def told(*, debug: bool) -> Iterator[None]:
    """Turn whatever goes wrong inside into a Failure; with ``debug``, show where it arose."""
    try:
        yield
    except click.ClickException:
        raise
    except KeyboardInterrupt:
        raise Failure("interrupted before there was a result.", INTERRUPTED) from None
    except Exception as error:
        if debug:
            click.echo(traceback.format_exc(), err=True, nl=False)
        raise _failure(error) from error


def _failure(error: Exception) -> Failure:
    from mvngrad.errors import DataError, ModelFileError, NotPositiveDefiniteError
    from mvngrad.io.header import UnknownColumnError

    for kind, code in (
        (UnknownColumnError, USAGE),
        (NotPositiveDefiniteError, ILL_CONDITIONED),
        (DataError, DATA),
        (ModelFileError, DATA),
        (OSError, DATA),
        (ImportError, DATA),
        (ValueError, USAGE),
    ):
        if isinstance(error, kind):
            return Failure(in_shell_words(str(error)), code)
    return Failure(
        f"unexpected {type(error).__name__}: {error}. This is a bug of mvngrad or of what it is "
        "built on: please report it with the output of --debug."
    )


def in_shell_words(message: str) -> str:
    """A message of the library, with its keyword arguments written as options."""
    message = re.sub(r"\bfit\.summary\(kind=('\w+')\)", r"kind=\1", message)
    message = message.replace("resample='parametric' or method='profile'", "--ci profile")
    message = re.sub(r"\bmethod='(wald|bootstrap)'", r"--ci \1", message)
    message = re.sub(
        r"\b(covariance|method|missing|weights_kind|kind)='([\w-]+)'", _as_option, message
    )
    message = message.replace("(columns=…)", "(--columns)").replace(" to mvngrad.fit", "")
    message = message.replace("fit.to_frame('estimates')", "--json")
    message = message.replace("standard_errors('sandwich')", "--se sandwich")
    return re.sub(r"\bmax_iter\b", "--max-iter", message).replace("loosen tol", "loosen --tol")


def _as_option(argument: re.Match[str]) -> str:
    name = {"kind": "se", "weights_kind": "weights-kind"}.get(argument[1], argument[1])
    return f"--{name} {argument[2]}"
