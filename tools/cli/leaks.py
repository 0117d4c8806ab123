# SPDX-License-Identifier: MIT
"""hakmem leaks: which calls made the blocks that are live in a running program."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure import table
from tools.measure.arguments import whole_number
from tools.measure.table import Grid
from tools.cli import samples, show, symbols
from tools.cli.command import Command, REFUSED, add_format, process_id, statuses
from tools.cli.samples import Samples
from tools.cli.symbols import Place, Symbol
from tools.cli.untrusted import printable


@dataclass
class _Live:
    bytes: float = 0
    blocks: float = 0


def _gather(found: Samples) -> list[tuple[int, _Live]]:
    """By call site, most bytes first."""
    sites: defaultdict[int, _Live] = defaultdict(_Live)
    for record in found.records:
        if record.live:
            sites[record.site].bytes += record.live * record.size * record.scale
            sites[record.site].blocks += record.live * record.scale
    return sorted(sites.items(), key=lambda one: -one[1].bytes)


def _place(found: Samples, site: int) -> Place | None:
    mapping = found.mapping(site)
    return Place(mapping.path, site - mapping.base) if mapping and mapping.path.startswith("/") else None


def measure(pid: int, most: int) -> dict[str, Any]:
    found = samples.read(pid)
    live = _gather(found)
    places = {site: _place(found, site) for site, _ in live[:most]}
    known = symbols.resolve(place for place in places.values() if place)
    sites = []
    for site, those in live[:most]:
        place = places[site]
        symbol = known[place] if place else Symbol(None, None, None)
        sites.append(
            {
                "bytes": round(those.bytes),
                "blocks": round(those.blocks),
                "address": site,
                "module": place.path if place else None,
                "offset": place.offset if place else None,
                "function": symbol.function,
                "file": symbol.file,
                "line": symbol.line,
            }
        )
    return {
        "pid": pid,
        "exact": found.rate == 1 and not found.dropped,
        "rate_bytes": found.rate,
        "dropped": found.dropped,
        "bytes": round(sum(one.bytes for _, one in live)),
        "blocks": round(sum(one.blocks for _, one in live)),
        "sites": sites,
        "sites_left_out": max(0, len(live) - most),
    }


def _where(site: dict[str, Any]) -> str:
    if site["file"]:
        return f"{Path(site['file']).name}:{site['line']}"
    return f"{printable(Path(site['module']).name)}+{site['offset']:#x}" if site["module"] else f"{site['address']:#x}"


def _print(result: dict[str, Any]) -> None:
    rows = [
        [site["function"] or "?", _where(site), show.number(site["blocks"]), show.size(site["bytes"])]
        for site in result["sites"]
    ]
    exact = "exact" if result["exact"] else f"estimated from a sample every {show.size(result['rate_bytes'])}"
    title = f"live: {show.size(result['bytes'])} in {show.counted(result['blocks'], 'block')}; {exact}"
    caption = "By call site, most bytes first; blocks count at the size of their class."
    if result["sites_left_out"]:
        caption += f" Without {show.counted(result['sites_left_out'], 'site')} of fewer bytes: --most=N shows more."
    if result["dropped"]:
        caption += f" Without {show.counted(result['dropped'], 'sample')}, lost for want of memory."
    grid = Grid(title, ["function", "where", "blocks", "bytes"], rows, words=2)
    table.print_grids(f"process {result['pid']}", [grid], caption, sys.stdout)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--most",
        type=whole_number(0, 10**6),
        default=30,
        metavar="N",
        help="call sites at most (default: %(default)s)",
    )
    add_format(parser)
    parser.add_argument("pid", type=process_id, metavar="PID")


def _run(parsed: argparse.Namespace) -> int:
    result = measure(parsed.pid, parsed.most)
    if parsed.format == "json":
        print(json.dumps(result, indent=2))
    else:
        _print(result)
    return 0


COMMAND = Command(
    name="leaks",
    summary="show which calls made a running program's live blocks",
    description="Lists the blocks that are live in a running program by the call that made them, function and line\n"
    "where the program has them. The program was started with HAKMEM_LEAKS=1 (every block) or HAKMEM_PROFILE=FILE (an\n"
    "estimate), and is neither stopped nor asked.\n\n"
    + statuses(
        f"0; 1 where addr2line is missing or something else failed; {REFUSED} where there is no such process, it is another "
        "user's, runs without hakmem or without a profile, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
