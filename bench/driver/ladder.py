# SPDX-License-Identifier: MIT
"""//bench:ladder: what each of the four optimisations buys, one after the other.

Builds of the compiled-in worker with none, P0, P0+P1, P0+P1+P2 and all four switches run interleaved, with mimalloc
as the common yardstick. Each step is compared to the step before: in instructions, which are exact, and in paired
time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from bench.driver import (
    arguments,
    benchmark,
    cli,
    conditions,
    paired,
    program,
    progress,
    report,
    rounds,
    valgrind,
    worker,
)
from bench.driver.benchmark import Row
from bench.driver.rounds import Turn
from bench.driver.worker import Measurement

NAME = "ladder"
STEPS = ("none", "p0", "p0_p1", "p0_p1_p2", "p0_p1_p2_p3")
_BASELINE_WORKER = "worker_mimalloc"

# Some 15 to 100 ms a run.
_ITERATIONS = {"pair": 5_000_000, "batch_lifo": 5_000_000, "replacement": 5_000_000}

# Operations whose instructions are counted: thousands of refills, and a second under valgrind. A multiple of a
# batch, so that both runs consist of whole ones.
_COUNTED_OPERATIONS = 100_000

CAPTION = (
    "An operation is one malloc and one free. instr: instructions of an operation, exact (callgrind), the loop's own "
    "included; saved: by the step before. step: the time by that of the step before in the same round; mimalloc: by "
    "mimalloc's; below 1 is faster. A step pays where the whole interval of its ratio to the step before lies below 1. "
    "From P2 on the fast path is inlined into the program; mimalloc is a shared object."
)


@dataclass(frozen=True)
class Step:
    """One build of hakmem, or mimalloc, on one workload."""

    row: Row
    config: str | None
    instructions_per_op: float
    instructions_saved: float | None
    """Per operation, by the step before; None for the first step and for mimalloc."""
    to_previous: paired.Ratio | None
    """Time by the step before; None likewise."""

    @property
    def pays(self) -> bool | None:
        """Whether the step is faster than the one before beyond doubt; None where there is none before."""
        return None if self.to_previous is None else self.to_previous.high < 1


def verdict(step: Step) -> str:
    """The last column of the table."""
    if step.to_previous is None:
        return ""
    return "pays" if step.pays else "does not pay"


def _steps(workload: str, runs: dict[Path, list[Measurement]], counts: dict[Path, float], seed: int) -> list[Step]:
    """The steps of one workload in order, mimalloc last. `runs` and `counts` have that order, too."""
    paths = list(runs)
    baseline = runs[paths[-1]]
    steps = []
    for number, path in enumerate(paths):
        previous = paths[number - 1] if 0 < number < len(STEPS) else None
        times = [run.ns_per_op for run in runs[path]]
        steps.append(
            Step(
                row=benchmark.row(workload, runs[path], baseline, seed),
                config=runs[path][0].config,
                instructions_per_op=counts[path],
                instructions_saved=None if previous is None else counts[previous] - counts[path],
                to_previous=None
                if previous is None
                else paired.ratio(times, [run.ns_per_op for run in runs[previous]], seed),
            )
        )
    return steps


def _measure(parsed: argparse.Namespace, workloads: dict[str, int]) -> dict[str, list[Step]]:
    """Counts and times all steps on `workloads`, whose values are operations."""
    paths = [worker.executable(f"worker_hakmem_{step}") for step in STEPS] + [worker.executable(_BASELINE_WORKER)]
    counts = {
        (workload, path): valgrind.per_operation(path, workload, _COUNTED_OPERATIONS, parsed.seed).instructions
        for workload, path in progress.shown(f"{NAME}: instructions", list(itertools.product(workloads, paths)))
    }

    def measure(turn: Turn[str, Path]) -> Measurement:
        run = worker.run_arguments(turn.slot, workloads[turn.slot], 1, parsed.seed + turn.number)
        return worker.measure(turn.key, run, turn.padding)

    with conditions.pinned(1):
        slots = {workload: paths for workload in workloads}
        runs = rounds.run(f"{NAME}: time", slots, parsed.rounds, parsed.seed, measure)
    return {
        workload: _steps(workload, measured, {path: counts[workload, path] for path in paths}, parsed.seed)
        for workload, measured in runs.items()
    }


def step_object(step: Step) -> dict[str, Any]:
    """A step as the JSON has it: the keys of a benchmark's row, and the step's own."""
    previous = step.to_previous
    return report.row_object(step.row) | {
        "config": step.config,
        "instructions_per_op": report.figure(step.instructions_per_op),
        "instructions_saved": None if step.instructions_saved is None else report.figure(step.instructions_saved),
        "ratio_to_previous": None if previous is None else report.figure(previous.estimate),
        "previous_ci95_low": None if previous is None else report.figure(previous.low),
        "previous_ci95_high": None if previous is None else report.figure(previous.high),
        "pays": step.pays,
    }


def _grid(workload: str, steps: list[Step]) -> report.Grid:
    return report.Grid(
        title=workload,
        columns=["switches", "instr", "saved", "ns/op", "step", "95 % interval", "mimalloc", "verdict"],
        lines=[
            [
                step.row.name if step.config is None else step.config,
                f"{step.instructions_per_op:.2f}",
                "" if step.instructions_saved is None else f"{step.instructions_saved:+.2f}",
                f"{step.row.ns_per_op:.2f}",
                "" if step.to_previous is None else f"{step.to_previous.estimate:.3f}",
                "" if step.to_previous is None else report.interval(step.to_previous),
                f"{step.row.ratio.estimate:.3f}",
                verdict(step),
            ]
            for step in steps
        ],
        words=1,
    )


def _print_tables(steps: dict[str, list[Step]], round_count: int, out: TextIO) -> None:
    """A table each workload."""
    rows = [step.row for measured in steps.values() for step in measured]
    versions = dict.fromkeys(f"{row.name} {row.version}" for row in rows)
    report.print_grids(
        f"{NAME}: {', '.join(versions)}; {round_count} rounds, 1 thread, hakmem compiled in",
        [_grid(workload, measured) for workload, measured in steps.items()],
        CAPTION,
        out,
    )


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = arguments.parser(
        NAME, "What P0, P1, P2 and P3 buy, one after the other, on tiny blocks and one thread.", cli.ENVIRONMENT
    )
    cli.add_workloads(parser, "--workload", _ITERATIONS, tuple(_ITERATIONS))
    parsed = parser.parse_args()
    worker.say_what_is_cleared(os.environ)
    conditions.randomise_layout()
    chosen = dict.fromkeys(parsed.workloads or parsed.shown)
    steps = _measure(parsed, {workload: parsed.iterations or _ITERATIONS[workload] for workload in chosen})
    if parsed.format == "table":
        _print_tables(steps, parsed.rounds, sys.stdout)
        return
    common = {"benchmark": NAME, "rounds": parsed.rounds, "threads": 1, "seed": parsed.seed}
    objects = [step_object(step) for measured in steps.values() for step in measured]
    if parsed.format == "json":
        report.print_json(common | {"workloads": list(steps), "contenders": objects}, sys.stdout)
    else:
        report.print_csv([common | value for value in objects], sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
