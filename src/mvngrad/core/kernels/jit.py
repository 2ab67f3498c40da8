"""The one way in which this package compiles a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """`loop` through Numba, without the GIL, from the cache on disk where there can be one.

    Sums may be reassociated and products contracted, and no more: NaN and inf must come out.
    Numba is imported here, so only a module that holds kernels should call this, and only code
    with enough work to be worth the wait should import such a module.
    """
    import numba

    options = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}
    try:
        kernel: Loop = numba.njit(cache=True, **options)(loop)
    except RuntimeError:  # no directory can be written: compile anew in every process
        kernel = numba.njit(**options)(loop)
    return kernel
