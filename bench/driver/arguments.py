# SPDX-License-Identifier: MIT
"""Arguments that all benchmarks share. Wrong ones end the program with usage and status 2."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from bench.driver.paired import ROUNDS_MIN

FORMATS = ("table", "json", "csv")

# Above these a figure is a slip of the pen: years of running.
_ITERATIONS_MAX = 10**12
_ROUNDS_MAX = 100_000
_SEED_MAX = 2**32 - 1


def whole_number(low: int, high: int, why: str = "") -> Callable[[str], int]:
    """A converter for argparse: decimal digits only, from `low` to `high`; `why` explains the limits."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"[0-9]+", text) or not low <= int(text) <= high:
            because = f" ({why})" if why else ""
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low} to {high}{because}")
        return int(text)

    return convert


iterations = whole_number(1, _ITERATIONS_MAX)


def parser(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark has: rounds, format and seed."""
    result = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--rounds",
        type=whole_number(ROUNDS_MIN, _ROUNDS_MAX, f"an interval needs {ROUNDS_MIN} pairs"),
        default=ROUNDS_MIN,
        metavar="N",
        help="rounds in which every contender runs once (default and least: %(default)s)",
    )
    result.add_argument("--format", choices=FORMATS, default="table", help="of the result (default: %(default)s)")
    result.add_argument(
        "--seed",
        type=whole_number(0, _SEED_MAX),
        default=1,
        metavar="N",
        help="of the order within rounds, the workloads' random numbers and the intervals (default: %(default)s)",
    )
    return result
