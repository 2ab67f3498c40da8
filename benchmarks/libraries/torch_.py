"""PyTorch: autograd through MultivariateNormal(scale_tril=L), argument checks off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.libraries import Gradient
from benchmarks.machine import usable_cores
from benchmarks.problems import Floats

NEEDS = ("torch",)


def _prepare(X: Floats, mu: Floats, L: Floats) -> Callable[[], Any]:
    import torch
    from torch.distributions import MultivariateNormal

    torch.set_num_threads(usable_cores())
    data = torch.from_numpy(X)
    mean = torch.tensor(mu, requires_grad=True)
    scale = torch.tensor(L, requires_grad=True)

    def call() -> Any:
        normal = MultivariateNormal(mean, scale_tril=scale, validate_args=False)
        value = -normal.log_prob(data).sum()
        return value, torch.autograd.grad(value, (mean, scale))

    return call


def _read(result: Any) -> tuple[float, Floats, Floats]:
    value, (mean, scale) = result
    return float(value.detach()), mean.numpy(), np.tril(scale.numpy())


CANDIDATES = (Gradient("PyTorch MultivariateNormal(scale_tril)", _prepare, _read),)
