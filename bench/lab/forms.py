# SPDX-License-Identifier: MIT
"""The report in further forms: lines for a spreadsheet, and tables for a page of text."""

from __future__ import annotations

import re
from typing import Any, TextIO

from bench.lab import table, views
from tools.measure import table as grids
from tools.measure.table import Grid

Row = dict[str, Any]

_CSV_KEYS = ("ratio", "low", "high", "rounds", "p_adjusted", "verdict")


def csv_lines(report: Row) -> list[Row]:
    """A line a comparison, with what both take; one that failed has a line with the reason."""
    times = {(row["family"], row["workload"], row["contender"]): row for row in report["times"]}
    most = {family["name"]: views.peaks(report, family["name"]) for family in report["families"]}

    def own(family: str, workload: str, name: str, prefix: str) -> Row:
        time = times.get((family, workload, name), {})
        return {
            prefix: name,
            f"{prefix}_ns_per_op": time.get("ns_per_op"),
            f"{prefix}_cpu_ns_per_op": time.get("cpu_ns_per_op"),
            f"{prefix}_peak_rss_bytes": most[family].get((workload, name)),
        }

    lines = []
    for row in report["comparisons"]:
        family, workload = row["family"], row["workload"]
        sides = own(family, workload, row["one"], "one") | own(family, workload, row["other"], "other")
        judged = {key: row[key] for key in _CSV_KEYS}
        lines.append({"family": family, "workload": workload, "clock": row["clock"]} | sides | judged | {"why": None})
    for row in report["failures"]:
        sides = own(row["family"], row["workload"], row["contender"], "one") | own(
            row["family"], row["workload"], "", "other"
        )
        nothing = dict.fromkeys(_CSV_KEYS) | {"verdict": "failed", "why": views.reason(row)}
        lines.append({"family": row["family"], "workload": row["workload"], "clock": None} | sides | nothing)
    return lines


def _cell(text: str) -> str:
    return re.sub(r"([|*_<])", r"\\\1", text)


def markdown_table(grid: Grid) -> str:
    """With a heading; words stand left, figures right."""
    rule = ["---" if number < grid.words else "---:" for number in range(len(grid.columns))]
    lines = [[_cell(text) for text in line] for line in (grid.columns, *grid.lines)]
    rows = [" | ".join(line) for line in (lines[0], rule, *lines[1:])]
    return f"## {grid.title}\n\n" + "\n".join(f"| {row} |" for row in rows) + "\n"


def markdown(report: Row) -> str:
    """All that the terminal gets, as a page of text."""
    parts = [table.heading(report).replace("\n", "\n\n"), table.CAPTION]
    parts += [f"**Note**: {note}" for note in table.notes(report)]
    parts += [markdown_table(grid).rstrip("\n") for grid in table.made(report)]
    return "# " + "\n\n".join(parts) + "\n"


def write(report: Row, form: str, out: TextIO) -> None:
    """Prints the report in one of command_line.FORMATS."""
    if form == "json":
        grids.print_json(report, out)
    elif form == "markdown":
        out.write(markdown(report))
    elif form == "table":
        table.write(report, out)
    elif lines := csv_lines(report):
        grids.print_csv(lines, out)
