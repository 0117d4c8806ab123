# SPDX-License-Identifier: MIT
"""One run of one contender: its command, its environment, and what it said."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bench.driver import conditions, worker
from bench.driver.program import BenchError
from bench.lab import identity
from bench.lab.contenders import Contender, Group
from bench.lab.workloads import Workload

SAMPLE_KEYS = (
    "ns",
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
"""What a timed run reports and the report keeps."""


def program(workload: Workload, contender: Contender) -> list[str]:
    """The program that runs the workload, and what it must be told first."""
    if workload.is_trace:
        return [str(workload.replay)]
    return [str(contender.worker)]


def arguments(workload: Workload, operations: int, seed: int) -> list[str]:
    """What every run is told."""
    if workload.is_trace:
        return [f"--operations={operations}", f"--seed={seed}", str(workload.trace)]
    return worker.run_arguments(workload.name, operations, workload.threads, seed)


def environment(group: Group, contender: Contender, padding: int) -> dict[str, str]:
    """The environment of a run: as long for every contender of the group, whatever its library is called."""
    clean = worker.clean_environment(os.environ)
    total = conditions.total_bytes([one.environment(clean) for one in group.contenders], padding)
    return conditions.padded(contender.environment(clean), total)


def check(contender: Contender, said: dict[str, Any]) -> None:
    """A BenchError where the run was not the contender's."""
    config = said.get("config")
    if contender.config is not None and config != contender.config:
        raise BenchError(f"{contender.name} should be built with {contender.config} and says {config}")
    if contender.link == "preload":
        identity.require_same_object(said.get("allocator"), contender.library, contender.name)
    elif said.get("link") != contender.link:
        raise BenchError(f"{contender.name} should be {contender.link} and says {said.get('link')}")


def run(
    group: Group,
    contender: Contender,
    workload: Workload,
    operations: int,
    seed: int,
    *,
    padding: int = 0,
    extra: Sequence[str] = (),
    wrapper: Sequence[str] = (),
) -> dict[str, Any]:
    """Runs the workload once; `wrapper` is a program that runs it in our place."""
    command = [*program(workload, contender), *arguments(workload, operations, seed), *extra]
    said = worker.result([*wrapper, *command], environment(group, contender, padding))
    check(contender, said)
    return said


def sample(contender: Contender, said: dict[str, Any]) -> dict[str, int]:
    """What is kept of a timed run."""
    try:
        return {key: int(said[key]) for key in SAMPLE_KEYS}
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{contender.name}: the worker did not report {error}") from error
