"""PyTorch: what one writes by hand, autograd through masked Cholesky factors in batches, L-BFGS."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from benchmarks.libraries import Incomplete
from benchmarks.machine import usable_cores
from benchmarks.problems import Floats
from benchmarks.turns import Here

NEEDS = ("torch",)
CAP_SECONDS = 60.0
OPTIONS: dict[str, Any] = {
    "max_iter": 100_000,
    "tolerance_grad": 1e-9,
    "tolerance_change": 1e-12,  # of the value a row: enough for 1e-6 of the whole
    "history_size": 50,
    "line_search_fn": "strong_wolfe",
}


class _OutOfTimeError(Exception):
    pass


def _batches(Z: Floats) -> list[tuple[Any, ...]]:
    """Patterns with alike numbers of rows together: masks (p, d), rows and presence (p, r, d).

    r is a power of two, the rows wanting are zeros, so less than half of a batch is idle.
    """
    import torch

    found = np.unique(~np.isnan(Z), axis=0, return_inverse=True, return_counts=True)
    patterns, which, counts = found
    order = np.append(np.argsort(which, kind="stable"), -1)
    starts = np.cumsum(counts) - counts
    widths = 2 ** np.ceil(np.log2(counts)).astype(int)
    batches = []
    for width in np.unique(widths):
        (chosen,) = np.nonzero(widths == width)
        real = np.arange(width) < counts[chosen, None]
        rows = order[np.where(real, starts[chosen, None] + np.arange(width), -1)]
        present = (patterns[chosen][:, None, :] & real[:, :, None]).astype(float)
        arrays = (patterns[chosen].astype(float), np.nan_to_num(Z)[rows] * present, present)
        batches.append((*map(torch.from_numpy, arrays), torch.from_numpy(counts[chosen])))
    return batches


def _nll(mu: Any, L: Any, batches: list[tuple[Any, ...]]) -> Any:
    """Less its constant: rows and columns of S that a pattern lacks are those of the identity."""
    import torch

    S, total = L @ L.T, 0.0
    for mask, rows, present, counts in batches:
        masked = S * mask[:, :, None] * mask[:, None, :] + torch.diag_embed(1.0 - mask)
        C = torch.linalg.cholesky(masked)
        R = ((rows - mu) * present).mT
        Z = torch.linalg.solve_triangular(C, R, upper=False)
        logdets = C.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        total = total + (counts * logdets).sum() + 0.5 * (Z * Z).sum()
    return total


class _Search:
    """L-BFGS in μ, log L_jj and the entries of L below them, from 0 and I; keeps the best seen."""

    def __init__(self, nll: Callable[[Any, Any], Any], d: int):
        import torch

        new = partial(torch.zeros, dtype=torch.float64, requires_grad=True)
        self._nll = nll
        self._parameters = [new(d), new(d), new((d, d))]
        self._value, self.mu, self.L = np.inf, *self._current()
        self._stop = time.perf_counter() + CAP_SECONDS

    def _current(self) -> tuple[Any, Any]:
        mu, logs, below = self._parameters
        return mu, below.tril(-1) + logs.exp().diag()

    def _closure(self) -> Any:
        if time.perf_counter() > self._stop:
            raise _OutOfTimeError
        self._optimizer.zero_grad()
        mu, L = self._current()
        value = self._nll(mu, L)
        value.backward()
        if value.item() < self._value:
            self._value, self.mu, self.L = value.item(), mu.detach().clone(), L.detach()
        return value

    def run(self) -> _Search:
        """To the tolerance, or until time is up."""
        import torch

        self._optimizer = torch.optim.LBFGS(self._parameters, **OPTIONS)
        with suppress(_OutOfTimeError):
            self._optimizer.step(self._closure)
        return self


def _fit(X: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance; columns are centred and scaled by what is observed of them."""
    import torch

    torch.set_num_threads(usable_cores())
    m, sd = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    batches = _batches((X - m) / sd)
    found = _Search(lambda mu, L: _nll(mu, L, batches) / len(X), X.shape[1]).run()
    L = sd[:, None] * found.L.numpy()
    return m + sd * found.mu.numpy(), L @ L.T


CANDIDATES = (
    Incomplete(
        "PyTorch autograd and L-BFGS, masked Cholesky in batches",
        partial(Here, _fit, lambda found: found),
    ),
)
