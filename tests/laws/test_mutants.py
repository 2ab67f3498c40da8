"""The laws have teeth: each fails on a structure broken in the way it is there to find."""

from __future__ import annotations

import numpy as np
import pytest

from mvngrad import testing
from mvngrad.core.operators import DenseCovariance
from mvngrad.models.cholesky import Cholesky
from mvngrad.models.diagonal import Diagonal, Spherical
from mvngrad.models.factor import Factor
from mvngrad.models.structure import Structure

D = 3
THETA = {
    Factor: np.array([1.0, 0.3, -0.2, 0.5, 2.0, 0.1, -0.4, 0.6, 1.5]),
    Cholesky: np.array([0.3, -0.5, 0.4, 0.8, 0.2, -0.3]),
    Diagonal: np.array([0.3, -0.5, 0.9]),
    Spherical: np.array([0.4]),
}


class Geometric(Structure):
    """S = exp(θ₀) ρ^|i−j|, ρ = tanh θ₁: a user's own structure, given by ``cov`` alone."""

    size = 2

    def _parts(self, theta):
        lag = np.abs(np.subtract.outer(np.arange(self.columns), np.arange(self.columns)))
        rho = np.tanh(theta[1])
        slope = (1.0 - rho**2) * lag * rho ** np.maximum(lag - 1, 0)
        return np.exp(theta[0]), rho**lag, slope

    def cov(self, theta):
        variance, R, _ = self._parts(theta)
        return variance * R

    def push(self, theta, v):
        variance, R, slope = self._parts(theta)
        return variance * (v[0] * R + v[1] * slope)

    def pull(self, theta, score):
        variance, R, slope = self._parts(theta)
        G = score.dense()
        return variance * np.array([(G * R).sum(), (G * slope).sum()])

    def start(self, S):
        return np.array([np.log(np.diagonal(S).mean()), 0.1])

    def rescale(self, theta, T):
        return theta + np.array([2.0 * np.log(T[0]), 0.0])


THETA[Geometric] = np.array([0.4, 0.5])


class Upside(DenseCovariance):
    """Its unwhiten forgets to transpose."""

    unwhiten = DenseCovariance.whiten


class Offset(DenseCovariance):
    """Its logdet is log|L|."""

    logdet = property(lambda self: self.ops.log_diagonal(self.L))


def unscaled_pull(self, theta, score):
    """Without Lⱼⱼ on the diagonal."""
    return (2.0 * (score @ self.factor(theta)))[np.tril_indices(self.columns)]


def tangent_of_entries(self, theta, score, v):
    """Without what a logarithm bends."""
    return self.factor_pull(theta, 2.0 * (score @ self.factor_push(theta, v)))


MUTANTS = [
    # law, structure, what is wrong
    ("covariance", Diagonal, {"cov": lambda _, t: np.diag(np.exp(2.0 * t))}),
    ("covariance", Factor, {"cov": lambda self, t: self.factor(t) @ self.factor(t)}),
    ("covariance", Factor, {"factor": lambda _, __: np.diag([1.0, 1.0, 0.0])}),
    ("covariance", Factor, {"factor": lambda _, __: np.ones((D, D))}),
    ("covariance", Diagonal, {"size": 4}),
    ("operator", Factor, {"operator": lambda self, t: DenseCovariance(self.factor(t))}),
    ("operator", Cholesky, {"operator": lambda self, t: Upside(self.factor(t))}),
    ("operator", Cholesky, {"operator": lambda self, t: Offset(self.factor(t))}),
    ("adjoint", Factor, {"pull": lambda self, t, G: (G @ self.factor(t)).ravel()}),
    ("adjoint", Factor, {"pull": lambda self, t, G: (2.0 * (G @ self.factor(t))).T.ravel()}),
    ("adjoint", Factor, {"push": lambda self, t, v: 2.0 * self.factor(v) @ self.factor(t).T}),
    ("adjoint", Cholesky, {"pull": unscaled_pull}),
    ("adjoint", Spherical, {"pull": lambda _, t, G: G.diagonal()[:1] * np.exp(t)}),
    ("tangent", Diagonal, {"push": lambda _, __, v: np.diag(v)}),
    (
        "tangent",
        Diagonal,
        {"push": lambda _, __, v: np.diag(v), "pull": lambda _, __, G: G.diagonal()},
    ),
    ("tangent", Factor, {"push": lambda *_: np.zeros((D, D))}),
    (
        "whitened_push",
        Factor,
        {"push_halves": lambda self, t, v: (self.factor(v), 2 * self.factor(t))},
    ),
    (
        "whitened_push",
        Cholesky,
        {"push_halves": lambda self, t, _: (self.factor(t), self.factor(t))},
    ),
    ("whitened_push", Factor, {"whitened_push": lambda self, t, v, _: self.push(t, v)}),
    ("whitened_push", Diagonal, {"whitened_push": lambda _, __, v, ___: np.diag(0.5 * v)}),
    ("pull_tangent", Diagonal, {"pull_tangent": lambda *_: np.zeros(D)}),
    ("pull_tangent", Diagonal, {"pull_tangent": lambda self, t, G, v: 2 * v * self.pull(t, G)}),
    ("pull_tangent", Cholesky, {"pull_tangent": tangent_of_entries}),
    ("pull_tangent", Factor, {"pull_tangent": lambda self, t, G, _: self.pull(t, G)}),
    (
        "pull_tangent",
        Factor,
        {"pull_tangent": lambda self, _, G, v: (G.dense() @ self.factor(v)).ravel()},
    ),
    (
        "pull_tangent",
        Diagonal,  # right along itself to twelve digits, but no second derivative of anything
        {"pull_tangent": lambda self, t, G, v: v * self.pull(t, G) + 3e-12 * v[::-1] * [1, 2, 3]},
    ),
    ("taylor", Diagonal, {"pull": lambda _, __, G: G.diagonal()}),
    ("taylor", Diagonal, {"pull": lambda _, t, G: -G.diagonal() * np.exp(t)}),
    ("equivariance", Diagonal, {"rescale": lambda _, t, T: t + np.log(T)}),
    ("equivariance", Diagonal, {"rescale": lambda _, t, __: t}),
    ("equivariance", Diagonal, {"rescale": lambda _, t, T: (t + 2.0 * np.log(T))[:2]}),
    ("equivariance", Spherical, {"equivariance": "diagonal"}),
    ("equivariance", Factor, {"rescale": lambda self, t, T: (self.factor(t) * T).ravel()}),
    ("start", Diagonal, {"start": lambda _, __: np.full(D, np.nan)}),
    ("start", Diagonal, {"start": lambda _, __: np.zeros(D + 1)}),
    ("start", Cholesky, {"start_at": lambda _, __: np.zeros(6)}),
    ("optimum", Diagonal, {"start": lambda _, S: np.log(1.1 * np.diagonal(S))}),
    ("optimum", Spherical, {"start": lambda _, S: np.log(np.diagonal(S))[:1]}),
    ("optimum", Geometric, {"start_is_optimum": True}),
    ("rank", Factor, {"n_params": 9}),
    ("rank", Cholesky, {"n_params": 5}),
    ("rank", Diagonal, {"saturated": True}),
    ("precision", Geometric, {"linear_precision": True}),
]


def mutant(structure: type[Structure], wrong: dict[str, object]) -> Structure:
    return type(f"Broken{structure.__name__}", (structure,), wrong)()


@pytest.mark.parametrize("structure", THETA, ids=lambda structure: structure.__name__)
def test_the_unbroken_pass(structure):
    testing.check_structure(structure(), THETA[structure], D)


@pytest.mark.parametrize(
    ("law", "structure", "wrong"),
    MUTANTS,
    ids=[f"{law}-{s.__name__}-{'-'.join(wrong)}-{i}" for i, (law, s, wrong) in enumerate(MUTANTS)],
)
def test_law_finds(law, structure, wrong):
    broken = mutant(structure, wrong)
    with pytest.raises(AssertionError, match=f"{broken!r} breaks the law".replace("()", r"\(\)")):
        getattr(testing, f"check_{law}")(broken, THETA[structure], D)
    with pytest.raises(AssertionError, match=r"measured .*, bound "):
        testing.check_structure(broken, THETA[structure], D)


def test_every_law_has_a_mutant():
    assert {f"check_{law}" for law, *_ in MUTANTS} == {law.__name__ for law in testing.LAWS}


def test_number_of_columns_is_read_from_theta_where_it_can_be():
    testing.check_structure(Factor(), THETA[Factor])
    testing.check_structure(Factor(k=3), THETA[Factor])
    testing.check_structure(Cholesky().sized(D), THETA[Cholesky])
    with pytest.raises(ValueError, match="say d="):
        testing.check_structure(Geometric(), THETA[Geometric])
