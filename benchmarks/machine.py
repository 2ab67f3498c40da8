"""What the figures were taken on and with: threads, processor, versions."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "mvngrad",
    "numpy",
    "scipy",
    "numba",
    "scikit-learn",
    "torch",
    "jax",
    "jaxlib",
    "numpyro",
)
POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def pin(threads: int) -> None:
    """The same number of threads for every library; call before any of them is imported.

    JAX has no setting of its own and takes the processors it is allowed, so those are narrowed.
    """
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def usable_cores() -> int:
    """Processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> str:
    """Package versions in one line; what is not installed is left out, and so not compared."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def processor() -> str:
    """The model name as the processor reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def blas() -> str:
    """The BLAS libraries loaded, with their threads."""
    import scipy.linalg.blas  # noqa: F401  SciPy brings a BLAS of its own
    from threadpoolctl import threadpool_info

    loaded = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    described = [
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')}, "
        f"{pool['num_threads']} threads)"
        for pool in loaded
    ]
    return "; ".join(sorted(set(described)))


METHOD = """\
Method: candidates of a table take turns, {rounds} rounds or more, after a warm-up of each. A sample
is the mean of as many calls as fill 0.2 s. One during which other processes used more than 12 % of
the machine is set aside; medians are over the clean ones, whose number is given in brackets. × is
the fastest peer's median over the candidate's: above 1 is faster than every peer. Read times as
ratios within one table.
"""


def header(rounds: int) -> list[str]:
    """The lines above the tables."""
    cores = usable_cores()
    return [
        "# Benchmarks",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}. {processor()}, {platform.system()}.",
        f"**{cores} threads for every library**, on {cores} cores.",
        "",
        f"{versions()}.",
        "",
        f"BLAS: {blas()}.",
        "",
        METHOD.format(rounds=rounds),
    ]
