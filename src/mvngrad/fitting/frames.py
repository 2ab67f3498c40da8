"""A fit's quantities as pandas dataframes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from mvngrad.errors import DataError
from mvngrad.fitting.listing import estimates_frame, factor_names, pandas
from mvngrad.fitting.spread import spread_of

if TYPE_CHECKING:
    from mvngrad.fitting.result import Fit


def to_frame(fit: Fit, what: str) -> Any:
    """A pandas dataframe of any ``Quantity``: the mean, coefficients, loadings, the trace …

    Raises
    ------
    DataError
        If ``what`` is none of these.
    ImportError
        If pandas is not installed.
    """
    from mvngrad.fitting.result import Quantity

    if what not in get_args(Quantity):
        choices = ", ".join(map(repr, get_args(Quantity)))
        raise DataError(f"what must be one of {choices}; got {what!r}.")
    pd, names = pandas(), list(fit.columns)
    if what == "trace":
        return pd.DataFrame(fit.trace.to_dict())
    if what == "estimates":
        return estimates_frame(fit, spread_of(fit, at_any_cost=True))
    if what == "coefficients":
        return _coefficient_frame(fit, pd)
    values = getattr(fit, what)
    if values is None:
        raise DataError(f"{fit.structure!r} is no factor model: this fit has no {what}.")
    if values.ndim == 1:
        return pd.DataFrame({what: values}, index=names)
    factors = factor_names(values.shape[1])
    across = factors if what in {"factor", "factor_correlation"} else names
    return pd.DataFrame(
        values, index=across if what == "factor_correlation" else names, columns=across
    )


def _coefficient_frame(fit: Fit, pd: Any) -> Any:
    """A row a coefficient; a column for each of the data where they share a design."""
    if fit.coefficients is None:
        raise DataError("this fit has one mean for all rows, to_frame('mean'); no coefficients.")
    if isinstance(fit.coefficients, list):
        pairs = zip(fit.columns, fit.design_names, strict=True)
        index = pd.MultiIndex.from_tuples([(c, name) for c, names in pairs for name in names])
        return pd.DataFrame({"coefficient": np.concatenate(fit.coefficients)}, index=index)
    shared = fit.coefficients.ndim == 2
    across = list(fit.columns) if shared else ["coefficient"]
    return pd.DataFrame(fit.coefficients, index=list(fit.design_names[0]), columns=across)
