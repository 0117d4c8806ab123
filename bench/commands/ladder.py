# SPDX-License-Identifier: MIT
"""//bench:ladder: what each of the four optimisations buys, one after the other.

Builds of the compiled-in worker with none, P0, P0+P1, P0+P1+P2 and all four switches run interleaved, with mimalloc
as the common reference. Each step is compared to the step before: in instructions, which are exact, and in paired
time.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

from bench.commands import benchmark, output
from bench.commands.benchmark import Row
from bench.engine import grid, valgrind, worker
from bench.engine.grid import Samples
from bench.engine.variants import COMBINATIONS
from tools.measure import arguments, inference, paired, program, progress, table
from tools.measure.inference import Estimate, Verdict
from tools.measure.peers import REFERENCE

NAME = "ladder"
_AGAIN = "again"
"""The second name of the last step, for the control."""

STEPS = ("none", "p0", "p0_p1", "p0_p1_p2", "p0_p1_p2_p3")

# Some 15 to 100 ms a run.
_ITERATIONS = {"pair": 5_000_000, "batch_lifo": 5_000_000, "replacement": 5_000_000}

# Operations whose instructions are counted: thousands of refills, and a second under valgrind. A multiple of a
# batch, so that both runs consist of whole ones.
_COUNTED_OPERATIONS = 100_000

CAPTION = (
    "An operation is one malloc and one free. instr: instructions of an operation, exact (callgrind), the loop's own "
    "included; saved: by the step before. step: the processor time by that of the step before in the same round; mimalloc: "
    "by mimalloc's; below 1 is faster. The verdict on a step is the laboratory's: Wilcoxon's signed-rank test, Holm's "
    "correction over all steps and workloads, beyond the noise threshold (noise: two names of the last step). A step that "
    "is undecided may pay or not. "
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
    to_previous: Estimate | None
    """Processor time by the step before; None likewise."""
    threshold: float
    """The reach of the workload's A/A control."""
    verdict: Verdict | None = None
    """On to_previous, once all steps are known."""

    @property
    def pays(self) -> bool | None:
        """Whether the step is faster than the one before; None where there is none before, or nothing is decided."""
        if self.verdict in (None, Verdict.UNDECIDED, Verdict.INCOMPLETE):
            return None
        return self.verdict is Verdict.FASTER


def judged(steps: Mapping[str, Sequence[Step]], controls: Sequence[Estimate]) -> dict[str, list[Step]]:
    """The steps of all workloads with their verdicts; the `controls` are corrected for as well."""
    asked = [step for of in steps.values() for step in of if step.to_previous is not None]
    estimates = [step.to_previous for step in asked if step.to_previous is not None]
    thresholds = [step.threshold for step in asked]
    found = inference.judged([*controls, *estimates], [0.0] * len(controls) + thresholds)[len(controls) :]
    verdicts = {id(step): one.verdict for step, one in zip(asked, found)}
    return {workload: [replace(step, verdict=verdicts.get(id(step))) for step in of] for workload, of in steps.items()}


def _steps(
    workload: str,
    samples: Samples,
    said: Mapping[str, Mapping[str, Any]],
    counts: Mapping[tuple[str, str], float],
    seed: int,
    threshold: float,
) -> list[Step]:
    """The steps of one workload in order, mimalloc last, as `samples` has them."""
    names = [name for name in samples if name != _AGAIN]
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
                to_previous=None if previous is None else _by(samples, name, previous, seed),
                threshold=threshold,
            )
        )
    return steps


def _by(samples: Samples, one: str, other: str, seed: int) -> Estimate:
    """The processor time of the first by that of the second."""
    times = ([worker.cpu_ns(run) for run in samples[name]] for name in (one, other))
    return inference.estimate(paired.log_ratios(*times), seed)


def _reach(control: Estimate) -> float:
    if control.ratio is None:
        raise ValueError("a control of too few rounds")
    return inference.reach(control.ratio)


def _measure(parsed: argparse.Namespace, workloads: dict[str, int]) -> dict[str, list[Step]]:
    """Counts and times all steps on `workloads`, whose values are operations."""
    grid.prepare()
    chosen = [benchmark.compiled_in(step, COMBINATIONS[step], f"_{step}") for step in STEPS] + [benchmark.mimalloc()]
    said = benchmark.verify(chosen, workloads, 1, parsed.seed)
    counts = {
        (workload, one.name): valgrind.per_operation(one, workload, _COUNTED_OPERATIONS, parsed.seed).instructions
        for workload, one in progress.shown(f"{NAME}: instructions", list(itertools.product(workloads, chosen)))
    }
    again = replace(chosen[len(STEPS) - 1], name=_AGAIN)
    measured = grid.measure(f"{NAME}: time", [*chosen, again], workloads, rounds_wanted=parsed.rounds, seed=parsed.seed)
    controls = {workload: _by(samples, _AGAIN, STEPS[-1], parsed.seed) for workload, samples in measured.items()}
    steps = {
        workload: _steps(workload, samples, said, counts, parsed.seed, _reach(controls[workload]))
        for workload, samples in measured.items()
    }
    return judged(steps, list(controls.values()))


def step_object(step: Step) -> dict[str, Any]:
    """A step as the JSON has it: the keys of a benchmark's row, and the step's own."""
    previous = None if step.to_previous is None else step.to_previous.ratio
    return output.row_object(step.row) | {
        "config": step.config,
        "instructions_per_op": table.figure(step.instructions_per_op),
        "instructions_saved": None if step.instructions_saved is None else table.figure(step.instructions_saved),
        "ratio_to_previous": None if previous is None else table.figure(previous.estimate),
        "previous_ci95_low": None if previous is None else table.figure(previous.low),
        "previous_ci95_high": None if previous is None else table.figure(previous.high),
        "noise_threshold": table.figure(math.exp(step.threshold) - 1),
        "verdict": None if step.verdict is None else step.verdict.value,
        "pays": step.pays,
    }


def _grid(workload: str, steps: list[Step]) -> table.Grid:
    return table.Grid(
        title=workload,
        columns=["switches", "instr", "saved", "ns/op", "step", "95 % interval", "mimalloc", "noise", "verdict"],
        lines=[
            [
                step.row.name if step.config is None else step.config,
                f"{step.instructions_per_op:.2f}",
                "" if step.instructions_saved is None else f"{step.instructions_saved:+.2f}",
                f"{step.row.ns_per_op:.2f}",
                "" if step.to_previous is None else f"{step.to_previous.median:.3f}",
                ""
                if step.to_previous is None or step.to_previous.ratio is None
                else table.interval(step.to_previous.ratio),
                f"{step.row.ratio.estimate:.3f}",
                "" if step.to_previous is None else f"{math.exp(step.threshold) - 1:.1%}",
                "" if step.verdict is None else step.verdict.value,
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
