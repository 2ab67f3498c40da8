"""The README: the formula on its first screen, the two commands, and what the first one prints."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
FIRST_SCREEN = "\n".join(LINES[:35])

FIT = 'pip install ".[cli]" && mvngrad fit examples/penguins.csv'
TEST = 'pip install ".[test]" && pytest'


def test_the_third_line_links_to_the_formula():
    (target,) = re.findall(r"\]\(([^)]+)\)", LINES[2])
    text = (ROOT / target).read_text(encoding="utf-8")
    assert "J = ½ n [ d log 2π + log|S| + tr K ]" in text
    assert "nΛ⁻ᵀ(I − K)" in text


@pytest.mark.parametrize("command", [FIT, TEST])
def test_the_commands_stand_alone_on_a_line(command):
    assert command in LINES


def test_the_output_shown_is_the_output():
    shown = "\n".join(LINES).split("```text\n")[2].split("```")[0]
    arguments = FIT.split("&& mvngrad ")[1].split()
    printed = subprocess.run(
        [sys.executable, "-m", "mvngrad.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert _timeless(shown) == _timeless(printed)


@pytest.mark.parametrize("line", [li for li in LINES if li.startswith("mvngrad ")])
def test_the_other_commands_run(line, tmp_path):
    command, _, _ = line.partition("#")
    arguments = [str(ROOT / a) if "/" in a else a for a in shlex.split(command)[1:]]
    arguments = ["2" if a == "20" else a for a in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "mvngrad.cli", *arguments],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0


def _timeless(text):
    """Without the seconds, and without an optimality that is rounding."""
    text = re.sub(r"(Time +)\S+ s", r"\1…", text)
    return re.sub(r"(Optimality +)\S+e-[23]\d", r"\1…", text).strip()


@pytest.mark.parametrize(
    "words",
    [
        "J(μ, S) = ½ [ n d log 2π + n log|S| + tr(S⁻¹A) ]",
        "∂J/∂μ   = −n S⁻¹(m − μ)",
        "∂J/∂Λ   = n S⁻¹Λ − S⁻¹AS⁻¹Λ = n Λ⁻ᵀ(I − K)",
        "The gradient vanishes exactly when the whitened data have identity scatter.",
        FIT,
    ],
)
def test_the_first_screen_says(words):
    assert words in FIRST_SCREEN


def _links():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "/" in target or "." in target:
                yield pytest.param(page.parent / target, id=f"{page.name}: {target}")


@pytest.mark.parametrize("target", list(_links()))
def test_links_lead_somewhere(target):
    assert target.exists()
