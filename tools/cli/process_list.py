# SPDX-License-Identifier: MIT
"""The processes that publish, the busiest first: for `top --list`, and to choose one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tools.measure.table import Grid
from tools.cli import figures, history, published, show
from tools.cli.history import Statistics
from tools.cli.published import Unreachable

# A process publishes twice a second, or later where it waits for a processor.
_SECONDS_MOST = 5
_PAUSE_SECONDS = 0.05

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


def activity(
    before: dict[int, Statistics], now: dict[int, Statistics], known: Mapping[int, float] = MappingProxyType({})
) -> Activity:
    """The busiest first. A process that is new has no rate yet; one that did not publish since keeps what is `known` of it."""

    def rate(pid: int, one: Statistics) -> float:
        found = figures.rates(before[pid], one) if pid in before else {}
        return found.get("allocations", known.get(pid, 0.0))

    found = [(rate(pid, one), one) for pid, one in now.items()]
    return sorted(found, key=lambda one: (-one[0], one[1]["pid"]))


def _waited_for(before: dict[int, Statistics], now: dict[int, Statistics]) -> dict[int, Statistics]:
    """The same with later readings of those that did not publish between the two, so that each has a rate."""
    found = dict(now)
    end = time.monotonic() + _SECONDS_MOST
    while time.monotonic() < end:
        same = [
            pid
            for pid, one in found.items()
            if one["clock_ms"] == before[pid]["clock_ms"] and not published.is_stopped(pid)
        ]
        if not same:
            break
        time.sleep(_PAUSE_SECONDS)
        later = read_all(same, say=lambda error: None)
        found = {pid: later.get(pid, one) for pid, one in found.items() if pid in later or pid not in same}
    return found


def by_activity(interval: float) -> Activity:
    before = read_all(published.processes())
    if not before:
        return []
    time.sleep(interval)
    return activity(before, _waited_for(before, read_all(before)))


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
