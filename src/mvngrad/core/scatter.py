"""Σw, Σwz and Σwzzᵀ of one chunk of rows, z = L₀⁻¹(x − shift): where the time of a fit goes.

`block_sums` is the specification, in NumPy and SciPy. Where the whole job is worth the compiler's
wait, the loop in `mvngrad.core.kernels.scatter` does the same in one visit to the data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mvngrad.core.kernels import loops
from mvngrad.core.ops import mirrored

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[Any]

# Rows · d² of a job from which on the compiled loop pays: NumPy then takes about 20 ms a pass.
# Loading the compiler takes half a second once in a process, so one small fit never waits for it.
KERNEL_WORK = 2e8

CHUNK_ELEMENTS = 2**20  # 8 MB of float64: enough to hide Python's share of a chunk
CHUNK_ROWS = 4096  # at least: a d×d merge then costs a few per cent of the chunk
SHARED_WORK = 2e7  # rows · d² from which two threads gain more than it costs to wake one
CHUNK_LIMIT = 65536  # rows at most, so that rounding in one long sum stays small
BLOCK_ELEMENTS = 2**17  # 1 MB of float64 stays in a second-level cache
BLOCK_ROWS = 1024  # at least: each block reads and writes the d×d sums once
KERNEL_ROWS = 256  # rows of a block in the compiled loop
STRETCH = 256  # rows that one sum runs over


class Sums(NamedTuple):
    """Weight Σw, total Σwz (d,) and scatter Σwzzᵀ (d, d), full and symmetric."""

    weight: float
    total: Floats
    scatter: Floats


def added(a: Sums, b: Sums) -> Sums:
    """Sums over both sets of rows."""
    return Sums(a.weight + b.weight, a.total + b.total, a.scatter + b.scatter)


def chunk_bounds(n: int, d: int) -> list[tuple[int, int]]:
    """Where the chunks of n rows begin and end: a function of the shape alone.

    Their number is a power of two, so that they share out evenly among threads and the merge tree
    is balanced; a chunk has at least 4096 rows, 4d rows, and 8 MB or 65,536 rows; or there is
    only one, or two where the work is worth sharing.
    """
    if n < 2 * CHUNK_ROWS:
        return [(0, n)]
    rows = min(max(CHUNK_ELEMENTS // max(d, 1), CHUNK_ROWS, 4 * d), CHUNK_LIMIT)
    count = 1 << max((n // rows).bit_length() - 1, 0)
    if count == 1 and n * d * d >= SHARED_WORK:
        count = 2
    edges = [n * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def chunk_sums(
    X: Rows,
    shift: Floats,
    weights: Floats | None = None,
    root: Floats | None = None,
    *,
    work: float | None = None,
) -> Sums:
    """Σw, Σwz and Σwzzᵀ with z = root⁻¹(x − shift), on the calling thread.

    Accumulated in float64 whatever X is. Entries that are not finite come out as such.

    Parameters
    ----------
    X : (n, d) real array, any dtype and strides
    shift : (d,)            near the mean, or digits are lost
    weights : (n,) ≥ 0      None: ones
    root : (d,) positive scales, or (d, d) lower-triangular;  None: ones
    work : float            rows · d² of the whole job that X is a chunk of (default: X is all)

    Notes
    -----
    n d²/2 multiplications and as many additions, twice that with a triangular root. The path, and
    so the last bits, depend on `work` and on shapes only.
    """
    n, d = X.shape
    kernel = loops("scatter") if (n * d * d if work is None else work) >= KERNEL_WORK else None
    with np.errstate(invalid="ignore", over="ignore"):
        if kernel is None:
            return block_sums(X, shift, weights, root)
        return _kernel_sums(kernel, X, shift, weights, root)


def block_sums(
    X: Rows, shift: Floats, weights: Floats | None = None, root: Floats | None = None
) -> Sums:
    """The same by NumPy and BLAS: blocks of rows that stay in cache, centred and squared there."""
    n, d = X.shape
    rows = max(BLOCK_ELEMENTS // max(d, 1), BLOCK_ROWS)
    buffer = np.empty((min(n, rows), d))
    if n <= rows:
        Z, total = _rooted(X, shift, weights, root, buffer)
        return Sums(_weight(n, weights), total, Z.T @ Z)
    total, scatter = np.zeros(d), np.zeros((d, d), order="F")
    for begin in range(0, n, rows):
        block = slice(begin, begin + rows)
        w = None if weights is None else weights[block]
        Z, of_block = _rooted(X[block], shift, w, root, buffer)
        total += of_block
        scatter = _add_square(Z, scatter)
    return Sums(_weight(n, weights), total, mirrored(scatter))


def _rooted(
    X: Rows, shift: Floats, w: Floats | None, root: Floats | None, buffer: Floats
) -> tuple[Floats, Floats]:
    """√w z and Σwz of a block of rows; the first in the buffer."""
    Z = _whitened(X, shift, root, buffer)
    if w is None:
        return Z, _total(Z, np.ones(len(Z)))
    total = _total(Z, w)
    Z *= np.sqrt(w)[:, None]
    return Z, total


def _weight(n: int, weights: Floats | None) -> float:
    return float(n) if weights is None else float(np.sum(weights))


def _whitened(X: Rows, shift: Floats, root: Floats | None, buffer: Floats) -> Floats:
    """Z = root⁻¹(x − shift) of a block of rows, in the buffer."""
    Z = np.subtract(X, shift, out=buffer[: len(X)], dtype=np.float64, casting="unsafe")
    if root is None:
        return Z
    if root.ndim == 1:
        return np.divide(Z, root, out=Z)
    from scipy.linalg.blas import dtrsm

    # Rows of a C-ordered Z are columns to BLAS: Zᵀ ← root⁻¹ Zᵀ, without a copy of either.
    dtrsm(1.0, root.T, Z.T, lower=False, trans_a=True, overwrite_b=True)
    return Z


def _total(Z: Floats, w: Floats) -> Floats:
    """wᵀZ by stretches of rows: in one long sum the rounding of float32 data piles up one way."""
    if len(Z) <= STRETCH:
        return w @ Z
    whole = len(Z) // STRETCH * STRETCH
    parts = w[:whole].reshape(-1, 1, STRETCH) @ Z[:whole].reshape(-1, STRETCH, Z.shape[1])
    return parts.sum(axis=(0, 1)) + w[whole:] @ Z[whole:]


def _add_square(Z: Floats, scatter: Floats) -> Floats:
    """Lower triangle of scatter (Fortran order) + ZᵀZ, in place."""
    from scipy.linalg.blas import dsyrk

    return dsyrk(1.0, Z.T, beta=1.0, c=scatter, lower=True, overwrite_c=True)


def _kernel_sums(
    kernel: Any, X: Rows, shift: Floats, weights: Floats | None, root: Floats | None
) -> Sums:
    n, d = X.shape
    roots = np.zeros(0) if weights is None else np.sqrt(weights)
    tiles, total, scatter = kernel.tiles(d), np.empty(d), np.empty((d, d))
    if root is None or _has_reciprocals(root):
        blocks, scales = _plain_blocks(X), root
    else:
        blocks, shift, scales = _whitened_blocks(X, shift, root), np.zeros(d), None
    shifts, factors = kernel.padded(shift, scales)
    for begin, block in blocks:
        kernel.accumulate(block, shifts, factors, roots[begin : begin + len(block)], tiles)
    kernel.unpack(tiles, total, scatter)
    return Sums(_weight(n, weights), total, scatter)


def _has_reciprocals(root: Floats) -> bool:
    """Scales that the loop may multiply by the reciprocals of, without overflow or lost digits."""
    return root.ndim == 1 and bool(((root > 1e-300) & (root < 1e300)).all())


def _plain_blocks(X: Rows) -> Iterator[tuple[int, Rows]]:
    """The rows as the compiled loop reads them: as they are, or copied a block at a time."""
    if X.dtype in (np.float64, np.float32) and X.flags.c_contiguous and X.flags.aligned:
        yield 0, _read_only(X)
        return
    for begin, block, buffer in _buffered(X):
        np.copyto(buffer, block, casting="unsafe")
        yield begin, _read_only(buffer)


def _whitened_blocks(X: Rows, shift: Floats, root: Floats) -> Iterator[tuple[int, Rows]]:
    for begin, block, buffer in _buffered(X):
        yield begin, _read_only(_whitened(block, shift, root, buffer))


def _buffered(X: Rows) -> Iterator[tuple[int, Rows, Floats]]:
    """Blocks of whole kernel blocks, so that the sums have the same bits as without a copy."""
    n, d = X.shape
    rows = max(BLOCK_ELEMENTS // max(d, 1) // KERNEL_ROWS, 1) * KERNEL_ROWS
    buffer = np.empty((min(n, rows), d))
    for begin in range(0, n, rows):
        block = X[begin : begin + rows]
        yield begin, block, buffer[: len(block)]


def _read_only(X: Rows) -> Rows:
    """A view of one type, so that writable, read-only and mapped arrays share a compiled loop."""
    view = np.asarray(X).view()
    view.flags.writeable = False
    return view
