"""Whether one family of covariances is a case of another, and where in it: by their types.

    same         the two are one
    inside       the smaller is cut out by equations, and within the bounds of the larger: the
                 likelihood ratio is χ² (Wilks 1938)
    component    a single variance is 0: half of the time the ratio is 0 (Self & Liang 1987, case 5)
    boundary     variances are 0: the ratio is a mixture of χ², and smaller than χ² (Shapiro 1985)
    singular     what vanishes leaves other parameters without meaning, as factors without loadings
                 their directions: the ratio is not χ², and larger (Hayashi, Bentler & Yuan 2007;
                 Drton 2009)
    unknown      nothing here tells; the two may or may not be nested

Nesting cannot be decided in general. What is not in the tables below is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np

from mvngrad.models.algebra import Scaled, Sum
from mvngrad.models.autoregressive import AR1
from mvngrad.models.block_diagonal import BlockDiagonal
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.compound_symmetry import CompoundSymmetry
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor import Factor
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.heterogeneous import Heterogeneous
from mvngrad.models.known import Known
from mvngrad.models.kronecker import Kronecker
from mvngrad.models.masked import Banded
from mvngrad.models.ppca import PPCA
from mvngrad.models.precision import Precision
from mvngrad.models.random_effects import RandomEffects
from mvngrad.models.structure import Structure
from mvngrad.models.toeplitz import Toeplitz

Nesting = Literal["same", "inside", "component", "boundary", "singular", "unknown"]
ORDER: tuple[Nesting, ...] = get_args(Nesting)

# Of these types any member of the first is a member of the second, whatever its arguments.
ALWAYS: dict[tuple[type[Structure], type[Structure]], Nesting] = {
    (Spherical, Diagonal): "inside",
    (Spherical, CompoundSymmetry): "inside",
    (Spherical, AR1): "inside",
    (Spherical, Toeplitz): "inside",
    (Spherical, Banded): "inside",
    (Spherical, PPCA): "singular",
    (Diagonal, Banded): "inside",
    (CompoundSymmetry, Toeplitz): "inside",
    (AR1, Toeplitz): "inside",
}

CONES = (Spherical, Diagonal, CompoundSymmetry, Toeplitz, Banded, Cholesky, Factor)
OF_ANY_SIZE = (*CONES, AR1, Heterogeneous, PPCA)


def nesting(small: Structure, big: Structure) -> Nesting:
    """How the family of ``small`` lies in that of ``big``.

    Examples
    --------
    >>> import mvngrad as mg
    >>> nesting(mg.AR1(), mg.Toeplitz()), nesting(mg.AR1(), mg.Banded(2))
    ('inside', 'unknown')
    >>> nesting(mg.Spherical(), mg.RandomEffects([[1.0], [1.0]]) + mg.Spherical())
    'component'
    """
    if same(small, big):
        return "same"
    if big.saturated:
        return "inside"
    return min((*_by_table(small, big), "unknown"), key=ORDER.index)


def worst(kinds: Iterable[Nesting]) -> Nesting:
    """Of several things that vary at a time; the same where there are none."""
    return max(kinds, key=ORDER.index, default="same")


def same(a: Any, b: Any) -> bool:
    """Whether two structures, or arguments of such, are equal."""
    if isinstance(a, Structure) and isinstance(b, Structure):
        return type(a) is type(b) and same(a.describe(), b.describe())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=_numeric(a) and _numeric(b))
    return type(a) is type(b) and bool(a == b)


def _numeric(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind != "O"


def _by_table(small: Structure, big: Structure) -> Iterable[Nesting]:
    """What each of the rules says that has something to say."""
    if (type(small), type(big)) in ALWAYS:
        yield ALWAYS[type(small), type(big)]
    if isinstance(big, FactorAnalytic):
        yield _in_factors(small, big)
    if isinstance(small, PPCA) and isinstance(big, PPCA) and small.rank < big.rank:
        yield "singular"
    if isinstance(small, Banded) and isinstance(big, Banded) and small.width < big.width:
        yield "inside"
    if isinstance(big, Heterogeneous):
        yield _in_heterogeneous(small, big)
    if isinstance(big, Precision):
        yield _in_precision(small, big)
    if isinstance(big, Sum):
        yield _in_sum(small, big)
    if isinstance(big, BlockDiagonal):
        yield _in_blocks(small, big)
    if isinstance(small, Kronecker) and isinstance(big, Kronecker):
        yield worst(map(nesting, small.parts, big.parts))


# Factors


def _in_factors(small: Structure, big: FactorAnalytic) -> Nesting:
    exploratory = big.pattern is None
    if isinstance(small, Spherical | Diagonal) and exploratory:
        return _by_rank(0, big.rank)
    if isinstance(small, PPCA | FactorAnalytic) and exploratory:
        return _by_rank(small.rank, big.rank)
    if isinstance(small, FactorAnalytic):
        return _in_pattern(small, big)
    return "unknown"


def _by_rank(small: int, big: int) -> Nesting:
    """Fewer factors are more of them without loadings, whose directions then mean nothing."""
    return "unknown" if small > big else "inside" if small == big else "singular"


def _in_pattern(small: FactorAnalytic, big: FactorAnalytic) -> Nesting:
    """Loadings fixed that are free in the larger, all else equal; labels are not looked at."""
    if small.pattern is None or big.pattern is None:
        return "unknown"
    a, b = small.pattern, big.pattern
    numbers = _numeric(a.given) and _numeric(b.given)
    looser = b.map.correlated >= a.map.correlated and a.scale == b.scale
    if not (numbers and looser and a.given.shape == b.given.shape):
        return "unknown"
    free = np.isnan(b.given)
    # No factor of a pattern is without loadings, so none vanishes.
    return "inside" if np.array_equal(a.given[~free], b.given[~free]) else "unknown"


# What is made of others


def _in_heterogeneous(small: Structure, big: Heterogeneous) -> Nesting:
    if isinstance(small, Diagonal):  # its scales are those of any diagonal
        return _at_most_inside(nesting(Spherical(), big.inner))
    inner = small.inner if isinstance(small, Heterogeneous) else small
    return _at_most_inside(nesting(inner, big.inner))


def _in_precision(small: Structure, big: Precision) -> Nesting:
    if isinstance(small, Precision):
        return nesting(small.inner, big.inner)
    if isinstance(small, Spherical | Diagonal):
        return _at_most_inside(nesting(small, big.inner))
    markov = isinstance(small, AR1) and isinstance(big.inner, Banded) and big.inner.width > 0
    return "inside" if markov else "unknown"


def _in_sum(small: Structure, big: Sum) -> Nesting:
    """Parts that the smaller has not are covariances of 0."""
    left = list(big.parts)
    for part in small.parts if isinstance(small, Sum) else (small,):
        found = next((other for other in left if same(part, other)), None)
        if found is None:
            return "unknown"
        left.remove(found)
    if not all(map(_may_vanish, left)):
        return "unknown"
    if len(left) == 1 and _is_variance(left[0]):
        return "component"
    return "boundary" if all(map(_is_cone, left)) else "singular"


def _may_vanish(part: Structure) -> bool:
    """Whether 0 is a limit of the family; of structures that are not known here that is unknown."""
    if isinstance(part, RandomEffects):
        return _may_vanish(part.inner)
    if isinstance(part, Scaled):
        return part.by is None or _may_vanish(part.part)
    if isinstance(part, Kronecker):
        return any(map(_may_vanish, part.parts))
    if isinstance(part, Sum | BlockDiagonal):
        return all(map(_may_vanish, part.parts))
    return isinstance(part, OF_ANY_SIZE)


def _is_cone(part: Structure) -> bool:
    """Whether it is linear in what must not be negative: else what vanishes leaves correlations."""
    if isinstance(part, RandomEffects):
        return _is_cone(part.inner)
    if isinstance(part, Scaled):
        return isinstance(part.part, Known) or _is_cone(part.part)
    if isinstance(part, Sum | BlockDiagonal):
        return all(map(_is_cone, part.parts))
    return isinstance(part, CONES)


def _is_variance(part: Structure) -> bool:
    """Whether it is one variance times a known matrix."""
    if isinstance(part, RandomEffects):
        return part.inner.columns == 1
    return isinstance(part, Scaled) and part.by is None and isinstance(part.part, Known)


def _in_blocks(small: Structure, big: BlockDiagonal) -> Nesting:
    if isinstance(small, Spherical | Diagonal):
        return _at_most_inside(worst(nesting(small, block) for block in big.parts))
    if not isinstance(small, BlockDiagonal) or len(small.parts) != len(big.parts):
        return "unknown"
    if [part.d for part in small.parts] != [part.d for part in big.parts]:
        return "unknown"
    return worst(map(nesting, small.parts, big.parts))


def _at_most_inside(kind: Nesting) -> Nesting:
    """The parts being the same the whole is still smaller."""
    return "inside" if kind == "same" else kind
