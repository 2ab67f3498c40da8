"""What tests of the command share: files, strict JSON, and a shell of its own."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

PENGUINS = Path(__file__).parents[1] / "examples" / "penguins.csv"


def written(path, X, names):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        rows.writerows(X.tolist())
    return path


def strict(text):
    """JSON as its standard has it: no NaN, no Infinity."""

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def in_a_shell(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "mvngrad.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


def holed(path, X, names, holes, missing="NA"):
    """A file of these rows with a word for a missing value in these places (n, d)."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(names)
        for x, hole in zip(X.tolist(), holes.tolist(), strict=True):
            rows.writerow([missing if gone else repr(v) for v, gone in zip(x, hole, strict=True)])
    return path


def numbers(text):
    """The rows of a CSV file below its header."""
    return np.array([[float(x) for x in row] for row in list(csv.reader(text.splitlines()))[1:]])
