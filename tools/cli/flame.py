# SPDX-License-Identifier: MIT
"""A tree of calls as a flame graph: one HTML file that needs nothing else, drawn by flame.js in it."""

from __future__ import annotations

import html
import json
from pathlib import Path

from tools.cli.views import Node

_FOLDER = Path(__file__).absolute().parent


class _Texts:
    """Each text once, by its number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def _data(root: Node, kind: str) -> str:
    """For a script element: no text of the process may end it. A node is its depth, name, place, bytes or blocks; callers stand
    before those that they call."""
    texts = _Texts()
    nodes = [
        [depth, texts.number(node.name), texts.number(node.place), round(node.value)]
        for node, depth in root.walk()
        if round(node.value)
    ]
    text = json.dumps({"kind": kind, "texts": texts.all(), "nodes": nodes}, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def page(root: Node, kind: str, title: str, caption: str) -> str:
    template = (_FOLDER / "flame.html").read_text(encoding="utf-8")
    values = {
        "TITLE": html.escape(title),
        "CAPTION": html.escape(caption),
        "DATA": _data(root, kind),
        "SCRIPT": (_FOLDER / "flame.js").read_text(encoding="utf-8"),
    }
    before, *rest = template.split("@@")
    # Split once, so that what is put in is never looked at again.
    return before + "".join(values[part] if part in values else part for part in rest)
