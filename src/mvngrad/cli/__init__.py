"""The command ``mvngrad``. Nothing heavy is imported until there is something to fit."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process); its exit code."""
    try:
        from mvngrad.cli.app import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.stderr.write('The command needs click and pyarrow: pip install "mvngrad[cli]"\n')
        return 1
    except KeyboardInterrupt:
        return 130
    return run(arguments)
