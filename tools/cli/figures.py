# SPDX-License-Identifier: MIT
"""Statistics of one process as tables, with rates where there are two readings. For stat, top and run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from tools.measure.table import Grid
from tools.cli import fitted, show
from tools.cli.history import History, Statistics, memory_of
from tools.cli.untrusted import printable

_POOLS = ("tiny", "l2", "l25", "huge")

# Of a screen, in lines and rows. Around the rows of a table: a blank line, the title, the columns' names, a rule.
_HEADING_LINES = 1
_LINES_AROUND_ROWS = 4
_LINES_FOR_TREND = 30
_ROWS_MOST = 10
_ROWS_LEAST = 4

_TEXT_WIDTH = 88
"""Characters a line of running text."""

# Bars below the figures of memory, which are not wider than that.
_NARROW_TREND = 8

CAPTION = (
    "live: allocated and not freed, at the size of the class. cached: free blocks in threads' magazines. free: other free "
    "blocks of slabs. held: in slabs and huge blocks; live bytes were never more than the most of it. decaying: free, and "
    "not given back to the system yet. own: hakmem's own data, at most. owned: slabs that a thread takes blocks from."
)

GROWTH_CAPTION = (
    "growth/min: of live bytes, of a thread what it caches, a minute, from the last minute or so long as it was looked at. "
    "trend: the same, reading after reading, from the least to the most of it."
)


def _heading_parts(found: Statistics, program: str) -> list[str]:
    """The most important first."""
    exact = "exact" if found["exact"] else "estimated"
    quiet = "of one moment" if found["quiet"] else "while threads moved"
    of = f"hakmem {printable(found['library'])} ({printable(found['config'])})"
    return [f"{program} ({found['pid']})", f"{of}; {exact}", quiet]


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


def _signed(growth: float | None) -> str:
    return "" if growth is None else ("+" if growth > 0 else "") + show.size(growth)


def _memory(history: History, with_trend: bool = True) -> Grid:
    assert history.now is not None
    values = memory_of(history.now)
    if history.resident is not None:
        values["resident"] = history.resident
    lines = [["now", *map(show.size, values.values())]]
    growth = [history.growth(("memory", name)) for name in values]
    if any(one is not None for one in growth):
        lines.append(["a minute", *map(_signed, growth)])
    trends = [history.trend(("memory", name))[-_NARROW_TREND:] for name in values]
    if with_trend and any(trends):
        lines.append(["trend", *trends])
    return Grid("Memory", ["", *values], lines, words=1)


def _events(found: Statistics, per_second: dict[str, float], count: Shown) -> Grid:
    process = found["process"]
    counts: dict[str, int] = {
        field: sum(pool[field] for pool in found["pools"].values()) for field in ("allocations", "frees")
    }
    counts |= {field: process[field] for field in ("exchanges", "remote_frees")}
    counts["system_calls"] = sum(process[f"system_{call}"] for call in ("maps", "unmaps", "purges", "remaps"))
    lines = [["so far", *map(count, counts.values())]]
    if per_second:
        lines.append(["a second", *(count(per_second[field]) for field in counts)])
    return Grid("Events", ["", *(name.replace("_", " ") for name in counts)], lines, words=1)


Shown = Callable[[float], str]
"""How a count is shown: show.number or show.short."""

Row = dict[str, Any]
"""Of a pool, class or thread: its figures, and its "growth/min", "trend" and "allocations/s"."""


@dataclass(frozen=True)
class Column:
    name: str
    field: str
    shown: Callable[[Any], str]


@dataclass(frozen=True)
class Order:
    """Of the rows of a table."""

    column: str
    is_reversed: bool = False
    """Least first; of names the last."""


_LEARNED = ("player", "rating", "matches")
"""Of classes, in builds that learn; the columns are empty, and so left out, in all others."""


def _text(value: str | int | None) -> str:
    return "" if value is None else printable(str(value))


def _columns(counts: Shown) -> dict[str, list[Column]]:
    """Of each table that has rows to sort. A new column stands in docs/statistics.md too."""

    def count(value: float | None) -> str:
        return "" if value is None else counts(value)

    trend = [Column("growth/min", "growth/min", _signed), Column("trend", "trend", str)]
    return {
        "Pools": [
            Column("pool", "pool", str),
            Column("allocations", "allocations", count),
            Column("live", "live_blocks", count),
            Column("live bytes", "live_bytes", show.size),
            *trend,
            Column("cached", "cached_bytes", show.size),
            Column("free", "free_bytes", show.size),
            *(Column(name, f"slabs_{name}", count) for name in ("owned", "full", "partial")),
        ],
        "Classes": [
            Column("size", "block_size", show.size),
            Column("pool", "pool", str),
            Column("allocations/s", "allocations/s", count),
            Column("allocations", "allocations", count),
            Column("live", "live_blocks", count),
            Column("live bytes", "live_bytes", show.size),
            *trend,
            Column("cached", "cached_blocks", count),
            Column("slabs", "slabs", count),
            *(Column(name, name, _text) for name in _LEARNED),
        ],
        "Threads": [
            Column("thread", "tid", str),
            Column("allocations/s", "allocations/s", count),
            Column("allocations", "allocations", count),
            Column("frees", "frees", count),
            Column("cached", "magazine_bytes", show.size),
            *trend,
            Column("exchanges", "exchanges", count),
            Column("remote frees", "remote_frees", count),
        ],
    }


SORTED = {
    name: [column.name for column in columns if column.name not in ("trend", *_LEARNED)]
    for name, columns in _columns(show.number).items()
    if name != "Pools"
}
"""The columns that each table can be sorted by."""

DEFAULT_ORDERS = {"Classes": Order("live bytes"), "Threads": Order("allocations")}

IMPORTANCE = {
    "Memory": ("live", "resident", "held", "free", "cached", "decaying", "own", "most held"),
    "Events": ("allocations", "frees", "system calls", "remote frees", "exchanges"),
    "Pools": ("live bytes", "growth/min", "live", "allocations", "trend", "free", "cached", "partial", "full", "owned"),
    "Classes": (
        "live bytes",
        "growth/min",
        "allocations/s",
        "live",
        "trend",
        "allocations",
        "pool",
        "slabs",
        "cached",
        *_LEARNED,
    ),
    "Threads": ("allocations/s", "cached", "trend", "allocations", "frees", "remote frees", "exchanges", "growth/min"),
}
"""Columns that stay where there is no room for all, the most important first. The first of a table always does."""


def _rows(history: History, kind: str, found: list[dict[str, Any]], key: str, has_rates: bool) -> list[Row]:
    earlier: dict[Any, dict[str, Any]] = {}
    seconds = 0.0
    if history.before is not None and history.now is not None and has_rates:
        listed = {"class": "classes", "thread": "threads"}[kind]
        earlier = {one[key]: one for one in history.before[listed]}
        seconds = seconds_between(history.before, history.now)

    def rate(one: dict[str, Any]) -> float | None:
        """What is new had none before."""
        before = earlier.get(one[key], {"allocations": 0})
        return None if seconds <= 0 else (one["allocations"] - before["allocations"]) / seconds

    return [
        {
            **dict.fromkeys(_LEARNED),
            **one,
            "allocations/s": rate(one),
            "growth/min": history.growth((kind, one[key])),
            "trend": history.trend((kind, one[key])),
        }
        for one in found
    ]


def _sorted(rows: list[Row], columns: list[Column], order: Order) -> list[Row]:
    field = next(column.field for column in columns if column.name == order.column)
    known = [row for row in rows if row[field] is not None]
    is_text = any(isinstance(row[field], str) for row in known)
    # The most first, but names from A on; of equal ones the order stays.
    known.sort(key=itemgetter(field), reverse=order.is_reversed if is_text else not order.is_reversed)
    return known + [row for row in rows if row[field] is None]


def _drawn(name: str, rows: list[Row], count: Shown, title: str) -> Grid:
    columns = _columns(count)[name]
    lines = [[column.shown(row[column.field]) for column in columns] for row in rows]
    return _without_empty(Grid(title, [column.name for column in columns], lines, words=1 if name == "Pools" else 0))


def _pools(history: History, count: Shown) -> Grid:
    assert history.now is not None
    found = [{**pool, "pool": name} for name, pool in history.now["pools"].items()]
    return _drawn(
        "Pools",
        _rows(history, "pool", found, "pool", False),
        count,
        "Pools, and their slabs that are owned, full, partial",
    )


def _listed(history: History, name: str, orders: dict[str, Order], limit: int | None, count: Shown) -> Grid:
    """Classes or threads, sorted."""
    now, before = history.now, history.before
    assert now is not None
    order = orders[name]
    if name == "Classes":
        found, total = now["classes"], len(now["classes"])
        rows = _rows(history, "class", found, "class", True)
    else:
        found, total = now["threads"], now["process"]["threads"]
        # One that was not listed may be new or not.
        is_whole = before is not None and len(before["threads"]) >= before["process"]["threads"]
        rows = _rows(history, "thread", found, "tid", is_whole)
    rows = _sorted(rows, _columns(count)[name], order)[:limit]
    title = name if total <= len(rows) else f"{name}: {len(rows)} of {total}"
    if total > len(rows) or order != DEFAULT_ORDERS[name]:
        title += f", by {order.column}{', reversed' if order.is_reversed else ''}"
    return _drawn(name, rows, count, title)


def _without_empty(grid: Grid) -> Grid:
    """Without columns in which nothing stands."""
    kept = [place for place in range(len(grid.columns)) if any(line[place] for line in grid.lines) or not grid.lines]
    lines = [[line[place] for place in kept] for line in grid.lines]
    return Grid(grid.title, [grid.columns[place] for place in kept], lines, grid.words)


def history_of(found: Statistics, before: Statistics | None = None, resident: int | None = None) -> History:
    """Of two readings, or of one."""
    history = History()
    for one in (before, found):
        if one is not None:
            history.add(one, resident)
    return history


def grids(history: History) -> list[Grid]:
    """All tables, whole. Rates and growth where there is an earlier reading."""
    assert history.now is not None
    per_second = rates(history.before, history.now) if history.before else {}
    return [
        _memory(history),
        _events(history.now, per_second, show.number),
        _pools(history, show.number),
        _listed(history, "Classes", DEFAULT_ORDERS, None, show.number),
        _listed(history, "Threads", DEFAULT_ORDERS, None, show.number),
    ]


def importance_of(grid: Grid, orders: dict[str, Order]) -> tuple[str, ...]:
    """Of its columns; the one that it is sorted by stays."""
    name = re.split("[,:]", grid.title)[0]
    return (*((orders[name].column,) if name in orders else ()), *IMPORTANCE[name])


def screen(
    width: int, lines: int, history: History, program: str, orders: dict[str, Order] = DEFAULT_ORDERS
) -> list[str]:
    """Heading and tables within so many columns; within so many lines where there is room for one row of each table."""
    return _drawn_lines(width, history, program, grids_within(lines, history, orders), orders)


def whole(width: int, history: History, program: str) -> list[str]:
    """Heading, all tables with all their rows, and what their words mean, within so many columns."""
    lines = _drawn_lines(width, history, program, grids(history), DEFAULT_ORDERS)
    return [*lines, "", *textwrap.wrap(CAPTION, min(width, _TEXT_WIDTH))]


def _drawn_lines(width: int, history: History, program: str, shown: list[Grid], orders: dict[str, Order]) -> list[str]:
    assert history.now is not None
    number = f" ({history.now['pid']})"
    name = fitted.cut(program, max(1, width - len(number)))
    head = fitted.joined(_heading_parts(history.now, name), width, ", ")
    return [head, *(line for grid in shown for line in fitted.lines(grid, width, importance_of(grid, orders)))]


def _height(grid: Grid) -> int:
    return _LINES_AROUND_ROWS + len(grid.lines)


def grids_within(lines: int, history: History, orders: dict[str, Order] = DEFAULT_ORDERS) -> list[Grid]:
    """The tables, with so many rows of classes and threads that all of it and the heading take `lines` at most. Where there
    is no room for that, the pools are left out, whose sums the classes have too; a row of each is always there."""
    assert history.now is not None
    per_second = rates(history.before, history.now) if history.before else {}
    shown = [_memory(history, lines >= _LINES_FOR_TREND), _events(history.now, per_second, show.short)]
    room = lines - _HEADING_LINES - sum(map(_height, shown)) - 2 * _LINES_AROUND_ROWS
    pools = _pools(history, show.short)
    if room - _height(pools) >= _ROWS_LEAST:
        shown.append(pools)
        room -= _height(pools)
    threads = min(_ROWS_MOST, len(history.now["threads"]), max(1, room // 3))
    classes = min(_ROWS_MOST, max(1, room - threads))
    limits = {"Classes": classes, "Threads": threads}
    return shown + [_listed(history, name, orders, limit, show.short) for name, limit in limits.items()]
