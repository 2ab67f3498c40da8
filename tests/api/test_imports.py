"""Importing us is cheap and changes nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "scipy numba llvmlite pyarrow pandas polars narwhals safetensors matplotlib click rich"

LOADED = """
import sys
import {module}
print(*sorted({{name.split(".")[0] for name in sys.modules}} & set({heavy!r}.split())))
"""

UNCHANGED = """
import os, random, signal, sys, threading, warnings
import numpy as np

def state():
    return {{
        "NumPy errors": repr(np.geterr()),
        "NumPy printing": repr(np.get_printoptions()),
        "NumPy random state": repr(np.random.get_state()),
        "random state": repr(random.getstate()),
        "warning filters": repr(warnings.filters),
        "environment": repr(dict(os.environ)),
        "Ctrl-C": repr(signal.getsignal(signal.SIGINT)),
        "threads": threading.active_count(),
        "switch interval": sys.getswitchinterval(),
        "excepthook": repr(sys.excepthook),
        "path": repr(sys.path),
    }}

def changed():
    return [(name, before[name], now) for name, now in state().items() if now != before[name]]

{first}
before = state()
import mvngrad as mg
assert not changed(), changed()
{then}
assert not changed(), changed()
"""

LIMITS = """
import numpy as np, scipy.linalg, scipy.linalg.blas
from threadpoolctl import threadpool_info

def limits():
    return [(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()]

before = limits()
import mvngrad as mg
assert limits() == before, "import"
mg.fit(np.random.default_rng(0).normal(size=(300_000, 12)), threads=2)
assert [pool for pool in limits() if pool in before] == before, "use"
"""

USE = """
fit = mg.fit(np.random.default_rng(0).normal(size=(50, 3)), mg.Factor(), method="l-bfgs")
fit.distribution.rvs(3, rng=1)
X = np.random.default_rng(0).normal(size=(50, 3))
X[::5, 1] = X[::7, 2] = np.nan
holes = mg.fit(X, n_starts=2, rng=0)
holes.impute(X, draws=2, proper=True, rng=0)
holes.missing.mcar_test()
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module",
    [f"mvngrad{room}" for room in ("", ".errors", ".core", ".models", ".fitting", ".inference")],
)
def test_import_loads_nothing_heavy(module):
    assert run(LOADED.format(module=module, heavy=HEAVY)) == ""


def test_import_of_the_package_loads_numpy_at_most():
    assert run("import sys, mvngrad; print('numpy.random' in sys.modules)") == "False"


def test_a_summary_loads_no_optimiser():
    fit = "mg.fit(np.random.default_rng(0).normal(size=(50, 3)))"
    show = f"import sys, numpy as np, mvngrad as mg; str({fit}.summary())"
    assert run(f"{show}; print('scipy.optimize' in sys.modules)") == "False"


def test_use_in_memory_needs_no_reader_of_files():
    code = (
        "import numpy as np, mvngrad as mg\nmg.fit(np.random.default_rng(0).normal(size=(50, 3)))"
    )
    heavy = "pyarrow pandas polars matplotlib click rich numba"
    assert run(code + LOADED.format(module="mvngrad", heavy=heavy)) == ""


def test_use_with_a_few_holes_needs_no_compiler():
    code = (
        "import numpy as np, mvngrad as mg\n"
        "X = np.random.default_rng(0).normal(size=(50, 3))\n"
        "X[::5, 1] = X[::7, 2] = np.nan\n"
        "fit = mg.fit(X)\nfit.impute(X, draws=2, rng=0)\nfit.missing.mcar_test()"
    )
    heavy = "pyarrow pandas polars matplotlib click rich numba llvmlite"
    assert run(code + LOADED.format(module="mvngrad", heavy=heavy)) == ""


def test_import_changes_no_global_state():
    run(UNCHANGED.format(first="", then=""))


def test_use_changes_no_global_state():
    # These add warning filters, and a variable of the environment, of their own.
    first = "import scipy.optimize, scipy.special, threadpoolctl"
    run(UNCHANGED.format(first=first, then=USE))


def test_no_thread_limit_is_left_behind():
    run(LIMITS)
