"""JAX: jitted value and gradient of the Cholesky log-density, float64."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

import numpy as np

from benchmarks.libraries import Gradient
from benchmarks.problems import Floats

NEEDS = ("jax",)


def jitted(nll: Callable[[Any, Any, Any], Any], X: Floats, mu: Floats, L: Floats) -> Any:
    """The compiled call of nll(μ, L, X) and its gradient in μ and L."""
    import jax

    jax.config.update("jax_enable_x64", True)
    data, mean, scale = (jax.numpy.asarray(array) for array in (X, mu, L))
    value_and_grad = jax.jit(jax.value_and_grad(nll, argnums=(0, 1)))
    return lambda: jax.block_until_ready(value_and_grad(mean, scale, data))


def read(result: Any) -> tuple[float, Floats, Floats]:
    """J, ∂μ and the lower triangle of ∂L."""
    value, (mean, scale) = result
    return float(value), np.asarray(mean), np.tril(np.asarray(scale))


def _prepare(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    def nll(mean: Any, scale: Any, data: Any) -> Any:
        n, d = data.shape
        Z = solve_triangular(scale, (data - mean).T, lower=True)
        return 0.5 * (n * d * log(2.0 * pi) + (Z * Z).sum()) + n * jnp.log(jnp.diag(scale)).sum()

    return jitted(nll, X, mu, L)


CANDIDATES = (Gradient("JAX, jitted Cholesky log-density", _prepare, read),)
