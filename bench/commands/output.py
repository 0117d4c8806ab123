# SPDX-License-Identifier: MIT
"""A benchmark's outcome as a table, as JSON and as CSV. The JSON is described by schema/benchmark.schema.json."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from bench.commands.benchmark import Outcome, Row
from tools.measure import table
from tools.measure.table import Grid, MIB, figure

CAPTION = (
    "An operation is one malloc and one free; ns/op is wall time by operations of all threads. ratio is the "
    "contender's time by mimalloc's in the same round: below 1 is faster than mimalloc. link shared: called through "
    "the PLT of a shared object, like with like; inlined, static: compiled into the program. peak MiB: most resident "
    "memory of the process. minor, major: page faults of the measured part."
)


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
                table.interval(row.ratio),
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
    table.print_grids(
        f"{plan.benchmark}: {', '.join(versions)}; {plan.rounds} rounds, {threads}\n"
        f"hakmem's switches: {outcome.config}",
        [_grid(workload, [row for row in outcome.rows if row.workload == workload]) for workload in plan.workloads],
        CAPTION,
        out,
    )


def print_outcome(outcome: Outcome, form: str) -> None:
    """Prints the outcome to standard output in one of arguments.FORMATS."""
    if form == "json":
        table.print_json(outcome_object(outcome), sys.stdout)
    elif form == "csv":
        whole = outcome_object(outcome)
        common = {key: whole[key] for key in ("benchmark", "config", "rounds", "threads", "seed")}
        table.print_csv([common | contender for contender in whole["contenders"]], sys.stdout)
    else:
        _print_tables(outcome, sys.stdout)
