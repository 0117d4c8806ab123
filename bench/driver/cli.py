# SPDX-License-Identifier: MIT
"""What the programs tiny, tiny_mt and allocators share: from their arguments to the printed outcome."""

from __future__ import annotations

import argparse

from bench.driver import arguments, benchmark, report

ENVIRONMENT = (
    "Workers get the environment without HAKMEM_*, MIMALLOC_*, MALLOC_*, LD_* and GLIBC_TUNABLES.\n"
    "README.md of bench/ says how a row is linked, how to read a ratio and what the JSON holds."
)


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with the arguments that all three have."""
    result = arguments.parser(name, description, ENVIRONMENT)
    result.add_argument(
        "--config-only", action="store_true", help="print the switches that hakmem was built with, measure nothing"
    )
    return result


def add_workloads(
    result: argparse.ArgumentParser, option: str, defaults: dict[str, int], shown: tuple[str, ...]
) -> None:
    """Adds `option`, which picks workloads, and --iterations.

    `defaults` are the operations of each workload where none are given, `shown` the workloads that run where none
    is named.
    """
    result.add_argument(
        option,
        dest="workloads",
        action="append",
        choices=tuple(defaults),
        help=f"what to run, may be given more than once (default: {', '.join(shown)})",
    )
    counts = ", ".join(f"{name} {count:,}" for name, count in defaults.items())
    if len(set(defaults.values())) == 1:
        counts = f"{next(iter(defaults.values())):,}"
    result.add_argument(
        "--iterations",
        type=arguments.iterations,
        metavar="N",
        help=f"operations (one malloc and one free) of each thread in a run (default: {counts})",
    )
    result.set_defaults(defaults=defaults, shown=shown)


def execute(parsed: argparse.Namespace, name: str, threads: int, variant: str) -> None:
    """Runs the benchmark `name` as `parsed` says and prints what came out."""
    if parsed.config_only:
        print(benchmark.config(variant))
        return
    chosen = dict.fromkeys(parsed.workloads or parsed.shown)
    plan = benchmark.Plan(
        benchmark=name,
        workloads={workload: parsed.iterations or parsed.defaults[workload] for workload in chosen},
        threads=threads,
        rounds=parsed.rounds,
        seed=parsed.seed,
        variant=variant,
    )
    report.print_outcome(benchmark.execute(plan), parsed.format)
