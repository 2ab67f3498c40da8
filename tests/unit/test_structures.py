"""Structures one by one, and that the list of cases has them all."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import mvngrad as mg
from cases import CASES, Case
from mvngrad import models
from mvngrad.core.ops import lower_root
from mvngrad.models.cholesky import InverseCholesky
from mvngrad.models.structure import Structure

S = np.array([[4.0, 1.0, -0.5], [1.0, 9.0, 2.0], [-0.5, 2.0, 1.0]])
L = np.linalg.cholesky(S)


def ours():
    """Concrete structures of the package, at any depth."""
    found, waiting = set(), [Structure]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith(f"{models.__name__}.") and not inspect.isabstract(kind):
                found.add(kind)
    return found


def reaches_itself(case: Case) -> bool:
    """Whether start_at(Λ) is θ of ΛΛᵀ where that is in the family: patterns only begin nearby."""
    return getattr(case.structure, "pattern", None) is None


def test_every_structure_is_in_the_list_of_cases():
    missing = ours() - {type(case.structure) for case in CASES}
    assert not missing, f"add {sorted(kind.__name__ for kind in missing)} to tests/cases.py"


def test_structures_are_abstract_or_final():
    for kind in ours():
        assert getattr(kind, "__final__", False), f"{kind.__name__} is not marked @final"
        assert not kind.__subclasses__() or all(
            not sub.__module__.startswith("mvngrad.") for sub in kind.__subclasses__()
        )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_docstrings_and_description(case: Case):
    kind = type(case.structure)
    assert kind.__doc__
    assert "S" in kind.__doc__.splitlines()[0] or kind is InverseCholesky
    rebuilt = kind.of_description(**case.structure.describe()).sized(case.d)
    np.testing.assert_array_equal(rebuilt.cov(case.theta), case.structure.cov(case.theta))
    assert repr(case.structure).startswith(kind.__name__ + "(")


@pytest.mark.parametrize("case", [c for c in CASES if reaches_itself(c)], ids=str)
def test_working_coordinates_are_of_the_same_family(case: Case):
    working = case.structure.working()
    if working is case.structure:
        return
    Lambda = case.structure.factor(case.theta)
    found = working.cov(working.start_at(Lambda))
    expected = case.structure.cov(case.theta)
    np.testing.assert_allclose(found, expected, atol=1e-10 * expected.max())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_theta_is_not_written_to_or_handed_out(case: Case):
    """Cases are read-only, so a write raises; what comes back may be kept and changed."""
    structure, theta = case.structure, case.theta
    rescaled = structure.rescale(theta, np.ones(case.d)) if structure.rescales else theta.copy()
    for own in (rescaled, structure.start_at(np.eye(case.d))):
        own[:] = 0.0
    assert not theta.flags.writeable


def test_sized_is_a_copy():
    structure = mg.Cholesky()
    assert structure.sized(3).columns == 3
    assert structure.d is None
    with pytest.raises(ValueError, match=r"Cholesky\(\)\.sized\(d\)"):
        structure.size  # noqa: B018


def test_sizes_and_counts():
    """θ entries, and parameters that data can tell apart, for d = 4."""
    expected = {
        mg.Factor(): (16, 10),
        mg.Factor(6): (24, 10),
        mg.Cholesky(): (10, 10),
        InverseCholesky(): (10, 10),
        mg.Diagonal(): (4, 4),
        mg.Spherical(): (1, 1),
        mg.FactorAnalytic(0): (4, 4),
        mg.FactorAnalytic(1): (8, 8),
        mg.FactorAnalytic(2): (12, 10),
        mg.FactorAnalytic(3): (16, 10),
        mg.PPCA(0): (1, 1),
        mg.PPCA(2): (9, 8),
    }
    for structure, (size, n_params) in expected.items():
        sized = structure.sized(4)
        assert (sized.size, sized.n_params) == (size, n_params)


def test_factor_is_theta_row_by_row():
    theta = np.arange(6.0)
    np.testing.assert_array_equal(mg.Factor(3).sized(2).factor(theta), theta.reshape(2, 3))


def test_factor_refuses_to_be_singular():
    with pytest.raises(ValueError, match="rank below d = 3"):
        mg.Factor(2).sized(3)


def test_factor_start_keeps_a_factor_of_its_width_and_pads_another():
    wide = np.hstack([L, np.ones((3, 2))])
    np.testing.assert_array_equal(mg.Factor(5).sized(3).start_at(wide), wide.ravel())
    padded = mg.Factor(4).sized(3).start_at(wide).reshape(3, 4)
    np.testing.assert_allclose(padded, np.hstack([lower_root(wide), np.zeros((3, 1))]))


def test_factor_widens_only_if_its_width_is_open():
    wide = np.ones((3, 5))
    assert mg.Factor().sized(3).widened(wide).k == 5
    assert mg.Factor(4).sized(3).widened(wide).k == 4
    assert mg.Diagonal().sized(3).widened(wide).columns == 3


def test_cholesky_of_its_start_is_triangular_with_positive_diagonal(rng):
    family = mg.Cholesky().sized(3)
    np.testing.assert_allclose(family.factor(family.start(S)), L, rtol=1e-14)
    turned = -L @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    np.testing.assert_allclose(family.factor(family.start_at(turned)), L, rtol=1e-12)


def test_inverse_cholesky_whitens_by_its_theta():
    family = InverseCholesky().sized(3)
    B = family.whitener(family.start(S))
    np.testing.assert_allclose(B @ S @ B.T, np.eye(3), atol=1e-14)
    np.testing.assert_array_equal(B, np.tril(B))
    np.testing.assert_allclose(family.factor(family.start(S)), L, rtol=1e-13)


def test_diagonal_and_spherical_start_at_variances():
    np.testing.assert_allclose(mg.Diagonal().sized(3).start(S), np.log([4.0, 9.0, 1.0]))
    np.testing.assert_allclose(mg.Spherical().sized(3).start(S), [np.log(14.0 / 3.0)])
    assert mg.Spherical().sized(3).cov(np.zeros(1)).shape == (3, 3)


def test_start_refuses_a_singular_covariance():
    for family in (mg.Cholesky(), mg.Factor()):
        with pytest.raises(mg.NotPositiveDefiniteError, match="not positive definite"):
            family.sized(2).start(np.ones((2, 2)))


def test_a_structure_without_rescale_says_so():
    class Bare(mg.Diagonal):
        rescale = Structure.rescale

    assert not Bare().rescales
    assert mg.Diagonal().rescales
    with pytest.raises(NotImplementedError, match="Bare has no rescale"):
        Bare().sized(2).rescale(np.zeros(2), np.ones(2))
