"""Structures by name: the one table that ``fit`` and the command read.

A name with a number after a colon takes it as its argument: ``banded:2``.
"""

from __future__ import annotations

from collections.abc import Callable

from mvngrad.errors import DataError
from mvngrad.models.autoregressive import AR1
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.compound_symmetry import CompoundSymmetry
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.heterogeneous import Heterogeneous
from mvngrad.models.masked import Banded
from mvngrad.models.ppca import PPCA
from mvngrad.models.structure import Structure
from mvngrad.models.toeplitz import Toeplitz

NAMED: dict[str, Callable[[], Structure]] = {
    "full": Cholesky,
    "cholesky": Cholesky,
    "diagonal": Diagonal,
    "spherical": Spherical,
    "compound-symmetry": CompoundSymmetry,
    "ar1": AR1,
    "toeplitz": Toeplitz,
    "heterogeneous-compound-symmetry": lambda: Heterogeneous(CompoundSymmetry()),
    "heterogeneous-ar1": lambda: Heterogeneous(AR1()),
    "heterogeneous-toeplitz": lambda: Heterogeneous(Toeplitz()),
}
NUMBERED: dict[str, Callable[[int], Structure]] = {
    "banded": Banded,
    "factor": FactorAnalytic,
    "ppca": PPCA,
}


def structure_named(name: object) -> Structure:
    """The structure of that name.

    Raises
    ------
    DataError
        Lists the names there are.

    Examples
    --------
    >>> structure_named("ar1"), structure_named("banded:2")
    (AR1(), Banded(width=2))
    """
    word, colon, number = name.partition(":") if isinstance(name, str) else ("", "", "")
    if word and name in NAMED:
        return NAMED[name]()
    if word in NUMBERED and colon and number.isdecimal():
        return NUMBERED[word](int(number))
    raise DataError(
        f"covariance must be one of {', '.join(map(repr, names()))}, or a Structure such as "
        f"mvngrad.Factor(); got {name!r:.80}."
    )


def names() -> list[str]:
    """Every name, those with a number as ``'banded:N'``."""
    return [*NAMED, *(f"{word}:N" for word in NUMBERED)]


def name_of(structure: Structure) -> str:
    """How ``fit`` may be told of the structure: its name if it has one, else its ``repr``."""
    wanted = repr(structure)
    given = {name: repr(build()) for name, build in NAMED.items()}
    for number in (getattr(structure, "width", None), getattr(structure, "rank", None)):
        if isinstance(number, int):
            given |= {f"{word}:{number}": repr(build(number)) for word, build in NUMBERED.items()}
    return next((name for name, shown in given.items() if shown == wanted), wanted)
