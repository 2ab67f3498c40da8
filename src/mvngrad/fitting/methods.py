"""The methods by name, and what ``auto`` chooses."""

from __future__ import annotations

from typing import Literal, get_args

from mvngrad.errors import DataError
from mvngrad.fitting import em, first_order, newton, profiled, quasi_newton
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
    "em",
    "accelerated-em",
    "newton",
    "profile",
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
    "em": em.em,
    "accelerated-em": em.accelerated_em,
    "newton": newton.newton,
}
PROFILE = "profile"  # of factor analysis alone
AUTO = "em, newton"  # what "auto" is with holes, and how a fit then calls it
METHODS: tuple[str, ...] = get_args(Method)
EM = {"em", "accelerated-em"}
DEFAULT_MAX_ITER = 10_000
BY_GRADIENT = {*EM, "newton", AUTO, PROFILE}  # the others go by values of J


def require_method(method: object) -> None:
    """Refuse what is no method."""
    if method not in METHODS:
        raise DataError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")


def chosen(
    method: str, structure: Structure, *, holes: bool = False, conjugate: bool = True
) -> str:
    """The method that ``auto`` means, or the one named, if it can serve the structure.

    With holes ``auto`` is accelerated EM where its M-step has a closed form, handed over to
    Newton's method where much information is missing. ``conjugate``: priors leave closed forms.
    """
    closed, what = structure.start_is_optimum and conjugate, f"{structure!r} has"
    if not conjugate:
        what = "a fit with priors on means or loadings has"
    if method == "auto":
        if holes:
            return AUTO if closed else "newton"
        if not conjugate:
            return "newton"
        return "closed-form" if closed and not structure.by_profile else structure.preferred
    if method == PROFILE:
        profiled.require_profile(structure, holes=holes)
    if method == "closed-form" and (holes or not closed or structure.by_profile):
        what = "data with holes have" if holes else what
        raise DataError(f"{what} no closed form; use method='auto'.")
    if method in EM and not closed:
        raise DataError(
            f"{what} no closed form for EM to step to; use method='newton', or "
            "'natural-gradient', which steps as EM would to first order."
        )
    return method


def driver(method: str) -> Driver:
    """What runs a method."""
    if method == PROFILE:
        return profiled.profile
    return em.em_then_newton if method == AUTO else DRIVERS[method]
