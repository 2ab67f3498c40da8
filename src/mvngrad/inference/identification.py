"""What of a model the data do not tell, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvngrad.core.ops import Array, Mask
from mvngrad.inference.uncertainty import SEEN, Uncertainty

if TYPE_CHECKING:
    from mvngrad.inference.information import Information


class Identification(NamedTuple):
    """Directions that a model can move in, how many of them the data tell, and what is left open.

    size, rank    directions, and those along which the likelihood bends
    untold        of each direction along which it does not, what moves: "covariance of a and b"
    loose         what may move though μ and S do not: loadings of a model with too many
    boundary      what stands at the edge of what it may be: "noise of a"
    """

    size: int
    rank: int
    untold: tuple[tuple[str, ...], ...]
    loose: tuple[str, ...]
    boundary: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left open."""
        return not (self.untold or self.loose or self.boundary)


def identification(information: Information) -> Identification:
    """Of a model at its estimate.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> X[:45, 0] = X[45:, 1] = np.nan                    # x1 and x2 are never seen together
    >>> import warnings; warnings.simplefilter("ignore", mg.NotIdentifiedWarning)
    >>> mg.fit(X).information().identification.untold
    (('covariance of x1 and x2',),)
    """
    directions, blind = information.directions, information.blind
    of = Uncertainty(directions, information.root, blind)
    untold = tuple(tuple(_moved(of, blind[:, [b]])) for b in range(blind.shape[1]))
    loose, boundary = tuple(_loose(of)), tuple(_at_edge(of))
    return Identification(information.size, information.rank, untold, loose, boundary)


def _moved(of: Uncertainty, direction: Array) -> Iterator[str]:
    """Means, variances and covariances that move along a direction."""
    at, moves, s = of.estimate, of.along(direction), of.deviations
    names = at.columns
    for j in np.flatnonzero(np.abs(of.of_mean(moves)[0]) > SEEN * s).tolist():
        yield f"mean of {names[j]}"
    moved = np.abs(of.of_covariance(moves)[0]) > SEEN * np.multiply.outer(s, s)
    for i, j in np.argwhere(np.tril(moved)).tolist():
        yield f"variance of {names[i]}" if i == j else f"covariance of {names[j]} and {names[i]}"


def _loose(of: Uncertainty) -> Iterator[str]:
    at = of.estimate
    if at.structure.loaded(at.theta) is None:
        return
    factor, noise, correlation, _ = of.loose
    s = of.deviations
    yield from _named("loading of {} on f{}", at.columns, factor > SEEN * s[:, None])
    yield from _named("noise of {}", at.columns, (noise > SEEN * s**2)[:, None])
    numbers = [f"f{k + 1}" for k in range(len(correlation))]
    yield from _named("correlation of {} and f{}", numbers, np.tril(correlation, -1) > SEEN)


def _named(text: str, rows: Sequence[str], mask: Mask) -> Iterator[str]:
    for i, j in np.argwhere(mask).tolist():
        yield text.format(rows[i], j + 1)


def _at_edge(of: Uncertainty) -> Iterator[str]:
    """What is held: the noise of a column, a correlation of factors; else the number of θ."""
    at = of.estimate
    held, d = np.flatnonzero(at.held), len(at.root)
    loaded = at.structure.loaded(at.theta) is not None
    for k in held.tolist():
        of_noise = loaded and k >= len(at.theta) - d
        yield f"noise of {at.columns[k - len(at.theta)]}" if of_noise else f"params[{k}]"
