"""Moments in a file of their own: arrays center, spread, origin and root; weight and n_obs."""

from __future__ import annotations

import os

import numpy as np

from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.errors import DataError, ModelFileError
from mvngrad.io.container import Container, one_error, opened, write
from mvngrad.io.record import PathLike, as_number, heading, record_of, require_finite


def save_moments(moments: Moments, path: PathLike) -> None:
    """Write moments to a model file, whole or not at all."""
    arrays = {"center": moments.center, "spread": moments.spread}
    arrays |= {"origin": moments.frame.origin, "root": moments.frame.root}
    plain = {"weight": as_number(moments.weight), "n_obs": int(moments.n_obs)}
    plain["mean_known"] = moments.mean_known
    with one_error(f"write {os.fspath(path)}"):
        write(path, heading("moments") | plain, arrays, _read_moments)


def load_moments(path: PathLike) -> Moments:
    """Read moments that ``Moments.save`` wrote."""
    with one_error(f"read {os.fspath(path)}"):
        return _read_moments(path)


def _read_moments(path: PathLike) -> Moments:
    with opened(path) as file:
        record = record_of(file.document, "moments")
        spread = file.array("spread", (None, None))
        d = len(spread)
        frame = _frame(file, d)
        moments = Moments(
            record.number("weight"),
            record.count("n_obs"),
            file.array("center", (d,)),
            spread,
            frame,
            record.flag("mean_known"),
        )
        record.require_all_read()
        file.require_all_read()
    with np.errstate(all="ignore"):
        _require_sound_moments(moments)
    return moments


def _frame(file: Container, d: int) -> AffineFrame:
    diagonal = len(file.declared("root")[1]) == 1
    root = file.array("root", (d,) if diagonal else (d, d))
    try:
        return AffineFrame(file.array("origin", (d,)), root).checked()
    except DataError as error:
        raise ModelFileError(str(error)) from error


def _require_sound_moments(moments: Moments) -> None:
    require_finite(center=moments.center, spread=moments.spread)
    if not (np.isfinite(moments.weight) and moments.weight >= 0.0):
        raise ModelFileError(f"weight must be finite and not negative; got {moments.weight}.")
    C = moments.spread
    if C.shape != (moments.d, moments.d) or moments.d < 1:
        raise ModelFileError(f"spread must be square; it has shape {C.shape}.")
    rounding = 1e-8 * np.abs(C).max(initial=0.0)
    if np.abs(C - C.T).max(initial=0.0) > rounding or np.diagonal(C).min(initial=0.0) < -rounding:
        raise ModelFileError("spread must be symmetric, with no negative variance.")
