"""Numbers for the eye: as many digits as mean something, decimal points under one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 4  # of a standard deviation
PLAIN = range(-5, 9)  # powers of ten written out; others in scientific notation


def general(x: float, digits: int = 7) -> str:
    """``digits`` significant ones, whole numbers whole."""
    return f"{x:.0f}" if x == int(x) and abs(x) < 1e15 else f"{x:.{digits}g}"


def fixed(x: float, decimals: int) -> str:
    """A fixed number of decimals while the number is of a size that can be read."""
    return f"{x:z.{decimals}f}" if abs(x) < 1e10 else f"{x:.12e}"


def paired(mean: float, deviation: float) -> tuple[str, str]:
    """Mean and standard deviation with the same decimals: the deviation's four digits decide."""
    power = _power(deviation)
    if power not in PLAIN or (_power(mean) not in PLAIN and abs(mean) > 1.0):
        # Digits of the mean down to the fourth digit of the deviation, whatever their sizes.
        digits = min(max(_power(mean) - power + DIGITS, DIGITS), 16) if mean else DIGITS
        return f"{mean:.{digits - 1}e}", f"{deviation:.{DIGITS - 1}e}"
    decimals = max(DIGITS - 1 - power, 0)
    return f"{mean:z.{decimals}f}", f"{deviation:.{decimals}f}"


def _power(x: float) -> int:
    """The power of ten of the first digit."""
    return math.floor(math.log10(abs(x))) if x and math.isfinite(x) else 0


def aligned(numbers: Sequence[str]) -> list[str]:
    """Padded on the right until all decimal points stand at one distance from the end."""
    tails = [len(number) - _point(number) for number in numbers]
    return [number + " " * (max(tails) - tail) for number, tail in zip(numbers, tails, strict=True)]


def _point(number: str) -> int:
    """Where the decimal point stands, or would."""
    whole = number.partition("e")[0]
    return whole.find(".") if "." in whole else len(whole)
