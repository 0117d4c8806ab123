# SPDX-License-Identifier: MIT
"""//bench:functions: the instructions of an operation by the functions that they lie in, under the preloaded library.

They are exact and repeatable, except for what depends on the clock. The loop's own cost is in the workload's function;
what a refill or a flush of a magazine costs is in the functions that it calls.
"""

from __future__ import annotations

import argparse
import os
import sys

from bench.engine import valgrind, worker
from tools.measure import arguments, process, program, progress, table

NAME = "functions"
_LIBRARIES = {"hakmem": "libhakmem.so", "hakmem-guard": "libhakmem-guard.so"}

# Operations, some thousands of exchanges each; multiples of what each workload makes in one go.
_COUNTED = {
    "pair": 100_000,
    "replacement": 100_000,
    "burst": 409_600,
    "sizes_compiler": 102_400,
    "sizes_server": 100_000,
}

# Of an operation: below that a function is among the others.
_LEAST = 0.05

CAPTION = (
    "An operation is one malloc and one free. instr: instructions of an operation in the function itself (callgrind), "
    "those that it calls not included; inlined functions are part of their callers. Exact, but for what looks at the "
    "clock, which valgrind slows down less than the program."
)


def shown(functions: dict[str, float]) -> dict[str, float]:
    """The functions with at least _LEAST instructions, then all others in one line and the sum."""
    most = {name: count for name, count in functions.items() if count >= _LEAST}
    total = sum(functions.values())
    return most | {"others": total - sum(most.values()), "all": total}


def _parser() -> argparse.ArgumentParser:
    parser = arguments.bare_parser(
        NAME,
        "Instructions of a malloc and a free by function.",
        arguments.ENVIRONMENT,
    )
    arguments.add_workloads(parser, "--workload", _COUNTED, ("pair", "burst", "sizes_compiler"))
    parser.add_argument("--library", choices=tuple(_LIBRARIES), default="hakmem", help="(default: %(default)s)")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")
    arguments.add_seed(parser, "of the workloads' random numbers")
    return parser


def main() -> None:
    """Parses the command line, counts and prints."""
    parsed = _parser().parse_args()
    process.say_what_is_cleared(os.environ)
    contender = worker.preloaded(parsed.library, worker.library(_LIBRARIES[parsed.library]))
    found = {
        workload: shown(valgrind.by_function(contender, workload, operations, parsed.seed))
        for workload, operations in progress.shown(f"{NAME}: instructions", list(arguments.workloads(parsed).items()))
    }
    if parsed.format == "json":
        table.print_json(
            {"benchmark": NAME, "library": parsed.library, "seed": parsed.seed, "workloads": found}, sys.stdout
        )
        return
    grids = [
        table.Grid(
            title=workload,
            columns=["function", "instr"],
            lines=[[name, f"{count:.2f}"] for name, count in functions.items()],
            words=1,
        )
        for workload, functions in found.items()
    ]
    table.print_grids(f"{NAME}: {parsed.library}, 1 thread, preloaded", grids, CAPTION, sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
