# SPDX-License-Identifier: MIT
"""Tables of ready texts on a terminal or in a file, and the same figures as JSON and CSV."""

from __future__ import annotations

import csv
import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, Group

from tools.measure.paired import Ratio

MIB = 1024 * 1024

# Characters. A pipe or a file has no width of its own; a table only takes what it needs.
_WIDTH_WITHOUT_TERMINAL = 240

# Characters a line of running text, where the terminal has as many.
_TEXT_WIDTH = 88


@dataclass(frozen=True)
class Grid:
    """A table of ready texts. The first `words` columns stand left, figures right."""

    title: str
    columns: list[str]
    lines: list[list[str]]
    words: int


def drawn(heading: str, grids: list[Grid]) -> Group:
    """Tables as rich draws them."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(heading)]
    for grid in grids:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        for number, column in enumerate(grid.columns):
            table.add_column(column, justify="left" if number < grid.words else "right", overflow="fold")
        for line in grid.lines:
            table.add_row(*(Text(cell) for cell in line))
        parts += [Text(f"\n{grid.title}"), table]
    return Group(*parts)


def console_of(out: TextIO) -> Console:
    """No colour or style unless `out` is a terminal."""
    from rich.console import Console

    return Console(file=out, width=None if out.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)


def print_grids(heading: str, grids: list[Grid], caption: str, out: TextIO) -> None:
    """Draws tables, and below them the caption."""
    from rich.text import Text

    console = console_of(out)
    console.print(drawn(heading, grids))
    console.print(Text("\n" + textwrap.fill(caption, min(_TEXT_WIDTH, console.width))))


def interval(ratio: Ratio) -> str:
    """The 95 % interval as a table has it."""
    return f"{ratio.low:.3f}..{ratio.high:.3f}"


def figure(value: float) -> float:
    """A measured figure without digits that carry no meaning: six significant ones."""
    return float(f"{value:.6g}")


def print_json(value: dict[str, Any], out: TextIO) -> None:
    json.dump(value, out, indent=2, allow_nan=False)
    out.write("\n")


def print_csv(lines: list[dict[str, Any]], out: TextIO) -> None:
    """A heading line, then a line each of `lines`, which share their keys. Truth is written as in JSON."""
    writer = csv.DictWriter(out, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: json.dumps(value) if isinstance(value, bool) else value for key, value in line.items()})
