"""Peak extra memory of a fit: a fresh process a library, data in memory before it starts.

``python -m benchmarks.memory LIBRARY N D`` prints the bytes. Libraries are imported, and their
kernels loaded, by a small fit beforehand, so that what is counted is what the fit itself uses.
"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

from benchmarks.problems import Size

WARM_UP = (60_000, 64)  # large enough that mvngrad takes its compiled path


def extra_bytes(library: str, size: Size) -> float | None:
    """Peak resident memory during the fit less that before it; None where it cannot be told."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.memory", library, str(size.n), str(size.d)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def _measure(library: str, n: int, d: int) -> int:
    import numpy as np

    from benchmarks.libraries import Fit, collected

    fits, _ = collected(Fit)
    run = next(fit.run for fit in fits if fit.name == library)
    rng = np.random.default_rng(0)
    run(rng.standard_normal(WARM_UP))
    X = np.empty((n, d))
    rng.standard_normal(out=X)
    gc.collect()
    _return_free_memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    fit = run(X)
    del fit
    return _status("VmHWM") - before


def _return_free_memory() -> None:
    """So that memory the warm-up has left behind is not used again uncounted."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(_measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
