# SPDX-License-Identifier: MIT
"""//bench:tiny, //bench:tiny_mt and //bench:allocators: hakmem against mimalloc and glibc, from the command line to the
printed result. They differ in their row of BENCHMARKS only."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from bench.commands import benchmark, output
from tools.measure import arguments, program

# WORKLOAD_THREADS_MAX of workload.h.
_THREADS_MAX = 64


@dataclass(frozen=True)
class Benchmark:
    """What one of the programs offers."""

    description: str
    operations: Mapping[str, int]
    """Workload -> operations of each thread, where the command line does not say: some 10 to 400 ms a run, far above the
    clock's and the scheduler's grain."""
    default: tuple[str, ...] = ()
    """The workloads that run where none is named; empty: all."""
    option: str = "--workload"
    """That names workloads."""
    threads: int | None = None
    """Of a run, where --threads does not say; None: one, and there is no choice."""


BENCHMARKS = {
    "tiny": Benchmark(
        "Tiny blocks, 8 to 64 bytes, on one thread: hakmem against mimalloc and glibc.\n\n"
        "batch_lifo   100 blocks allocated, then freed, the last one first\n"
        "replacement  a random one of 1,024 live blocks freed and allocated anew\n"
        "pair         one block allocated and freed at once\n\n"
        "Several threads: bazel run //bench:tiny_mt.",
        {"batch_lifo": 10_000_000, "replacement": 10_000_000, "pair": 10_000_000},
        default=("batch_lifo", "replacement"),
    ),
    "tiny_mt": Benchmark(
        "Tiny blocks, 8 to 64 bytes, on several threads: hakmem against mimalloc and glibc.\n\n"
        "handover  each thread runs the patterns of //bench:tiny for itself, and every third block goes to the\n"
        "          next thread, which frees it\n"
        "local     each thread runs the patterns of //bench:tiny for itself",
        {"handover": 3_000_000, "local": 3_000_000},
        threads=2,
    ),
    "allocators": Benchmark(
        "Scenarios on one thread, memory touched: hakmem against mimalloc and glibc.\n\n"
        "json   64 KiB: 8 documents in flight, the oldest goes first; every page is written\n"
        "mir    256 KiB: 4 nested arenas; a random part from the front is written\n"
        "vm     2 MiB: 2 segments; the first quarter and then one page in eight is written\n"
        "mixed  8 bytes to 4 MiB from all pools, a random one of 256 blocks replaced; every page is written",
        {"json": 200_000, "mir": 10_000, "vm": 20_000, "mixed": 100_000},
        option="--scenario",
    ),
}
"""By the name of the target."""


def parser(name: str, variant: str) -> argparse.ArgumentParser:
    """The command line of the benchmark `name`."""
    offered = BENCHMARKS[name]
    result = arguments.parser(name + variant, offered.description, arguments.ENVIRONMENT)
    result.add_argument(
        "--config-only", action="store_true", help="print the switches that hakmem was built with, measure nothing"
    )
    arguments.add_workloads(result, offered.option, offered.operations, offered.default)
    if offered.threads is not None:
        result.add_argument(
            "--threads",
            type=arguments.whole_number(1, _THREADS_MAX),
            default=offered.threads,
            metavar="N",
            help=f"from 1 to {_THREADS_MAX} (default: %(default)s)",
        )
    return result


def main(name: str, variant: str = "") -> None:
    """Parses the command line and runs; `variant` is benchmark.Plan's."""
    parsed = parser(name, variant).parse_args()
    if parsed.config_only:
        print(benchmark.config(variant))
        return
    plan = benchmark.Plan(
        benchmark=name,
        workloads=arguments.workloads(parsed),
        threads=getattr(parsed, "threads", 1),
        rounds=parsed.rounds,
        seed=parsed.seed,
        variant=variant,
    )
    output.print_outcome(benchmark.execute(plan), parsed.format)


def run(name: str, variant: str = "") -> None:
    """Runs the benchmark as a program and ends the process."""
    program.run(name + variant, lambda: main(name, variant))
