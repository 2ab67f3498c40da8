"""mvngrad alone on rows with holes, in a fresh process: seconds, and peak extra memory.

``python -m benchmarks.scale PROBLEM`` prints them for one of the problems, by its place in the
list. The data are in memory and the kernels loaded before it starts, as in ``memory``.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import memory, problems
from benchmarks.problems import Holed
from benchmarks.report import duration, megabytes, table

PROBLEMS = (*problems.HOLED, *problems.HOLED_LARGE)
WARM_UP = Holed(2_000, 40, 0.1)  # large enough that mvngrad takes its compiled path
LIMIT_SECONDS = 900.0
INTRO = """\
### Many rows, many columns

mvngrad.fit alone, one call in a fresh process, kernels loaded.
"""


@dataclass(frozen=True)
class Alone:
    """What one fit in a fresh process took, and how it ended."""

    seconds: float
    bytes: int | None
    evaluations: int
    converged: bool


def lines() -> list[str]:
    """A row a large problem."""
    head = ["problem", "time", "extra memory", "data", "evaluations", "converged"]
    body = [[str(problem), *_row(problem)] for problem in problems.HOLED_LARGE]
    return [INTRO, *table(head, body)]


def _row(problem: Holed) -> list[str]:
    alone, data = measured(problem), megabytes(8.0 * problem.n * problem.d)
    if alone is None:
        return ["**failed**", "–", data, "–", "–"]
    extra, converged = megabytes(alone.bytes), "yes" if alone.converged else "**no**"
    return [duration(alone.seconds), extra, data, str(alone.evaluations), converged]


def measured(problem: Holed) -> Alone | None:
    """One fit in a fresh process; None where it fails or takes too long."""
    command = [sys.executable, "-m", "benchmarks.scale", str(PROBLEMS.index(problem))]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(str(error.stderr or error).strip().splitlines()[-1], file=sys.stderr)
        return None
    return Alone(**json.loads(done.stdout))


def _measure(problem: Holed) -> Alone:
    import mvngrad as mg

    mg.fit(problems.holed(WARM_UP))
    X = problems.holed(problem)
    before = _resident()
    began = time.perf_counter()
    fit = mg.fit(X)
    seconds = time.perf_counter() - began
    extra = None if before is None else memory._status("VmHWM") - before
    return Alone(seconds, extra, int(fit.n_eval), bool(fit.converged))


def _resident() -> int | None:
    """Bytes in use now, the peak starting anew; None where it cannot be told."""
    peak = Path("/proc/self/clear_refs")
    if not peak.exists():
        return None
    gc.collect()
    memory._return_free_memory()
    peak.write_text("5")
    return memory._status("VmRSS")


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(PROBLEMS[int(sys.argv[1])]))))
