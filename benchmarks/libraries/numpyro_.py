"""NumPyro: jitted value and gradient through MultivariateNormal(scale_tril=L)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.libraries import Gradient, jax_
from benchmarks.problems import Floats

NEEDS = ("numpyro",)


def _prepare(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:
    from numpyro.distributions import MultivariateNormal

    def nll(mean: Any, scale: Any, data: Any) -> Any:
        return -MultivariateNormal(mean, scale_tril=scale).log_prob(data).sum()

    return jax_.jitted(nll, X, mu, L)


CANDIDATES = (Gradient("NumPyro MultivariateNormal(scale_tril)", _prepare, jax_.read),)
