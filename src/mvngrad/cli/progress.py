"""One line on stderr that says what is going on, if a person is there to see it."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mvngrad.fitting.convergence import Step

INTERVAL = 0.1  # seconds between two updates
BAR = 30  # characters
ERASE = "\r\x1b[2K"


class Progress:
    """A line that is written over, and gone at the end."""

    def __init__(self) -> None:
        self.visible = sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def say(self, text: str) -> None:
        """Show this."""
        if self.visible:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(ERASE + text[:width])
            sys.stderr.flush()

    def step(self, step: Step) -> None:
        """Show an iteration, if the last one shown has been there for a moment."""
        now = time.perf_counter()
        if now - self._last >= INTERVAL:
            self._last = now
            self.say(
                f"iteration {step.iteration}: log-likelihood {-step.nll:.6f}, "
                f"gradient {step.gradient_norm:.1e}"
            )

    def refit(self, done: int, of: int) -> None:
        """Show a bar of refits, if the last one shown has been there for a moment."""
        now = time.perf_counter()
        if now - self._last >= INTERVAL:
            self._last = now
            filled = BAR * done // of
            self.say(f"refits [{'#' * filled}{'.' * (BAR - filled)}] {done} of {of}")

    def clear(self) -> None:
        """Leave nothing behind."""
        if self.visible:
            sys.stderr.write(ERASE)
            sys.stderr.flush()
