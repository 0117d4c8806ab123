# SPDX-License-Identifier: MIT
"""What the paths of calls in a trace asked for and held: the replayer's answer, with names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tools.measure import recording
from tools.cli import symbols
from tools.cli.paths import Frame
from tools.cli.symbols import NOTHING, Place, Symbol
from tools.cli.untrusted import printable

_PROGRAM_MOST = 4096
_NO_SITE = 0
"""Of calls for which the recorder had no room."""

NO_PATH = Frame(0, None, Symbol("(no room for more paths)", None, None))


@dataclass(frozen=True)
class Counts:
    """Of one path, or of several; in the order of the columns in bench/trace/paths.c. Bytes are those that were asked for."""

    blocks: int
    bytes: int
    temporary: int
    """Blocks whose free was their thread's next event."""
    freed: int
    lifetimes: int
    """Sum over the freed blocks, in events."""
    left_lifetimes: int
    """Sum over the others, up to the end of the trace."""
    most_blocks: int
    most_bytes: int
    peak_blocks: int
    """When most bytes were live in all."""
    peak_bytes: int
    left_blocks: int
    left_bytes: int

    def __add__(self, other: Counts) -> Counts:
        """Of two paths that are one to the reader. `most` is then at most what they had at any time."""
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True)
class Point:
    """A moment of the heap's course."""

    event: int
    blocks: int
    bytes: int
    of: tuple[int, ...]
    """Bytes by course; the last is that of all other paths."""


@dataclass(frozen=True)
class CallPath:
    """A path of calls, innermost first."""

    site: int
    frames: tuple[Frame, ...]
    counts: Counts


class Paths:
    """All that is in a trace, by path."""

    def __init__(self, path: Path) -> None:
        self._found: dict[str, Any] = recording.paths(path)
        self.program: str = printable(self._found["program"], _PROGRAM_MOST)
        self.pid: int = self._found["pid"]
        self.complete: bool = self._found["complete"]
        self.has_callers: bool = self._found["has_callers"]
        self.events: int = self._found["events"]
        self.peak_event: int = self._found["peak_event"]
        self.peak_bytes: int = self._found["peak_bytes"]
        self.peak_blocks: int = self._found["peak_blocks"]
        self.seconds: float = self._found["duration_ns"] / 1e9
        self.ages: list[int] = self._found["ages"]
        """How many blocks were freed after fewer than 2, 4, 8, .. events."""
        self.points = [Point(event, blocks, bytes_, tuple(of)) for event, blocks, bytes_, *of in self._found["points"]]
        self.courses: list[int] = self._found["courses"]
        """Sites whose course is told by itself."""
        self._counts = {site: Counts(*values) for site, *values in self._found["paths"]}
        self._known: dict[int, tuple[Frame, ...]] = {}

    def total(self) -> Counts:
        return sum(self._counts.values(), Counts(*[0] * len(fields(Counts))))

    def all(self) -> Iterator[CallPath]:
        """With names: for many paths that takes a while."""
        yield from self.named(self._counts)

    def named(self, sites: Iterable[int]) -> list[CallPath]:
        wanted = list(sites)
        self._resolve(wanted)
        return [CallPath(site, self._frames(site), self._counts[site]) for site in wanted]

    def most(self, count: int, value: str) -> list[CallPath]:
        """The paths with most of a count, most first."""
        ordered = sorted(self._counts, key=lambda site: (-int(getattr(self._counts[site], value)), site))
        return self.named(site for site in ordered[:count] if getattr(self._counts[site], value))

    def seconds_at(self, event: int) -> float:
        """When that event was, about: known is when each chunk was written."""
        before = (0, 0.0)
        times: list[list[int]] = self._found["times"]
        for last, nanoseconds in sorted(times):
            now = (last, max(nanoseconds / 1e9, before[1]))
            if last >= event:
                share = (event - before[0]) / (last - before[0])
                return before[1] + share * (now[1] - before[1])
            before = now
        return self.seconds

    def _chain(self, site: int) -> Iterator[int]:
        while site != _NO_SITE:
            yield site
            site = self._found["sites"][site - 1][2]

    def _place(self, site: int) -> Place | None:
        module, address, _ = self._found["sites"][site - 1]
        # The trace has where calls return to.
        return Place(self._found["modules"][module - 1], address - 1) if module else None

    def _resolve(self, sites: Iterable[int]) -> None:
        places = {one: self._place(one) for site in sites for one in self._chain(site) if one not in self._known}
        known = symbols.resolve_all({place for place in places.values() if place})
        for site, place in places.items():
            address = self._found["sites"][site - 1][1] - 1
            found = known[place] if place else (NOTHING,)
            self._known[site] = tuple(Frame(address, place, symbol) for symbol in found)

    def _frames(self, site: int) -> tuple[Frame, ...]:
        return tuple(frame for one in self._chain(site) for frame in self._known[one]) or (NO_PATH,)
