"""Parts that know how many columns they are for need not be told; what is no size or scale."""

import numpy as np
import pytest

import mvngrad as mg

KNOWING = {
    "known": lambda: mg.Known(np.eye(2)),
    "effects": lambda: mg.RandomEffects([[1.0], [1.0]]) + mg.Spherical(),
    "mask": lambda: mg.Masked(np.tril(np.ones((2, 2)))),
    "pattern": lambda: mg.FactorAnalytic(pattern=[[np.nan], [1.0]]),
    "scaled": lambda: 2 * (mg.Known(np.eye(2)) + mg.Diagonal()),
    "heterogeneous": lambda: mg.Heterogeneous(mg.Scaled(mg.Known(np.eye(2)))),
    "blocks": lambda: mg.BlockDiagonal(mg.Known(np.eye(1)), mg.Spherical().sized(1)),
}


@pytest.mark.parametrize("name", KNOWING)
def test_parts_that_know_their_columns(name):
    told, part = KNOWING[name]().sized(2), KNOWING[name]()
    assert part.own_columns == 2
    for family in (
        lambda p: mg.BlockDiagonal(p, mg.AR1()).sized(5),
        lambda p: mg.BlockDiagonal(mg.AR1(), p).sized(5),
        lambda p: mg.Kronecker(p, mg.AR1()).sized(6),
        lambda p: mg.Kronecker(mg.AR1(), p).sized(6),
    ):
        theta = family(told).start(np.eye(family(told).d))
        assert np.array_equal(family(part).cov(theta), family(told).cov(theta))


def test_times_from_either_side():
    left, right = (2 * mg.AR1()).sized(3), (mg.AR1() * 2).sized(3)
    theta = np.array([0.3, 0.4])
    assert np.array_equal(left.cov(theta), right.cov(theta))
    assert isinstance(mg.AR1() * np.float64(2.0), mg.Scaled)
    with pytest.raises(TypeError):
        mg.AR1() * "two"


@pytest.mark.parametrize("by", ["x", True, 0, -1.0, np.nan, np.inf, [2.0]])
def test_what_is_no_scale(by):
    with pytest.raises(mg.DataError, match="scaled by a positive number"):
        mg.Scaled(mg.AR1(), by)


@pytest.mark.parametrize("d", [0, -1, 2.0, True, "3"])
def test_what_is_no_number_of_columns(d):
    with pytest.raises(mg.DataError, match="whole number of columns, 1 or more"):
        mg.AR1().sized(d)
