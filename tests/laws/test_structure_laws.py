"""Every public law, for every structure in the list."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CASES, Case, spectrum
from mvngrad import testing
from mvngrad.core.frame import AffineFrame
from mvngrad.core.moments import Moments
from mvngrad.models.data import Complete
from mvngrad.models.factor_analytic import FactorAnalytic
from mvngrad.models.means import FixedMean, FreeMean
from mvngrad.models.objective import Objective
from mvngrad.models.ppca import PPCA

SMALL = [case for case in CASES if case.d <= 3 and case.condition <= 1e4]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("law", testing.LAWS, ids=lambda law: law.__name__)
def test_law(law, case: Case, rng):
    law(case.structure, case.theta, rng=rng)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case_has_the_condition_it_says(case: Case):
    eigenvalues = np.linalg.eigvalsh(case.structure.cov(case.theta))
    if isinstance(case.structure, FactorAnalytic | PPCA):
        assert case.condition in (1e0, pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-6))
    elif case.is_exact:
        expected = np.sort(spectrum(case.d, case.condition))
        np.testing.assert_allclose(eigenvalues, expected, rtol=1e-14 * case.condition)


@pytest.mark.parametrize("mean", ["free", "fixed"])
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_objective_gradient_is_the_derivative(case: Case, mean, rng):
    """J/n in (β, θ): central differences, whose error is h², on a value that knows no adjoint."""
    objective = _objective(case, mean, rng)
    params = np.concatenate([0.3 * rng.standard_normal(objective.n_beta), case.theta])
    v = rng.standard_normal(len(params))
    v /= np.sqrt(v @ objective.fisher_product(objective.at(params), v))
    h = 1e-5
    difference = objective.at(params + h * v).value - objective.at(params - h * v).value
    assert difference / (2 * h) == pytest.approx(
        objective.at(params).gradient @ v, rel=1e-7, abs=1e-7
    )


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_fisher_product_is_symmetric_and_not_negative(case: Case, rng):
    """⟨u, Fv⟩ = ⟨Fu, v⟩ and ⟨v, Fv⟩ ≥ 0."""
    objective = _objective(case, "free", rng)
    point = objective.at(np.concatenate([np.zeros(case.d), case.theta]))
    u, v = rng.standard_normal((2, len(point.params)))
    Fu, Fv = objective.fisher_product(point, u), objective.fisher_product(point, v)
    assert abs(u @ Fv - v @ Fu) <= 1e-12 * case.condition * (np.abs(u) @ np.abs(Fv))
    assert v @ Fv > 0.0


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_fisher_is_the_hessian_where_model_and_data_agree(case: Case, rng):
    """E ∇²J = F: with A = nS the Hessian of J/n at (μ, S) is the information, entry by entry."""
    L = np.linalg.cholesky(case.structure.cov(case.theta))
    n = 10.0
    data = Moments(n, 10, np.zeros(case.d), n * L @ L.T, AffineFrame.identity(case.d))
    objective = Objective(Complete(data), case.structure, FreeMean())
    params = np.concatenate([np.zeros(case.d), case.theta])
    v = rng.standard_normal(len(params))
    Fv = objective.fisher_product(objective.at(params), v)
    v, Fv = v / np.sqrt(v @ Fv), Fv / np.sqrt(v @ Fv)
    h = 1e-5
    Hv = (objective.at(params + h * v).gradient - objective.at(params - h * v).gradient) / (2 * h)
    np.testing.assert_allclose(Hv, Fv, atol=1e-8 * np.abs(Fv).max() * case.condition**0.5)


def _objective(case: Case, mean: str, rng) -> Objective:
    data = Moments.of(case.rows(3 * case.d + 4, rng), frame=AffineFrame.identity(case.d))
    return Objective(
        Complete(data),
        case.structure,
        FreeMean() if mean == "free" else FixedMean(np.zeros(case.d)),
    )
