"""What patterned structures refuse, and the words for it; names, and signs of the algebra."""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.cli import options
from mvngrad.core.kronecker import KroneckerCovariance
from mvngrad.core.operators import DenseCovariance
from mvngrad.models import named

EYE = np.eye(3)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: mg.Banded(-1), r"width must be a whole number, 0 or more; got -1"),
        (lambda: mg.Banded(1.5), r"got 1\.5"),
        (lambda: mg.Banded(True), r"got True"),
        (lambda: mg.Masked([1, 0]), r"shape \(2,\)"),
        (lambda: mg.Masked([[0.5, 1.0]]), "must be a"),
        (lambda: mg.Masked([[1, 0], [1, 0]]), "never has full row rank"),
        (lambda: mg.Masked(EYE).sized(4), "is for 3 columns; the data have 4"),
        (lambda: mg.Known([[1.0, 2.0]]), r"got shape \(1, 2\)"),
        (lambda: mg.Known([[1.0, np.nan], [np.nan, 1.0]]), "not finite"),
        (lambda: mg.Known([[1.0, 0.5], [0.4, 1.0]]), r"symmetric; got S\[0, 1\] = 0.5"),
        (lambda: mg.Known([[1.0, 2.0], [2.0, 1.0]]), "not positive definite"),
        (lambda: mg.Known(EYE).sized(2), "is for 3 columns; there are 2"),
        (lambda: mg.RandomEffects([1.0, 2.0]), r"got shape \(2,\)"),
        (lambda: mg.RandomEffects([[1.0, 0.0], [2.0, 0.0]]), "column 1 of Z is zero"),
        (lambda: mg.RandomEffects(np.ones((3, 1))).sized(2), "Z has 3 rows"),
        (lambda: mg.fit(np.eye(4)[:, :3], mg.RandomEffects(np.ones((3, 1)))), "singular alone"),
        (lambda: mg.Kronecker(mg.AR1(), mg.AR1()).sized(6), r"AR1\(\)\.sized\(4\)"),
        (lambda: mg.Kronecker(mg.AR1().sized(4), mg.AR1()).sized(6), "they multiply"),
        (mg.BlockDiagonal, "of nothing"),
        (lambda: mg.BlockDiagonal(mg.AR1(), mg.AR1()).sized(4), r"blocks of \?, \? columns"),
        (lambda: mg.BlockDiagonal(mg.AR1().sized(4), mg.AR1()).sized(4), "cannot make 4"),
        (lambda: mg.BlockDiagonal(mg.AR1().sized(2)).sized(4), "cannot make 4"),
        (mg.Sum, "of nothing"),
        (lambda: mg.Sum(mg.AR1(), "ar1"), "made of structures such as"),
        (lambda: mg.Precision(EYE), "Precision is made of structures"),
        (lambda: -1.0 * mg.AR1(), r"positive number; got -1\.0"),
        (lambda: np.nan * mg.AR1(), "positive number; got nan"),
        (lambda: mg.Heterogeneous(mg.Known(EYE)), r"mg\.Scaled"),
        (lambda: named.structure_named("ar2"), "covariance must be one of 'full'"),
        (lambda: named.structure_named("banded"), "'banded:N'"),
        (lambda: named.structure_named("banded:-1"), "got 'banded:-1'"),
        (lambda: named.structure_named(3), "got 3"),
    ],
)
def test_what_is_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()


@pytest.mark.parametrize("other", [2.0, "ar1", None, EYE])
def test_only_structures_are_added(other):
    with pytest.raises(TypeError):
        mg.AR1() + other
    if not isinstance(other, float):
        with pytest.raises(TypeError):
            other * mg.AR1()


def test_sums_are_flat_and_multiples_are_not_sums():
    a, b, c = mg.AR1(), mg.Diagonal(), mg.Spherical()
    assert ((a + b) + c).parts == (a + (b + c)).parts == (a, b, c)
    assert repr(2 * a) == repr(np.float64(2.0) * a) == "Scaled(part=AR1(), by=2.0)"


def test_equivariance_is_that_of_the_weakest_part():
    full, scale = mg.Cholesky(), mg.Spherical()
    assert (full + mg.Cholesky()).equivariance == "affine"
    assert (full + mg.Diagonal()).equivariance == "diagonal"
    assert (full + scale).equivariance == "scalar"
    assert mg.BlockDiagonal(full, full).equivariance == "diagonal"
    assert mg.Heterogeneous(scale).equivariance == "diagonal"
    assert not (full + mg.Known(EYE)).rescales
    assert mg.Scaled(mg.Known(EYE)).rescales


def test_parts_keep_their_sizes_and_the_original_is_left_alone():
    structure = mg.Kronecker(mg.AR1().sized(2), mg.Cholesky())
    assert [part.columns for part in structure.sized(6).parts] == [2, 3]
    assert [part.columns for part in structure.sized(8).parts] == [2, 4]
    assert structure.parts[1].d is None
    blocks = mg.BlockDiagonal(mg.AR1(), mg.AR1().sized(2)).sized(5)
    assert [part.columns for part in blocks.parts] == [3, 2]


def test_n_params_follows_the_size():
    structure = mg.Diagonal() + mg.Spherical()
    assert [structure.sized(d).n_params for d in (2, 3)] == [2, 3]
    sized = structure.sized(4)
    assert (sized.n_params, sized.sized(5).n_params) == (4, 5)


@pytest.mark.parametrize("name", [n.replace(":N", ":2") for n in named.names()])
def test_names_lead_back(name):
    structure = named.structure_named(name)
    assert named.name_of(structure) == {"cholesky": "full"}.get(name, name)


@pytest.mark.parametrize("name", ["ar1", "banded:0", "full"])
def test_the_command_takes_names(name):
    assert options.structure_name(None, None, name) == name


@pytest.mark.parametrize("name", ["banded:N", "banded", "banded:x", "ar1:2", "AR1", ""])
def test_the_command_refuses_others(name):
    with pytest.raises(Exception, match="is none of full"):
        options.structure_name(None, None, name)


def test_a_kronecker_operator_is_the_dense_one(rng):
    L_a, L_b = (np.tril(rng.standard_normal((d, d))) + 3.0 * np.eye(d) for d in (2, 3))
    S = KroneckerCovariance(DenseCovariance(L_a), DenseCovariance(L_b), (2, 3))
    dense = DenseCovariance(np.kron(L_a, L_b))
    for B in (rng.standard_normal(6), rng.standard_normal((6, 4)), rng.standard_normal((4, 6)).T):
        np.testing.assert_allclose(S.whiten(B), dense.whiten(B), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(S.unwhiten(B), dense.unwhiten(B), rtol=1e-12, atol=1e-14)
    assert S.logdet == pytest.approx(dense.logdet, rel=1e-13)
    np.testing.assert_array_equal(S.root(6), dense.L)
