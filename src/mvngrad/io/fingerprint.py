"""A fingerprint of data in a model file: an array (3, d), and a number beside it.

Files written before there was one lack both: then nothing tells which data the fit is of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvngrad.core.fingerprint import Fingerprint
from mvngrad.core.ops import Array
from mvngrad.errors import ModelFileError
from mvngrad.io.container import Container
from mvngrad.io.record import Record, as_number, require_finite

ARRAY, NUMBER = "fingerprint", "fingerprint_together"


def fingerprint_arrays(fingerprint: Fingerprint | None) -> dict[str, Array]:
    """Weight, mean and variance of what is observed, a column each."""
    if fingerprint is None:
        return {}
    return {ARRAY: np.array([fingerprint.observed, fingerprint.mean, fingerprint.variance])}


def fingerprint_fields(fingerprint: Fingerprint | None) -> dict[str, Any]:
    """What goes into the document; weight and rows are there already."""
    return {} if fingerprint is None else {NUMBER: as_number(fingerprint.together)}


def fingerprint_in(
    record: Record, file: Container, weight: float, n_obs: int, d: int
) -> Fingerprint | None:
    """What was written, or None where nothing was."""
    if NUMBER not in record:
        return None
    observed, mean, variance = file.array(ARRAY, (3, d))
    together = record.number(NUMBER)
    require_finite(fingerprint=np.array([*observed, *mean, *variance, together]))
    if observed.min() < 0.0 or variance.min() < 0.0 or together < 0.0:
        raise ModelFileError("the array 'fingerprint' must hold no negative weight or variance.")
    return Fingerprint(weight, n_obs, observed, mean, variance, together)
