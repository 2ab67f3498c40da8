"""What rows with holes cannot tell: covariances of columns that are never observed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvngrad.core.moments import Moments
from mvngrad.core.patterns import Patterns

Pairs = tuple[tuple[str, str], ...]
MOST = 4


def never_together(data: Moments | Patterns, columns: Sequence[str]) -> Pairs:
    """Pairs of columns of which no row has both."""
    if isinstance(data, Moments):
        return ()
    i, j = np.nonzero(np.triu(data.coverage == 0.0, 1))
    return tuple((columns[a], columns[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True))


def in_words(pairs: Pairs) -> str:
    """A warning that names them."""
    shown = ", ".join(f"{a} and {b}" for a, b in pairs[:MOST])
    more = f", and {len(pairs) - MOST} pairs more" if len(pairs) > MOST else ""
    return (
        f"never observed together: {shown}{more}. Nothing in the data says how they covary; their "
        "covariance as given is one of many that fit equally well"
    )
