# SPDX-License-Identifier: MIT
"""A benchmark: workloads, contenders, rounds, and the rows that come out.

Used by the programs tiny, tiny_mt and allocators, which differ in their arguments and workloads only.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.driver import conditions, paired, rounds, worker
from bench.driver.program import BenchError
from bench.driver.rounds import Turn
from bench.driver.worker import Measurement

BASELINE = "mimalloc"

# Operations of the run that checks every block before anything is timed: enough to fill and empty each
# contender's caches many times, a fraction of a second.
_VERIFIED_OPERATIONS = 20_000


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    benchmark: str
    """Name of the benchmark, `tiny`."""
    workloads: dict[str, int]
    """Workload -> operations of each thread, in the order of the report."""
    threads: int
    rounds: int
    seed: int
    variant: str
    """Suffix of the hakmem workers: "" as the command line's flags say, "_p0_p2" for fixed switches."""


@dataclass(frozen=True)
class Row:
    """One contender on one workload, over all rounds. Medians except the ratio."""

    workload: str
    name: str
    link: str
    version: str
    ns_per_op: float
    ratio: paired.Ratio
    peak_rss_bytes: int
    rss_bytes: int
    minor_faults: int
    major_faults: int
    operations: int
    """Of all threads in a run."""


@dataclass(frozen=True)
class Outcome:
    """The result of a plan."""

    plan: Plan
    config: str
    """The switches of hakmem's build, as its workers said: "p0+p2"."""
    rows: list[Row]


def contenders(variant: str) -> list[Path]:
    """The workers in the report's order: hakmem linked like its peers, hakmem compiled in, the peers."""
    names = [f"worker_hakmem_shared{variant}", f"worker_hakmem{variant}", "worker_mimalloc", "worker_glibc"]
    return [worker.executable(name) for name in names]


def config(variant: str) -> str:
    """The switches that both hakmem workers were built with; different ones are an error."""
    shared, compiled_in = (worker.config(path) for path in contenders(variant)[:2])
    if shared != compiled_in:
        raise BenchError(f"the shared hakmem was built with {shared}, the compiled-in one with {compiled_in}")
    return shared


def row(workload: str, runs: Sequence[Measurement], baseline: Sequence[Measurement], seed: int) -> Row:
    """Sums up one contender's `runs` against the baseline's of the same rounds."""
    times = [run.ns_per_op for run in runs]
    is_baseline = runs[0].name == BASELINE
    return Row(
        workload=workload,
        name=runs[0].name,
        link=runs[0].link,
        version=runs[0].version,
        ns_per_op=statistics.median(times),
        ratio=paired.ONE if is_baseline else paired.ratio(times, [run.ns_per_op for run in baseline], seed),
        peak_rss_bytes=paired.median_count([run.peak_rss_bytes for run in runs]),
        rss_bytes=paired.median_count([run.rss_bytes for run in runs]),
        minor_faults=paired.median_count([run.minor_faults for run in runs]),
        major_faults=paired.median_count([run.major_faults for run in runs]),
        operations=runs[0].operations,
    )


def _verify(plan: Plan, paths: Sequence[Path]) -> None:
    """Runs every workload once with every contender and every block checked. A wrong block is an error.

    A build that is slow on purpose is said on standard error: its times stand beside those of installed peers.
    """
    comparable = True
    for workload, operations in plan.workloads.items():
        count = min(operations, _VERIFIED_OPERATIONS)
        for path in paths:
            arguments = [*worker.run_arguments(workload, count, plan.threads, plan.seed), "--verify"]
            comparable &= worker.measure(path, arguments).comparable
    if not comparable:
        print("built without optimisation, or with assertions or a sanitizer: times mean little", file=sys.stderr)


def execute(plan: Plan) -> Outcome:
    """Measures the plan. Nothing but the workers runs meanwhile."""
    worker.say_what_is_cleared(os.environ)
    conditions.randomise_layout()
    paths = contenders(plan.variant)
    built = config(plan.variant)
    _verify(plan, paths)

    def measure(turn: Turn[str, Path]) -> Measurement:
        operations = plan.workloads[turn.slot]
        run = worker.run_arguments(turn.slot, operations, plan.threads, plan.seed + turn.number)
        return worker.measure(turn.key, run, turn.padding)

    slots = {workload: paths for workload in plan.workloads}
    with conditions.pinned(plan.threads):
        runs = rounds.run(plan.benchmark, slots, plan.rounds, plan.seed, measure)
    rows = []
    for workload, measured in runs.items():
        baseline = next(values for values in measured.values() if values[0].name == BASELINE)
        rows += [row(workload, measured[path], baseline, plan.seed) for path in paths]
    return Outcome(plan=plan, config=built, rows=rows)
