# SPDX-License-Identifier: MIT
"""hakmem snapshot: the live blocks of a running program as a map, by slab, class, age and site."""

from __future__ import annotations

import argparse
import html
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tools.measure import files
from tools.measure.arguments import whole_number
from tools.cli import memory_map, published, samples, show
from tools.cli.command import REFUSED, Command, InputError, caller_path, process_id, require_writable, statuses
from tools.cli.memory_map import Map, Slab
from tools.cli.paths import Names

_FOLDER = Path(__file__).absolute().parent

CELLS_MOST = 20_000
"""Of the whole map: of more slabs several side by side are one."""
_SITES_MOST = 200
_CELL_SITES = 3
_CALLERS = 3
_SECONDS_MOST = 10**6


@dataclass
class Cell:
    """A slab, or several of a class side by side."""

    start: int
    slabs: int = 0
    live: int = 0
    blocks: int = 0
    held: int = 0
    """Pages that live blocks lie in."""
    alone: int = 0
    """Of these, pages that one block alone holds."""
    pages: int = 0
    old: int = 0
    """Live blocks that were there in the first look as well."""
    sites: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Sampled live blocks by record."""


@dataclass
class Site:
    blocks: int = 0
    bytes: int = 0
    slabs: int = 0
    alone: int = 0
    """Pages that one of its blocks alone holds."""


def _add(cell: Cell, slab: Slab, before: Slab | None, sites: dict[int, Site]) -> None:
    held, alone = slab.pages()
    cell.slabs += 1
    cell.live += slab.live_blocks
    cell.blocks += slab.size_class.blocks
    cell.held += held
    cell.alone += len(alone)
    cell.pages += slab.size_class.chunks * 16
    if before is not None and before.size_class == slab.size_class:
        cell.old += (slab.live & before.live).bit_count()
    for record in slab.records.values():
        cell.sites[record] += 1
        sites[record].blocks += 1
        sites[record].bytes += slab.size_class.block_size
    for record in set(slab.records.values()):
        sites[record].slabs += 1
    for place in alone:
        if place in slab.records:
            sites[slab.records[place]].alone += 1


class Snapshot:
    """What a page shows."""

    def __init__(self, found: Map, earlier: Map | None, cells_most: int = CELLS_MOST) -> None:
        before = {slab.start: slab for slab in earlier.slabs} if earlier else {}
        self.group = -(-len(found.slabs) // cells_most) or 1
        """Slabs that a cell stands for."""
        self.sites: dict[int, Site] = defaultdict(Site)
        self.classes: dict[int, list[Cell]] = defaultdict(list)
        """Cells by block size."""
        for slab in found.slabs:
            cells = self.classes[slab.size_class.block_size]
            if not cells or cells[-1].slabs == self.group:
                cells.append(Cell(slab.start))
            _add(cells[-1], slab, before.get(slab.start), self.sites)
        self.slabs = len(found.slabs)
        self.huge = found.huge
        self.blocks = sum(slab.live_blocks for slab in found.slabs) + len(found.huge)
        self.bytes = sum(slab.live_blocks * slab.size_class.block_size for slab in found.slabs)
        self.huge_bytes = sum(one.size for one in found.huge)

    def most(self) -> list[int]:
        """The records with most bytes."""
        return sorted(self.sites, key=lambda record: -self.sites[record].bytes)[:_SITES_MOST]


def _names(found: samples.Samples | None, records: list[int]) -> list[str]:
    """What stands for each record: the function, its place, and some callers."""
    if found is None:
        return []
    known = [record for record in records if record < len(found.records)]
    names = Names(found, {address for record in known for address in found.records[record].path})
    texts = []
    for record in records:
        path = names.path(found.records[record].path) if record < len(found.records) else ()
        callers = "".join(f" < {show.function(frame.name, 40)}" for frame in path[1 : 1 + _CALLERS])
        texts.append(f"{show.function(path[0].name)} ({path[0].where}){callers}" if path else "(a new path)")
    return texts


def _data(shot: Snapshot, names: list[str], seconds: int) -> str:
    """For a script element: no text of the process may end it."""
    most = shot.most() if names else []
    number = {record: place for place, record in enumerate(most)}
    classes = []
    for size, cells in sorted(shot.classes.items()):
        rows = []
        for cell in cells:
            top = sorted(((-count, number[record]) for record, count in cell.sites.items() if record in number))
            shown = [value for count, place in top[:_CELL_SITES] for value in (place, -count)]
            values = (cell.start, cell.slabs, cell.live, cell.blocks, cell.held, cell.alone, cell.pages, cell.old)
            rows.append([f"{values[0]:x}", *values[1:], *shown])
        classes.append([size, rows])
    sites = [
        [names[place], site.blocks, site.bytes, site.slabs, site.alone]
        for place, site in enumerate(shot.sites[record] for record in most)
    ]
    result = {"seconds": seconds, "group": shot.group, "classes": classes, "sites": sites}
    return json.dumps(result, separators=(",", ":")).replace("<", "\\u003c")


def page(shot: Snapshot, found: samples.Samples | None, title: str, seconds: int) -> str:
    """The file's text."""
    template = (_FOLDER / "snapshot.html").read_text(encoding="utf-8")
    total = f"{show.counted(shot.blocks, 'live block')}: {show.size(shot.bytes)} in {show.counted(shot.slabs, 'slab')}"
    caption = f"{total}, {show.size(shot.huge_bytes)} in {show.counted(len(shot.huge), 'huge block')}."
    if shot.group > 1:
        caption += f" A cell is {shot.group} slabs of a class, side by side, since there are so many."
    if seconds:
        caption += f" Old: live at the same address {show.counted(seconds, 'second')} before."
    if found is None:
        caption += " The sites are not known: HAKMEM_LEAKS=1 or HAKMEM_PROFILE=FILE at the program's start notes them."
    elif found.rate != 1:
        caption += " Sites are those of sampled blocks alone."
    values = {
        "TITLE": html.escape(title),
        "CAPTION": html.escape(caption),
        "DATA": _data(shot, _names(found, shot.most()), seconds),
        "SCRIPT": (_FOLDER / "snapshot.js").read_text(encoding="utf-8"),
    }
    before, *rest = template.split("@@")
    # Split once, so that what is put in is never looked at again.
    return before + "".join(values[part] if part in values else part for part in rest)


def _profile(pid: int) -> samples.Samples | None:
    try:
        return samples.read(pid)
    except InputError:
        return None  # it has none; the map needs none


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=caller_path, metavar="FILE", help="where to (default: hakmem.PID.snapshot.html)"
    )
    parser.add_argument(
        "--seconds",
        type=whole_number(1, _SECONDS_MOST),
        default=0,
        metavar="N",
        help="look twice, so many seconds apart, and tell blocks that were there both times from new ones",
    )
    parser.add_argument("pid", type=process_id, metavar="PID")


def summary(shot: Snapshot) -> str:
    """What the map shows, in a line."""
    blocks, slabs = show.counted(shot.blocks, "live block"), show.counted(shot.slabs, "slab")
    huge = show.counted(len(shot.huge), "huge block")
    return f"{blocks}, {show.size(shot.bytes + shot.huge_bytes)} in {slabs} and {huge}"


def _run(parsed: argparse.Namespace) -> int:
    output: Path = parsed.output or caller_path(f"hakmem.{parsed.pid}.snapshot.html")
    require_writable(output)
    earlier: Map | None = None
    if parsed.seconds:
        earlier = memory_map.read(parsed.pid)
        time.sleep(parsed.seconds)
    found = memory_map.read(parsed.pid)
    profile = _profile(parsed.pid)
    shot = Snapshot(found, earlier)
    title = f"{published.program_of(parsed.pid)} ({parsed.pid}): live blocks by slab"
    files.write_whole(output, page(shot, profile, title, parsed.seconds))
    print(f"{output}: {summary(shot)}")
    return 0


COMMAND = Command(
    name="snapshot",
    summary="draw the live blocks of a running program as a map of its slabs",
    description="Reads which blocks of a running program are live, and writes a map of them as one HTML file: by size class\n"
    "and slab, how full each is, how many of its pages one block alone holds, and, where the program was started with\n"
    "HAKMEM_LEAKS=1 or HAKMEM_PROFILE=FILE, which paths of calls made them. The program is neither stopped nor asked: blocks\n"
    "that come and go during the look may be told either way.\n\n"
    + statuses(
        f"0; 1 where something failed; {REFUSED} where there is no such process, it may not be looked into, runs without "
        "hakmem, FILE cannot be written, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
