# SPDX-License-Identifier: MIT
"""A benchmark's outcome as a table, as JSON and as CSV. The JSON is described by schema/benchmark.schema.json."""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, Group

from bench.driver.benchmark import Outcome, Row
from bench.driver.paired import Ratio

MIB = 1024 * 1024

# Characters. A pipe or a file has no width of its own; a table only takes what it needs.
_WIDTH_WITHOUT_TERMINAL = 240

# Characters a line of running text, where the terminal has as many.
_TEXT_WIDTH = 88

CAPTION = (
    "An operation is one malloc and one free; ns/op is wall time by operations of all threads. ratio is the "
    "contender's time by mimalloc's in the same round: below 1 is faster than mimalloc. link shared: called through "
    "the PLT of a shared object, like with like; inlined, static: compiled into the program. peak MiB: most resident "
    "memory of the process. minor, major: page faults of the measured part."
)


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


def row_object(row: Row) -> dict[str, Any]:
    """A row as the JSON has it."""
    return {
        "workload": row.workload,
        "name": row.name,
        "link": row.link,
        "version": row.version,
        "ns_per_op": figure(row.ns_per_op),
        "ratio_to_mimalloc": figure(row.ratio.estimate),
        "ci95_low": figure(row.ratio.low),
        "ci95_high": figure(row.ratio.high),
        "peak_rss_bytes": row.peak_rss_bytes,
        "rss_bytes": row.rss_bytes,
        "minor_faults": row.minor_faults,
        "major_faults": row.major_faults,
        "operations": row.operations,
    }


def outcome_object(outcome: Outcome) -> dict[str, Any]:
    """The whole outcome as one JSON object."""
    plan = outcome.plan
    return {
        "benchmark": plan.benchmark,
        "config": outcome.config,
        "rounds": plan.rounds,
        "threads": plan.threads,
        "seed": plan.seed,
        "workloads": list(plan.workloads),
        "contenders": [row_object(row) for row in outcome.rows],
    }


def print_json(value: dict[str, Any], out: TextIO) -> None:
    json.dump(value, out, indent=2, allow_nan=False)
    out.write("\n")


def print_csv(lines: list[dict[str, Any]], out: TextIO) -> None:
    """A heading line, then a line each of `lines`, which share their keys. Truth is written as in JSON."""
    writer = csv.DictWriter(out, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: json.dumps(value) if isinstance(value, bool) else value for key, value in line.items()})


def _grid(workload: str, rows: list[Row]) -> Grid:
    return Grid(
        title=workload,
        columns=["contender", "link", "ns/op", "ratio", "95 % interval", "peak MiB", "minor", "major"],
        lines=[
            [
                row.name,
                row.link,
                f"{row.ns_per_op:.2f}",
                f"{row.ratio.estimate:.3f}",
                interval(row.ratio),
                f"{row.peak_rss_bytes / MIB:.1f}",
                str(row.minor_faults),
                str(row.major_faults),
            ]
            for row in rows
        ],
        words=2,
    )


def _print_tables(outcome: Outcome, out: TextIO) -> None:
    """A table each workload."""
    plan = outcome.plan
    versions = dict.fromkeys(f"{row.name} {row.version}" for row in outcome.rows)
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    print_grids(
        f"{plan.benchmark}: {', '.join(versions)}; {plan.rounds} rounds, {threads}\n"
        f"hakmem's switches: {outcome.config}",
        [_grid(workload, [row for row in outcome.rows if row.workload == workload]) for workload in plan.workloads],
        CAPTION,
        out,
    )


def print_outcome(outcome: Outcome, form: str) -> None:
    """Prints the outcome to standard output in one of arguments.FORMATS."""
    if form == "json":
        print_json(outcome_object(outcome), sys.stdout)
    elif form == "csv":
        whole = outcome_object(outcome)
        common = {key: whole[key] for key in ("benchmark", "config", "rounds", "threads", "seed")}
        print_csv([common | contender for contender in whole["contenders"]], sys.stdout)
    else:
        _print_tables(outcome, sys.stdout)
