# SPDX-License-Identifier: MIT
"""fork under load for long: as fork_test, as often as is asked for.

    bazel run //tests/preload/life:forks -- --forks=10000
"""

from __future__ import annotations

import argparse
import sys

from tests.preload.life import run

MODES = ("main", "threads", "handlers")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="forks")
    parser.add_argument("--forks", type=int, default=10000, help="of each mode; default: 10000")
    parsed = parser.parse_args(arguments)
    if parsed.forks < 1:
        parser.error("--forks is a number from 1 on")
    for mode in MODES:
        ended = run.program("fork_load", mode, parsed.forks, seconds=3600 + parsed.forks)
        if ended.status != 0 or ended.stderr or ended.allocator() != "hakmem":
            print(f"{mode}: ended with {ended.status}: {ended.stderr}{ended.stdout}")
            return 1
        print(f"{mode}: {parsed.forks} forks", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
