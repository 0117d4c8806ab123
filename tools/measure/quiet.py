# SPDX-License-Identifier: MIT
"""How much of the machine others use while something is measured, and the wait for them to stop.

What others take is what the processors were busy with (/proc/stat) but for what this process and its children, those
that have ended, were. What the hypervisor takes is the kernel's `steal`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.measure.program import BenchError

QUIET = 0.05
"""Share of all processors that others may use where a machine is called quiet: its own services and a look at it."""

_STAT = Path("/proc/stat")

# Columns of the line "cpu" (proc(5)): those in which a processor does nothing, and what a hypervisor takes.
_IDLE, _STEAL, _COLUMNS = (3, 4), 7, 8

# The kernel counts in hundredths of a second: this many are told apart from none.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Look:
    """The counters at a moment, in seconds of all processors."""

    total: float
    busy: float
    steal: float
    own: float


@dataclass(frozen=True)
class Load:
    """Between two looks, as shares of all processors."""

    others: float
    steal: float


def look(stat: Path = _STAT) -> Look:
    ticks = os.sysconf("SC_CLK_TCK")
    found = [int(word) / ticks for word in stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1 : 1 + _COLUMNS]]
    idle = sum(found[column] for column in _IDLE)
    own = os.times()
    return Look(
        total=sum(found),
        busy=sum(found) - idle - found[_STEAL],
        steal=found[_STEAL],
        own=own.user + own.system + own.children_user + own.children_system,
    )


def between(before: Look, after: Look) -> Load:
    """Nothing where no tick went by."""
    total = after.total - before.total
    if total <= 0:
        return Load(0.0, 0.0)
    others = after.busy - before.busy - (after.own - before.own)
    return Load(*(min(1.0, max(0.0, one / total)) for one in (others, after.steal - before.steal)))


def _look_twice() -> Load:
    before = look()
    time.sleep(_LOOK_SECONDS)
    return between(before, look())


def require(
    seconds: float, load: Callable[[], Load] = _look_twice, clock: Callable[[], float] = time.monotonic
) -> None:
    """Returns when others leave the machine alone; a BenchError where they do not within `seconds`."""
    end = clock() + seconds
    while (now := load()).others + now.steal > QUIET:
        if clock() >= end:
            raise BenchError(
                f"the machine is not quiet: others take {now.others:.0%} of its processors and its hypervisor "
                f"{now.steal:.0%}, {QUIET:.0%} are allowed"
            )
