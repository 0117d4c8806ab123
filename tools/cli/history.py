# SPDX-License-Identifier: MIT
"""Readings of one process, of the last minute: what grew, and how it went."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

Statistics = dict[str, Any]
"""As hakmem/observe/stats.schema.json describes them."""

Key = tuple[str, object]
"""A row: ("class", its number), ("pool", its name), ("thread", its tid), ("memory", a figure)."""

_MINUTE_MS = 60_000

# Two a second for a minute, and one on either side.
_READINGS_MOST = 122

TREND_MOST = 16
"""Readings that a trend has."""

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-=+*%#"

# A row that hardly changes is drawn flat: differences below this share of the largest are less than all the bars.
_LEAST_SHARE = 0.1


def memory_of(found: Statistics) -> dict[str, int]:
    """The figures of the process's memory, by the names that the screen has for them."""
    process = found["process"]
    return {
        "live": sum(pool["live_bytes"] for pool in found["pools"].values()),
        "held": process["held_bytes"],
        "most held": process["held_bytes_most"],
        "cached": process["magazine_bytes"],
        "free": process["slab_free_bytes"],
        "decaying": process["decaying_bytes"],
        "own": process["metadata_bytes"],
    }


def _bytes_of(found: Statistics, resident: int | None) -> dict[Key, int]:
    """What of each row grows: live bytes, of a thread what it caches."""
    values: dict[Key, int] = {("memory", name): value for name, value in memory_of(found).items()}
    if resident is not None:
        values["memory", "resident"] = resident
    values |= {("pool", name): pool["live_bytes"] for name, pool in found["pools"].items()}
    values |= {("class", one["class"]): one["live_bytes"] for one in found["classes"]}
    values |= {("thread", one["tid"]): one["magazine_bytes"] for one in found["threads"]}
    return values


@dataclass(frozen=True)
class _Reading:
    clock_ms: int
    values: dict[Key, int]


class History:
    def __init__(self, is_plain: bool = False) -> None:
        self._bars = _PLAIN_BARS if is_plain else _BARS
        self._readings: deque[_Reading] = deque(maxlen=_READINGS_MOST)
        self.before: Statistics | None = None
        self.now: Statistics | None = None
        self.resident: int | None = None

    def add(self, found: Statistics, resident: int | None) -> None:
        self.before, self.now, self.resident = self.now, found, resident
        self._readings.append(_Reading(found["clock_ms"], _bytes_of(found, resident)))
        # The one before the last minute stays: with a longer interval than that there would be no other.
        while len(self._readings) > 2 and found["clock_ms"] - self._readings[1].clock_ms >= _MINUTE_MS:
            self._readings.popleft()

    def _of(self, key: Key) -> list[tuple[int, int]]:
        """Time and value. A class that was not there had nothing; of a thread nothing is known before it is listed."""
        absent = 0 if key[0] == "class" else None
        found = ((one.clock_ms, one.values.get(key, absent)) for one in self._readings)
        return [(clock, value) for clock, value in found if value is not None]

    def growth(self, key: Key) -> float | None:
        """Bytes a minute, of the last minute or so long as it was looked at; None: it was not, or once only."""
        readings = self._of(key)
        if len(readings) < 2 or readings[-1][0] <= readings[0][0]:
            return None
        (first_ms, first), (last_ms, last) = readings[0], readings[-1]
        return (last - first) * _MINUTE_MS / (last_ms - first_ms)

    def trend(self, key: Key) -> str:
        """The last readings as bars, from the least to the most of them; "" where there are fewer than three."""
        values = [value for _, value in self._of(key)][-TREND_MOST:]
        if len(values) < 3:
            return ""
        least, most = min(values), max(values)
        span = max(most - least, most * _LEAST_SHARE, 1)
        return "".join(self._bars[int((value - least) / span * (len(self._bars) - 1))] for value in values)
