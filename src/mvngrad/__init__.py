"""mvngrad: maximum likelihood for the multivariate normal, with exact gradients.

    J(μ, S) = ½ [ n d log 2π + n log|S| + tr(S⁻¹A) ],   S = ΛΛᵀ,   ∂J/∂Λ = nΛ⁻ᵀ(I − K)

The formula stands in ``mvngrad.core.likelihood``. Names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mvngrad._version import __version__

if TYPE_CHECKING:
    from mvngrad.core.frame import AffineFrame
    from mvngrad.core.moments import Moments
    from mvngrad.core.nll import Gradient, nll, nll_and_grad
    from mvngrad.distribution import MultivariateNormal
    from mvngrad.errors import (
        ConvergenceWarning,
        DataError,
        DataWarning,
        IllConditionedWarning,
        MissingValuesError,
        ModelFileError,
        NeedsRowsError,
        NotIdentifiedWarning,
        NotPositiveDefiniteError,
    )
    from mvngrad.fitting.convergence import Status, Step, Trace
    from mvngrad.fitting.fit import fit
    from mvngrad.fitting.result import Fit
    from mvngrad.inference.missing import MissingReport
    from mvngrad.inference.pooling import pool
    from mvngrad.modelfile import load
    from mvngrad.models.cholesky import Cholesky
    from mvngrad.models.diagonal import Diagonal, Spherical
    from mvngrad.models.factor import Factor
    from mvngrad.models.factor_analytic import FactorAnalytic
    from mvngrad.models.ppca import PPCA
    from mvngrad.models.structure import Structure

_HOME = {
    "AffineFrame": "core.frame",
    "Cholesky": "models.cholesky",
    "ConvergenceWarning": "errors",
    "DataError": "errors",
    "DataWarning": "errors",
    "Diagonal": "models.diagonal",
    "Factor": "models.factor",
    "FactorAnalytic": "models.factor_analytic",
    "Fit": "fitting.result",
    "Gradient": "core.nll",
    "IllConditionedWarning": "errors",
    "MissingReport": "inference.missing",
    "MissingValuesError": "errors",
    "ModelFileError": "errors",
    "Moments": "core.moments",
    "MultivariateNormal": "distribution",
    "NeedsRowsError": "errors",
    "NotIdentifiedWarning": "errors",
    "NotPositiveDefiniteError": "errors",
    "PPCA": "models.ppca",
    "Spherical": "models.diagonal",
    "Status": "fitting.convergence",
    "Step": "fitting.convergence",
    "Structure": "models.structure",
    "Trace": "fitting.convergence",
    "fit": "fitting.fit",
    "load": "modelfile",
    "nll": "core.nll",
    "nll_and_grad": "core.nll",
    "pool": "inference.pooling",
}

__all__ = [
    "PPCA",
    "AffineFrame",
    "Cholesky",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "Diagonal",
    "Factor",
    "FactorAnalytic",
    "Fit",
    "Gradient",
    "IllConditionedWarning",
    "MissingReport",
    "MissingValuesError",
    "ModelFileError",
    "Moments",
    "MultivariateNormal",
    "NeedsRowsError",
    "NotIdentifiedWarning",
    "NotPositiveDefiniteError",
    "Spherical",
    "Status",
    "Step",
    "Structure",
    "Trace",
    "__version__",
    "fit",
    "load",
    "nll",
    "nll_and_grad",
    "pool",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mvngrad' has no attribute {name!r}")
    value = getattr(import_module(f"mvngrad.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
