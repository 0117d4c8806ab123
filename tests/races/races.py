# SPDX-License-Identifier: MIT
"""Runs the disturbed programs of this folder, each by many seeds, and stops at the first that fails.

    races --seeds=300                    seeds 1 to 300
    races --first=77 --seeds=1           seed 77 alone
    races --programs=test_stress_off     one program, or several by commas
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path("tests/races")

# A run takes seconds; on a machine that is busy, under a sanitizer, minutes.
HANGS_AFTER_SECONDS = 1200

# As .bazelrc says for tests.
TSAN_OPTIONS = "atexit_sleep_ms=0:detect_deadlocks=0:die_after_fork=0"


def programs() -> dict[str, Path]:
    return {path.name: path for path in sorted(FOLDER.glob("test_*")) if path.is_file() and os.access(path, os.X_OK)}


def failure(program: Path, seed: int) -> str | None:
    """What went wrong in a run by this seed."""
    environment = {"TSAN_OPTIONS": TSAN_OPTIONS, **os.environ, "HAK_DISTURB_SEED": str(seed)}
    # A test of Bazel's would split its cases, or write its report where the last one is.
    for name in ("TEST_TOTAL_SHARDS", "XML_OUTPUT_FILE", "TESTBRIDGE_TEST_ONLY"):
        environment.pop(name, None)
    try:
        ended = subprocess.run(
            [program.resolve()],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=HANGS_AFTER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {HANGS_AFTER_SECONDS} s"
    return None if ended.returncode == 0 else f"ended with {ended.returncode}:\n{ended.stdout[-20000:]}"


def parse(arguments: list[str], known: dict[str, Path]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="races")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds; default: 100")
    parser.add_argument("--first", type=int, default=1, help="the first of them, at least 1; default: 1")
    parser.add_argument("--programs", default=",".join(known), help="some of " + ", ".join(known))
    parsed = parser.parse_args(arguments)
    if parsed.seeds < 1 or parsed.first < 1:
        parser.error("--seeds and --first are numbers from 1 on")
    for name in parsed.programs.split(","):
        if name not in known:
            parser.error(f"--programs: there is no {name!r}; there are {', '.join(known)}")
    return parsed


def main(arguments: list[str]) -> int:
    known = programs()
    if not known:
        sys.exit("races: no program is here; run it by bazel run //tests/races")
    parsed = parse(arguments, known)
    for seed in range(parsed.first, parsed.first + parsed.seeds):
        for name in parsed.programs.split(","):
            wrong = failure(known[name], seed)
            if wrong is not None:
                print(f"{name}, seed {seed}: {wrong}", flush=True)
                return 1
        print(f"seed {seed}: {parsed.programs} passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
