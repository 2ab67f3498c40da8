"""The methods by name, and what ``auto`` chooses."""

from __future__ import annotations

from typing import Literal, cast, get_args

from mvngrad.errors import DataError
from mvngrad.fitting import first_order, quasi_newton
from mvngrad.fitting.first_order import Driver
from mvngrad.models.structure import Structure

Method = Literal[
    "auto",
    "closed-form",
    "gradient-descent",
    "momentum",
    "nesterov",
    "barzilai-borwein",
    "cg",
    "bfgs",
    "l-bfgs",
    "natural-gradient",
]

DRIVERS: dict[str, Driver] = {
    "gradient-descent": first_order.gradient_descent,
    "momentum": first_order.momentum,
    "nesterov": first_order.nesterov,
    "barzilai-borwein": first_order.barzilai_borwein,
    "natural-gradient": first_order.natural_gradient,
    "cg": quasi_newton.cg,
    "bfgs": quasi_newton.bfgs,
    "l-bfgs": quasi_newton.l_bfgs,
}
METHODS: tuple[str, ...] = get_args(Method)
DEFAULT_MAX_ITER = 10_000


def chosen(method: str, structure: Structure) -> Method:
    """The method that ``auto`` means, or the one named, if it can serve the structure."""
    if method not in METHODS:
        raise DataError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    if method == "auto":
        return "closed-form" if structure.start_is_optimum else "l-bfgs"
    if method == "closed-form" and not structure.start_is_optimum:
        raise DataError(f"{structure!r} has no closed form; use method='l-bfgs'.")
    return cast("Method", method)
