"""What is said of nested families, held against fits of the one to the other."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.models.nesting import nesting, same, worst

NAN = np.nan
D = 4
PAIR = mg.AR1().sized(2)
ONE = np.ones((D, 1))
PATTERN = [[NAN, 0.0], [NAN, 0.0], [0.0, NAN], [0.0, NAN]]
CROSS = [[NAN, NAN], [NAN, 0.0], [0.0, NAN], [0.0, NAN]]


def cfa(pattern, correlated=False):
    return mg.FactorAnalytic(pattern=pattern, correlated=correlated)


INSIDE = [
    (mg.Spherical(), mg.Diagonal()),
    (mg.Spherical(), mg.CompoundSymmetry()),
    (mg.Spherical(), mg.AR1()),
    (mg.Spherical(), mg.Toeplitz()),
    (mg.Spherical(), mg.Banded(1)),
    (mg.Spherical(), mg.Heterogeneous(mg.AR1())),
    (mg.Diagonal(), mg.Heterogeneous(mg.CompoundSymmetry())),
    (mg.Diagonal(), mg.Banded(1)),
    (mg.Diagonal(), mg.Precision(mg.Banded(1))),
    (mg.CompoundSymmetry(), mg.Toeplitz()),
    (mg.AR1(), mg.Toeplitz()),
    (mg.AR1(), mg.Heterogeneous(mg.AR1())),
    (mg.AR1(), mg.Precision(mg.Banded(1))),
    (mg.Heterogeneous(mg.AR1()), mg.Heterogeneous(mg.Toeplitz())),
    (mg.Banded(1), mg.Banded(2)),
    (mg.Precision(mg.Banded(1)), mg.Precision(mg.Banded(2))),
    (mg.PPCA(1), mg.FactorAnalytic(1)),
    (mg.Kronecker(PAIR, mg.Spherical()), mg.Kronecker(PAIR, mg.Diagonal())),
    (mg.Diagonal(), mg.BlockDiagonal(mg.Cholesky().sized(2), mg.Diagonal().sized(2))),
    (
        mg.BlockDiagonal(mg.AR1().sized(2), mg.Diagonal()),
        mg.BlockDiagonal(mg.Cholesky().sized(2), mg.Diagonal()),
    ),
    (mg.FactorAnalytic(1), mg.Cholesky()),
    (mg.Kronecker(PAIR, mg.Spherical()), mg.Factor()),
]
COMPONENT = [
    (mg.Spherical(), mg.RandomEffects(ONE) + mg.Spherical()),
    (mg.Diagonal(), mg.Diagonal() + mg.Scaled(mg.Known(np.ones((D, D)) + np.eye(D)))),
]
SINGULAR = [
    (mg.Spherical(), mg.PPCA(1)),
    (mg.PPCA(1), mg.PPCA(2)),
    (mg.PPCA(1), mg.FactorAnalytic(2)),
    (mg.Diagonal(), mg.FactorAnalytic(1)),
    (mg.Spherical(), mg.Spherical() + mg.AR1()),
]
BOUNDARY = [
    (mg.Spherical(), mg.RandomEffects(np.eye(D)[:, :2]) + mg.Spherical()),
    (mg.Spherical(), mg.RandomEffects(ONE) + mg.Spherical() + mg.Diagonal()),
]
UNKNOWN = [
    (mg.AR1(), mg.Banded(2)),
    (mg.CompoundSymmetry(), mg.FactorAnalytic(1)),
    (mg.Toeplitz(), mg.AR1()),
    (mg.Diagonal(), mg.Toeplitz()),
    (mg.Spherical(), mg.Spherical() + mg.Known(np.eye(D))),
    (mg.Spherical(), mg.RandomEffects(ONE, mg.Known(np.eye(1))) + mg.Spherical()),
    (mg.PPCA(2), mg.FactorAnalytic(1)),
]


@pytest.mark.parametrize(("small", "big"), INSIDE, ids=str)
def test_inside(small, big):
    assert nesting(small.sized(D), big.sized(D)) == "inside"


@pytest.mark.parametrize(("small", "big"), COMPONENT, ids=str)
def test_a_single_variance(small, big):
    assert nesting(small.sized(D), big.sized(D)) == "component"


@pytest.mark.parametrize(("small", "big"), BOUNDARY, ids=str)
def test_boundary(small, big):
    assert nesting(small.sized(D), big.sized(D)) == "boundary"


@pytest.mark.parametrize(("small", "big"), SINGULAR, ids=str)
def test_singular(small, big):
    assert nesting(small.sized(D), big.sized(D)) == "singular"


@pytest.mark.parametrize(("small", "big"), UNKNOWN, ids=str)
def test_unknown(small, big):
    assert nesting(small.sized(D), big.sized(D)) == "unknown"


@pytest.mark.parametrize(
    ("small", "big", "kind"),
    [
        (cfa(PATTERN), cfa(PATTERN, correlated=True), "inside"),
        (cfa(PATTERN), cfa(CROSS), "inside"),
        (cfa(PATTERN, correlated=True), cfa(PATTERN), "unknown"),
        (cfa(CROSS), cfa(PATTERN), "unknown"),
        (cfa(PATTERN, correlated=True), mg.FactorAnalytic(2), "inside"),
        (cfa(PATTERN), mg.FactorAnalytic(1), "unknown"),
        (mg.FactorAnalytic(1), mg.FactorAnalytic(2), "singular"),
        (mg.FactorAnalytic(0), mg.FactorAnalytic(1), "singular"),
    ],
)
def test_factor_models(small, big, kind):
    assert nesting(small, big) == kind


@pytest.mark.parametrize(("small", "big"), [*INSIDE, *COMPONENT], ids=str)
def test_a_member_of_the_smaller_is_one_of_the_larger(small, big, rng):
    """The larger fitted to data whose covariance is of the smaller has it, and no other, as Ŝ."""
    small = small.sized(D)
    theta = small.start(np.diag(rng.uniform(1.0, 2.0, D)) + 0.5)
    theta = theta + 0.1 * rng.normal(size=len(theta))
    S = small.cov(theta)
    with warnings.catch_warnings():  # a variance of 0 is out of reach of a logarithm
        warnings.simplefilter("ignore", mg.ConvergenceWarning)
        warnings.simplefilter("ignore", mg.DataWarning)
        fit = mg.fit(mg.Moments.from_covariance(S, 100), big)
    M = np.linalg.solve(fit.covariance, S)
    discrepancy = np.trace(M) - np.linalg.slogdet(M)[1] - D
    assert discrepancy == pytest.approx(0.0, abs=1e-6)


def test_a_family_is_itself():
    Z = np.array([[1.0], [2.0]])
    assert nesting(mg.AR1(), mg.AR1()) == "same"
    assert same(mg.RandomEffects(Z), mg.RandomEffects(Z.copy()))
    assert not same(mg.RandomEffects(Z), mg.RandomEffects(2 * Z))
    assert same(cfa(PATTERN), cfa(PATTERN))
    assert not same(cfa(PATTERN), cfa(CROSS))
    assert not same(mg.Banded(1), mg.Banded(2))


def test_the_worst_of_several():
    assert worst(["same", "boundary", "inside"]) == "boundary"
    assert worst([]) == "same"
