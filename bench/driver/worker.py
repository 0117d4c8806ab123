# SPDX-License-Identifier: MIT
"""Starts workers: one process of bench/worker/worker.c a measurement, alone, in a clean environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.driver import conditions
from bench.driver.program import BenchError

# Variables that change an allocator, or which one is loaded: no contender gets them.
_CLEARED = re.compile(r"^(HAKMEM_|MIMALLOC_|MALLOC_|LD_|GLIBC_TUNABLES$)")

# Bazel lays the workers beside this folder.
_FOLDER = Path(__file__).parent.parent


@dataclass(frozen=True)
class Measurement:
    """What one run of a worker reported."""

    name: str
    """hakmem, mimalloc or glibc."""
    link: str
    """shared, static or inlined."""
    version: str
    config: str | None
    """hak_config_string(), None for the other contenders."""
    comparable: bool
    """Optimised, without assertions and sanitizers."""
    ns_per_op: float
    """Nanoseconds of the measured part, by operations of all threads."""
    operations: int
    peak_rss_bytes: int
    """Most that was resident at a time, warm-up included."""
    rss_bytes: int
    """Resident after the measured part."""
    minor_faults: int
    """In the measured part, of all threads."""
    major_faults: int


def executable(name: str) -> Path:
    """The worker `name` of bench/BUILD."""
    path = _FOLDER / name
    if not path.exists():
        raise BenchError(f"worker {path} is missing: start benchmarks with `bazel run`")
    return path


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that workers get: `environment` without what would change a contender."""
    return {key: value for key, value in environment.items() if not _CLEARED.match(key)}


def say_what_is_cleared(environment: Mapping[str, str]) -> None:
    """Prints, on standard error, the variables that workers do not get; nothing where there are none."""
    cleared = sorted(key for key in environment if _CLEARED.match(key))
    if cleared:
        print(f"not passed to the workers: {', '.join(cleared)}", file=sys.stderr)


def _ending(status: int) -> str:
    """How a process ended, from subprocess's return code."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def start(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Runs `command` to its end and returns its standard output. Anything but success is a BenchError.

    It gets `environment`, by default the clean one.
    """
    try:
        done = subprocess.run(
            command,
            env=clean_environment(os.environ) if environment is None else environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BenchError(f"{command[0]} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        message = done.stderr.strip() or "it printed no message"
        raise BenchError(f"{' '.join(command)} {_ending(done.returncode)}: {message}")
    return done.stdout


def run_arguments(workload: str, operations: int, threads: int, seed: int) -> list[str]:
    """A worker's arguments. `operations` are those of each thread."""
    return [
        f"--workload={workload}",
        f"--operations={operations}",
        f"--threads={threads}",
        f"--seed={seed}",
    ]


def result(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that `command` prints."""
    output = start(command, environment)
    try:
        value = json.loads(output)
    except ValueError as error:
        raise BenchError(f"{command[0]} printed what is not a result: {output!r}") from error
    if not isinstance(value, dict):
        raise BenchError(f"{command[0]} printed what is not a result: {output!r}")
    return value


def measure(path: Path, arguments: Sequence[str], padding: int = 0) -> Measurement:
    """One run of the worker `path`, its environment longer by `padding` bytes."""
    environment = clean_environment(os.environ)
    environment = conditions.padded(environment, conditions.total_bytes([environment], padding))
    line = result([str(path), *arguments], environment)
    try:
        return Measurement(
            name=line["name"],
            link=line["link"],
            version=line["version"],
            config=line["config"],
            comparable=line["comparable"],
            ns_per_op=line["ns"] / line["operations"],
            operations=line["operations"],
            peak_rss_bytes=line["peak_rss_bytes"],
            rss_bytes=line["rss_bytes"],
            minor_faults=line["minor_faults"],
            major_faults=line["major_faults"],
        )
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise BenchError(f"{path} printed what is not a result: {line}") from error


def config(path: Path) -> str:
    """The switches that the worker `path` says it was built with."""
    return start([str(path), "--config"]).strip()
