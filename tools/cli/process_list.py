# SPDX-License-Identifier: MIT
"""The processes that publish, the busiest first: for `top --list`, and to choose one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable

from tools.measure.table import Grid
from tools.cli import figures, history, published, show
from tools.cli.history import Statistics
from tools.cli.published import Unreachable

IMPORTANCE = ("program", "live", "allocations/s", "held", "threads")


def say_malformed(error: Unreachable) -> None:
    """One that cannot be read hides none of the others."""
    if error.status == published.MALFORMED:
        print(f"hakmem top: {error}", file=sys.stderr)


def read_all(pids: Iterable[int], say: Callable[[Unreachable], None] = say_malformed) -> dict[int, Statistics]:
    """Of those that can be read; the others may have ended meanwhile."""
    found = {}
    for pid in pids:
        try:
            found[pid] = published.read(pid)
        except Unreachable as error:
            say(error)
    return found


Activity = list[tuple[float, Statistics]]
"""Processes with their allocations a second."""


def activity(before: dict[int, Statistics], now: dict[int, Statistics]) -> Activity:
    """The busiest first; a process that is new has no rate yet."""
    found = [
        (figures.rates(before[pid], one).get("allocations", 0.0) if pid in before else 0.0, one)
        for pid, one in now.items()
    ]
    return sorted(found, key=lambda one: (-one[0], one[1]["pid"]))


def by_activity(interval: float) -> Activity:
    before = read_all(published.processes())
    if not before:
        return []
    time.sleep(interval)
    return activity(before, read_all(before))


def grid(found: Activity) -> Grid:
    lines = [
        [
            str(statistics["pid"]),
            published.program_of(statistics["pid"]),
            show.short(rate),
            show.size(history.memory_of(statistics)["live"]),
            show.size(statistics["process"]["held_bytes"]),
            show.number(statistics["process"]["threads"]),
        ]
        for rate, statistics in found
    ]
    return Grid("", ["pid", "program", "allocations/s", "live", "held", "threads"], lines, words=2)
