"""What can be typed: the command, its options and their help."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mvngrad._version import __version__
from mvngrad.cli.options import METHODS, MISSING, STRUCTURES, column_names, positive, standard_input
from mvngrad.cli.request import Request

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_METHODS = textwrap.fill(", ".join(METHODS), 88, break_on_hyphens=False)
EPILOG = f"""\b
Methods:
{textwrap.indent(_METHODS, "  ")}

\b
Exit codes:
  0  converged
  1  the data, or a file, cannot be used
  2  the command was called wrongly
  3  not converged; the result is printed all the same
  4  the covariance is singular: the likelihood has no maximum
  130  interrupted (Ctrl-C); the best point so far is printed, if there is one
"""


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="mvngrad", message="%(prog)s %(version)s")
def app() -> None:
    """Fit the multivariate normal N(μ, S) by maximum likelihood, with exact gradients."""


@app.command("fit", epilog=EPILOG)
@click.argument(
    "file",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    callback=standard_input,
)
@click.option(
    "--columns",
    multiple=True,
    callback=column_names,
    metavar="A,B,C",
    help="Columns to fit, in this order. Default: all that hold numbers.",
)
@click.option(
    "--covariance",
    type=click.Choice(STRUCTURES),
    default="full",
    show_default=True,
    help="What is estimated: every covariance, variances alone, or one variance for all.",
)
@click.option(
    "--missing",
    type=click.Choice(MISSING),
    default="fiml",
    show_default=True,
    help="Rows with a missing value: drop leaves them out, raise refuses them; fiml will use "
    "what they have, and until then refuses them too.",
)
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
    callback=positive,
    metavar="X",
    help="Bound on the optimality, by which convergence is judged.  [default: 1e-10]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to use. Default: the cores this process may run on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
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
    help="Write the model to a file that mvngrad.load reads.",
)
@click.option("--debug", is_flag=True, help="On an error, show the Python traceback too.")
@click.pass_context
def fit(context: click.Context, /, **given: Any) -> None:
    """Fit N(μ, S) to the numeric columns of a CSV FILE.

    Prints means, standard deviations, correlations, the log-likelihood and how the fit ended.

    The first line of FILE names the columns; commas, tabs or semicolons separate them. Columns
    without any number are left out, with a note. Empty, NA, N/A, NaN, null, None and . mark a
    missing value. Names ending in .gz, .bz2 or .zst are decompressed; - is standard input.
    """
    from mvngrad.cli.failures import told
    from mvngrad.cli.fit import fit_file

    request = Request(**given)
    with told(debug=request.debug):
        code = fit_file(request)
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
