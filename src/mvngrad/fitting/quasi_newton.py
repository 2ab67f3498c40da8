"""SciPy's drivers behind our evaluations and our convergence test: L-BFGS, BFGS, nonlinear CG."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mvngrad.core.ops import Array
from mvngrad.fitting.convergence import Monitor, Status, Stop

# SciPy's own tests are switched off as far as they go; ours ends the run by raising.
OPTIONS: dict[str, dict[str, Any]] = {
    "L-BFGS-B": {"maxcor": 10, "ftol": 0.0, "gtol": 0.0, "maxls": 40},
    "BFGS": {"gtol": 0.0, "xrtol": 0.0},
    "CG": {"gtol": 0.0},
}
RESTARTS = 3


def _minimize(monitor: Monitor, x: Array, *, method: str) -> None:
    """Run SciPy's driver until the monitor stops it; again from the best point if it gives up.

    A driver gives up where its line search fails, often because its memory of curvature is stale.
    """
    from scipy.optimize import minimize

    monitor.evaluate(x)
    monitor.accept(x, 0.0)
    limits = {"maxiter": 10 * monitor.max_iter + 10}
    if method == "L-BFGS-B":
        limits["maxfun"] = 100 * monitor.max_iter + 100
    for _ in range(1 + RESTARTS):
        before = monitor.best
        assert before is not None
        with np.errstate(all="ignore"):
            minimize(
                monitor.evaluate,
                before.params,
                jac=True,
                method=method,
                callback=_Accept(monitor, before.params),
                options=OPTIONS[method] | limits,
            )
        if monitor.best is None or monitor.best.value >= before.value:
            break
    raise Stop(Status.STALLED)


class _Accept:
    """SciPy's callback: told where each iteration ended, it keeps where the last one did."""

    def __init__(self, monitor: Monitor, x: Array) -> None:
        self.monitor, self.x = monitor, x

    def __call__(self, intermediate_result: Any) -> None:
        x = np.array(intermediate_result.x)
        step, self.x = float(np.linalg.norm(x - self.x)), x
        self.monitor.accept(x, step)


l_bfgs = partial(_minimize, method="L-BFGS-B")
bfgs = partial(_minimize, method="BFGS")
cg = partial(_minimize, method="CG")
