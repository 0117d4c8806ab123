# SPDX-License-Identifier: MIT
"""A drawing of boxes, lines and texts, as SVG. Black on white, one font, so that it reads on paper as on a screen."""

from __future__ import annotations

import textwrap
from xml.sax.saxutils import escape

_LINE = 17
"""Between the lines of a text."""
_CHARACTER = 7.4
"""Width of a character, at most in the mean."""

_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14">
<title>{title}</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">\
<path d="M0 0 10 5 0 10z"/></marker></defs>
<rect width="{width}" height="{height}" fill="white"/>
"""


class Canvas:
    """Parts are drawn in the order of the calls. Coordinates are those of the picture, from its upper left corner."""

    def __init__(self, title: str, width: int) -> None:
        self._title, self._width = title, width
        self._parts: list[str] = []

    def text(self, x: float, y: float, words: str, anchor: str = "start", bold: bool = False, wrap: float = 0) -> int:
        """At the baseline y of its first line; wrapped where it is wider than `wrap`. Result: the lines."""
        lines = textwrap.wrap(words, max(1, int(wrap / _CHARACTER))) if wrap else [words]
        weight = ' font-weight="bold"' if bold else ""
        for number, line in enumerate(lines):
            self._parts.append(
                f'<text x="{x:g}" y="{y + number * _LINE:g}" text-anchor="{anchor}"{weight}>{escape(line)}</text>'
            )
        return len(lines)

    def box(self, x: float, y: float, width: float, height: float, words: str, fill: str = "#eef2f8") -> None:
        """With the text in its middle, wrapped to its width."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="black"/>'
        )
        lines = textwrap.wrap(words, max(1, int((width - 10) / _CHARACTER)))
        top = y + height / 2 - _LINE * (len(lines) - 1) / 2 + 5
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + number * _LINE, line, "middle")

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """Through all points, with its head at the last."""
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        self._parts.append(f'<polyline points="{line}" fill="none" stroke="black"{dashes} marker-end="url(#head)"/>')

    def svg(self, height: float) -> str:
        head = _HEAD.format(width=self._width, height=f"{height:g}", title=escape(self._title))
        return head + "\n".join(self._parts) + "\n</svg>\n"


def lines_of(words: str, wrap: float) -> int:
    return len(textwrap.wrap(words, max(1, int(wrap / _CHARACTER))))
