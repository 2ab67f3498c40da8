"""Command line: ``python -m benchmarks SECTION``: fit, gradient, …, or all of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import machine

SECTIONS = ("fit", "gradient", "moments", "evaluations", "missing", "factors", "errors", "startup")


def main() -> None:
    """Run what is asked for; print Markdown, and write it where told."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=[*SECTIONS, "all"])
    parser.add_argument("--rounds", type=int, default=9, help="clean samples wanted (default 9)")
    parser.add_argument("--threads", type=int, default=2, help="for every library (default 2)")
    parser.add_argument("--output", type=Path, help="a file to write besides standard output")
    options = parser.parse_args()
    machine.pin(options.threads)
    lines = machine.header(options.rounds)
    for name in SECTIONS if options.what == "all" else (options.what,):
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += _section(name, options.rounds)
    text = "\n".join(lines)
    print(text)
    if options.output is not None:
        options.output.write_text(text.rstrip() + "\n")


def _section(name: str, rounds: int) -> list[str]:
    # Imported here: no library may be loaded before the threads are pinned.
    from benchmarks import errors, evaluations, factors, fits, gradients, missing, startup

    runners = {
        "fit": fits.section,
        "gradient": gradients.on_rows,
        "moments": gradients.from_moments,
        "evaluations": evaluations.section,
        "missing": missing.section,
        "factors": factors.section,
        "errors": errors.section,
        "startup": startup.section,
    }
    return runners[name](rounds)


if __name__ == "__main__":
    main()
