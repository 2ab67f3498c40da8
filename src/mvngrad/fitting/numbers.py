"""Numbers for the eye: as many digits as mean something, decimal points under one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 4  # of a standard deviation
PLAIN = range(-5, 9)  # powers of ten written out; others in scientific notation
ZEROS = 3  # digits before the point that would say nothing, less one


def general(x: float, digits: int = 7) -> str:
    """``digits`` significant ones, whole numbers whole."""
    return f"{x:.0f}" if x == int(x) and abs(x) < 1e15 else f"{x:.{digits}g}"


def fixed(x: float, decimals: int) -> str:
    """A fixed number of decimals while the number is of a size that can be read."""
    return f"{x:z.{decimals}f}" if abs(x) < 1e10 else f"{x:.12e}"


def paired(mean: float, deviation: float) -> tuple[str, str]:
    """Mean and standard deviation with the same decimals: the deviation's four digits decide."""
    said = measured((mean, deviation), deviation)
    return said[0], said[1]


def measured(values: Sequence[float], unit: float, digits: int = DIGITS) -> list[str]:
    """Numbers with the same decimals: down to the last of so many digits of the unit."""
    power = _power(unit)
    idle = power - digits >= ZEROS or power not in PLAIN
    if idle or any(_power(x) not in PLAIN and abs(x) > 1.0 for x in values):
        return [_scientific(x, power, digits) for x in values]
    return [f"{x:z.{max(digits - 1 - power, 0)}f}" for x in values]


def _scientific(x: float, power: int, digits: int) -> str:
    """Down to the last digit of the unit, whatever the sizes of both."""
    more = min(max(_power(x) - power + digits, digits), 16) if x else digits
    return f"{x:.{more - 1}e}"


def digits_of_error(error: float) -> int:
    """Three where it begins with 1, 2 or 3, else two: either way rounding is a hundredth of it."""
    return 3 if error / 10.0 ** _power(error) < 4.0 else 2


def decimals(unit: float, digits: int, least: int) -> int:
    """As many as show so many digits of the unit."""
    return max(digits - 1 - _power(unit), least)


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
