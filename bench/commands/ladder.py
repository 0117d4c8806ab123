# SPDX-License-Identifier: MIT
"""//bench:ladder: what each of the four optimisations buys, one after the other.

Builds of the compiled-in worker with none, P0, P0+P1, P0+P1+P2 and all four switches run interleaved, with mimalloc
as the common reference. Each step is compared to the step before: in instructions, which are exact, and in paired
time.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from bench.commands import benchmark, output
from bench.commands.benchmark import Row
from bench.engine import grid, valgrind, worker
from bench.engine.grid import Samples
from bench.engine.variants import COMBINATIONS
from tools.measure import arguments, paired, program, progress, table
from tools.measure.peers import REFERENCE

NAME = "ladder"
STEPS = ("none", "p0", "p0_p1", "p0_p1_p2", "p0_p1_p2_p3")

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


def _steps(
    workload: str,
    samples: Samples,
    said: Mapping[str, Mapping[str, Any]],
    counts: Mapping[tuple[str, str], float],
    seed: int,
) -> list[Step]:
    """The steps of one workload in order, mimalloc last, as `samples` has them."""
    names = list(samples)
    times = {name: [worker.ns_per_op(run) for run in runs] for name, runs in samples.items()}
    steps = []
    for number, name in enumerate(names):
        previous = names[number - 1] if 0 < number < len(STEPS) else None
        counted = counts[workload, name]
        steps.append(
            Step(
                row=benchmark.row(workload, said[name], samples[name], samples[REFERENCE], seed),
                config=said[name]["config"],
                instructions_per_op=counted,
                instructions_saved=None if previous is None else counts[workload, previous] - counted,
                to_previous=None if previous is None else paired.ratio(times[name], times[previous], seed),
            )
        )
    return steps


def _measure(parsed: argparse.Namespace, workloads: dict[str, int]) -> dict[str, list[Step]]:
    """Counts and times all steps on `workloads`, whose values are operations."""
    grid.prepare()
    chosen = [benchmark.compiled_in(step, COMBINATIONS[step], f"_{step}") for step in STEPS] + [benchmark.mimalloc()]
    said = benchmark.verify(chosen, workloads, 1, parsed.seed)
    counts = {
        (workload, one.name): valgrind.per_operation(one, workload, _COUNTED_OPERATIONS, parsed.seed).instructions
        for workload, one in progress.shown(f"{NAME}: instructions", list(itertools.product(workloads, chosen)))
    }
    measured = grid.measure(f"{NAME}: time", chosen, workloads, rounds_wanted=parsed.rounds, seed=parsed.seed)
    return {workload: _steps(workload, samples, said, counts, parsed.seed) for workload, samples in measured.items()}


def step_object(step: Step) -> dict[str, Any]:
    """A step as the JSON has it: the keys of a benchmark's row, and the step's own."""
    previous = step.to_previous
    return output.row_object(step.row) | {
        "config": step.config,
        "instructions_per_op": table.figure(step.instructions_per_op),
        "instructions_saved": None if step.instructions_saved is None else table.figure(step.instructions_saved),
        "ratio_to_previous": None if previous is None else table.figure(previous.estimate),
        "previous_ci95_low": None if previous is None else table.figure(previous.low),
        "previous_ci95_high": None if previous is None else table.figure(previous.high),
        "pays": step.pays,
    }


def _grid(workload: str, steps: list[Step]) -> table.Grid:
    return table.Grid(
        title=workload,
        columns=["switches", "instr", "saved", "ns/op", "step", "95 % interval", "mimalloc", "verdict"],
        lines=[
            [
                step.row.name if step.config is None else step.config,
                f"{step.instructions_per_op:.2f}",
                "" if step.instructions_saved is None else f"{step.instructions_saved:+.2f}",
                f"{step.row.ns_per_op:.2f}",
                "" if step.to_previous is None else f"{step.to_previous.estimate:.3f}",
                "" if step.to_previous is None else table.interval(step.to_previous),
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
    table.print_grids(
        f"{NAME}: {', '.join(versions)}; {round_count} rounds, 1 thread, hakmem compiled in",
        [_grid(workload, measured) for workload, measured in steps.items()],
        CAPTION,
        out,
    )


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = arguments.parser(
        NAME, "What P0, P1, P2 and P3 buy, one after the other, on tiny blocks and one thread.", arguments.ENVIRONMENT
    )
    arguments.add_workloads(parser, "--workload", _ITERATIONS)
    parsed = parser.parse_args()
    steps = _measure(parsed, arguments.workloads(parsed))
    if parsed.format == "table":
        _print_tables(steps, parsed.rounds, sys.stdout)
        return
    common = {"benchmark": NAME, "rounds": parsed.rounds, "threads": 1, "seed": parsed.seed}
    objects = [step_object(step) for measured in steps.values() for step in measured]
    if parsed.format == "json":
        table.print_json(common | {"workloads": list(steps), "contenders": objects}, sys.stdout)
    else:
        table.print_csv([common | value for value in objects], sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
