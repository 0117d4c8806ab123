# SPDX-License-Identifier: MIT
"""hakmem leaks: which calls made the blocks that are live in a running program, and on which paths they were reached."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tools.measure import table
from tools.measure.arguments import whole_number
from tools.measure.table import Grid
from tools.cli import groups, leak_groups, lost, saved, show, switching
from tools.cli.command import (
    REFUSED,
    Command,
    InputError,
    add_format,
    add_seconds,
    existing_file,
    process_or_file,
    statuses,
)
from tools.cli.live import Known, Live, known_of, live_of
from tools.cli.paths import FURTHER, Frame, Names, say_what_has_no_names
from tools.cli.samples import End, Record, Samples
from tools.cli.untrusted import printable

_DEPTH = 8
_DEPTH_MOST = 10**6

# The outermost functions of every path, which tell nothing.
_STARTS = ("_start", "__libc_start_main", "__libc_start_main_impl", "__libc_start_call_main", "clone", "clone3")


@dataclass(frozen=True)
class Site:
    """A call, or a path of calls, with what is live of it."""

    live: Live
    path: tuple[Frame, ...]
    """Innermost first."""
    end: End = End.WHOLE

    def as_json(self, depth: int, known: Known) -> dict[str, Any]:
        call, *callers = self.path
        return {
            **self.live.as_json(known),
            **call.as_json(),
            "callers": [one.as_json() for one in callers[:depth]],
            "callers_left_out": max(0, len(callers) - depth),
            "cut": self.end is End.CUT,
            "open": self.end is End.OPEN,
        }


@dataclass(frozen=True)
class _Leaks:
    found: Samples
    live: Live
    """All of it."""
    sites: list[Site]
    """Most bytes first."""
    left_out: int
    since: str | None = None
    """The name of the profile that this is the growth from."""
    known: Known = Known()
    groups: list[leak_groups.Group] | None = None
    """In place of the sites, where they were asked for."""

    @property
    def is_exact(self) -> bool:
        return self.found.is_exact


_Path = tuple[tuple[int, ...], End]
"""Addresses, innermost first, and how they end."""


def _path_of(record: Record, depth: int | None) -> _Path:
    """Callers beyond the depth tell no paths apart; None: all do."""
    if depth is None or len(record.callers) <= depth:
        return record.path, record.end
    return record.path[: 1 + depth], End.WHOLE


def _gather(found: Samples, depth: int | None) -> list[tuple[_Path, Live]]:
    """By path, most lost bytes first, then most bytes."""
    sites: defaultdict[_Path, Live] = defaultdict(Live)
    for record in found.records:
        if record.live:
            sites[_path_of(record, depth)].add(live_of(record))
    some = {path: live for path, live in sites.items() if live.bytes > 0}
    return sorted(some.items(), key=lambda one: (-one[1].lost_bytes, -one[1].bytes))


def look(what: int | Path, seconds: int = 0) -> Samples:
    """Of a process as it is now, or as a file has it."""
    return saved.read(what) if isinstance(what, Path) else switching.look(what, seconds)


def _named_paths(found: Samples, depth: int | None) -> Iterator[tuple[Site, tuple[tuple[str, str], ...]]]:
    """Each site, and what tells its path apart in every process: addresses are others in each."""
    gathered = _gather(found, depth)
    names = Names(found, {address for (path, _), _ in gathered for address in path})
    shown = None if depth is None else 1 + depth
    for (path, end), live in gathered:
        frames = names.path(path)[:shown]
        yield Site(live, frames, end), tuple((frame.name, frame.where) for frame in frames)


def measure_since(found: Samples, base: Path, most: int, depth: int | None) -> _Leaks:
    """What of it came after a profile was saved, by path."""
    before: defaultdict[tuple[tuple[str, str], ...], Live] = defaultdict(Live)
    for site, key in _named_paths(saved.read(base), depth):
        before[key].bytes += site.live.bytes
        before[key].blocks += site.live.blocks
    sums: dict[tuple[tuple[str, str], ...], Site] = {}
    for site, key in _named_paths(saved.as_saved(found), depth):
        sum_ = sums.setdefault(key, Site(Live(-before[key].bytes, -before[key].blocks), site.path, site.end))
        sum_.live.bytes += site.live.bytes
        sum_.live.blocks += site.live.blocks
    # Sums of the same numbers in another order differ by less.
    grown = sorted((one for one in sums.values() if one.live.bytes >= 1), key=lambda one: -one.live.bytes)
    whole = Live(sum(one.live.bytes for one in grown), sum(one.live.blocks for one in grown))
    return _Leaks(found, whole, grown[:most], max(0, len(grown) - most), printable(base.name))


def measure(found: Samples, most: int, depth: int | None, knows_lost: bool = False) -> _Leaks:
    gathered = _gather(found, depth)
    whole = Live()
    for _, one in gathered:
        whole.add(one)
    names = Names(found, {address for (path, _), _ in gathered[:most] for address in path})
    shown = None if depth is None else 1 + depth
    return _Leaks(
        found,
        whole,
        [Site(live, names.path(path)[:shown], end) for (path, end), live in gathered[:most]],
        max(0, len(gathered) - most),
        known=known_of(found, knows_lost),
    )


def measure_by(found: Samples, by: str, most: int, knows_lost: bool) -> _Leaks:
    """By size or by thread."""
    gathered = leak_groups.gather(found, groups.Groups(found, by))
    whole = Live()
    for one in gathered:
        whole.add(one.live)
    left_out = max(0, len(gathered) - most)
    return _Leaks(found, whole, [], left_out, known=known_of(found, knows_lost), groups=gathered[:most])


def _rows_as_json(leaks: _Leaks, depth: int, by: str | None) -> dict[str, Any]:
    if by is None or leaks.groups is None:
        return {"sites": [one.as_json(depth, leaks.known) for one in leaks.sites]}
    return {"by": by, "groups": [one.as_json(by, leaks.known) for one in leaks.groups]}


def _as_json(leaks: _Leaks, depth: int, by: str | None) -> dict[str, Any]:
    return {
        "pid": leaks.found.pid or None,
        "since": leaks.since,
        "exact": leaks.is_exact,
        "seconds": leaks.found.seconds,
        "rate_bytes": leaks.found.rate,
        "dropped": leaks.found.dropped,
        "shortened": leaks.found.shortened,
        "lost": None,
        **leaks.live.as_json(leaks.known),
        **_rows_as_json(leaks, depth, by),
        ("sites_left_out" if by is None else "groups_left_out"): leaks.left_out,
    }


def _named(frame: Frame) -> tuple[str, str]:
    return show.function(frame.symbol.function or "?"), frame.where


def _groups(callers: list[Frame]) -> list[tuple[str, str, int]]:
    """A row each: name, place, and how many callers it stands for. A function that calls itself is one, and so is what follows
    each other of the compiler's library."""
    groups = []
    end = len(callers)
    while end > 0 and callers[end - 1].symbol.function in _STARTS:
        end -= 1
    for (is_library, named), same in groupby(
        callers[:end], lambda one: (one.is_library, None if one.is_library else _named(one))
    ):
        frames = list(same)
        name, where = named or _named(frames[0])
        if len(frames) > 1:
            name, where = (
                (f"({len(frames)} of the library)", "") if is_library else (f"{name} ({len(frames)} times)", where)
            )
        groups.append((name, where, len(frames)))
    return groups


def lines(site: Site, depth: int, known: Known = Known()) -> Iterator[list[str]]:
    """Rows of the table: the call, and as many of its callers."""
    call, *callers = site.path
    numbers = site.live.cells(known)
    empty = [""] * len(numbers)
    yield [*_named(call), *numbers]
    groups = _groups(callers)
    for name, where, _ in groups[:depth]:
        yield [f"  {name}", where, *empty]
    left_out = sum(count for _, _, count in groups[depth:])
    if depth > 0 and left_out:
        yield [f"  ({show.counted(left_out, 'more caller')})", "", *empty]
    for frame in FURTHER[site.end]:
        yield [f"  {frame.name}", "", *empty]


def _caption(leaks: _Leaks, by: str | None) -> str:
    first = "most lost bytes first" if leaks.known.lost else "most bytes first"
    if by is None:
        caption = f"By call, {first}, its callers below it; blocks count at the size of their class."
    else:
        caption = f"{first.capitalize()}; most by: the function that made most of it."
        caption += groups.Groups(leaks.found, by).caption
    if leaks.known.asked:
        caption += " Asked for: as the program called; of blocks that differ, by the mean of all that a path made of the class."
    if leaks.known.lost:
        caption += " lost: to which no pointer leads; through others: but from lost blocks."
    if leaks.found.seconds or leaks.since:
        caption += " Without what did not grow."
    if any(frame.is_library for site in leaks.sites for frame in site.path):
        caption += " The library: what comes with the compiler, headers and sources."
    if leaks.left_out:
        left_out = show.counted(leaks.left_out, "site" if by is None else "row")
        caption += f" Without {left_out} of fewer bytes: --most=N shows more."
    if leaks.found.dropped:
        caption += f" Without {show.counted(leaks.found.dropped, 'sample')}, lost for want of memory."
    if leaks.found.shortened:
        caption += f" Of {show.counted(leaks.found.shortened, 'sample')} the callers are not known, for want of room."
    return caption + leaks.found.switched.note


def _print(leaks: _Leaks, depth: int, name: str, by: str | None) -> None:
    exact = show.exactness(leaks.is_exact, leaks.found.rate)
    what = f"growth in {show.counted(leaks.found.seconds, 'second')}" if leaks.found.seconds else "live"
    what = f"growth since {leaks.since}" if leaks.since else what
    title = f"{what}: {show.size(leaks.live.bytes)} in {show.counted(leaks.live.blocks, 'block')}; {exact}"
    if leaks.known.lost:
        blocks = leaks.live.lost_directly + leaks.live.lost_through_others
        title += f"; lost: {show.size(leaks.live.lost_bytes)} in {show.counted(round(blocks), 'block')}"
    rows = [line for site in leaks.sites for line in lines(site, depth, leaks.known)]
    grid = Grid(title, ["function", "where", *leaks.known.head], rows, words=2)
    if by is not None and leaks.groups is not None:
        grid = leak_groups.grid(leaks.groups, by, title, leaks.known)
    table.print_grids(name, [grid], _caption(leaks, by), sys.stdout)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--most",
        type=whole_number(0, 10**6),
        default=30,
        metavar="N",
        help="paths at most (default: %(default)s)",
    )
    parser.add_argument(
        "--depth",
        type=whole_number(0, _DEPTH_MOST),
        metavar="N",
        help="callers of each call that are shown, and that tell paths apart; 0: the call alone "
        f"(default: {_DEPTH} are shown, all tell apart)",
    )
    parser.add_argument(
        "--lost",
        action="store_true",
        help="ask the program which of its blocks no pointer leads to any more; it looks in a copy of itself, and was started "
        "with HAKMEM_PUBLISH=1 as well",
    )
    parser.add_argument(
        "--since",
        type=existing_file,
        metavar="FILE",
        help="show what came after this profile was written, by path: `hakmem profile PID -o FILE` writes one",
    )
    groups.add(parser, "in place of the paths show a row for")
    add_seconds(parser)
    add_format(parser)
    parser.add_argument(
        "what",
        type=process_or_file,
        metavar="PID|FILE",
        help="a running program, or a profile for pprof that was written before",
    )


def _run(parsed: argparse.Namespace) -> int:
    if parsed.seconds and (parsed.since or isinstance(parsed.what, Path)):
        raise InputError("--seconds looks twice at a running program: neither --since nor a FILE goes with it")
    if parsed.lost and (parsed.seconds or parsed.since or isinstance(parsed.what, Path)):
        raise InputError("--lost is of a running program as it is now: no --seconds, --since or FILE goes with it")
    if parsed.by and (parsed.since or parsed.depth is not None):
        raise InputError(
            "--by has rows of sizes or threads in place of paths: neither --since nor --depth goes with it"
        )
    found = lost.look(parsed.what) if parsed.lost else look(parsed.what, parsed.seconds)
    if parsed.since:
        leaks = measure_since(found, parsed.since, parsed.most, parsed.depth)
    elif parsed.by:
        leaks = measure_by(found, parsed.by, parsed.most, parsed.lost)
    else:
        leaks = measure(found, parsed.most, parsed.depth, parsed.lost)
    depth = _DEPTH if parsed.depth is None else parsed.depth
    say_what_has_no_names(leaks.found, "leaks")
    if parsed.format == "json":
        print(json.dumps(_as_json(leaks, depth, parsed.by), indent=2))
    else:
        name = printable(parsed.what.name) if isinstance(parsed.what, Path) else f"process {parsed.what}"
        _print(leaks, depth, name, parsed.by)
    return 0


COMMAND = Command(
    name="leaks",
    summary="show which calls made a running program's live blocks",
    description="Lists the blocks that are live in a running program by the call that made them and its callers, function\n"
    "and line where the program has them. The program was started with HAKMEM_LEAKS=1 (every block) or\n"
    "HAKMEM_PROFILE=FILE (an estimate), or its profile was switched on since (hakmem profile --on). It is neither\n"
    "stopped nor asked, but for --lost. A profile that was written before can be listed as well.\n\n"
    + statuses(
        f"0; 1 where addr2line is missing or something else failed; {REFUSED} where there is no such process or "
        "profile, it is another user's, cannot be asked, runs without hakmem or without a profile, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
