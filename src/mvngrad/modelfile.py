"""The model file: a Fit or Moments as safearrays, arrays bit for bit and the rest as JSON.

    arrays     mean (d,)  factor (d, k)  trace (iterations, 6)  params (p,)  …
    document   {"schema": 1, "kind": "fit", "written_by": "0.1.0", "columns": […], "nll": …, …}

It holds numbers and names only: loading runs no code from the file, and a file that is damaged,
foreign or made to mislead is refused with a ModelFileError. docs/modelfile.md has every field.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

import mvngrad
from mvngrad._version import __version__
from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array, is_lower, lower_root
from mvngrad.errors import ModelFileError
from mvngrad.fitting.convergence import Status, Step, Trace
from mvngrad.fitting.result import Fit
from mvngrad.io.container import Container, Document, one_error, opened, write
from mvngrad.io.record import Record, as_number
from mvngrad.models.described import Rebuilder, described
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor import Cholesky, InverseCholesky
from mvngrad.models.structure import Structure

SCHEMA = 1
EPS = float(np.finfo(float).eps)

PathLike = str | os.PathLike[str]
Kind = Literal["fit", "moments"]
Structures = Iterable[type[Structure]]

NUMBERS = ("nll", "weight", "optimality", "curvature", "seconds")
COUNTS = ("n_obs", "n_empty", "n_params", "n_eval")
WORDS = ("method", "version")
LISTS = ("columns", "warnings")
OPTIONAL = ("noise", "coefficients", "factor_correlation")
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
    arrays = {"mean": fit.mean, "factor": fit.factor, "trace": _trace_table(fit.trace)}
    arrays |= {name: getattr(fit, name) for name in OPTIONAL if getattr(fit, name) is not None}
    if fit.given_params is not None:
        arrays["params"] = fit.given_params
    with one_error(f"write {os.fspath(path)}"):
        document = _heading("fit") | _plain_fields(fit)
        document["structure"] = described(fit.structure, arrays, "structure")
        write(path, document, arrays, partial(_read_fit, structures=[type(fit.structure)]))


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
    ...     path = os.path.join(directory, "model.safearrays")
    ...     fit.save(path)
    ...     loaded = mg.load(path)
    >>> np.array_equal(loaded.factor, fit.factor), loaded.nll == fit.nll
    (True, True)
    """
    with one_error(f"read {os.fspath(path)}"):
        return _read_fit(path, structures)


def save_moments(moments: Moments, path: PathLike) -> None:
    """Write moments to a model file, whole or not at all."""
    arrays = {"center": moments.center, "spread": moments.spread}
    arrays |= {"origin": moments.frame.origin, "root": moments.frame.root}
    plain = {"weight": as_number(moments.weight), "n_obs": int(moments.n_obs)}
    with one_error(f"write {os.fspath(path)}"):
        write(path, _heading("moments") | plain, arrays, _read_moments)


def load_moments(path: PathLike) -> Moments:
    """Read moments that ``Moments.save`` wrote."""
    with one_error(f"read {os.fspath(path)}"):
        return _read_moments(path)


# Writing


def _heading(kind: Kind) -> Document:
    return {"schema": SCHEMA, "kind": kind, "written_by": __version__}


def _plain_fields(fit: Fit) -> Document:
    plain: Document = {name: as_number(getattr(fit, name)) for name in NUMBERS}
    plain |= {name: int(getattr(fit, name)) for name in COUNTS}
    plain |= {name: str(getattr(fit, name)) for name in WORDS}
    plain |= {name: list(getattr(fit, name)) for name in LISTS}
    return plain | {"status": fit.status.name, "trace": list(Step._fields)}


def _trace_table(trace: Trace) -> Array:
    return np.array(trace.steps, dtype=np.float64).reshape(len(trace), len(Step._fields))


# Reading


def _record(document: Mapping[str, Any], kind: Kind) -> Record:
    """The document without its heading, which says what the rest means."""
    record = Record(document)
    schema = record.count("schema")
    if schema > SCHEMA:
        writer = document.get("written_by")
        raise ModelFileError(
            f"it was written by a newer mvngrad ({writer}, schema {schema}; this is {__version__}, "
            f"schema {SCHEMA}): upgrade, pip install -U mvngrad."
        )
    if schema != SCHEMA:
        raise ModelFileError(f"its schema is {schema}; there has been none before {SCHEMA}.")
    record.text("written_by")
    found = record.text("kind")
    if found != kind:
        reader = {"fit": "mvngrad.load", "moments": "mvngrad.Moments.load"}.get(found, "nothing")
        raise ModelFileError(f"it holds {found!r}, not {kind!r}: what reads it is {reader}.")
    return record


def _read_fit(path: PathLike, structures: Structures = ()) -> Fit:
    with opened(path) as file:
        record = _record(file.document, "fit")
        columns = record.texts("columns")
        d = len(columns)
        structure = _structure(record.member("structure"), file, structures, d)
        plain: Document = {name: record.number(name) for name in NUMBERS}
        plain |= {name: record.count(name) for name in COUNTS}
        plain |= {name: record.text(name) for name in WORDS}
        plain |= {name: file.array(name, None) for name in OPTIONAL if name in file}
        fit = Fit(
            mean=file.array("mean", (d,)),
            factor=file.array("factor", (d, None)),
            structure=structure,
            columns=columns,
            status=_status(record.text("status")),
            trace=_trace(file, record.texts("trace")),
            warnings=record.texts("warnings"),
            given_params=_params(file, structure),
            **plain,
        )
        record.require_all_read()
        file.require_all_read()
    with np.errstate(all="ignore"):
        _require_sound_fit(fit)
    return fit


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
    found = getattr(mvngrad, name) if name in mvngrad.__all__ else None
    if isinstance(found, type) and issubclass(found, Structure) and found is not Structure:
        return found
    raise ModelFileError(
        f"its structure {name!r} is unknown here. If it is a class of your own, pass it: "
        f"mvngrad.load(path, structures=[{name}])."
    )


def _status(name: str) -> Status:
    if name not in Status.__members__:
        raise ModelFileError(f"its status {name!r} is none of {', '.join(Status.__members__)}.")
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
        raise ModelFileError(f"its trace has the columns {', '.join(names)}.")
    table = file.array("trace", (None, len(names)))
    whole = {"iteration", "n_eval"}
    counts = table[:, [name in whole for name in names]]
    if not (np.abs(counts) < 2.0**53).all() or (counts != np.floor(counts)).any():
        raise ModelFileError("its trace counts iterations and evaluations in fractions.")
    columns = [
        [int(x) for x in column] if name in whole else column
        for name, column in zip(names, table.T.tolist(), strict=True)
    ]
    return Trace(tuple(map(Step._make, zip(*columns, strict=True))))


def _read_moments(path: PathLike) -> Moments:
    with opened(path) as file:
        record = _record(file.document, "moments")
        spread = file.array("spread", (None, None))
        d = len(spread)
        frame = AffineFrame(file.array("origin", (d,)), _frame_root(file, d))
        center = file.array("center", (d,))
        moments = Moments(record.number("weight"), record.count("n_obs"), center, spread, frame)
        record.require_all_read()
        file.require_all_read()
    with np.errstate(all="ignore"):
        _require_sound_moments(moments)
    return moments


def _frame_root(file: Container, d: int) -> Array:
    diagonal = len(file.declared("root")[1]) == 1
    root = file.array("root", (d,) if diagonal else (d, d))
    _require_finite(root=root)
    if not (root if diagonal else np.diagonal(root)).min(initial=1.0) > 0.0:
        raise ModelFileError("the frame's root must have a positive diagonal.")
    if not diagonal and not is_lower(root):
        raise ModelFileError("the frame's root must be lower-triangular.")
    return root


# Checking the numbers


def _require_sound_fit(fit: Fit) -> None:
    _require_finite(**{k: v for k, v in vars(fit).items() if isinstance(v, np.ndarray)})
    if not (np.isfinite(fit.nll) and np.isfinite(fit.weight) and fit.weight > 0.0):
        raise ModelFileError(f"nll and weight must be finite; got {fit.nll} and {fit.weight}.")
    if fit.noise is None:
        _require_full_rank(fit.factor, isinstance(fit.structure, TRIANGULAR))


def _require_full_rank(factor: Array, triangular: bool) -> None:
    if factor.shape[1] < len(factor):
        raise ModelFileError(f"factor has shape {factor.shape}: ΛΛᵀ is singular.")
    if triangular and not is_lower(factor):
        raise ModelFileError("factor is not lower-triangular, as this structure's is.")
    if triangular or is_lower(factor):
        smallest = np.diagonal(factor) if triangular else np.abs(np.diagonal(factor))
        floor = np.zeros(len(factor))
    else:
        smallest = np.diagonal(lower_root(factor))
        floor = 4.0 * EPS * factor.shape[1] * np.linalg.norm(factor, axis=1)
    if not (smallest > floor).all():
        raise ModelFileError("factor does not have full row rank: ΛΛᵀ is singular.")


def _require_sound_moments(moments: Moments) -> None:
    _require_finite(center=moments.center, spread=moments.spread, origin=moments.frame.origin)
    if not (np.isfinite(moments.weight) and moments.weight >= 0.0):
        raise ModelFileError(f"weight must be finite and not negative; got {moments.weight}.")
    C = moments.spread
    if C.shape != (moments.d, moments.d) or moments.d < 1:
        raise ModelFileError(f"spread must be square; it has shape {C.shape}.")
    rounding = 1e-8 * np.abs(C).max(initial=0.0)
    if np.abs(C - C.T).max(initial=0.0) > rounding or np.diagonal(C).min(initial=0.0) < -rounding:
        raise ModelFileError("spread must be symmetric, with no negative variance.")


def _require_finite(**arrays: Array) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"the array {name!r} must be finite.")
