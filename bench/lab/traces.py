# SPDX-License-Identifier: MIT
"""Recorded programs as workloads: trace:gcc and its like, recorded on the spot by bench/trace.

A trace is what the installed version of a program asked for on this machine, so it is made anew for each report, before
anything is measured, and gone when the report is written.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.lab.workloads import Workload
from bench.trace import programs
from tools.measure import recording

FAMILY = "traces"
_PREFIX = "trace:"


def offered() -> list[Workload]:
    """Every program that can be recorded here. What is known of its trace only once there is one is 1."""
    return [
        Workload(
            name=_PREFIX + name,
            family=FAMILY,
            description=program.description,
            source="recorded from the installed program",
            threads=1,
            unit=1,
            exact=False,
            default_operations=1,
            quick_operations=1,
            program=name,
        )
        for name, program in programs.PROGRAMS.items()
        if not program.missing()
    ]


def missing() -> list[str]:
    """A sentence for each program that cannot be recorded here."""
    return [
        f"{_PREFIX}{name} is left out: {', '.join(program.missing())} is not installed"
        for name, program in programs.PROGRAMS.items()
        if program.missing()
    ]


def recorded(workload: Workload, folder: Path) -> Workload:
    """The workload with its trace, recorded into `folder`. An operation is a call, and a run replays all of them."""
    trace = folder / f"{workload.program}.trace"
    programs.record_one(workload.program, trace)
    info = recording.info(trace)
    return replace(
        workload,
        trace=trace,
        replay=recording.built("replay"),
        threads=info["threads"],
        default_operations=info["events"],
        quick_operations=info["events"],
    )
