# SPDX-License-Identifier: MIT
"""hakmem trace: what is in a trace."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path
from typing import Any

from tools.measure import recording, table
from tools.measure.table import Grid
from tools.cli import show
from tools.cli.command import Command, InputError, REFUSED, add_format, existing_file, statuses


_STATUSES = statuses(
    f"0; 1 where something failed; {REFUSED} where the trace is damaged or none, or the arguments are wrong"
)

_CAPTION = (
    "A call site is the address behind the call, within its file: addr2line -e FILE ADDRESS names the line. Sizes are "
    "those that were asked for; live bytes are their sum."
)


def _configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    info = actions.add_parser(
        "info",
        help="counts, sizes, threads, duration and where blocks are made",
        description=f"What is in a trace. Of one that was cut short: what comes before the cut.\n\n{_STATUSES}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_format(info)
    info.add_argument("trace", type=existing_file, metavar="TRACE")


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
        ["program", " ".join(found["arguments"]) or found["program"]],
        ["allocator", found["allocator"] or "unknown"],
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
            f"{Path(site['module']).name or '?'}+{site['address']:#x}",
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


def _run(parsed: argparse.Namespace) -> int:
    try:
        found = recording.info(parsed.trace)
    except recording.TraceError as error:
        raise InputError(str(error)) from error
    if parsed.format == "json":
        print(json.dumps(found, indent=2))
    else:
        table.print_grids(str(parsed.trace), _grids(found), _CAPTION, sys.stdout)
    return 0


COMMAND = Command(
    name="trace",
    summary="show what is in a trace",
    description=f"What is in a trace.\n\n{_STATUSES}",
    configure=_configure,
    run=_run,
)
