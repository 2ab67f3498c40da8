"""The Sphinx site: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import re
from importlib.metadata import version as installed_version

project = "mvngrad"
author = "The mvngrad developers"
copyright = "2026, The mvngrad developers"
release = version = installed_version("mvngrad")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mvngrad"
html_show_sourcelink = False
pygments_style = "friendly"

myst_enable_extensions = ["amsmath", "dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings give shapes, which types cannot
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Docstrings are written to be read in the editor, in the code's own symbols: a parameter and what
# it is may share a line, and equations stand by themselves, aligned with runs of spaces. Two
# rewrites make reStructuredText of that.

_SECTION = re.compile(r"^-{3,}$")
_ENTRY = re.compile(r"^(?P<head>[A-Za-z_][\w, ]*?\s*:\s*\S.*?|[\w, ]+?)\s{2,}(?P<text>\S.*)$")
_FIELDS = {"Parameters", "Attributes", "Returns", "Raises"}


def _unfold_fields(lines):
    """``name : type     text`` becomes ``name : type`` with the text indented below it."""
    out, inside = [], False
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if _SECTION.match(following):
            inside = line.strip() in _FIELDS
        if not inside or not line.strip():
            out.append(line)
        elif line.startswith(" "):
            out.append("    " + line.strip())
        elif entry := _ENTRY.match(line):
            out += [entry["head"].rstrip(), "    " + entry["text"]]
        else:
            out.append(line)
    return out


def _is_equation(paragraph):
    text = "\n".join(paragraph)
    return (
        not paragraph[0].startswith((" ", ">>>", ".."))
        and not any(_SECTION.match(line) for line in paragraph)
        and re.search(r"\S(  |   )+\S", text) is not None
        and re.search(r"[=∂→]", text) is not None
        and " : " not in text
    )


def _set_off_equations(lines):
    """A paragraph that aligns equations with spaces becomes a literal block."""
    out, paragraph = [], []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
            continue
        if paragraph and _is_equation(paragraph):
            paragraph = [".. code-block:: text", "", *("   " + row for row in paragraph)]
        out += [*paragraph, line]
        paragraph = []
    return out


def _readable(app, what, name, obj, options, lines):
    lines[:] = _set_off_equations(_unfold_fields(lines))


def setup(app):
    """Rewrite docstrings before napoleon reads them."""
    app.connect("autodoc-process-docstring", _readable, priority=100)
