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
html_copy_source = False
pygments_style = "friendly"

myst_enable_extensions = ["amsmath", "dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings give shapes, which types cannot
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False

# Docstrings are written to be read in the editor, in the code's own symbols: a parameter and what
# it is may share a line, and equations stand by themselves, aligned with runs of spaces. The
# rewrites below make reStructuredText of that.

_SECTION = re.compile(r"^-{3,}$")
_ENTRY = re.compile(r"^(?P<head>[A-Za-z_][\w, ]*?\s*:\s*\S.*?|[\w, ]+?)\s{2,}(?P<text>\S.*)$")
_FIELDS = {"Parameters", "Attributes", "Returns", "Raises"}


def _unfold_fields(lines):
    """``name : type     text`` becomes ``name : *type*`` with the text indented below it."""
    out, section = [], ""
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if _SECTION.match(following):
            section = line.strip()
        if section == "Attributes" and (line.strip() == section or _SECTION.match(line)):
            out += [".. rubric:: Attributes", ""] if _SECTION.match(line) else []
        elif section not in _FIELDS or not line.strip():
            out.append(line)
        elif line.startswith(" "):
            out.append("    " + line.strip())
        else:
            out += _unfolded(line, section == "Attributes", dash=following.startswith(" "))
    return out


def _unfolded(line, bullet, dash):
    entry = _ENTRY.match(line)
    head, text = (entry["head"].rstrip(), entry["text"]) if entry else (line, "")
    name, colon, kind = head.partition(" : ")
    kind = kind.replace("``", "").strip()
    below = ["    " + text] if text else []
    if not bullet:
        return [f"{name} : *{kind}*" if colon else head, *below]
    # Several names may share an entry, which napoleon does not know.
    names = ", ".join(f"**{part.strip()}**" for part in name.split(","))
    return [f"*   {names}" + f" (*{kind}*)" * bool(colon) + " –" * bool(text or dash), *below]


def _is_equation(paragraph):
    text = "\n".join(paragraph)
    return (
        not paragraph[0].startswith((" ", ">>>", ".."))
        and not any(_SECTION.match(line) for line in paragraph)
        and re.search(r"\S {2,}\S", text) is not None
        and re.search(r"[=∂→]", text) is not None
        and " : " not in text
    )


def _escape_bars(lines):
    """|x| is an absolute value, and not a substitution; code and equations stay as they are."""
    return [
        line if line.startswith((" ", ">>>", "...")) or "``" in line else line.replace("|", "\\|")
        for line in lines
    ]


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


def _readable(_app, what, _name, _obj, _options, lines):
    lines[:] = _unfold_fields(_escape_bars(_set_off_equations(lines)))
    if what == "property":
        lines[:0] = ["..", ""]  # or napoleon takes what stands before a colon for a type


def _signature(_app, _what, name, _obj, _options, signature, returns):
    """A Fit is not made by hand, and a structure without arguments shows none."""
    return ("", None) if name == "mvngrad.Fit" or signature == "()" else (signature, returns)


def _closed(_app, _name, source):
    """Doctest needs a blank line before a fence closes; a reader does not."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app):
    """Rewrite docstrings before napoleon reads them, and pages before they are parsed."""
    app.connect("autodoc-process-docstring", _readable, priority=100)
    app.connect("autodoc-process-signature", _signature)
    app.connect("source-read", _closed)
