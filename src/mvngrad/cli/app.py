"""What can be typed: the commands, their options and their help."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mvngrad._version import __version__
from mvngrad.cli import options
from mvngrad.cli.options import METHODS, MISSING, ROTATIONS, STRUCTURES
from mvngrad.cli.request import CompareRequest, FitRequest, ImputeRequest, InspectRequest

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_METHODS = textwrap.fill(", ".join(METHODS), 88, break_on_hyphens=False)
_STRUCTURES = textwrap.fill(", ".join(STRUCTURES), 88, break_on_hyphens=False)
ENDS = """Exit codes:
  0  converged
  1  the data, or a file, cannot be used
  2  the command was called wrongly
  3  not converged; the result is {given} all the same
  4  the covariance is singular: the likelihood has no maximum
  130  interrupted (Ctrl-C); {interrupted}
"""
FIT_EPILOG = f"""\b
Covariances (of columns in order: compound-symmetry one correlation, ar1 one that decays with
distance, toeplitz one for each distance, banded:N none beyond distance N; each has one variance,
banded:N and heterogeneous-… one a column):
{textwrap.indent(_STRUCTURES, "  ")}

\b
Methods:
{textwrap.indent(_METHODS, "  ")}

\b
{ENDS.format(given="printed", interrupted="the best point so far is printed, if there is one")}"""
IMPUTE_EPILOG = f"""\b
{ENDS.format(given="written", interrupted="no file is left half written")}"""
INSPECT_EPILOG = """\b
Exit codes:
  0  inspected, whatever was found
  1  the data cannot be used
  2  the command was called wrongly
  130  interrupted (Ctrl-C); what was found so far is printed
"""

COMPARE_EPILOG = """\b
Exit codes:
  0  compared
  1  a file cannot be read, or the models are not of the same data
  2  the command was called wrongly
"""


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="mvngrad", message="%(prog)s %(version)s")
def app() -> None:
    """Fit the multivariate normal N(μ, S) by maximum likelihood, missing values included."""


@app.command("fit", epilog=FIT_EPILOG)
@options.file_argument
@options.columns_option
@options.covariance_option(
    default="full",
    show_default=True,
    help="What is estimated: full is every covariance, diagonal variances alone, spherical one "
    "variance for all; others see below.",
)
@click.option(
    "--loadings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Confirmatory factor analysis by a CSV file: a line for each column, an entry for each "
    "factor, empty where a loading is free, 0 where there is none.",
)
@click.option(
    "--correlated", is_flag=True, help="Factors of --loadings are correlated, not independent."
)
@click.option(
    "--rotate",
    type=click.Choice(ROTATIONS),
    help="Rotate the loadings of --covariance factor:N before they are shown.",
)
@click.option(
    "--mean",
    metavar="FORMULA",
    help="What means depend on, as in '~ age + sex': a regression of every other column of numbers "
    "(or of those of --columns) on these. Default: one mean a column.",
)
@click.option(
    "--shrinkage",
    callback=options.shrinkage,
    metavar="X",
    help="Shrink correlations toward 0: a share between 0 and 1, or ledoit-wolf or oas, which "
    "estimate it from complete data. Any number of rows is then enough.",
)
@click.option(
    "--missing",
    type=click.Choice(MISSING),
    default="fiml",
    show_default=True,
    help="Rows with a missing value: fiml uses what they have (full information maximum "
    "likelihood), drop leaves them out, raise refuses them.",
)
@options.weighing_options
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="auto",
    metavar="NAME",
    help="How the maximum is found, see below. Default: the closed form where there is one.",
)
@click.option("--max-iter", type=click.IntRange(min=0), metavar="N", help="Iterations at most.")
@click.option(
    "--tol",
    type=float,
    callback=options.positive,
    metavar="X",
    help="Bound on the optimality, by which convergence is judged.  [default: 1e-10]",
)
@options.n_starts_option
@options.seed_option
@options.threads_option
@options.error_options
@options.json_option
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the iterations to a CSV file.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the model to a file that mvngrad.load and mvngrad impute read.",
)
@options.debug_option
@click.pass_context
def fit(context: click.Context, /, **given: Any) -> None:
    """Fit N(μ, S) to the numeric columns of a CSV FILE.

    Prints means, standard deviations and correlations with their standard errors and intervals,
    the log-likelihood and how the fit ended.

    The first line of FILE names the columns; commas, tabs or semicolons separate them. Columns
    without any number are left out, with a note. Empty, NA, N/A, NaN, null, None and . mark a
    missing value. Names ending in .gz, .bz2 or .zst are decompressed; - is standard input.
    """
    from mvngrad.cli.fit import fit_file

    _carry_out(context, fit_file, FitRequest(**given))


@app.command("inspect", epilog=INSPECT_EPILOG)
@options.file_argument
@options.columns_option
@options.threads_option
@options.json_option
@options.debug_option
@click.pass_context
def inspect(context: click.Context, /, **given: Any) -> None:
    """Say what a CSV FILE holds, and what is missing in it.

    Prints what is observed of each column, the patterns of missing values, the columns that are
    seldom or never observed together, what stands in the way of a fit, and Little's test of
    whether values are missing completely at random (MCAR).

    FILE is read as by mvngrad fit.
    """
    from mvngrad.cli.inspect import inspect_file

    _carry_out(context, inspect_file, InspectRequest(**given))


@app.command("impute", epilog=IMPUTE_EPILOG)
@options.file_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file. Default: standard output.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    metavar="M",
    help="Write M files with random draws instead of one with means: OUT-1.csv … OUT-M.csv for "
    "-o OUT.csv, or {k} in the name stands for the number.",
)
@click.option(
    "--proper",
    is_flag=True,
    help="Draw the parameters too, each time by a fit to a bootstrap sample: what multiple "
    "imputation asks for. Needs --draws.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Use this model, written by mvngrad fit -o, instead of a fit to the data.",
)
@options.columns_option
@options.covariance_option(help="As for mvngrad fit.  [default: full]")
@options.n_starts_option
@options.seed_option
@options.threads_option
@options.debug_option
@click.pass_context
def impute(context: click.Context, /, **given: Any) -> None:
    """Fill the missing values of a CSV FILE, by what the observed ones say of them.

    A missing value becomes its mean given what is observed in its row, or with --draws a random
    draw around it. Means are the best guess of each value, but too regular as data; to analyse
    completed data, use --draws with --proper and pool the results.

    Everything else in FILE stays as it was typed, columns without numbers included. FILE is read
    as by mvngrad fit.
    """
    from mvngrad.cli.impute import impute_file

    _carry_out(context, impute_file, ImputeRequest(**given))


@app.command("compare", epilog=COMPARE_EPILOG)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="MODEL MODEL [...]")
@options.json_option
@options.debug_option
@click.pass_context
def compare(context: click.Context, /, **given: Any) -> None:
    """Compare MODELs of the same data, written by mvngrad fit -o.

    Prints log-likelihood, AIC, BIC, AICc and Akaike weight of each, and likelihood ratio tests of
    neighbours by number of parameters, which are taken to be nested: the smaller a case of the
    larger. What to mind, as where a test is on a boundary, is said below.
    """
    from mvngrad.cli.compare import compare_files

    _carry_out(context, compare_files, CompareRequest(**given))


def _carry_out(context: click.Context, command: Callable[[Any], int], request: Any) -> None:
    from mvngrad.cli.failures import told

    with told(debug=request.debug):
        code = command(request)
    context.exit(code)


def run(arguments: Sequence[str] | None) -> int:
    """Parse, run, and turn whatever happens into an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? rather than failing
    try:
        return int(app.main(arguments, prog_name="mvngrad", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
