"""The likelihood ratio of two fits, and what is known of how the one lies in the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvngrad.fitting.estimates import Estimates
from mvngrad.inference.comparison import Model, NestedTest, is_less_likely, nested_test
from mvngrad.models.nesting import Nesting, nesting, worst

BOUNDARY = (
    "{small} is {big} with variances of 0, on the boundary: if {small} is right the likelihood "
    "ratio is smaller than χ², and p too large"
)
SINGULAR = (
    "{small} is {big} with a part of 0, factors without loadings or the like, on the boundary and "
    "singular: if {small} is right the likelihood ratio is larger than χ², and p too small, often "
    "by far. Go by AIC or BIC, or by goodness() of each"
)
MIXTURE = (
    "{small} is {big} with a variance of 0, on the boundary: p is by ½ χ²(0) + ½ χ²(1), half that "
    "of χ²(1) (Self & Liang 1987)"
)
TRUST = "that {small} is a case of {big} is taken on trust: p means nothing otherwise"
SAID: dict[Nesting, str] = {
    "component": BOUNDARY,
    "boundary": BOUNDARY,
    "singular": SINGULAR,
    "unknown": TRUST,
}


class Nested(NamedTuple):
    """A test, and what to mind about it."""

    test: NestedTest
    warnings: tuple[str, ...] = ()


def nested(small: Estimates, big: Estimates, a: Model, b: Model) -> Nested:
    """The test of a smaller fit in a larger, as far as it is one."""
    if a.n_params == b.n_params:
        return Nested(nested_test(a, b))
    kind = relation(small, big)
    if kind == "unknown" and is_less_likely(b, a):
        return _not_nested(a, b)
    single = kind == "component" and b.n_params - a.n_params == 1
    test = nested_test(a, b, "mixture" if single else "chi-square")
    text = MIXTURE if single else SAID.get(kind)
    return Nested(test, (text.format(small=a.name, big=b.name),) if text else ())


def relation(small: Estimates, big: Estimates) -> Nesting:
    """How the one model lies in the other: by their structures and their means."""
    return worst([nesting(small.structure, big.structure), _means(small, big)])


def _not_nested(a: Model, b: Model) -> Nested:
    """Less likely with more parameters, and nothing said that they were nested."""
    reason = (
        f"{b.name} has more parameters than {a.name} and is less likely: they are not nested, or "
        f"the fit of {b.name} is not at its highest maximum"
    )
    df = b.n_params - a.n_params
    return Nested(NestedTest(a.name, b.name, np.nan, df, np.nan, "none", reason))


def _means(small: Estimates, big: Estimates) -> Nesting:
    """Known means in free ones; coefficients of the same names are taken for the same."""
    kinds = _mean_kind(small), _mean_kind(big)
    if kinds == ("known", "known"):
        return "same" if np.array_equal(small.mean, big.mean) else "unknown"
    if kinds == ("design", "design"):
        return _designs(small, big)
    if kinds[0] == kinds[1]:
        return "same"
    return "inside" if kinds == ("known", "free") else "unknown"


def _designs(small: Estimates, big: Estimates) -> Nesting:
    if type(small.coefficients) is not type(big.coefficients):
        return "unknown"
    if small.design_names == big.design_names:
        return "same"
    if len(small.design_names) != len(big.design_names):
        return "unknown"
    pairs = zip(small.design_names, big.design_names, strict=True)
    return "inside" if all(set(a) <= set(b) for a, b in pairs) else "unknown"


def _mean_kind(fit: Estimates) -> str:
    if fit.coefficients is not None:
        return "design"
    return "free" if fit.has_free_mean else "known"
