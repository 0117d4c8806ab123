"""Exact instruction counts of a worker, by valgrind's callgrind. No counter of the processor is needed."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.driver import worker
from bench.driver.program import BenchError

# The function of worker.c that holds all that the clock covers.
_COUNTED = "measured_part"


def tool(name: str) -> str:
    """The path of the program `name`; a BenchError where it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"{name} is not installed: tools/setup installs all that the benchmarks need")
    return path


def _count(path: Path, arguments: Sequence[str]) -> int:
    """Instructions that one run of the worker `path` executes in _COUNTED, warm-up included."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        worker.start(
            [
                tool("valgrind"),
                "--tool=callgrind",
                f"--callgrind-out-file={out}",
                "--collect-atstart=no",
                f"--toggle-collect={_COUNTED}",
                str(path),
                *arguments,
            ]
        )
        totals = re.search(r"^totals: ([0-9]+)$", out.read_text(), re.MULTILINE)
    if totals is None or int(totals[1]) == 0:
        raise BenchError(f"callgrind counted nothing in {_COUNTED} of {path}")
    return int(totals[1])


def instructions_per_op(path: Path, workload: str, operations: int, seed: int) -> float:
    """Instructions of an operation, the loop's own included.

    The difference of a run of 2 * `operations` and one of `operations`, by `operations`: what the start of a run
    and the first touch of memory cost cancels, what refills and other rare paths cost is in, spread over all.
    """
    once, twice = (
        _count(path, [*worker.run_arguments(workload, count, 1, seed), f"--warm-up={operations}"])
        for count in (operations, 2 * operations)
    )
    return (twice - once) / operations
