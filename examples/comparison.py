"""Penguins: which covariance their measurements have, and whether the species share it.

Run from anywhere: python examples/comparison.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

import mvngrad as mg

HERE = Path(__file__).parent
BODY = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def main() -> None:
    penguins = pd.read_csv(HERE / "penguins.csv").dropna(subset=BODY)
    size = np.log(penguins[BODY])
    adelie = size[penguins.species == "Adelie"]

    fits = [mg.fit(adelie, name) for name in ("diagonal", "factor:1", "full")]
    print(mg.compare(*fits))
    print("\nOne factor, against any covariance at all:")
    print(fits[1].goodness())

    species = [group for _, group in size.groupby(penguins.species)]
    means = mg.equal_means(*species)
    print(
        f"\nSpecies differ in means: Λ = {means.wilks:.3f}, F = {means.f_statistic:.0f}, "
        f"p = {means.f_pvalue:.2g}"
    )
    same = mg.equal_covariances(*species)
    print(f"and in covariances: χ² = {same.statistic:.1f}, {same.df} df, p = {same.pvalue:.2g}")
    bills = mg.independence(adelie, [BODY[:2], BODY[2:]])
    print(
        f"Adelie bills and bodies go together: χ² = {bills.statistic:.1f}, p = {bills.pvalue:.2g}"
    )


if __name__ == "__main__":
    main()
