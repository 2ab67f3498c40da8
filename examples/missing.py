"""Penguins with holes: what is lost by dropping rows, what maximum likelihood gets back.

Run from anywhere: python examples/missing.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

import mvngrad as mg
from mvngrad.inference.pooling import Pooled

HERE = Path(__file__).parent
BODY = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
DRAWS = 20


def main() -> None:
    complete = pd.read_csv(HERE / "penguins.csv")[BODY].dropna()
    seen = with_holes(complete, np.random.default_rng(1))
    fit = mg.fit(seen)
    print(fit.summary())
    print(fit.missing)
    print(
        "Little's test of MCAR: d² = {:.1f}, df = {}, p = {:.2g}".format(*fit.missing.mcar_test())
    )

    print("\nMean body mass (g), and its correlation with the length of the flipper:")
    fits = {
        "nothing missing": mg.fit(complete),
        "rows dropped": mg.fit(seen, missing="drop"),
        "maximum likelihood": fit,
    }
    for name, each in fits.items():
        print(f"{name:20}{each.mean[3]:7.0f}{each.correlation[2, 3]:7.2f}")

    pooled = mean_mass_by_multiple_imputation(fit, seen)
    low, high = pooled.conf_int()
    print(
        f"\nBy multiple imputation: {pooled.estimate:.0f} ± {pooled.standard_error:.0f}, "
        f"95 % interval {low:.0f} to {high:.0f}; "
        f"{pooled.fraction_missing:.0%} of the information about it is missing."
    )


def with_holes(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The mass lost in seven of ten birds with long flippers, in one of ten of the others."""
    lost = rng.random(len(table)) < np.where(table.flipper_length_mm > 205, 0.7, 0.1)
    return table.assign(body_mass_g=table.body_mass_g.mask(lost))


def mean_mass_by_multiple_imputation(fit: mg.Fit, seen: pd.DataFrame) -> Pooled:
    """Rubin's rules over proper draws."""
    mass = fit.impute(seen, draws=DRAWS, proper=True, rng=0)[:, :, 3]
    return mg.pool(mass.mean(axis=1), mass.var(axis=1, ddof=1) / len(seen))


if __name__ == "__main__":
    main()
