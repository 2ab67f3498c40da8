"""``mvngrad inspect``: read, look, print."""

from __future__ import annotations

import warnings

from mvngrad.cli.documents import of_inspection
from mvngrad.cli.failures import INTERRUPTED
from mvngrad.cli.fit import fit_table
from mvngrad.cli.output import show
from mvngrad.cli.progress import Progress
from mvngrad.cli.reading import read
from mvngrad.cli.request import InspectRequest


def inspect_file(request: InspectRequest) -> int:
    """Do what is asked; the exit code."""
    from mvngrad.cli.inspected import summarise
    from mvngrad.cli.inspection import inspected

    with warnings.catch_warnings(), Progress() as progress:
        warnings.simplefilter("ignore")  # what ours say is in the fit, and in what is found
        data = read(request.file, request.columns, progress)
        progress.say("looking for missing values")
        found = inspected(
            data, request.threads, lambda: fit_table(data.table, progress, threads=request.threads)
        )
    show(of_inspection(found) if request.as_json else summarise(found, request.file.name))
    return INTERRUPTED if found.interrupted else 0
