# SPDX-License-Identifier: MIT
"""What is measured: the worker's own list, and recorded programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine import worker
from bench.lab import contenders
from bench.lab.contenders import Family
from tools.measure import conditions, process
from tools.measure.contender import Contender
from tools.measure.program import BenchError

THREADS_MAX = 8
"""Above this the lab leaves processors of a large machine idle: workloads of threads are about two that meet."""

CONTENTION = "contention"
"""The group of workloads that //bench:contention alone runs."""


@dataclass(frozen=True)
class Workload:
    """One row of a worker's list."""

    name: str
    family: str
    description: str
    source: str
    threads: int
    """That the lab runs it with."""
    unit: int
    exact: bool
    """Whether a run executes the same instructions each time."""
    default_operations: int
    quick_operations: int
    has_working_set: bool = False
    """Whether it keeps as many bytes live as its name says, given operations enough to fill them."""
    program: str = ""
    """That is recorded and replayed; empty: the workload is one of the worker's."""
    trace: Path | None = None
    """Once it is recorded."""
    replay: Path | None = None
    """The program that runs the trace in place of the worker."""

    @property
    def is_trace(self) -> bool:
        return bool(self.program)

    def arguments(self, operations: int, seed: int) -> list[str]:
        """What the worker, or the replayer, is told."""
        if self.is_trace:
            return [f"--operations={operations}", f"--seed={seed}", str(self.trace)]
        return worker.arguments(self.name, operations, self.threads, seed)

    def least_operations(self, quick: bool) -> int:
        """Of a timed run. A working set wants operations enough to be filled; a quick run makes do with a part."""
        return self.default_operations if self.has_working_set and not quick else self.quick_operations


def run(
    family: Family,
    contender: Contender,
    workload: Workload,
    operations: int,
    seed: int,
    *,
    padding: int = 0,
    extra: Sequence[str] = (),
    wrapper: Sequence[str] = (),
) -> dict[str, Any]:
    """Runs the workload once under a contender of the family; the rest is worker.run's."""
    return worker.run(
        contender,
        [*workload.arguments(operations, seed), *extra],
        beside=family.contenders,
        padding=padding,
        program=workload.replay,
        wrapper=wrapper,
    )


def threads_for(low: int, high: int, *, processors: int, each: int = 1) -> int:
    """One where the workload allows it and is about nothing else, else `each` times as many as there are processors."""
    if high == 1:
        return 1
    if each > 1:
        return max(low, min(high, each * processors))
    return max(low, min(high, max(2, min(processors, THREADS_MAX))))


def parse(rows: Any, processors: int) -> list[Workload]:
    """The laboratory's workloads in what `--list=json` printed; a BenchError where that is not understood."""
    try:
        return [
            Workload(
                name=row["name"],
                family=row["group"],
                description=row["description"],
                source=row["source"],
                threads=threads_for(*row["threads"], processors=processors, each=row["threads_per_processor"]),
                unit=row["unit"],
                exact=row["exact"],
                default_operations=row["default_operations"],
                quick_operations=row["quick_operations"],
                has_working_set=row["working_set_bytes"] is not None,
            )
            for row in rows
            if row["group"] != CONTENTION
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"the worker's list of workloads is not understood: {error!r}") from error


def listed(path: Path) -> list[Workload]:
    """What the worker `path` offers."""
    output = process.start([str(path), "--list=json"])
    try:
        rows = json.loads(output)
    except ValueError as error:
        raise BenchError(f"{path} printed what is not a list: {output[:200]!r}") from error
    return parse(rows, len(conditions.processors()))


def chosen(workloads: Sequence[Workload], globs: Sequence[str]) -> list[Workload]:
    """Those that `globs` name, NAME or FAMILY/NAME, in the list's order; all where there are none."""
    return [workload for workload in workloads if contenders.matches(globs, workload.family, workload.name)]
