"""Whether the likelihoods of fits can be held against each other at all."""

from __future__ import annotations

from mvngrad.errors import DataError
from mvngrad.fitting.estimates import Estimates


def require_comparable(fit: Estimates, name: str) -> None:
    """Refuse likelihoods that are no maxima, or no likelihoods."""
    if fit.prior:
        raise DataError(
            f"{name} was fitted with {' and '.join(fit.prior)}: that is no maximum of the "
            "likelihood, which AIC, BIC and likelihood ratios are of. Fit without the prior."
        )
    if fit.weights_kind == "sampling":
        raise DataError(
            f"{name} was fitted with sampling weights: there is no likelihood of the data then, "
            "and no AIC, BIC or likelihood ratio. Compare estimates with their standard errors."
        )


def differing(a: Estimates, b: Estimates) -> list[str]:
    """What differs in the data of two fits, in words; nothing where they are the same."""
    if a.columns != b.columns:
        shown = [", ".join(fit.columns[:6]) for fit in (a, b)]
        return [f"their columns: {shown[0]} and {shown[1]}"]
    if a.fingerprint is not None and b.fingerprint is not None:
        return list(a.fingerprint.differences(b.fingerprint, a.columns))
    found = []
    if a.n_obs != b.n_obs:
        found.append(f"the number of rows: {a.n_obs} and {b.n_obs}")
    if abs(a.weight - b.weight) > 1e-8 * a.weight:
        found.append(f"the total weight: {a.weight:g} and {b.weight:g}")
    return found
