"""SciPy's frozen maximum-likelihood fit."""

from __future__ import annotations

from scipy.stats import multivariate_normal

from benchmarks.libraries import Fit

NEEDS = ("scipy",)

CANDIDATES = (Fit("scipy multivariate_normal.fit", multivariate_normal.fit, lambda fit: fit),)
