"""Priors and penalties: terms added to J, in units of the columns' standard deviations s.

    InverseWishart    ½ κ [ log|S| + tr(S⁻¹T) ]
    NormalMean        ½ Σⱼ ((μⱼ − cⱼ)/(τⱼ sⱼ))²
    Ridge             ½ λ Σⱼₗ (Λⱼₗ/sⱼ)²

The first is the formula itself, of κ rows with scatter κT about μ and without its constant. What is
minimised is J and the terms; what is reported as J is J alone, and the rest as the penalty.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, Literal, NamedTuple, final

import numpy as np
import numpy.typing as npt

from mvngrad.core.checks import as_factor, as_floats, as_number
from mvngrad.core.moments import Moments
from mvngrad.core.ops import Array
from mvngrad.errors import DataError, NeedsRowsError, NotPositiveDefiniteError
from mvngrad.models.penalty import Penalty
from mvngrad.models.shrinkage import ledoit_wolf, oracle_approximating

Rule = Literal["ledoit-wolf", "oas"]
RULES = ("ledoit-wolf", "oas")
TARGETS = ("diagonal", "spherical")


class Facts(NamedTuple):
    """What a prior is told of the data: s (d,), n, moments of complete data, its rows, known μ.

    Where μ is known, s and the scatter of the moments are about it.
    """

    deviations: Array
    weight: float
    moments: Moments | None = None
    rows: npt.NDArray[Any] | None = None
    weights: Array | None = None
    known: Array | None = None


class Prior(ABC):
    """A term added to J."""

    @abstractmethod
    def term(self, facts: Facts) -> Penalty:
        """The term for these data, in their units."""


@final
class InverseWishart(Prior):
    """½ κ [ log|S| + tr(S⁻¹T) ]: S shrinks toward T, as κ rows with covariance T would pull it.

    For complete data and a full covariance Ŝ = (C + κT)/(n + κ) = (1−ρ) C/n + ρT, ρ = κ/(n+κ). A
    maximum exists for any number of rows, and for collinear columns.

    Parameters
    ----------
    weight : float, optional             κ > 0
    shrinkage : float or str, optional   ρ in (0, 1), κ = nρ/(1−ρ); "ledoit-wolf" or "oas": ρ that
                                         minimises the expected squared error, estimated from
                                         complete data (the first from rows)
    target : "diagonal", "spherical", or (d, d) array
        T: the columns' variances, their mean times I, or as given.

    Notes
    -----
    −log of an inverse Wishart density with κ − d − 1 degrees of freedom and scale κT, but for
    constants. Ledoit & Wolf (2004); Chen, Wiesel, Eldar & Hero (2010). With "diagonal" they are
    applied to columns of unit variance, with "spherical" to the columns as they are.

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(5, 8))          # fewer rows than columns
    >>> fit = mg.fit(X, prior=mg.InverseWishart(10.0, target=np.eye(8)))
    >>> C = (X - X.mean(0)).T @ (X - X.mean(0))
    >>> np.allclose(fit.covariance, (C + 10.0 * np.eye(8)) / (5 + 10.0))
    True
    """

    def __init__(
        self,
        weight: float | None = None,
        *,
        shrinkage: float | Rule | None = None,
        target: Any = "diagonal",
    ) -> None:
        if (weight is None) == (shrinkage is None):
            raise DataError("give InverseWishart a weight κ or a shrinkage ρ, one of the two.")
        self.weight = None if weight is None else _positive(weight, "weight")
        self.shrinkage = shrinkage if isinstance(shrinkage, str) else _share(shrinkage)
        if isinstance(self.shrinkage, str) and self.shrinkage not in RULES:
            raise DataError(f"shrinkage must be a number or one of {RULES}; got {shrinkage!r}.")
        if isinstance(target, str) and target not in TARGETS:
            raise DataError(f"target must be one of {TARGETS} or a matrix; got {target!r}.")
        if isinstance(self.shrinkage, str) and not isinstance(target, str):
            raise DataError(f"{self.shrinkage!r} is a rule for the targets {TARGETS} only.")
        self.target = target

    def term(self, facts: Facts) -> Penalty:
        """κ and κT."""
        d = len(facts.deviations)
        T, kappa = self._target(facts), self.weight
        if kappa is None:
            rho = self.shrinkage
            rho = self._by_rule(facts) if isinstance(rho, str) else rho
            assert isinstance(rho, float)
            if rho >= 1.0:
                raise DataError(
                    f"{self.shrinkage} would shrink the covariance all the way to its target: fit "
                    "that, covariance='diagonal' or 'spherical', or give a shrinkage below 1."
                )
            kappa = facts.weight * rho / (1.0 - rho)
        return replace(Penalty.nothing(d), weight=kappa, scatter=kappa * T)

    def _target(self, facts: Facts) -> Array:
        s = facts.deviations
        if isinstance(self.target, str):
            return np.diag(s**2 if self.target == "diagonal" else np.full(len(s), (s**2).mean()))
        T = as_factor(self.target, len(s), name="target")
        symmetric = T.shape == (len(s), len(s)) and np.allclose(T, T.T, rtol=1e-8, atol=0.0)
        if not symmetric or np.linalg.eigvalsh(T)[0] <= 0.0:
            raise NotPositiveDefiniteError(
                f"the target must be a positive definite covariance ({len(s)}, {len(s)})."
            )
        return 0.5 * (T + T.T)

    def _by_rule(self, facts: Facts) -> float:
        if facts.moments is None:
            raise DataError(
                f"shrinkage={self.shrinkage!r} is estimated from complete data, and values are "
                "missing: give a number, shrinkage=0.1."
            )
        unit = np.ones_like(facts.deviations) if self.target == "spherical" else facts.deviations
        S = facts.moments.cov / np.multiply.outer(unit, unit)
        if self.shrinkage == "oas":
            return oracle_approximating(S, facts.weight)
        if facts.rows is None:
            raise NeedsRowsError(
                "shrinkage='ledoit-wolf' needs the rows of the data; 'oas' does with moments."
            )
        about = facts.moments.mean if facts.known is None else facts.known
        return ledoit_wolf((facts.rows - about) / unit, S, facts.weights)

    def __repr__(self) -> str:
        how = f"shrinkage={self.shrinkage!r}" if self.weight is None else f"{self.weight!r}"
        target = repr(self.target) if isinstance(self.target, str) else "given"
        return f"InverseWishart({how}, target={target})"


@final
class NormalMean(Prior):
    """½ Σⱼ ((μⱼ − cⱼ)/(τⱼsⱼ))²: means are normal about c, independent, deviations τ in units of s.

    Parameters
    ----------
    center : (d,) array            c, in the units of the data
    sd : float or (d,) array       τ > 0

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(20, 1))
    >>> fit = mg.fit(X, prior=mg.NormalMean([0.0], 1.0))
    >>> precision, prior = 20 / fit.covariance[0, 0], 1.0 / X.var()
    >>> np.allclose(fit.mean, precision * X.mean() / (precision + prior))
    True
    """

    def __init__(self, center: Any, sd: Any) -> None:
        self.center = np.atleast_1d(as_floats(center, "center"))
        self.sd = as_floats(sd, "sd")
        finite = np.isfinite(self.center).all() and np.isfinite(self.sd).all()
        if not (finite and (self.sd > 0.0).all()):
            raise DataError("NormalMean needs a finite center, and a finite sd above 0.")

    def term(self, facts: Facts) -> Penalty:
        """Q = diag(1/(τs)²) and c."""
        d = len(facts.deviations)
        if self.center.shape != (d,) or self.sd.shape not in {(), (d,)}:
            raise DataError(f"NormalMean needs a center of {d} entries, and one sd or {d}.")
        Q = np.diag(1.0 / (self.sd * facts.deviations) ** 2)
        return replace(Penalty.nothing(d), precision=Q, center=self.center)

    def __repr__(self) -> str:
        return f"NormalMean({self.center.tolist()}, {self.sd.tolist()})"


@final
class Ridge(Prior):
    """½ λ Σⱼₗ (Λⱼₗ/sⱼ)²: loadings of a factor model shrink toward 0.

    With correlated factors ½ λ Σⱼ (ΛΦΛᵀ)ⱼⱼ/sⱼ², the same of loadings on independent ones.

    Parameters
    ----------
    strength : float       λ > 0, of loadings in units of s

    Examples
    --------
    >>> import numpy as np, mvngrad as mg
    >>> X = np.random.default_rng(0).normal(size=(100, 4)) + np.random.default_rng(1).normal(
    ...     size=(100, 1))
    >>> fit = mg.fit(X, mg.FactorAnalytic(1), prior=mg.Ridge(5.0))
    >>> np.isclose(fit.penalty, 0.5 * 5.0 * ((fit.factor / X.std(axis=0)[:, None]) ** 2).sum())
    np.True_
    """

    def __init__(self, strength: float) -> None:
        self.strength = _positive(strength, "strength")

    def term(self, facts: Facts) -> Penalty:
        """λ/s²."""
        nothing = Penalty.nothing(len(facts.deviations))
        return replace(nothing, ridge=self.strength / facts.deviations**2)

    def __repr__(self) -> str:
        return f"Ridge({self.strength!r})"


def as_priors(prior: Any) -> tuple[Prior, ...]:
    """One prior, or several, or none."""
    several = isinstance(prior, list | tuple)
    given = () if prior is None else tuple(prior) if several else (prior,)
    for one in given:
        if not isinstance(one, Prior):
            raise DataError(
                "prior must be an InverseWishart, a NormalMean or a Ridge, or a list of them; got "
                f"{one!r:.60}."
            )
    return given


def penalty_of(priors: Sequence[Prior], facts: Facts) -> Penalty:
    """All terms together, in the units of the data."""
    return reduce(Penalty.__add__, (prior.term(facts) for prior in priors))


def _positive(value: Any, name: str) -> float:
    number = as_number(value, name)
    if not (np.isfinite(number) and number > 0.0):
        raise DataError(f"{name} must be a positive number; got {value!r}.")
    return number


def _share(value: Any) -> float | None:
    if value is None:
        return None
    number = as_number(value, "shrinkage")
    if not 0.0 < number < 1.0:
        raise DataError(f"shrinkage must be between 0 and 1, or one of {RULES}; got {value!r}.")
    return number
