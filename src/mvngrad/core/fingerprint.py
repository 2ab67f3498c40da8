"""What tells one set of data from another, in a few numbers: kept with a fit when rows are gone.

    nⱼ, mⱼ, vⱼ      weight, mean and variance of what is observed of each column
    t               Σ w (Σⱼ cⱼ yⱼ/√vⱼ)²/n,  y = x − m where observed, else 0

t sees what the columns alone do not: rows of one column in another order. No number depends on
the order of the rows; all agree to rounding whatever frame the data were summed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from mvngrad.core.frame import read_only
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.core.patterns import Patterns
from mvngrad.errors import listed

SAME = 1e-8  # relative: frames differ between structures, and bits with them
ROUNDING = 1e-13  # of a mean, where it is large beside the deviation


@final
@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Weight, rows, and of each column weight, mean and variance of what is observed.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.array([[1.0, 2.0], [3.0, 5.0], [8.0, 4.0]])
    >>> a, b = Fingerprint.of(mg.Moments.of(X)), Fingerprint.of(mg.Moments.of(X[::-1]))
    >>> list(a.differences(b, "xy"))
    []
    >>> c = Fingerprint.of(mg.Moments.of(X * [1.0, 2.0]))
    >>> list(a.differences(c, "xy"))
    ['the mean of y: 3.66667 and 7.33333', 'the variance of y: 1.55556 and 6.22222']
    """

    weight: float
    n_obs: int
    observed: Array
    mean: Array
    variance: Array
    together: float

    def __post_init__(self) -> None:
        for name in ("observed", "mean", "variance"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def of(cls, data: Moments | Patterns) -> Fingerprint:
        """Of complete data or of rows with holes."""
        return _of_moments(data) if isinstance(data, Moments) else _of_patterns(data)

    def differences(self, other: Fingerprint, columns: Sequence[str]) -> Iterator[str]:
        """What differs, in words; nothing if the two are of the same data."""
        if self.n_obs != other.n_obs:
            yield f"the number of rows: {self.n_obs} and {other.n_obs}"
        if not _close(self.weight, other.weight):
            yield f"the total weight: {self.weight:g} and {other.weight:g}"
        slack = SAME * np.sqrt(self.variance) + ROUNDING * np.abs(self.mean)
        pairs = (
            ("weight observed", self.observed, other.observed, SAME * self.observed),
            ("mean", self.mean, other.mean, slack),
            ("variance", self.variance, other.variance, SAME * self.variance),
        )
        found = [text for pair in pairs for text in _of_columns(*pair, columns)]
        yield from found
        if not found and not _close(self.together, other.together):
            yield "how the columns go together, as if a column had its rows in another order"


def _of_columns(
    what: str, a: Array, b: Array, slack: Array, columns: Sequence[str]
) -> Iterator[str]:
    apart = np.flatnonzero(~(np.abs(a - b) <= slack)).tolist()
    if apart:
        names = listed([columns[j] for j in apart], most=3)
        values = f": {a[apart[0]]:g} and {b[apart[0]]:g}" if len(apart) == 1 else ""
        yield f"the {what} of {names}{values}"


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * abs(a)


def _mix(d: int) -> Array:
    """c (d,): coefficients of which no few cancel."""
    return np.cos(1.0 + np.arange(d) ** 2)


def _of_moments(moments: Moments) -> Fingerprint:
    S, c = moments.cov, _mix(moments.d)
    variance = np.diagonal(S).copy()
    u = _over(c, variance)
    return Fingerprint(
        moments.weight,
        moments.n_obs,
        np.full(moments.d, moments.weight),
        moments.mean,
        variance,
        float(u @ S @ u),
    )


def _of_patterns(data: Patterns) -> Fingerprint:
    (z, w, anchored), (center, variance) = data.kept, data.available()
    u = _over(_mix(data.d), variance)
    # z is 0 where missing, and what is subtracted there must be too.
    there = np.repeat(data.observed @ (center * u), np.diff(data.starts))
    t = z @ u - anchored * there
    return Fingerprint(
        data.weight,
        data.n_obs,
        data.pattern_weights @ data.observed,
        data.frame.origin + data.frame.root * center,
        variance * data.frame.root**2,
        float(w @ t**2) / data.weight,
    )


def _over(c: Array, variance: Array) -> Array:
    """c/√v, 0 where v is."""
    return np.divide(c, np.sqrt(variance), out=np.zeros(len(c)), where=variance > 0.0)
