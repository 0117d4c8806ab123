# SPDX-License-Identifier: MIT
"""Arguments that all benchmarks share. Wrong ones end the program with usage and status 2."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.measure import files
from tools.measure.paired import ROUNDS_MIN
from tools.measure.program import BenchError

ENVIRONMENT = (
    "Workers get the environment without HAKMEM_*, MIMALLOC_*, MALLOC_*, LD_* and GLIBC_TUNABLES.\n"
    "README.md of bench/ says how a row is linked, how to read a ratio and what the JSON holds."
)
"""The end of a benchmark's --help."""

FORMATS = ("table", "json", "csv")

CALLER_FOLDER = "BUILD_WORKING_DIRECTORY"
"""The variable by which `bazel run` says where it was called: it starts programs elsewhere."""

# Above these a figure is a slip of the pen: years of running.
_ITERATIONS_MAX = 10**12
_ROUNDS_MAX = 100_000
_SEED_MAX = 2**32 - 1


def whole_number(low: int, high: int, why: str = "") -> Callable[[str], int]:
    """A converter for argparse: decimal digits only, from `low` to `high`; `why` explains the limits."""

    def convert(text: str) -> int:
        # Python refuses to read thousands of digits, by another exception than those of numbers that are too large.
        if not re.fullmatch(r"[0-9]{1,20}", text) or not low <= int(text) <= high:
            because = f" ({why})" if why else ""
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low} to {high}{because}")
        return int(text)

    return convert


iterations = whole_number(1, _ITERATIONS_MAX)


def bare_parser(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser without any option but --help."""
    return argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parser(name: str, description: str, epilog: str, has_format: bool = True) -> argparse.ArgumentParser:
    """A parser with what every benchmark has: rounds, format and seed. What writes a document prints nothing in a format."""
    result = bare_parser(name, description, epilog)
    result.add_argument(
        "--rounds",
        type=whole_number(ROUNDS_MIN, _ROUNDS_MAX, f"an interval needs {ROUNDS_MIN} pairs"),
        default=ROUNDS_MIN,
        metavar="N",
        help="rounds in which every contender runs once (default and least: %(default)s)",
    )
    if has_format:
        result.add_argument("--format", choices=FORMATS, default="table", help="of the result (default: %(default)s)")
    add_seed(result, "of the order within rounds, the workloads' random numbers and the intervals")
    return result


def add_seed(result: argparse.ArgumentParser, what: str) -> None:
    """Adds --seed; `what` says of what it is the seed."""
    result.add_argument(
        "--seed", type=whole_number(0, _SEED_MAX), default=1, metavar="N", help=f"{what} (default: %(default)s)"
    )


def add_workloads(
    result: argparse.ArgumentParser, option: str, defaults: Mapping[str, int], shown: Sequence[str] = ()
) -> None:
    """Adds `option`, which picks workloads, and --iterations; workloads() reads both.

    `defaults` are the operations of each workload where none are given, `shown` the workloads that run where none
    is named; empty: all.
    """
    shown = tuple(shown or defaults)
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
        type=iterations,
        metavar="N",
        help=f"operations (one malloc and one free) of each thread in a run (default: {counts})",
    )
    result.set_defaults(defaults=defaults, shown=shown)


def workloads(parsed: argparse.Namespace) -> dict[str, int]:
    """The workloads that the command line chose -> operations of each thread."""
    chosen = dict.fromkeys(parsed.workloads or parsed.shown)
    return {workload: parsed.iterations or parsed.defaults[workload] for workload in chosen}


def caller_path(text: str) -> Path:
    """A path of the command line: relative to where `bazel run` was started."""
    return Path(os.environ.get(CALLER_FOLDER, "."), text)


def output(text: str) -> Path:
    """For argparse: a file to write. One that cannot be written is found out now, and not after an hour."""
    path = caller_path(text)
    try:
        files.require_writable(path)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"'{text}' cannot be written: {error.strerror}") from error
    return path


def kept(given: str | Path | None, name: str) -> Path:
    """Where the outcome of a long run is kept: `given` by the command line, else `name` in a new folder, which is said. A file
    that cannot be written is found out now, and not after an hour."""
    path = caller_path(str(given)) if given else Path(tempfile.mkdtemp(prefix="hakmem-")) / name
    files.require_writable(path)
    if not given:
        print(f"{name} will be kept as {path}", file=sys.stderr)
    return path


def workspace(target: str) -> Path:
    """The folder of the sources, for a program that writes a document there; `target` is its label."""
    folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if folder is None:
        raise BenchError(f"the workspace is not known: start this with `bazel run {target}`")
    return Path(folder)
