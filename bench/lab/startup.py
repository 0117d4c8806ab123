# SPDX-License-Identifier: MIT
"""What a library costs a program that does nothing: time and pages of `true` under it by those without it.

A run is a process, from before it is made until the kernel has told how it ended. Pages are its minor faults: those
that it touched, or that were copied for it. Runs are interleaved as everywhere, and a difference is one of a round.
"""

from __future__ import annotations

import os
import select
import signal
import statistics
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from bench.engine import valgrind, worker
from bench.lab import contenders
from bench.lab.contenders import Family
from bench.lab.plan import Slot
from bench.lab.results import Results
from tools.measure import conditions, contender, paired, process, progress, rounds
from tools.measure.table import figure

PROGRAM = "true"
ROUNDS = {False: 300, True: 60}
"""Of a whole and of a quick run. A run takes a millisecond, and half of that is what the machine happens to do."""

_NS_PER_MS = 1e6


def _require_silence(program: str, environment: Mapping[str, str]) -> None:
    """A Failed where the loader has something to say: then what is measured is not the library."""
    _, said = process.said([program], environment)
    if said:
        raise process.Failed([program], f"said: {said.strip()}")


def _started(program: str, environment: Mapping[str, str], limits: process.Limits) -> tuple[int, int]:
    """One run; nanoseconds and minor faults."""
    began = time.perf_counter_ns()
    pid = os.posix_spawn(program, [program], environment)
    in_time = _waited(pid, limits)
    _, status, usage = os.wait4(pid, 0)
    took = time.perf_counter_ns() - began
    if not in_time:
        raise process.Stopped([program], f"was ended: it took more than {limits.seconds:g} s")
    if status != 0:
        raise process.Failed([program], process.ending(os.waitstatus_to_exitcode(status)))
    return took, usage.ru_minflt


def _waited(pid: int, limits: process.Limits) -> bool:
    """Returns when the process has ended, at the latest by a signal at its limit: then it is false."""
    descriptor = os.pidfd_open(pid)
    try:
        watch = select.poll()
        watch.register(descriptor, select.POLLIN)
        if watch.poll(None if limits.seconds is None else 1000 * limits.seconds):
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return False
    finally:
        os.close(descriptor)


def _environment(family: Family, name: str, padding: int) -> dict[str, str]:
    return worker.environment(family.find(name), family.contenders, padding)


def measure(results: Results) -> None:
    """Starts the program under every library; nothing where the plan has no library, or nothing to compare it with."""
    plan = results.plan
    family = plan.families.get(contenders.LIBRARIES)
    if family is None or contender.GLIBC not in family.names():
        return
    program = valgrind.tool(PROGRAM)
    names = [name for name in family.names() if not name.endswith(contenders.AGAIN)]
    slot = Slot(family.name, PROGRAM)

    for name in names:
        results.failures.attempt(slot, name, partial(_require_silence, program, _environment(family, name, 0)))
    turns = list(rounds.schedule({PROGRAM: names}, ROUNDS[plan.quick], plan.seed))
    with conditions.pinned(1):
        for turn in progress.shown("startup", turns):
            start = partial(_started, program, _environment(family, turn.key, turn.padding), plan.limits)
            found = results.failures.attempt(slot, turn.key, start)
            if found is None:
                results.startup.pop(turn.key, None)
            elif turn.counts:
                results.startup.setdefault(turn.key, {})[turn.number] = found


def _more(ours: list[int], without: list[int], seed: int) -> dict[str, float | None]:
    """The median of the rounds' differences, in ms, with its interval."""
    differences = [(one - other) / _NS_PER_MS for one, other in zip(ours, without)]
    enough = len(differences) >= paired.ROUNDS_MIN
    low, high = paired.median_interval(differences, seed) if enough else (None, None)
    return {
        "more_ms": figure(statistics.median(differences)),
        "more_ms_low": None if low is None else figure(low),
        "more_ms_high": None if high is None else figure(high),
    }


def rows(results: Results) -> list[dict[str, Any]]:
    """Of the report: raw figures, and how many more than without a library."""
    runs_of = results.startup
    whole = sorted(set.intersection(*(set(of) for of in runs_of.values()))) if contender.GLIBC in runs_of else []
    if not whole:
        return []
    columns = {
        name: {
            "ns": [runs_of[name][number][0] for number in whole],
            "minor_faults": [runs_of[name][number][1] for number in whole],
        }
        for name in results.plan.families[contenders.LIBRARIES].names()
        if name in runs_of
    }
    without = columns[contender.GLIBC]
    return [
        {"family": contenders.LIBRARIES, "contender": name, "program": PROGRAM, "rounds": whole}
        | of
        | _more(of["ns"], without["ns"], results.plan.seed)
        | {"more_faults": statistics.median(a - b for a, b in zip(of["minor_faults"], without["minor_faults"]))}
        for name, of in columns.items()
    ]
