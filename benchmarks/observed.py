"""The log-likelihood of rows with holes, in plain NumPy: the judge of all candidates.

Written for this alone, after the textbook and not after the library: for each pattern of observed
columns o, the rows' log-density under N(μ_o, S_oo).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum, log, pi

import numpy as np
import numpy.typing as npt

from benchmarks.problems import Floats


def loglik(X: Floats, mu: Floats, S: Floats) -> float:
    """Σ over rows of log N(x_o; μ_o, S_oo), constants included."""
    return fsum(_of_pattern(R, S[np.ix_(o, o)]) for o, R in _residuals(X, mu))


def _residuals(X: Floats, mu: Floats) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """The observed columns of each pattern, and its rows' residuals in them."""
    patterns, which = np.unique(~np.isnan(X), axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which))
    for pattern, rows in zip(patterns, np.split(order, ends[:-1]), strict=True):
        (o,) = np.nonzero(pattern)
        yield o, X[np.ix_(rows, o)] - mu[o]


def _of_pattern(R: Floats, S: Floats) -> float:
    sign, logdet = np.linalg.slogdet(S)
    if sign <= 0.0:
        return float("nan")
    quadratic = np.sum(R * np.linalg.solve(S, R.T).T)
    return float(-0.5 * (R.size * log(2.0 * pi) + len(R) * logdet + quadratic))
