# SPDX-License-Identifier: MIT
"""One run of one contender by a worker: its command, its environment, and what it reported.

A worker is the program of bench/worker.c as it is built for a contender, or the replayer of bench/trace. Both print one
JSON object.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.measure import conditions, process
from tools.measure.contender import Contender, ContenderError
from tools.measure.program import BenchError

ROOT = Path(__file__).parents[2]
"""Bazel lays what it built at its place below the root, as this module: ROOT/bench/engine/worker.py."""

Sample = dict[str, int]
"""The figures of a timed run, by SAMPLE_KEYS."""

SAMPLE_KEYS = (
    "ns",
    "cpu_ns",
    "operations",
    "peak_rss_bytes",
    "rss_bytes",
    "minor_faults",
    "major_faults",
    "voluntary_switches",
    "involuntary_switches",
    "user_us",
    "system_us",
)
"""What a timed run reports and a report keeps. `operations` are those of all threads."""


class NotBuilt(BenchError):
    """A file that this program was not built with."""


def built(path: str) -> Path:
    """What Bazel built at `path` below the root."""
    found = ROOT / path
    if not found.exists():
        raise NotBuilt(f"{found} is missing: start benchmarks with `bazel run`")
    return found


def executable(name: str) -> Path:
    """The worker `name` of bench/BUILD."""
    return built(f"bench/{name}")


def library(name: str) -> Path:
    """A library of hakmem/preload/BUILD."""
    return built(f"hakmem/preload/{name}")


def preloaded(name: str, path: Path | None, config: str | None = None) -> Contender:
    """A library under the worker that calls libc's names; None: the C library itself."""
    return Contender(name, worker=executable("worker_malloc"), library=path, config=config)


def arguments(workload: str, operations: int, threads: int, seed: int) -> list[str]:
    """What a worker is told. `operations` are those of each thread."""
    return [
        f"--workload={workload}",
        f"--operations={operations}",
        f"--threads={threads}",
        f"--seed={seed}",
    ]


def environment(contender: Contender, beside: Sequence[Contender], padding: int) -> dict[str, str]:
    """The environment of a run: as long for every contender that is compared, whatever its library is called.

    `beside` are all that are compared, `contender` among them.
    """
    clean = process.clean_environment(os.environ)
    total = conditions.total_bytes([one.environment(clean) for one in beside], padding)
    return conditions.padded(contender.environment(clean), total)


def run(
    contender: Contender,
    arguments: Sequence[str],
    *,
    beside: Sequence[Contender] = (),
    padding: int = 0,
    program: Path | None = None,
    wrapper: Sequence[str] = (),
) -> dict[str, Any]:
    """Runs the contender's worker, or `program` in its place, once and returns what it reported.

    `wrapper` is a program that starts the worker in our place, with its arguments. An answer that is not of this
    contender is a ContenderError.
    """
    command = [*wrapper, str(program or contender.worker), *arguments]
    said = process.result(command, environment(contender, beside or [contender], padding))
    contender.check(said)
    return said


def sample(contender: Contender, said: Mapping[str, Any]) -> Sample:
    """What is kept of a timed run."""
    try:
        kept = {key: int(said[key]) for key in SAMPLE_KEYS}
    except (KeyError, TypeError, ValueError) as error:
        raise ContenderError(f"{contender.name}: the worker did not report {error}") from error
    if kept["operations"] < 1:
        raise ContenderError(f"{contender.name}: the worker reported no operation")
    return kept


def ns_per_op(sample: Mapping[str, int]) -> float:
    """Wall time by the operations of all threads."""
    return sample["ns"] / sample["operations"]


def cpu_ns(sample: Mapping[str, int]) -> float:
    """Processor time of all threads, in program and system, by the operations of all threads."""
    return max(sample["cpu_ns"], 1) / sample["operations"]


def config(path: Path) -> str:
    """The switches that the worker `path` says it was built with."""
    return process.start([str(path), "--config"]).strip()
