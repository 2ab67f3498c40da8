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
    from mvngrad.fitting.comparison import compare
    from mvngrad.fitting.convergence import Status, Step, Trace
    from mvngrad.fitting.fit import fit
    from mvngrad.fitting.hypotheses import (
        equal_covariances,
        equal_means,
        independence,
        sphericity,
    )
    from mvngrad.fitting.rank import select_rank
    from mvngrad.fitting.result import Fit
    from mvngrad.inference.missing import MissingReport
    from mvngrad.inference.pooling import pool
    from mvngrad.modelfile import load
    from mvngrad.models.algebra import Scaled, Sum
    from mvngrad.models.autoregressive import AR1
    from mvngrad.models.block_diagonal import BlockDiagonal
    from mvngrad.models.cholesky import Cholesky
    from mvngrad.models.compound_symmetry import CompoundSymmetry
    from mvngrad.models.diagonal import Diagonal, Spherical
    from mvngrad.models.factor import Factor
    from mvngrad.models.factor_analytic import FactorAnalytic
    from mvngrad.models.heterogeneous import Heterogeneous
    from mvngrad.models.known import Known
    from mvngrad.models.kronecker import Kronecker
    from mvngrad.models.linear import Linear
    from mvngrad.models.masked import Banded, Masked
    from mvngrad.models.ppca import PPCA
    from mvngrad.models.precision import Precision
    from mvngrad.models.priors import InverseWishart, NormalMean, Ridge
    from mvngrad.models.random_effects import RandomEffects
    from mvngrad.models.structure import Structure
    from mvngrad.models.toeplitz import Toeplitz

_HOME = {
    "AR1": "models.autoregressive",
    "AffineFrame": "core.frame",
    "Banded": "models.masked",
    "BlockDiagonal": "models.block_diagonal",
    "Cholesky": "models.cholesky",
    "CompoundSymmetry": "models.compound_symmetry",
    "ConvergenceWarning": "errors",
    "DataError": "errors",
    "DataWarning": "errors",
    "Diagonal": "models.diagonal",
    "Factor": "models.factor",
    "FactorAnalytic": "models.factor_analytic",
    "Fit": "fitting.result",
    "Gradient": "core.nll",
    "Heterogeneous": "models.heterogeneous",
    "IllConditionedWarning": "errors",
    "InverseWishart": "models.priors",
    "Known": "models.known",
    "Kronecker": "models.kronecker",
    "Linear": "models.linear",
    "Masked": "models.masked",
    "MissingReport": "inference.missing",
    "MissingValuesError": "errors",
    "ModelFileError": "errors",
    "Moments": "core.moments",
    "MultivariateNormal": "distribution",
    "NeedsRowsError": "errors",
    "NormalMean": "models.priors",
    "NotIdentifiedWarning": "errors",
    "NotPositiveDefiniteError": "errors",
    "PPCA": "models.ppca",
    "Precision": "models.precision",
    "RandomEffects": "models.random_effects",
    "Ridge": "models.priors",
    "Scaled": "models.algebra",
    "Spherical": "models.diagonal",
    "Status": "fitting.convergence",
    "Step": "fitting.convergence",
    "Structure": "models.structure",
    "Sum": "models.algebra",
    "Toeplitz": "models.toeplitz",
    "Trace": "fitting.convergence",
    "compare": "fitting.comparison",
    "equal_covariances": "fitting.hypotheses",
    "equal_means": "fitting.hypotheses",
    "fit": "fitting.fit",
    "independence": "fitting.hypotheses",
    "load": "modelfile",
    "nll": "core.nll",
    "nll_and_grad": "core.nll",
    "pool": "inference.pooling",
    "select_rank": "fitting.rank",
    "sphericity": "fitting.hypotheses",
}

__all__ = [
    "AR1",
    "PPCA",
    "AffineFrame",
    "Banded",
    "BlockDiagonal",
    "Cholesky",
    "CompoundSymmetry",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "Diagonal",
    "Factor",
    "FactorAnalytic",
    "Fit",
    "Gradient",
    "Heterogeneous",
    "IllConditionedWarning",
    "InverseWishart",
    "Known",
    "Kronecker",
    "Linear",
    "Masked",
    "MissingReport",
    "MissingValuesError",
    "ModelFileError",
    "Moments",
    "MultivariateNormal",
    "NeedsRowsError",
    "NormalMean",
    "NotIdentifiedWarning",
    "NotPositiveDefiniteError",
    "Precision",
    "RandomEffects",
    "Ridge",
    "Scaled",
    "Spherical",
    "Status",
    "Step",
    "Structure",
    "Sum",
    "Toeplitz",
    "Trace",
    "__version__",
    "compare",
    "equal_covariances",
    "equal_means",
    "fit",
    "independence",
    "load",
    "nll",
    "nll_and_grad",
    "pool",
    "select_rank",
    "sphericity",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mvngrad' has no attribute {name!r}")
    value = getattr(import_module(f"mvngrad.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
