# SPDX-License-Identifier: MIT
"""What the options of memory against time do to one program: processor time, peak and mean resident memory of each.

    bazel run //bench/tune                       a server's bursts, in Python
    bazel run //bench/tune -- PROGRAM ARGUMENT…  any program that ends by itself

Each setting runs once a round, in a seeded random order. Time is the median of the ratios to the default in the same
round; memory is the median of the runs, so a busy machine shifts time only. Figures of docs/operate.md come from here.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.measure import arguments, program
from tools.measure.program import BenchError

NAME = "tune"

_LIBRARY = Path(__file__).absolute().parents[2] / "hakmem/preload/libhakmem.so"
_SETTINGS = (
    "",
    "HAKMEM_PURGE_DELAY_MS=0",
    "HAKMEM_PURGE_DELAY_MS=100",
    "HAKMEM_PURGE_DELAY_MS=5000",
    "HAKMEM_PURGE_DELAY_MS=-1",
    "HAKMEM_PURGE_THREAD=0",
    "HAKMEM_THP=madvise",
    "HAKMEM_THP=never",
)
_SECONDS_BETWEEN_LOOKS = 0.02
_ROUNDS_MOST = 1000

# Requests in bursts with pauses between them, beside a thread that waits: tens of MiB of objects come and go.
_BURSTS = """
import json, threading, time
threading.Thread(target=lambda: [bytearray(100) for _ in range(1000)] and time.sleep(60), daemon=True).start()
for burst in range(8):
    rows = [{"key": str(k), "value": [k] * 3} for k in range(40000)]
    json.loads(json.dumps(rows))
    del rows
    time.sleep(0.3)
"""
_DEFAULT_PROGRAM = ("/usr/bin/env", "PYTHONMALLOC=malloc", "/usr/bin/python3", "-c", _BURSTS)


@dataclass(frozen=True)
class Run:
    seconds: float
    """Of processor time, system and user."""
    peak: float
    mean: float
    """Resident, MiB."""


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def _looks(process: subprocess.Popen[bytes]) -> list[float]:
    """Its resident memory until its end; who is interrupted meanwhile leaves it ended."""
    looks = []
    try:
        while process.poll() is None:
            looks.append(_resident_mib(process.pid))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except BaseException:
        process.kill()
        raise
    return looks


def _run(command: Sequence[str], setting: str) -> Run:
    cleared = ("HAKMEM_", "LD_", arguments.CALLER_FOLDER)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(cleared)}
    environment["LD_PRELOAD"] = str(_LIBRARY)
    if setting:
        name, _, value = setting.partition("=")
        environment[name] = value
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    folder = arguments.caller_path(".")
    try:
        started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=folder)
    except OSError as error:
        raise BenchError(f"{command[0]} cannot be started: {error.strerror}") from None
    with started as process:
        looks = _looks(process)
    if process.returncode != 0:
        raise BenchError(f"{command[0]} ended with {process.returncode} under {setting or 'the defaults'}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, max(looks, default=0.0), statistics.mean(looks or [0.0]))


def main() -> None:
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").split("\n")[0], allow_abbrev=False)
    parser.usage = "tune [options] [--] [PROGRAM [ARGUMENT ...]]"
    parser.add_argument(
        "--rounds",
        type=arguments.whole_number(1, _ROUNDS_MOST),
        default=5,
        metavar="N",
        help="runs of each setting (default: %(default)s)",
    )
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM",
        help="and its arguments (default: a server's bursts, in Python)",
    )
    parsed = parser.parse_args()
    given = parsed.program[1:] if parsed.program[:1] == ["--"] else parsed.program
    command = given or _DEFAULT_PROGRAM
    chance = random.Random(1)
    runs: dict[str, list[Run]] = {setting: [] for setting in _SETTINGS}
    for _ in range(parsed.rounds):
        for setting in chance.sample(_SETTINGS, len(_SETTINGS)):
            runs[setting].append(_run(command, setting))
    print(f"{'setting':28}{'time':>8}{'peak MiB':>10}{'mean MiB':>10}")
    for setting, its in runs.items():
        ratio = statistics.median(one.seconds / first.seconds for one, first in zip(its, runs[""]))
        peak, mean = (statistics.median(getattr(one, field) for one in its) for field in ("peak", "mean"))
        print(f"{setting or 'default':28}{ratio:8.2f}{peak:10.1f}{mean:10.1f}")


if __name__ == "__main__":
    program.run(NAME, main)
