# SPDX-License-Identifier: MIT
"""Statistics of one process as tables, with rates where there are two readings. For stat, top and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.measure.table import Grid
from tools.cli import show
from tools.cli.untrusted import printable

Statistics = dict[str, Any]
"""As hakmem/observe/stats.schema.json describes them."""

_POOLS = ("tiny", "l2", "l25", "huge")

# Of a screen, in lines and rows. Around the rows of a table: a blank line, the title, the columns' names, a rule.
_HEADING_LINES = 1
_LINES_AROUND_ROWS = 4
_ROWS_MOST = 10
_ROWS_LEAST = 4

CAPTION = (
    "live: allocated and not freed, at the size of the class. cached: free blocks in threads' magazines. free: other free "
    "blocks of slabs. held: in slabs and huge blocks; live bytes were never more than the most of it. decaying: free, and "
    "not given back to the system yet. own: hakmem's own data, at most. owned: slabs that a thread takes blocks from."
)


def heading(found: Statistics, program: str) -> str:
    exact = "exact" if found["exact"] else "estimated"
    quiet = "of one moment" if found["quiet"] else "while threads moved"
    of = f"hakmem {printable(found['library'])} ({printable(found['config'])})"
    return f"{program} ({found['pid']}), {of}; {exact}, {quiet}"


def seconds_between(before: Statistics, now: Statistics) -> float:
    return float(now["clock_ms"] - before["clock_ms"]) / 1000


def rates(before: Statistics, now: Statistics) -> dict[str, float]:
    """Per second, between two readings of one process."""
    seconds = seconds_between(before, now)
    if seconds <= 0:
        return {}

    def total(of: Statistics, field: str) -> int:
        return sum(of["pools"][pool][field] for pool in _POOLS)

    result = {field: (total(now, field) - total(before, field)) / seconds for field in ("allocations", "frees")}
    for field in ("exchanges", "remote_frees", "purged_bytes"):
        result[field] = (now["process"][field] - before["process"][field]) / seconds
    calls = ("system_maps", "system_unmaps", "system_purges", "system_remaps")
    result["system_calls"] = sum(now["process"][one] - before["process"][one] for one in calls) / seconds
    return result


def _memory(found: Statistics, resident: int | None) -> Grid:
    process = found["process"]
    live = sum(pool["live_bytes"] for pool in found["pools"].values())
    rows = [
        ("live", live),
        ("held", process["held_bytes"]),
        ("most held", process["held_bytes_most"]),
        ("cached", process["magazine_bytes"]),
        ("free", process["slab_free_bytes"]),
        ("decaying", process["decaying_bytes"]),
        ("own", process["metadata_bytes"]),
    ]
    if resident is not None:
        rows.append(("resident", resident))
    return Grid("Memory", [name for name, _ in rows], [[show.size(value) for _, value in rows]], words=0)


def _events(found: Statistics, per_second: dict[str, float], count: Shown) -> Grid:
    process = found["process"]
    counts: dict[str, int] = {
        field: sum(pool[field] for pool in found["pools"].values()) for field in ("allocations", "frees")
    }
    counts |= {field: process[field] for field in ("exchanges", "remote_frees")}
    counts["system_calls"] = sum(process[f"system_{call}"] for call in ("maps", "unmaps", "purges", "remaps"))
    lines = [["since the start", *map(count, counts.values())]]
    if per_second:
        lines.append(["a second", *(count(per_second[field]) for field in counts)])
    return Grid("Events", ["", *(name.replace("_", " ") for name in counts)], lines, words=1)


Shown = Callable[[float], str]
"""How a count is shown: show.number or show.short."""


def _delta(one: dict[str, Any], before: dict[Any, dict[str, Any]], key: Any, seconds: float, count: Shown) -> str:
    """Allocations a second. What is new had none before."""
    earlier = before[key]["allocations"] if key in before else 0
    return "" if seconds <= 0 else count((one["allocations"] - earlier) / seconds)


def _pools(found: Statistics, count: Shown) -> Grid:
    lines = [
        [
            name,
            count(pool["allocations"]),
            count(pool["live_blocks"]),
            show.size(pool["live_bytes"]),
            show.size(pool["cached_bytes"]),
            show.size(pool["free_bytes"]),
            *(count(pool[field]) for field in ("slabs_owned", "slabs_full", "slabs_partial")),
        ]
        for name, pool in found["pools"].items()
    ]
    columns = ["pool", "allocations", "live", "live bytes", "cached", "free", "owned", "full", "partial"]
    return Grid("Pools, and their slabs that are owned, full, partial", columns, lines, words=1)


def _classes(found: Statistics, before: Statistics | None, limit: int | None, count: Shown) -> Grid:
    seconds = seconds_between(before, found) if before else 0.0
    earlier = {one["class"]: one for one in before["classes"]} if before else {}
    classes = sorted(found["classes"], key=lambda one: -int(one["live_bytes"]))
    lines = [
        [
            show.size(one["block_size"]),
            one["pool"],
            _delta(one, earlier, one["class"], seconds, count),
            count(one["allocations"]),
            count(one["live_blocks"]),
            show.size(one["live_bytes"]),
            count(one["cached_blocks"]),
            count(one["slabs"]),
        ]
        for one in classes[:limit]
    ]
    title = (
        "Classes" if limit is None or len(classes) <= limit else f"Classes: {limit} of {len(classes)}, by live bytes"
    )
    columns = ["size", "pool", "allocations/s", "allocations", "live", "live bytes", "cached", "slabs"]
    return _without_empty(Grid(title, columns, lines, words=0))


def _threads(found: Statistics, before: Statistics | None, limit: int | None, count: Shown) -> Grid:
    seconds = seconds_between(before, found) if before else 0.0
    earlier = {one["tid"]: one for one in before["threads"]} if before else {}
    if before and len(earlier) < before["process"]["threads"]:
        seconds = 0.0  # one that is not listed may be new or not
    threads = sorted(found["threads"], key=lambda one: -int(one["allocations"]))
    lines = [
        [
            str(one["tid"]),
            _delta(one, earlier, one["tid"], seconds, count),
            count(one["allocations"]),
            count(one["frees"]),
            show.size(one["magazine_bytes"]),
            count(one["exchanges"]),
            count(one["remote_frees"]),
        ]
        for one in threads[:limit]
    ]
    all_threads = found["process"]["threads"]
    title = "Threads" if all_threads <= len(lines) else f"Threads: {len(lines)} of {all_threads}"
    columns = ["thread", "allocations/s", "allocations", "frees", "cached", "exchanges", "remote frees"]
    return _without_empty(Grid(title, columns, lines, words=0))


def _without_empty(grid: Grid) -> Grid:
    """Without columns in which nothing stands."""
    kept = [place for place in range(len(grid.columns)) if any(line[place] for line in grid.lines) or not grid.lines]
    lines = [[line[place] for place in kept] for line in grid.lines]
    return Grid(grid.title, [grid.columns[place] for place in kept], lines, grid.words)


def grids(found: Statistics, before: Statistics | None = None, resident: int | None = None) -> list[Grid]:
    """All tables, whole. Rates where there is an earlier reading."""
    return [
        _memory(found, resident),
        _events(found, rates(before, found) if before else {}, show.number),
        _pools(found, show.number),
        _classes(found, before, None, show.number),
        _threads(found, before, None, show.number),
    ]


def _height(grid: Grid) -> int:
    return _LINES_AROUND_ROWS + len(grid.lines)


def grids_within(lines: int, found: Statistics, before: Statistics | None, resident: int | None) -> list[Grid]:
    """The tables, with so many rows of classes and threads that all of it and the heading take `lines` at most. Where there
    is no room for that, the pools are left out, whose sums the classes have too; a row of each is always there."""
    shown = [_memory(found, resident), _events(found, rates(before, found) if before else {}, show.short)]
    room = lines - _HEADING_LINES - sum(map(_height, shown)) - 2 * _LINES_AROUND_ROWS
    pools = _pools(found, show.short)
    if room - _height(pools) >= _ROWS_LEAST:
        shown.append(pools)
        room -= _height(pools)
    threads = min(_ROWS_MOST, len(found["threads"]), max(1, room // 3))
    classes = min(_ROWS_MOST, max(1, room - threads))
    return [*shown, _classes(found, before, classes, show.short), _threads(found, before, threads, show.short)]
