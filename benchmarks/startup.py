"""Start-up: importing the library, and the command from the prompt to its answer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks import problems
from benchmarks.report import at_most, table

COMMAND = Path(sys.executable).with_name("mvngrad")
EXAMPLE = Path("examples/penguins.csv")
LEAST_RUNS = 7


def section(rounds: int) -> list[str]:
    """Wall time of whole processes, taking turns."""
    runs = max(rounds, LEAST_RUNS)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import mvngrad": [sys.executable, "-c", "import mvngrad"],
        "import numpy, mvngrad": [sys.executable, "-c", "import numpy, mvngrad"],
        "from mvngrad import fit": [sys.executable, "-c", "from mvngrad import fit"],
        "mvngrad --help": [str(COMMAND), "--help"],
        "mvngrad fit": [str(COMMAND), "fit", str(EXAMPLE), "--missing", "drop"],
    }
    failed = [name for name, command in commands.items() if not _works(command)]
    times: dict[str, list[float]] = {name: [] for name in commands if name not in failed}
    for _ in range(runs):
        for name, seconds in times.items():
            seconds.append(_milliseconds(commands[name]))
    middle = {name: median(seconds) for name, seconds in times.items()}
    body = [
        [f"`{name}`", f"{middle[name]:.0f} ms", f"{min(seconds):.0f} ms"]
        for name, seconds in times.items()
    ]
    lines = ["## Start-up", "", f"Whole processes, medians of {runs} runs taken in turns.", ""]
    lines += table(["process", "median", "fastest"], body)
    return lines + _verdicts(middle) + [f"* `{name}` does not run here." for name in failed] + [""]


def _verdicts(middle: dict[str, float]) -> list[str]:
    targets = [
        ("mvngrad --help", problems.HELP_MS),
        ("mvngrad fit", problems.COMMAND_MS),
    ]
    more = middle["import mvngrad"] - middle["import numpy"]
    both = middle["import numpy, mvngrad"] - middle["import numpy"]
    limit = problems.IMPORT_MS
    lines = [
        f"* {at_most('`import mvngrad` more than `import numpy`', more, limit, ' ms')}",
        f"* {at_most('`import numpy, mvngrad` more than `import numpy`', both, limit, ' ms')}",
    ]
    return lines + [
        f"* {at_most(f'`{name}`', middle[name], target, ' ms')}"
        for name, target in targets
        if name in middle
    ]


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return 1e3 * (time.perf_counter() - began)
