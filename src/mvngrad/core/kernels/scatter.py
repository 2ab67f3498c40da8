"""Scatter of rows in vector registers: one read of the data and no copy of them.

A row is widened by a one, y = [z 1], so that a single symmetric product Σ w y yᵀ holds scatter,
total and weight. Columns go in *panels* of 8. A block of 256 rows is shifted, scaled and packed
panel by panel, P (panels, rows, 8). Then each pair of panels i ≥ j gains its 8×8 *tile* of the
lower triangle, held in registers over all rows of the block:

    tile[m, :] += Σₖ P[i, k, m] P[j, k, :]

Tiles are stored one after the other, by rows of the triangle: tile (i, j) is number i(i+1)/2 + j.
The two innermost loops are written in LLVM's vectors, because no compiler finds them by itself:
they reach the machine's peak, where the same loops in Python syntax reach a third of it.
"""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mvngrad.core.kernels.jit import compiled

Floats = npt.NDArray[np.float64]

LANES = 8  # columns of a panel: the layout, the same on every machine
ROWS = 256  # rows of a block: the more, the less often tiles are loaded and stored
ROOM = (ROWS + 1) * LANES  # doubles of a panel; a power of two would make panels share cache sets
STRETCH = 16  # panels that stay in 256 kB, a second-level cache, while all others pass by
LINE = 64  # bytes of a cache line

# What fits into registers: three tiles side by side where these are 32 and wide (AVX-512); else
# six rows at a time of three tiles below each other, which leaves four of 16 to the operands.
WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
DOWN, ACROSS, STRIP = (1, 3, LANES) if WIDE else (3, 1, 6)


def tiles(d: int) -> Floats:
    """Empty sums: the 8×8 tiles of the lower triangle for d columns and the ones."""
    panels = d // LANES + 1
    return np.zeros(panels * (panels + 1) // 2 * LANES * LANES)


def padded(shift: Floats, scales: Floats | None) -> tuple[Floats, Floats]:
    """Shift and reciprocal scale of every lane: 0 − (−1) makes the one, factors of 0 the rest."""
    d = len(shift)
    shifts, factors = np.zeros((2, (d // LANES + 1) * LANES))
    shifts[:d], shifts[d] = shift, -1.0
    factors[: d + 1] = 1.0
    if scales is not None:
        factors[:d] /= scales
    return shifts, factors


# --- vectors -----------------------------------------------------------------------------------

_I32, _I64, _F64 = ir.IntType(32), ir.IntType(64), ir.DoubleType()
_VECTOR = ir.VectorType(_F64, LANES)
_NEXT, _SOON = (1, 3), (0, 2)  # to be written, in the first cache; to be read, in the second


def _eight(context: Any, b: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Address of eight elements, `offset` elements into a contiguous array."""
    data = context.make_array(kind)(context, b, array).data
    vector = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    bytes_ = b.mul(offset, _I64(kind.dtype.bitwidth // 8))
    return cgutils.pointer_add(b, data, bytes_, vector.as_pointer())


def _splat(b: Any, scalar: Any) -> Any:
    """A vector with `scalar` in every lane."""
    blank = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return b.shuffle_vector(b.insert_element(blank, scalar, _I32(0)), blank, zeros)


def _lane(b: Any, address: Any, number: int) -> Any:
    """One of eight doubles, in every lane."""
    first = b.bitcast(address, _F64.as_pointer())
    return _splat(b, b.load(b.gep(first, [_I32(number)]), align=8))


def _load_some(b: Any, address: Any, room: Any, size: int) -> Any:
    """The first `room` of eight numbers of `size` bytes as doubles, then zeros."""
    vector = ir.VectorType(_F64 if size == 8 else ir.FloatType(), LANES)
    numbers = ir.Constant(ir.VectorType(_I64, LANES), list(range(LANES)))
    mask = b.icmp_signed("<", numbers, _splat(b, room))
    kind = ir.FunctionType(vector, [address.type, _I32, mask.type, vector])
    name = f"llvm.masked.load.v{LANES}f{8 * size}.p0"
    load = cgutils.get_or_insert_function(b.module, kind, name)
    loaded = b.call(load, [address, _I32(size), mask, ir.Constant(vector, [0.0] * LANES)])
    return loaded if size == 8 else b.fpext(loaded, _VECTOR)


def _fetch(b: Any, address: Any, use: tuple[int, int]) -> None:
    """Ask for a cache line; an address beyond the data does no harm."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
    fetch = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    b.call(fetch, [b.bitcast(address, byte), *map(_I32, use), _I32(1)])


def _pack_lanes(
    _: Any, X: Any, row: Any, p: Any, shifts: Any, factors: Any, root: Any, P: Any, k: Any
) -> Any:
    """P[p, k, :] = root (X[row, 8p : 8p + 8] − shift) factor, with zeros for columns beyond X."""

    def build(context: Any, b: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        X, row, p, shifts, factors, root, P, k = values
        d = cgutils.unpack_tuple(b, context.make_array(kinds[0])(context, b, X).shape)[1]
        first = b.mul(p, _I64(LANES))
        source = _eight(context, b, kinds[0], X, b.add(b.mul(row, d), first))
        x = _load_some(b, source, b.sub(d, first), kinds[0].dtype.bitwidth // 8)
        shift = b.load(_eight(context, b, kinds[3], shifts, first), align=8)
        factor = b.load(_eight(context, b, kinds[4], factors, first), align=8)
        z = b.fmul(b.fmul(b.fsub(x, shift), factor), _splat(b, root))
        place = b.add(b.mul(p, _I64(ROOM)), b.mul(k, _I64(LANES)))
        b.store(z, _eight(context, b, kinds[6], P, place), align=8)
        return context.get_dummy_value()

    return types.void(X, row, p, shifts, factors, root, P, k), build


def _add_tiles(height: int, width: int) -> Any:
    """T[tile(i + u, j + v), m, :] += Σₖ P[i + u, k, m] P[j + v, k, :], `height` by `width` tiles.

    Meanwhile X is fetched from element `ahead` on, a cache line with each of the rows.
    """

    def add(_: Any, P: Any, i: Any, j: Any, rows: Any, T: Any, X: Any, ahead: Any) -> Any:
        def build(context: Any, b: Any, signature: Any, values: Any) -> Any:
            kinds = signature.args
            P, i, j, rows, T, X, ahead = values

            def panel(number: Any, k: Any) -> Any:
                place = b.add(b.mul(number, _I64(ROOM)), b.mul(k, _I64(LANES)))
                return _eight(context, b, kinds[0], P, place)

            def target(m: int, v: int) -> Any:
                row, lane = b.add(i, _I64(m // LANES)), m % LANES
                before = b.udiv(b.mul(row, b.add(row, _I64(1))), _I64(2))  # tiles of rows above
                tile = b.add(before, b.add(j, _I64(v)))
                place = b.add(b.mul(tile, _I64(LANES**2)), _I64(lane * LANES))
                return _eight(context, b, kinds[4], T, place)

            def operands(k: Any) -> tuple[list[Any], list[Any]]:
                x = [panel(b.add(i, _I64(u)), k) for u in range(height)]
                y = [b.load(panel(b.add(j, _I64(v)), k), align=8) for v in range(width)]
                return x, y

            def fetch(k: Any) -> None:
                line = b.mul(k, _I64(8 * LINE // kinds[5].dtype.bitwidth))
                _fetch(b, _eight(context, b, kinds[5], X, b.add(ahead, line)), _SOON)

            cells = list(itertools.product(range(height * LANES), range(width)))
            for m, v in cells:
                _fetch(b, target(m, v), _NEXT)
            for low in range(0, len(cells), STRIP * width):
                some = cells[low : low + STRIP * width]
                sums = _products(b, rows, operands, some, fetch if low == 0 else None)
                for (m, v), held in zip(some, sums, strict=True):
                    total = b.fadd(b.load(target(m, v), align=8), held)
                    b.store(total, target(m, v), align=8)
            return context.get_dummy_value()

        return types.void(P, i, j, rows, T, X, ahead), build

    return intrinsic(add)


def _products(
    b: Any, rows: Any, operands: Any, cells: list[tuple[int, int]], fetch: Any
) -> list[Any]:
    """Σₖ x[m] y[v] for the cells (m, v), each in a register: LLVM keeps such slots there."""
    slots = {cell: cgutils.alloca_once(b, _VECTOR) for cell in cells}
    for slot in slots.values():
        b.store(ir.Constant(_VECTOR, [0.0] * LANES), slot)
    with cgutils.for_range(b, rows) as loop:
        if fetch is not None:
            fetch(loop.index)
        x, y = operands(loop.index)
        for m, group in itertools.groupby(slots, key=itemgetter(0)):
            spread = _lane(b, x[m // LANES], m % LANES)  # one at a time: sums need the registers
            for cell in group:
                product = b.fmul(spread, y[cell[1]], flags=("contract",))
                b.store(b.fadd(b.load(slots[cell]), product, flags=("contract",)), slots[cell])
    return [b.load(slot) for slot in slots.values()]


_pack_eight = intrinsic(_pack_lanes)
_add_one, _add_two, _add_three = (
    _add_tiles(min(number, DOWN), min(number, ACROSS)) for number in (1, 2, 3)
)


# --- loops -------------------------------------------------------------------------------------


@compiled
def _pack(
    X: Any, begin: int, rows: int, shifts: Floats, factors: Floats, roots: Floats, P: Floats
) -> None:
    """P = √w (x − shift) factor for one block of rows, the one included."""
    for k in range(rows):
        root = roots[begin + k] if roots.size else 1.0
        for p in range(P.shape[0]):
            _pack_eight(X, begin + k, p, shifts, factors, root, P, k)


@compiled
def _update(P: Floats, rows: int, T: Floats, X: Any, ahead: int) -> None:
    """T += the tiles of one block; X, from element `ahead` on, is fetched for the next."""
    panels = P.shape[0]
    step = ROWS * LINE // X.itemsize
    last = ahead + ROWS * X.shape[1] - step
    for low in range(0, panels, STRETCH):
        high = min(low + STRETCH, panels)
        for j in range(0, high, ACROSS):
            for i in range(max(j, low), high, DOWN):
                number = min(DOWN, high - i) * min(ACROSS, i - j + 1)
                if number == 3:
                    _add_three(P, i, j, rows, T, X, ahead)
                elif number == 2:
                    _add_two(P, i, j, rows, T, X, ahead)
                else:
                    _add_one(P, i, j, rows, T, X, ahead)
                ahead = min(ahead + step, last)


@compiled
def accumulate(X: Any, shifts: Floats, factors: Floats, roots: Floats, T: Floats) -> None:
    """T += tiles of Σᵢ wᵢ yᵢ yᵢᵀ, y = [z 1], z = (x − shift)/scale.

    Specified by ``mvngrad.core.scatter.block_sums``. X (n, d) is float32 or float64 and
    C-contiguous; roots (n,) are those of the weights, or (0,) for weights of one.
    """
    n, d = X.shape
    panels = d // LANES + 1
    room = np.zeros(panels * ROOM + LINE // 8)
    start = (-room.ctypes.data % LINE) // 8  # a vector across two cache lines costs double
    P = room[start : start + panels * ROOM].reshape(panels, ROWS + 1, LANES)
    for begin in range(0, n, ROWS):
        rows = min(ROWS, n - begin)
        _pack(X, begin, rows, shifts, factors, roots, P)
        _update(P, rows, T, X, (begin + ROWS) * d)


@compiled
def unpack(T: Floats, total: Floats, scatter: Floats) -> None:
    """Total (d,) and full symmetric scatter (d, d) out of the tiles, tile by tile."""
    d = len(total)
    tile = 0
    for i in range(0, d + 1, LANES):
        for j in range(0, i + 1, LANES):
            for m in range(min(LANES, d - i)):
                for c in range(min(LANES, d - j)):
                    value = T[tile + m * LANES + c]
                    scatter[i + m, j + c] = value
                    scatter[j + c, i + m] = value
            if i + LANES > d:  # the ones are in this row of tiles
                for c in range(min(LANES, d - j)):
                    total[j + c] = T[tile + (d - i) * LANES + c]
            tile += LANES * LANES
