# SPDX-License-Identifier: MIT
"""The documents of the checkout, for the tests of this folder: which there are, and what a reader would try out of them.

Links lead anywhere in the checkout, which is no list of runfiles that anybody could keep up. So these tests are tagged
"local": the real path of this file leads to the checkout. Bazel cannot see what they read; "external" makes it run them
each time.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"^(?: {4}|\t)(.*)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_GENERATED_OUTPUT = re.compile(r"<!-- top: .*?<!-- end of top -->", re.DOTALL)


def checkout() -> Path:
    root = Path(__file__).resolve().parents[2]
    if not (root / "WORKSPACE").is_file():
        sys.exit(f"{root} is no checkout: this test runs where the sources are")
    return root


def documents(root: Path) -> dict[str, str]:
    """Every Markdown file of the checkout by its path, with its text."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "bazel-")))
        for name in sorted(files):
            if name.endswith(".md"):
                path = Path(folder) / name
                found[str(path.relative_to(root))] = path.read_text(encoding="utf-8")
    return found


def is_history(name: str) -> bool:
    """Pages that say what was true on their date: what they name may be gone."""
    return name.startswith("docs/decisions/") or name == "CHANGELOG.md"


def without_code(text: str) -> str:
    return _SPAN.sub("", _INDENTED.sub("", _FENCE.sub("", text)))


def spans(text: str) -> list[str]:
    """What stands between backticks within a line."""
    return _SPAN.findall(_FENCE.sub("", text))


def command_lines(text: str) -> list[str]:
    """Lines of code blocks and code within sentences, comments cut off."""
    text = _GENERATED_OUTPUT.sub("", text)
    blocks = [line for block in _FENCE.findall(text) for line in block.splitlines()[1:-1]]
    lines = [*blocks, *_INDENTED.findall(_FENCE.sub("", text)), *spans(text)]
    return [re.split(r"\s+(?:#|//)\s", line)[0].strip() for line in lines]


def table_rows(section: str) -> list[list[str]]:
    """The cells of the rows of all tables, without heads and rules."""
    rows, before = [], ""
    for line in section.splitlines():
        if line.startswith("|") and not line.startswith("|--") and before.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        before = line
    return rows


def section(text: str, title: str) -> str:
    """The section of this heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise AssertionError(f"there is no section '{title}'")
    return found[2]
