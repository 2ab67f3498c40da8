"""R's packages, each in a child process that times itself; ``missing_r.R`` says what they do."""

from __future__ import annotations

import subprocess
import time
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

import numpy as np

from benchmarks.libraries import Incomplete
from benchmarks.problems import Floats

NEEDS = ()
SCRIPT = Path(__file__).with_suffix(".R")
LIMIT_SECONDS = 120.0
PEERS = (
    "lavaan EM",
    "lavaan EM, tol = 1e-10",
    "lavaan lavCor",
    "Amelia",
    "Amelia, tolerance = 1e-10",
    "OpenMx saturated FIML",
    "norm EM",
    "norm EM, criterion = 1e-10",
)
MOST_COLUMNS = {"OpenMx saturated FIML": 10, "norm EM": 30, "norm EM, criterion = 1e-10": 30}


@cache
def versions() -> dict[str, str]:
    """Of R, its BLAS and the packages found; empty where there is no R."""
    try:
        done = subprocess.run(["Rscript", SCRIPT], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def _lacks(peer: str) -> str:
    if not versions():
        return "R"
    package = peer.split(maxsplit=1)[0].rstrip(",")
    return "" if package in versions() else f"R's package {package}"


class Child:
    """Rscript with the data read, waiting for numbers of calls to make."""

    def __init__(self, peer: str, X: Floats):
        self._folder = TemporaryDirectory()
        data, self._result, self._log = (
            Path(self._folder.name, name) for name in ("data", "result", "log")
        )
        X.T.tofile(data)
        rows, columns = map(str, X.shape)
        command: list[str | Path] = ["Rscript", SCRIPT, peer, data, rows, columns, self._result]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def calls(self, repeats: int) -> tuple[float, float]:
        """As the child has timed them; it is ended where it takes too long."""
        late = Timer(LIMIT_SECONDS, self._process.kill)
        late.start()
        began = time.monotonic()
        answer = self._ask(repeats)
        late.cancel()
        if answer is None:
            over = time.monotonic() - began >= LIMIT_SECONDS
            raise RuntimeError(f"stopped after {LIMIT_SECONDS:g} s" if over else self._last_words())
        seconds, processor = map(float, answer.split()[1:])
        return seconds, processor

    def _ask(self, repeats: int) -> str | None:
        """The line that answers; packages print lines of their own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(repeats, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return None
        return next((line for line in self._process.stdout if line.startswith("=> ")), None)

    def _last_words(self) -> str:
        return " ".join(self._log.read_text().split()) or "ended without a word"

    def estimate(self) -> tuple[Floats, Floats]:
        """Mean and covariance, of the last call."""
        values = np.fromfile(self._result)
        d = int(np.sqrt(len(values)))  # d + d² of them
        return values[:d], values[d:].reshape(d, d)

    def close(self) -> None:
        """End the child; its data go with it."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


CANDIDATES = tuple(
    Incomplete(
        peer,
        partial(Child, peer),
        most_columns=MOST_COLUMNS.get(peer),
        lacks=partial(_lacks, peer),
    )
    for peer in PEERS
)
