"""The fit kept in fit-schema1.safetensors: its data, and the command that wrote it.

    python tests/golden/fit_schema1.py

Written once, when schema 1 was new. Later versions must go on reading that file, so write it
again only if it turns out to break the description of schema 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mvngrad as mg

PATH = Path(__file__).with_name("fit-schema1.safetensors")
COLUMNS = ("length", "größe", '"quoted", weight')
ROWS = np.array(
    [
        [4.0, 1.0, 30.0],
        [2.0, 7.0, 10.0],
        [5.0, 3.0, 50.0],
        [7.0, 4.0, 20.0],
        [1.0, 9.0, 80.0],
        [8.0, 2.0, 60.0],
    ]
)
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.25])


def golden_fit() -> mg.Fit:
    return mg.fit(ROWS, mg.Factor(4), weights=WEIGHTS, columns=COLUMNS, method="l-bfgs")


if __name__ == "__main__":
    golden_fit().save(PATH)
