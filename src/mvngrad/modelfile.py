"""The model file: a Fit or Moments as safetensors, arrays bit for bit and the rest as JSON.

    arrays     mean (d,)  factor (d, k)  trace (iterations, 6)  params (p,)  …
    document   {"schema": 1, "kind": "fit", "written_by": "0.1.0", "columns": […], "nll": …, …}

It holds numbers and names only: loading runs no code from the file, and a file that is damaged,
foreign or made to mislead is refused with a ModelFileError.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np

import mvngrad
from mvngrad.core.ops import Array, is_lower
from mvngrad.core.roots import full_rank_root
from mvngrad.errors import DataError, ModelFileError, NotPositiveDefiniteError
from mvngrad.fitting.convergence import Status, Step, Trace
from mvngrad.fitting.grounds import WeightsKind
from mvngrad.fitting.result import Fit
from mvngrad.io.container import Container, Document, one_error, opened, write
from mvngrad.io.fingerprint import fingerprint_arrays, fingerprint_fields, fingerprint_in
from mvngrad.io.momentsfile import load_moments, save_moments
from mvngrad.io.record import (
    PathLike,
    Record,
    as_number,
    heading,
    record_of,
    require_finite,
)
from mvngrad.models.cholesky import Cholesky, InverseCholesky
from mvngrad.models.described import Rebuilder, described, types_in
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.structure import Structure

__all__ = ["load", "load_moments", "save", "save_moments"]

Structures = Iterable[type[Structure]]

NUMBERS = ("nll", "weight", "optimality", "curvature", "seconds")
COUNTS = ("n_obs", "n_empty", "n_params", "n_eval")
WORDS = ("method", "version")
LISTS = ("columns", "warnings")
OPTIONAL = ("noise", "factor_correlation")
WIDE = 1024  # columns of Λ up to which θ̂ may be left to be worked out
# Those that report Λ lower-triangular with positive diagonal.
TRIANGULAR = (Cholesky, InverseCholesky, Diagonal, Spherical)


def save(fit: Fit, path: PathLike) -> None:
    """Write a fit to a model file, whole or not at all.

    Raises
    ------
    ModelFileError
        If the place cannot be written to, or ``load`` could not read the file back.
    """
    arrays = {"mean": fit.mean, "factor": fit.factor, "trace": fit.trace.as_table()}
    arrays |= {name: getattr(fit, name) for name in OPTIONAL if getattr(fit, name) is not None}
    if fit.given_params is not None:
        arrays["params"] = fit.given_params
    arrays |= dict(_named_coefficients(fit)) | fingerprint_arrays(fit.fingerprint)
    with one_error(f"write {os.fspath(path)}"):
        document = heading("fit") | _plain_fields(fit)
        document["structure"] = described(fit.structure, arrays, "structure")
        own = [cls for cls in types_in(fit.structure) if _public(cls.__name__) is not cls]
        _require_own_names(own)
        write(path, document, arrays, partial(_read_fit, structures=own))


def load(path: PathLike, *, structures: Structures = ()) -> Fit:
    """Read a fit that ``Fit.save`` wrote; every field and array comes back bit for bit.

    Parameters
    ----------
    path : str or path
    structures : classes of covariance structures of your own that the file may name

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of another kind or from a newer version.

    Examples
    --------
    >>> import os, tempfile, numpy as np, mvngrad as mg
    >>> fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "model.safetensors")
    ...     fit.save(path)
    ...     loaded = mg.load(path)
    >>> np.array_equal(loaded.factor, fit.factor), loaded.nll == fit.nll
    (True, True)
    """
    with one_error(f"read {os.fspath(path)}"):
        return _read_fit(path, structures)


# Writing


def _require_own_names(own: Sequence[type[Structure]]) -> None:
    """Refuse classes that ``load`` would take for others."""
    for cls in own:
        if _public(cls.__name__) or [c.__name__ for c in own if c is not cls].count(cls.__name__):
            raise ModelFileError(
                f"two structures are named {cls.__name__}: a model file knows them by name. "
                "Rename the class of your own."
            )


def _plain_fields(fit: Fit) -> Document:
    plain: Document = {name: as_number(getattr(fit, name)) for name in NUMBERS}
    plain |= {name: int(getattr(fit, name)) for name in COUNTS}
    plain |= {name: str(getattr(fit, name)) for name in WORDS}
    plain |= {name: list(getattr(fit, name)) for name in LISTS}
    plain |= {"status": fit.status.name, "trace": list(Step._fields)}
    if fit.n_starts > 1:
        plain["n_starts"] = int(fit.n_starts)
    if fit.not_identified:
        plain["not_identified"] = [name for pair in fit.not_identified for name in pair]
    if fit.weights_kind != "frequency":
        plain["weights_kind"] = fit.weights_kind
    if fit.saturated is not None:
        plain["saturated"] = as_number(fit.saturated)
    if fit.prior:
        plain |= {"penalty": as_number(fit.penalty), "prior": list(fit.prior)}
    plain |= fingerprint_fields(fit.fingerprint)
    if fit.coefficients is not None:
        plain["design"] = [list(names) for names in fit.design_names]
    return plain


def _named_coefficients(fit: Fit) -> Iterator[tuple[str, Array]]:
    """One array, or one for each column."""
    if isinstance(fit.coefficients, list):
        yield from ((f"coefficients.{j}", beta) for j, beta in enumerate(fit.coefficients))
    elif fit.coefficients is not None:
        yield "coefficients", fit.coefficients


# Reading


def _read_fit(path: PathLike, structures: Structures = ()) -> Fit:
    with opened(path) as file:
        record = record_of(file.document, "fit")
        columns = record.texts("columns")
        d = len(columns)
        structure = _structure(record.member("structure"), file, structures, d)
        plain: Document = {name: record.number(name) for name in NUMBERS}
        plain |= {name: record.count(name) for name in COUNTS}
        plain |= {name: record.text(name) for name in WORDS}
        plain |= {name: file.array(name, None) for name in OPTIONAL if name in file}
        plain |= _since_holes(record, columns)
        plain |= _regression(record, file, d)
        if "weights_kind" in record:
            plain["weights_kind"] = _weights_kind(record.text("weights_kind"))
        if "saturated" in record:
            plain["saturated"] = record.number("saturated")
        if "prior" in record:
            plain |= {"penalty": record.number("penalty"), "prior": record.texts("prior")}
        fit = Fit(
            mean=file.array("mean", (d,)),
            factor=file.array("factor", (d, None)),
            structure=structure,
            columns=columns,
            status=_status(record.text("status")),
            trace=_trace(file, record.texts("trace")),
            warnings=record.texts("warnings"),
            given_params=_params(file, structure),
            given_fingerprint=fingerprint_in(record, file, plain["weight"], plain["n_obs"], d),
            **plain,
        )
        record.require_all_read()
        file.require_all_read()
    with np.errstate(all="ignore"):
        _require_sound_fit(fit)
    return fit


def _since_holes(record: Record, columns: tuple[str, ...]) -> Document:
    """What is written only where data had holes: starts, and pairs of columns one after another."""
    n_starts = record.count("n_starts") if "n_starts" in record else 1
    names = record.texts("not_identified") if "not_identified" in record else ()
    if n_starts < 1 or len(names) % 2 or not set(names) <= set(columns):
        raise ModelFileError("n_starts or not_identified is none that a fit has.")
    return {"n_starts": n_starts, "not_identified": tuple(zip(*[iter(names)] * 2, strict=True))}


def _regression(record: Record, file: Container, d: int) -> Document:
    """Coefficients and what they are of, where the mean is linear in a design."""
    if "design" not in record:
        return {}
    names = record.member("design")
    lists = isinstance(names, list) and all(isinstance(part, list) for part in names)
    if not lists or not all(isinstance(name, str) for part in names for name in part):
        raise ModelFileError("its design must be lists of names.")
    found: Any
    if "coefficients" in file and len(names) == 1:
        found = file.array("coefficients", None)
        if found.shape not in {(len(names[0]), d), (len(names[0]),)}:
            raise ModelFileError("its coefficients are not those of its design.")
    elif len(names) == d:
        found = [file.array(f"coefficients.{j}", (len(part),)) for j, part in enumerate(names)]
    else:
        raise ModelFileError("its design is not one for its columns.")
    return {"coefficients": found, "design_names": tuple(map(tuple, names))}


def _structure(description: Any, file: Container, structures: Structures, d: int) -> Structure:
    type_of = partial(_structure_type, structures=tuple(structures))
    structure = Rebuilder(file.any_array, type_of).structure(description)
    if d < 1 or structure.d != d:
        raise ModelFileError(f"columns names {d} columns, the structure has {structure.d}.")
    return structure


def _structure_type(name: str, structures: Sequence[type[Structure]]) -> type[Structure]:
    """One of the user's classes, or of those that mvngrad makes public."""
    for own in structures:
        if own.__name__ == name:
            return own
    found = _public(name)
    if found is not None:
        return found
    raise ModelFileError(
        f"its structure {name[:60]!r} is unknown here. If it is a class of your own, pass it: "
        "mvngrad.load(path, structures=[TheClass])."
    )


def _public(name: str) -> type[Structure] | None:
    """The structure that mvngrad makes public under this name."""
    found = getattr(mvngrad, name) if name in mvngrad.__all__ else None
    concrete = isinstance(found, type) and issubclass(found, Structure) and found is not Structure
    return found if concrete else None


def _weights_kind(name: str) -> str:
    if name not in get_args(WeightsKind):
        raise ModelFileError(f"weights_kind is {name[:60]!r}, and not frequency or sampling.")
    return name


def _status(name: str) -> Status:
    if name not in Status.__members__:
        raise ModelFileError(
            f"its status {name[:60]!r} is none of {', '.join(Status.__members__)}."
        )
    return Status[name]


def _params(file: Container, structure: Structure) -> Array | None:
    """θ̂ where it is written; else it must be such as can be worked out from Λ at no great cost."""
    if not isinstance(structure.size, int):
        raise ModelFileError(f"its structure {structure!r} has a size of {structure.size}.")
    if "params" in file:
        return file.array("params", (structure.size,))
    if structure.size > structure.columns * max(structure.columns, WIDE):
        raise ModelFileError(f"the array 'params' of length {structure.size} is missing.")
    return None


def _trace(file: Container, names: tuple[str, ...]) -> Trace:
    if names != Step._fields:
        raise ModelFileError(f"its trace must have the columns {', '.join(Step._fields)}.")
    try:
        return Trace.of_table(file.array("trace", (None, len(names))))
    except DataError as error:
        raise ModelFileError(str(error)) from error


# Checking the numbers


def _require_sound_fit(fit: Fit) -> None:
    require_finite(**{k: v for k, v in vars(fit).items() if isinstance(v, np.ndarray)})
    require_finite(**dict(_named_coefficients(fit)))
    if not (np.isfinite(fit.nll) and np.isfinite(fit.weight) and fit.weight > 0.0):
        raise ModelFileError(
            f"nll must be finite and weight positive; got {fit.nll} and {fit.weight}."
        )
    triangular = fit.noise is None and isinstance(fit.structure, TRIANGULAR)
    if triangular and not (is_lower(fit.factor) and np.diagonal(fit.factor).min() > 0.0):
        raise ModelFileError("factor must be lower-triangular with positive diagonal.")
    try:
        full_rank_root(fit.factor, fit.noise)
    except (NotPositiveDefiniteError, DataError) as error:
        raise ModelFileError(str(error)) from error
