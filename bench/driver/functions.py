# SPDX-License-Identifier: MIT
"""//bench:functions: the instructions of an operation by the functions that they lie in, under the preloaded library.

They are exact and repeatable, but for what looks at the clock. What the loop costs is in the workload's own function; the rest of an exchange is in the
functions that it calls, so the table says where a change of an exchange is to be looked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.driver import arguments, cli, program, progress, report, valgrind, worker

NAME = "functions"
_PRELOAD = Path(__file__).parent.parent.parent / "hakmem/preload"
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
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Instructions of a malloc and a free by function.",
        epilog=cli.ENVIRONMENT,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_workloads(parser, "--workload", _COUNTED, ("pair", "burst", "sizes_compiler"))
    parser.add_argument("--library", choices=tuple(_LIBRARIES), default="hakmem", help="(default: %(default)s)")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=arguments.whole_number(0, 2**32 - 1),
        default=1,
        metavar="N",
        help="of the workloads' random numbers (default: %(default)s)",
    )
    return parser


def main() -> None:
    """Parses the command line, counts and prints."""
    parsed = _parser().parse_args()
    worker.say_what_is_cleared(os.environ)
    environment = {"LD_PRELOAD": str((_PRELOAD / _LIBRARIES[parsed.library]).resolve())}
    path = worker.executable("worker_malloc")
    chosen = list(dict.fromkeys(parsed.workloads or parsed.shown))
    found = {
        workload: shown(
            valgrind.by_function(path, workload, parsed.iterations or _COUNTED[workload], parsed.seed, environment)
        )
        for workload in progress.shown(f"{NAME}: instructions", chosen)
    }
    if parsed.format == "json":
        report.print_json(
            {"benchmark": NAME, "library": parsed.library, "seed": parsed.seed, "workloads": found}, sys.stdout
        )
        return
    grids = [
        report.Grid(
            title=workload,
            columns=["function", "instr"],
            lines=[[name, f"{count:.2f}"] for name, count in functions.items()],
            words=1,
        )
        for workload, functions in found.items()
    ]
    report.print_grids(f"{NAME}: {parsed.library}, 1 thread, preloaded", grids, CAPTION, sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
