# SPDX-License-Identifier: MIT
"""hakmem trace: what is in a trace, as tables, for DHAT's viewer, or as a plot."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tools.measure import files, recording, table
from tools.measure.arguments import whole_number
from tools.measure.table import Grid
from tools.cli import heap_plot, show, trace_dhat, trace_time
from tools.cli.command import (
    REFUSED,
    Command,
    InputError,
    add_format,
    caller_path,
    existing_file,
    require_writable,
    statuses,
)
from tools.cli.trace_paths import Paths
from tools.cli.untrusted import printable

# Characters of a program's arguments: the recorder keeps no more.
_LINE_MOST = 4096

_STATUSES = statuses(
    f"0; 1 where something failed; {REFUSED} where the trace is damaged or none, an output cannot be written, or the arguments "
    "are wrong"
)

_PLOT = ".svg"
_DHAT = ".dhat.json"
"""What is added to a trace's name."""

_Read = TypeVar("_Read")

_CAPTION = (
    "A call site is the address behind the call, within its file: addr2line -e FILE ADDRESS names the line. Sizes are "
    "those that were asked for; live bytes are their sum."
)


def _add_action(actions: Any, name: str, summary: str, run: Callable[[argparse.Namespace], int]) -> Any:
    action = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n"
        f"Of a trace that was cut short: what comes before the cut.\n\n{_STATUSES}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.set_defaults(action=run)
    action.add_argument("trace", type=existing_file, metavar="TRACE")
    return action


def _add_output(action: Any, suffix: str) -> None:
    action.add_argument(
        "-o", "--output", type=caller_path, metavar="FILE", help=f"where to (default: TRACE{suffix}, in this folder)"
    )


def _configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_format(_add_action(actions, "info", "counts, sizes, threads, duration and where blocks are made", _info))
    time = _add_action(actions, "time", "the peak, temporary blocks and lifetimes, by path of calls", _time)
    time.add_argument(
        "--most", type=whole_number(1, 10**6), default=10, metavar="N", help="paths of a table at most (default: 10)"
    )
    time.add_argument(
        "--depth",
        type=whole_number(0, recording.FRAMES_MAX),
        metavar="N",
        help=f"callers of each call that the table shows (default: {trace_time.DEPTH}); JSON has them all",
    )
    add_format(time)
    _add_output(_add_action(actions, "plot", "the heap over time, by path of calls, as an SVG file", _plot), _PLOT)
    _add_output(
        _add_action(actions, "dhat", "all paths of calls in the format of DHAT, for valgrind's dh_view.html", _dhat),
        _DHAT,
    )


def _state(found: dict[str, Any]) -> str:
    if not found["complete"]:
        cut = f", {show.size(found['unread_bytes'])} of a cut chunk" if found["unread_bytes"] else ""
        lost = f", {show.counted(found['dropped'], 'event')} behind a gap" if found["dropped"] else ""
        return f"incomplete{cut}{lost}"
    return {"exit": "complete", "exec": "complete, up to an exec", "limit": "complete, up to the limit"}[found["end"]]


def _facts(found: dict[str, Any]) -> list[list[str]]:
    started = datetime.datetime.fromtimestamp(found["started_ns"] / 1e9).astimezone()
    each = f", {found['bytes'] / found['events']:.2f} B an event" if found["events"] else ""
    failed = found["calls"]["failed"] + found["calls"]["realloc_failed"]
    return [
        ["file", f"{show.size(found['bytes'])}{each}"],
        ["state", _state(found)],
        ["program", printable(" ".join(found["arguments"]) or found["program"], _LINE_MOST)],
        ["allocator", printable(found["allocator"]) or "unknown"],
        ["recorded", f"{started:%Y-%m-%d %H:%M:%S}, for {found['duration_ns'] / 1e9:.3f} s"],
        ["threads", show.number(found["threads"])],
        ["events", show.number(found["events"])],
        ["blocks made", f"{show.number(found['allocations'])} of {show.size(found['allocated_bytes'])} in all"],
        ["blocks freed", f"{show.number(found['frees'])}, {show.number(found['handed_over'])} by another thread"],
        ["left at the end", f"{show.number(found['left_blocks'])} of {show.size(found['left_bytes'])}"],
        [
            "most at a time",
            f"{show.counted(found['peak_live_blocks'], 'block')}, {show.size(found['peak_live_bytes'])}",
        ],
        ["failed calls", show.number(failed)],
    ]


def _grids(found: dict[str, Any]) -> list[Grid]:
    counted: dict[str, int] = found["calls"]
    calls = sorted(((name, count) for name, count in counted.items() if count), key=lambda row: -row[1])
    most = max((bucket["count"] for bucket in found["sizes"]), default=1)
    sizes = [
        [
            show.bar(bucket["count"] / most),
            show.size(bucket["from"]),
            show.size(bucket["to"]),
            show.number(bucket["count"]),
            show.size(bucket["bytes"]),
        ]
        for bucket in found["sizes"]
    ]
    sites = [
        [
            f"{printable(Path(site['module']).name) or '?'}+{site['address']:#x}",
            show.number(site["allocations"]),
            show.size(site["bytes"]),
        ]
        for site in found["top_sites"]
    ]
    return [
        Grid("Trace", ["", ""], _facts(found), words=2),
        Grid("Calls", ["call", "count"], [[name, show.number(count)] for name, count in calls], words=1),
        Grid("Sizes", ["", "from", "to", "blocks", "bytes"], sizes, words=1),
        Grid("Call sites", ["return address", "blocks", "bytes"], sites, words=1),
    ]


def _read(parsed: argparse.Namespace, read: Callable[[Path], _Read]) -> _Read:
    try:
        return read(parsed.trace)
    except recording.TraceError as error:
        raise InputError(str(error)) from error


def _show(parsed: argparse.Namespace, found: dict[str, Any], grids: list[Grid], caption: str) -> int:
    if parsed.format == "json":
        print(json.dumps(found, indent=2))
    else:
        table.print_grids(printable(str(parsed.trace), _LINE_MOST), grids, caption, sys.stdout)
    return 0


def _info(parsed: argparse.Namespace) -> int:
    found = _read(parsed, recording.info)
    return _show(parsed, found, _grids(found), _CAPTION)


def _time(parsed: argparse.Namespace) -> int:
    if parsed.format == "json" and parsed.depth is not None:
        raise InputError("--depth is of the table: --format=json has all callers of each path")
    paths = _read(parsed, Paths)
    if parsed.format == "json":
        return _show(parsed, trace_time.as_json(paths, parsed.most), [], "")
    depth = trace_time.DEPTH if parsed.depth is None else parsed.depth
    return _show(parsed, {}, trace_time.grids(paths, parsed.most, depth), trace_time.caption(paths))


def _output(parsed: argparse.Namespace, suffix: str) -> Path:
    """Where the result goes."""
    output: Path = parsed.output or caller_path(parsed.trace.name + suffix)
    require_writable(output, parsed.trace)
    return output


def _write(output: Path, text: str, what: str) -> int:
    files.write_whole(output, text)
    print(f"{output}: {what}")
    return 0


def _plot(parsed: argparse.Namespace) -> int:
    output = _output(parsed, _PLOT)
    paths = _read(parsed, Paths)
    return _write(output, heap_plot.svg(paths), f"peak {show.size(paths.peak_bytes)}")


def _dhat(parsed: argparse.Namespace) -> int:
    output = _output(parsed, _DHAT)
    paths = _read(parsed, Paths)
    return _write(output, trace_dhat.encode(paths), "to open in valgrind's dh_view.html")


def _run(parsed: argparse.Namespace) -> int:
    action: Callable[[argparse.Namespace], int] = parsed.action
    return action(parsed)


COMMAND = Command(
    name="trace",
    summary="show what is in a trace",
    description=f"What is in a trace.\n\n{_STATUSES}",
    configure=_configure,
    run=_run,
)
