"""Markdown: tables, durations, and whether a target was reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.timing import Samples


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its numbers to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *body)] + [""]


def duration(seconds: float) -> str:
    """Three digits, in a unit that suits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds * 1e9)} ns"


def three_digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def megabytes(size: float | None) -> str:
    """Bytes in MB."""
    return "–" if size is None else f"{size / 1e6:,.0f} MB"


def timings(
    samples: Mapping[str, Samples],
    peers: Sequence[str],
    aside: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> list[str]:
    """A row a candidate, fastest first, with its speed relative to the fastest peer.

    Those ``aside``, the floor and the machine's limits, are no candidates and get no ratio.
    """
    best = fastest(samples, peers)
    head = ["candidate", "median", "fastest", "×", "samples (clean)"]
    body = []
    for name, s in sorted(samples.items(), key=lambda item: item[1].median):
        ratio = three_digits(best / s.median) if best and name not in aside else "–"
        row = [name, duration(s.median), duration(s.minimum), ratio, s.counts]
        body.append(row if extra is None else [*row, extra.get(name, "–")])
    lines = table(head if extra is None else [*head, "extra memory"], body)
    if disturbed := [name for name, s in samples.items() if not any(s.clean)]:
        lines.append(f"* **Not one clean sample** of {', '.join(disturbed)}: run again.")
    return lines


def fastest(samples: Mapping[str, Samples], peers: Sequence[str]) -> float | None:
    """Median of the fastest peer, if there is any."""
    return min((samples[name].median for name in peers if name in samples), default=None)


def at_least(what: str, reached: float, target: float) -> str:
    """A line on a ratio that should be large."""
    verdict = "reached" if reached >= target else "**falls short**"
    return f"{what}: {three_digits(reached)}× the fastest peer, target {target:g}×: {verdict}."


def at_most(what: str, reached: float, target: float, unit: str = "") -> str:
    """A line on a figure that should be small."""
    verdict = "reached" if reached <= target else "**falls short**"
    return (
        f"{what}: {three_digits(reached)}{unit}, target ≤ {three_digits(target)}{unit}: {verdict}."
    )
