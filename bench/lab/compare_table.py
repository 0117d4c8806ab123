# SPDX-License-Identifier: MIT
"""A comparison of two reports as tables: regressions first."""

from __future__ import annotations

from typing import Any, TextIO

from bench.lab import compare, table
from tools.measure import table as grids
from tools.measure.table import Grid

Row = dict[str, Any]

_CAPTION = (
    "Each figure is the contender's time by the baseline's, now, by the same of the older report: below 1 is faster "
    "than then. A verdict holds at 5 % over all rows together (Mann-Whitney, Holm) and lies outside the noise of both."
)


def _lines(rows: list[Row]) -> list[list[str]]:
    return [
        [
            row["family"],
            row["workload"],
            row["contender"],
            row["baseline"],
            f"{row['ratio']:.3f}",
            table.interval(row),
            f"{row['p_adjusted']:.2g}",
            row["verdict"],
        ]
        for row in rows
    ]


def write(old: Row, new: Row, rows: list[Row], out: TextIO) -> None:
    """Prints what changed."""
    columns = ["family", "workload", "contender", "by", "now by then", "95 % interval", "p", "verdict"]
    found = []
    for title, wanted in (("REGRESSIONS", compare.REGRESSION), ("IMPROVEMENTS", compare.IMPROVEMENT)):
        some = [row for row in rows if row["verdict"] == wanted]
        found.append(Grid(f"{title}: {len(some)}", columns, _lines(some), words=4))
    found.append(Grid("all", columns, _lines(rows), words=4))
    heading = f"against the report of {old['created']}"
    for line in compare.differences_of_machines(old, new):
        heading += f"\nnot the same machine: {line}"
    grids.print_grids(heading, [grid for grid in found if grid.lines or grid.title[0].isupper()], _CAPTION, out)
