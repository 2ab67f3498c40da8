"""Choices, checks and the options that commands share.

The lists repeat what the library accepts, because reading them from there would import NumPy
for ``--help``; a test holds them equal.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import click

STRUCTURES = (
    "full",
    "diagonal",
    "spherical",
    "compound-symmetry",
    "ar1",
    "toeplitz",
    "heterogeneous-compound-symmetry",
    "heterogeneous-ar1",
    "heterogeneous-toeplitz",
    "banded:N",
    "factor:N",
    "ppca:N",
)
ROTATIONS = ("varimax", "quartimax", "promax", "oblimin")
SHRINKAGES = ("ledoit-wolf", "oas")
MISSING = ("fiml", "drop", "raise")
WEIGHTS = ("frequency", "sampling")
ERRORS = ("observed", "expected", "sandwich", "none")
INTERVALS = ("wald", "profile", "bootstrap")
METHODS = (
    "auto",
    "closed-form",
    "gradient-descent",
    "momentum",
    "nesterov",
    "barzilai-borwein",
    "cg",
    "bfgs",
    "l-bfgs",
    "natural-gradient",
    "em",
    "accelerated-em",
    "newton",
    "profile",
)


def column_names(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Names between commas, quoted as in CSV if one holds a comma; the option may be repeated."""
    names = [name.strip() for line in csv.reader(given, skipinitialspace=True) for name in line]
    if given and not (names and all(names)):
        raise click.BadParameter("give names between commas, none empty.")
    twice = [name for j, name in enumerate(names) if name in names[:j]]
    if twice:
        raise click.BadParameter(f"{twice[0]!r} is named twice.")
    return tuple(names) or None


def structure_name(
    context: click.Context, option: click.Parameter, value: str | None
) -> str | None:
    """A name of the list; where that ends in :N, any whole number in place of N."""
    if value is None:
        return None
    word, colon, number = value.partition(":")
    if (f"{word}:N" if colon and number.isdecimal() else value) in STRUCTURES and number != "N":
        return value
    raise click.BadParameter(
        f"{value!r} is none of {', '.join(STRUCTURES)}, with a whole number for N.", context, option
    )


def positive(
    _context: click.Context, _option: click.Parameter, value: float | None
) -> float | None:
    """A finite number above 0, where one is given."""
    if value is not None and not (math.isfinite(value) and value > 0.0):
        raise click.BadParameter(f"{value} is not a positive number.")
    return value


def level(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """A share between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise click.BadParameter(f"{value} is not between 0 and 1, as 0.95 is.")
    return value


def shrinkage(
    _context: click.Context, _option: click.Parameter, given: str | None
) -> float | str | None:
    """A share, or the name of a rule for one."""
    if given is None or given in SHRINKAGES:
        return given
    try:
        share = float(given)
    except ValueError:
        share = math.nan
    if not 0.0 < share < 1.0:
        raise click.BadParameter(
            f"{given!r} is neither a number between 0 and 1 nor one of {', '.join(SHRINKAGES)}."
        )
    return share


def standard_input(_context: click.Context, _option: click.Parameter, file: Path) -> Path:
    """The path itself, or that of standard input for a dash."""
    return Path("/dev/stdin") if str(file) == "-" else file


file_argument = click.argument(
    "file",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    callback=standard_input,
)
covariance_option = partial(
    click.option,
    "--covariance",
    callback=structure_name,
    metavar="NAME",
)
columns_option = click.option(
    "--columns",
    multiple=True,
    callback=column_names,
    metavar="A,B,C",
    help="Columns to use, in this order. Default: all that hold numbers.",
)
n_starts_option = click.option(
    "--n-starts",
    type=click.IntRange(min=1),
    metavar="N",
    help="With missing values there may be several maxima: take the best from N starts, all but "
    "the first at random.  [default: 1]",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="S",
    help="Make what is random come out the same every time.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to use. Default: the cores this process may run on.",
)
_WEIGHING = (
    click.option(
        "--weights",
        metavar="COLUMN",
        help="A column of weights of the rows, no part of what is fitted.",
    ),
    click.option(
        "--weights-kind",
        type=click.Choice(WEIGHTS),
        help="What weights are: frequency counts rows that are alike, sampling makes up for "
        "unequal chances to be in the sample.  [default: frequency]",
    ),
)
_ERRORS = (
    click.option(
        "--se",
        type=click.Choice(ERRORS),
        help="Standard errors by the observed or the expected information, by the sandwich, or "
        "none. Default: observed where that takes no longer than the fit; sandwich with weights "
        "of a sample or with clusters.",
    ),
    click.option(
        "--clusters",
        metavar="COLUMN",
        help="A column of labels, no part of what is fitted: rows of one label may depend on each "
        "other (--se sandwich).",
    ),
    click.option(
        "--ci",
        type=click.Choice(INTERVALS),
        default="wald",
        show_default=True,
        help="How intervals are made: wald from standard errors, profile from the likelihood, "
        "bootstrap from refits to rows drawn anew.",
    ),
    click.option(
        "--n-boot",
        type=click.IntRange(min=1),
        metavar="N",
        help="Refits of --ci bootstrap.  [default: 999]",
    ),
    click.option(
        "--level",
        type=float,
        default=0.95,
        show_default=True,
        callback=level,
        metavar="P",
        help="Confidence level of intervals.",
    ),
)


def weighing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those on the weights of rows."""
    return reduce(lambda of, option: option(of), reversed(_WEIGHING), command)


def error_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those on standard errors and intervals."""
    return reduce(lambda of, option: option(of), reversed(_ERRORS), command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
debug_option = click.option(
    "--debug", is_flag=True, help="On an error, show the Python traceback too."
)
