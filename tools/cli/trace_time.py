# SPDX-License-Identifier: MIT
"""The time line of a trace: its peak, temporary blocks and lifetimes, by path of calls."""

from __future__ import annotations

from typing import Any

from tools.measure.table import Grid
from tools.cli import show
from tools.cli.trace_paths import CallPath, Counts, Paths

DEPTH = 3
"""Callers that are shown of each call."""

_RANKINGS = (
    ("At the peak", "peak_bytes"),
    ("Temporary", "temporary"),
    ("Left at the end", "left_bytes"),
)
"""Of each a table: what it ranks by."""


def _average(counts: Counts) -> float | None:
    """Events that a block of the path lived for, of those that were freed."""
    return counts.lifetimes / counts.freed if counts.freed else None


def _rows(path: CallPath, figures: list[str], depth: int) -> list[list[str]]:
    call, *callers = path.frames
    rows = [[show.function(call.name), call.where if call.symbol.function else "", *figures]]
    blank = [""] * len(figures)
    rows += [
        [f"  {show.function(one.name)}", one.where if one.symbol.function else "", *blank] for one in callers[:depth]
    ]
    if depth and len(callers) > depth:
        rows.append([f"  ({show.counted(len(callers) - depth, 'more caller')})", "", *blank])
    return rows


def _ranking(paths: Paths, title: str, value: str, most: int, depth: int) -> Grid:
    rows = []
    for path in paths.most(most, value):
        counts = path.counts
        lived = _average(counts)
        figures = {
            "peak_bytes": [show.number(counts.peak_blocks), show.size(counts.peak_bytes)],
            "temporary": [show.number(counts.temporary), f"{counts.temporary / counts.blocks:.0%}"],
            "left_bytes": [show.number(counts.left_blocks), show.size(counts.left_bytes)],
        }[value]
        figures.append(show.short(lived) if lived is not None else "-")
        rows += _rows(path, figures, depth)
    second = "of its blocks" if value == "temporary" else "bytes"
    return Grid(title, ["function", "where", "blocks", second, "events lived"], rows, words=2)


def _facts(paths: Paths, total: Counts) -> Grid:
    state = "complete" if paths.complete else "incomplete: up to where it was cut"
    share = f"{total.temporary / total.blocks:.1%}" if total.blocks else "0 %"
    lived = _average(total)
    rows = [
        ["state", state],
        ["events", f"{show.number(paths.events)} in {paths.seconds:.3f} s"],
        [
            "peak",
            f"{show.size(paths.peak_bytes)} in {show.counted(paths.peak_blocks, 'block')}, "
            f"at event {show.number(paths.peak_event)}, after about {paths.seconds_at(paths.peak_event):.3f} s",
        ],
        ["allocated", f"{show.size(total.bytes)} in {show.counted(total.blocks, 'block')}"],
        ["temporary", f"{show.counted(total.temporary, 'block')}, {share}: freed by their thread's next event"],
        ["lived", f"{show.short(lived)} events on average, of those that were freed" if lived is not None else "-"],
        ["left at the end", f"{show.size(total.left_bytes)} in {show.counted(total.left_blocks, 'block')}"],
    ]
    return Grid("Heap", ["", ""], rows, words=2)


def _lifetimes(paths: Paths) -> Grid:
    most = max(paths.ages, default=0)
    rows = [
        [show.bar(count / most), show.number(2**place), show.number(count)]
        for place, count in enumerate(paths.ages)
        if count
    ]
    return Grid("Lifetimes of freed blocks", ["", "events, at least", "blocks"], rows, words=1)


def grids(paths: Paths, most: int, depth: int) -> list[Grid]:
    return [
        _facts(paths, paths.total()),
        _lifetimes(paths),
        *(_ranking(paths, title, value, most, depth) for title, value in _RANKINGS),
    ]


def caption(paths: Paths) -> str:
    text = "Time is counted in events: calls of the allocator. Bytes are those that were asked for."
    return text if paths.has_callers else f"{text} The callers were not recorded: hakmem record --frames=32 does."


def as_json(paths: Paths, most: int) -> dict[str, Any]:
    def listed(value: str) -> list[dict[str, Any]]:
        return [
            {**vars(path.counts), "path": [frame.as_json() for frame in path.frames]}
            for path in paths.most(most, value)
        ]

    return {
        "program": paths.program,
        "complete": paths.complete,
        "callers": paths.has_callers,
        "events": paths.events,
        "seconds": paths.seconds,
        "peak": {
            "event": paths.peak_event,
            "seconds": paths.seconds_at(paths.peak_event),
            "bytes": paths.peak_bytes,
            "blocks": paths.peak_blocks,
        },
        "total": vars(paths.total()),
        "lifetimes": [{"events": 2**place, "blocks": count} for place, count in enumerate(paths.ages) if count],
        "points": [{"event": one.event, "blocks": one.blocks, "bytes": one.bytes} for one in paths.points],
        **{value: listed(value) for _, value in _RANKINGS},
    }
