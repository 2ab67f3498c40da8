"""scikit-learn's IterativeImputer: what people use instead, which maximises no likelihood."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np

from benchmarks.libraries import Incomplete
from benchmarks.problems import Floats
from benchmarks.turns import Here

NEEDS = ("sklearn",)


def _imputed(X: Floats) -> Floats:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few rounds: ten are the default
        return IterativeImputer(random_state=0).fit_transform(X)


def _read(X: Floats) -> tuple[Floats, Floats]:
    return X.mean(axis=0), np.cov(X, rowvar=False, bias=True)


CANDIDATES = (
    Incomplete(
        "scikit-learn IterativeImputer, moments of its rows", partial(Here, _imputed, _read)
    ),
)
