"""Imputations that show all of what is not known: of the holes, and of μ and S themselves.

For each draw k, independently:

    c ~ multinomial(Σw; w/Σw)              how often each row is in a bootstrap sample
    (μ*, S*) = fit of the rows, weights c   approximately a draw from the posterior
    x_m ~ N(μ*, S*) given x_o               in every hole

Draws of the holes alone, at the estimate, vary too little between data sets, and Rubin's rules
then give standard errors that are too small. (Little & Rubin 2019, §10.2; Honaker & King 2010)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_generator, as_rows, as_weights
from mvngrad.core.conditional import as_draws
from mvngrad.core.ops import Array
from mvngrad.errors import DataError, NotPositiveDefiniteError

TRIES = 10  # samples in a row that cannot be fitted before the error is passed on

Rows = npt.NDArray[Any]


class Imputer(Protocol):
    """What fills holes: a ``MultivariateNormal``."""

    def impute(self, X: Any, *, draws: int | None = None, rng: Any = None) -> Array:
        """X with its holes filled, (draws, n, d)."""


Refit = Callable[[Rows, Array], Imputer]


def impute_properly(
    X: Any, draws: int, rng: Any, refit: Refit, *, rows: Any = None, weights: Any = None
) -> Array:
    """X with its holes drawn, each time under parameters that are drawn first: (draws, n, d).

    Parameters
    ----------
    X : (n, d) array, or one row (d,)       NaN where missing
    draws : int                             how many data sets
    rng : seed or numpy Generator
    refit : callable (rows, weights) → MultivariateNormal
        Fits the model as it was fitted, to rows with frequencies; rows drawn twice have weight 2.
    rows : (N, d) array, optional           what the parameters are estimated from; default: X
    weights : (N,) array, optional          frequencies of these rows

    Returns
    -------
    (draws, n, d) array of float64; (draws, d) for a single row
        Observed entries are those of X, bit for bit.

    Raises
    ------
    DataError, NotPositiveDefiniteError
        If draws is no positive whole number, or sample after sample cannot be fitted.

    Notes
    -----
    Costs a fit a draw. (Honaker & King 2010, "EMB"; Efron 1994)

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> root = lambda rows, w: np.linalg.cholesky(np.cov(rows.T, ddof=0, fweights=w))
    >>> refit = lambda rows, w: mg.MultivariateNormal(np.average(rows, axis=0, weights=w),
    ...                                               root(rows, w.astype(int)))
    >>> new = [1.0, np.nan]
    >>> impute_properly(new, 3, 0, refit, rows=X).shape
    (3, 2)
    """
    draws, rng = as_draws(draws), as_generator(rng)
    models = draw_parameters(X if rows is None else rows, rng, refit, weights=weights)
    return np.stack([next(models).impute(X, draws=1, rng=rng)[0] for _ in range(draws)])


def draw_parameters(
    rows: Any, rng: np.random.Generator, refit: Refit, *, weights: Any = None
) -> Iterator[Imputer]:
    """Fits of bootstrap samples of the rows, one after the other without end.

    A sample of n = Σw, rounded, is drawn from the rows with something observed, in proportion to
    their weights, and handed to ``refit`` as its different rows and how often each was drawn.
    """
    rows = as_rows(rows)
    w = as_weights(weights, len(rows))
    there = ~np.isnan(rows).all(axis=1) if rows.dtype.kind == "f" else np.ones(len(rows), bool)
    w = there.astype(np.float64) if w is None else w * there
    if not w.any():
        raise DataError("no row has something observed, so there is nothing to fit again.")
    while True:
        yield _fit_of_a_sample(rows, w, rng, refit)


def _fit_of_a_sample(rows: Rows, w: Array, rng: np.random.Generator, refit: Refit) -> Imputer:
    """A fit of one sample; samples that determine no fit (a column without rows) are replaced."""
    for left in reversed(range(TRIES)):
        counts = rng.multinomial(max(round(float(w.sum())), 1), w / w.sum())
        drawn = counts > 0
        try:
            return refit(rows[drawn], counts[drawn].astype(np.float64))
        except (DataError, NotPositiveDefiniteError):
            if not left:
                raise
    raise AssertionError
