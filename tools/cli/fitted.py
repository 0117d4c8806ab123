# SPDX-License-Identifier: MIT
"""Tables as lines of so many characters at most. Where there is no room for all columns the less important ones are left out:
a number is whole or not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tools.measure.table import Grid

_GAP = 2
_NARROW_GAP = 1
_ENDLESS = 1000


def width() -> int:
    """Of the terminal that is written to. Nothing else has one."""
    return (os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0) or _ENDLESS


def cell_len(text: str) -> int:
    """Columns of a terminal that it takes."""
    from rich import cells

    return cells.cell_len(text)


def cut(text: str, width: int) -> str:
    """At most so wide; of what is longer the end is gone, which is said."""
    from rich.cells import set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"[:width]


def shortened(text: str, width: int) -> str:
    """At most so wide: without its last words, of which none is cut, but the first alone may be."""
    if cell_len(text) <= width:
        return text
    words = text.split(" ")
    return cut(joined(words, width - 1, " "), width - 1) + "…"


def joined(parts: Sequence[str], width: int, gap: str) -> str:
    """As many of the first parts as there is room for, each whole."""
    line = parts[0]
    for part in parts[1:]:
        if cell_len(line) + cell_len(gap) + cell_len(part) > width:
            break
        line += gap + part
    return line


def _widths(grid: Grid) -> list[int]:
    return [
        max(cell_len(text) for text in (column, *(line[place] for line in grid.lines)))
        for place, column in enumerate(grid.columns)
    ]


def _shown(grid: Grid, width: int, importance: Sequence[str]) -> tuple[list[int], int]:
    """The columns that there is room for, and the gap between them. The first column is always there."""
    widths = _widths(grid)
    places = {name: place for place, name in enumerate(importance)}
    order = sorted(range(1, len(widths)), key=lambda one: (places.get(grid.columns[one], len(places)), one))
    for gap in (_GAP, _NARROW_GAP):
        shown, room = [0], width - widths[0]
        for place in order:
            if widths[place] + gap <= room:
                shown.append(place)
                room -= widths[place] + gap
            else:
                break  # a less important one does not take its place
        if len(shown) > 1 or len(widths) == 1:
            break
    return sorted(shown), gap


def _aligned(text: str, width: int, is_left: bool) -> str:
    text = cut(text, width) if is_left else text
    blanks = " " * (width - cell_len(text))
    return text + blanks if is_left else blanks + text


def lines(grid: Grid, width: int, importance: Sequence[str] = (), rule: str = "─") -> list[str]:
    """A blank line, the title, the columns' names, a rule, and the rows. The first of `importance` is kept longest."""
    shown, gap = _shown(grid, width, importance)
    widths = {place: min(width, _widths(grid)[place]) for place in shown}

    def line(cells: Sequence[str]) -> str:
        texts = (_aligned(cells[place], widths[place], place < grid.words) for place in shown)
        return (" " * gap).join(texts).rstrip()

    whole = sum(widths.values()) + gap * (len(shown) - 1)
    return ["", shortened(grid.title, width), line(grid.columns), rule * whole, *map(line, grid.lines)]
