# SPDX-License-Identifier: MIT
"""A benchmark: workloads, contenders, rounds, and the rows that come out."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.engine import grid, worker
from bench.engine.worker import Sample
from tools.measure import paired
from tools.measure.contender import Contender, GLIBC
from tools.measure.peers import REFERENCE
from tools.measure.program import BenchError

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


def _hakmem_workers(variant: str) -> tuple[str, str]:
    """hakmem as a shared object, and compiled in."""
    return f"worker_hakmem_shared{variant}", f"worker_hakmem{variant}"


def config(variant: str) -> str:
    """The switches that both hakmem workers were built with; different ones are an error."""
    shared, compiled_in = (worker.config(worker.executable(name)) for name in _hakmem_workers(variant))
    if shared != compiled_in:
        raise BenchError(f"the shared hakmem was built with {shared}, the compiled-in one with {compiled_in}")
    return shared


def compiled_in(name: str, config: str, variant: str) -> Contender:
    """hakmem built with `config` and linked into the worker; with P2 its fast path is inlined."""
    link = "inlined" if "p2" in config.split("+") else "static"
    return Contender(name, link, worker.executable(f"worker_hakmem{variant}"), config=config)


def mimalloc() -> Contender:
    """The reference: its own worker calls it by its own names."""
    return Contender(REFERENCE, "shared", worker.executable("worker_mimalloc"))


def contenders(config: str, variant: str) -> list[Contender]:
    """In the report's order: hakmem linked like its peers, hakmem compiled in, the peers."""
    shared, _ = _hakmem_workers(variant)
    return [
        Contender("hakmem", "shared", worker.executable(shared), config=config),
        compiled_in("hakmem, compiled in", config, variant),
        mimalloc(),
        Contender(GLIBC, "shared", worker.executable("worker_glibc")),
    ]


def verify(
    chosen: Sequence[Contender], workloads: Mapping[str, int], threads: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Runs every workload once with every contender and every block checked. A wrong block is an error.

    Returns what each contender said about itself. A build that is slow on purpose is told on standard error: its times
    stand beside those of installed peers.
    """
    said: dict[str, dict[str, Any]] = {}
    for workload, operations in workloads.items():
        count = min(operations, _VERIFIED_OPERATIONS)
        arguments = [*worker.arguments(workload, count, threads, seed), "--verify"]
        said |= {contender.name: worker.run(contender, arguments, beside=chosen) for contender in chosen}
    if not all(one["comparable"] for one in said.values()):
        print("built without optimisation, or with assertions or a sanitizer: times mean little", file=sys.stderr)
    return said


def row(workload: str, said: Mapping[str, Any], runs: Sequence[Sample], baseline: Sequence[Sample], seed: int) -> Row:
    """Sums up one contender's `runs` against the reference's of the same rounds: of one thread by processor time."""
    per_op = worker.cpu_ns if said["threads"] == 1 else worker.ns_per_op
    times, others = ([per_op(run) for run in of] for of in (runs, baseline))
    return Row(
        workload=workload,
        name=said["name"],
        link=said["link"],
        version=said["version"],
        ns_per_op=statistics.median(times),
        ratio=paired.ONE if runs is baseline else paired.ratio(times, others, seed),
        operations=runs[0]["operations"],
        **{
            key: paired.median_count([run[key] for run in runs])
            for key in ("peak_rss_bytes", "rss_bytes", "minor_faults", "major_faults")
        },
    )


def execute(plan: Plan) -> Outcome:
    """Measures the plan. Nothing but the workers runs meanwhile."""
    grid.prepare()
    built = config(plan.variant)
    chosen = contenders(built, plan.variant)
    said = verify(chosen, plan.workloads, plan.threads, plan.seed)
    measured = grid.measure(
        plan.benchmark,
        chosen,
        plan.workloads,
        threads=plan.threads,
        rounds_wanted=plan.rounds,
        seed=plan.seed,
    )
    rows = [
        row(workload, said[name], runs, samples[REFERENCE], plan.seed)
        for workload, samples in measured.items()
        for name, runs in samples.items()
    ]
    return Outcome(plan=plan, config=built, rows=rows)
