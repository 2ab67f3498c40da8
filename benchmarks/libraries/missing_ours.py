"""mvngrad itself, on rows with holes."""

from __future__ import annotations

from functools import partial

import mvngrad as mg
from benchmarks.libraries import Incomplete
from benchmarks.turns import Here

NEEDS = ("mvngrad",)
NAME = "mvngrad.fit"
_OPEN = partial(Here, mg.fit, lambda fit: (fit.mean, fit.covariance))
CANDIDATES = (Incomplete(NAME, _OPEN, is_peer=False),)
