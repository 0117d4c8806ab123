# SPDX-License-Identifier: MIT
"""hakmem replay: makes a recorded program's calls again, with one allocator after the other."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.measure import conditions, paired, peers, process, recording, rounds, table
from tools.measure.arguments import whole_number
from tools.measure.contender import Contender, GLIBC
from tools.measure.paired import ROUNDS_MIN, Ratio
from tools.measure.table import Grid
from tools.cli import parts, show
from tools.cli.command import Command, InputError, REFUSED, add_format, existing_file, statuses
from tools.cli.untrusted import printable

HAKMEM = "hakmem"

TOUCHES = ("pages", "edges", "none")

_ROUNDS_MAX = 10_000


@dataclass(frozen=True)
class Row:
    """What came out for one contender."""

    name: str
    library: str
    version: str
    config: str | None
    ns_per_op: float
    """Median over the rounds."""
    ratio: float
    """Of its time to the first contender's of the same round: below 1 is faster."""
    ci95_low: float | None
    """None: too few rounds for an interval."""
    ci95_high: float | None
    peak_rss_bytes: int
    minor_faults: int


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lib",
        dest="libraries",
        action="append",
        default=[],
        type=existing_file,
        metavar="PATH",
        help="replay with this library preloaded; may be given more than once",
    )
    parser.add_argument(
        "--peer",
        dest="peers",
        action="append",
        default=[],
        choices=[HAKMEM, *peers.PEERS],
        help="replay with this allocator; may be given more than once (default: hakmem and glibc, where no --lib is)",
    )
    parser.add_argument(
        "--rounds",
        type=whole_number(1, _ROUNDS_MAX),
        default=ROUNDS_MIN,
        metavar="N",
        help=f"rounds in which each runs once (default: %(default)s; fewer than {ROUNDS_MIN} give no interval)",
    )
    parser.add_argument(
        "--touch",
        choices=TOUCHES,
        default=TOUCHES[0],
        help="what is written of each block: one byte a page, first and last byte, nothing (default: %(default)s)",
    )
    parser.add_argument("--incomplete", action="store_true", help="replay a trace that was cut short, up to the cut")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), default=1, metavar="N", help="of the order within rounds"
    )
    add_format(parser)
    parser.add_argument("trace", type=existing_file, metavar="TRACE")


def contenders(parsed: argparse.Namespace) -> list[Contender]:
    """Those that the arguments name: libraries first, each in the order given."""
    found = [Contender(path.name, library=path.absolute()) for path in parsed.libraries]
    for name in parsed.peers or ([] if found else [HAKMEM, GLIBC]):
        library = parts.library(parts.PLAIN) if name == HAKMEM else None if name == GLIBC else peers.library(name)
        found.append(Contender(name, library=library))
    twice = [one.name for place, one in enumerate(found) if one.name in [other.name for other in found[:place]]]
    if twice:
        raise InputError(
            f"two contenders with the name {twice[0]}: each is named once, and libraries are told apart by their files' names"
        )
    if any(set(str(one.library or "")) & set(" :") for one in found):
        raise InputError("the loader takes no path with a colon or blank")
    return found


def _one(contender: Contender, arguments: list[str]) -> dict[str, Any]:
    command = [str(recording.built("replay")), *arguments]
    said = process.result(command, contender.environment(process.clean_environment(os.environ)))
    contender.check(said)
    return said


def _row(contender: Contender, runs: list[dict[str, Any]], first: list[dict[str, Any]], seed: int) -> Row:
    def times(of: list[dict[str, Any]]) -> list[float]:
        return [run["ns"] / run["operations"] for run in of]

    low = high = None
    if len(runs) >= ROUNDS_MIN:
        ratio = paired.ratio(times(runs), times(first), seed)
        estimate, low, high = ratio.estimate, ratio.low, ratio.high
    else:
        estimate = statistics.median(mine / other for mine, other in zip(times(runs), times(first)))
    return Row(
        name=contender.name,
        library=runs[0]["allocator"],
        version=runs[0]["version"],
        config=runs[0]["config"],
        ns_per_op=statistics.median(times(runs)),
        ratio=estimate,
        ci95_low=low,
        ci95_high=high,
        peak_rss_bytes=paired.median_count([run["peak_rss_bytes"] for run in runs]),
        minor_faults=paired.median_count([run["minor_faults"] for run in runs]),
    )


def measure(parsed: argparse.Namespace) -> dict[str, Any]:
    """Checks every contender's blocks once, then times all in interleaved rounds."""
    chosen = {one.name: one for one in contenders(parsed)}
    arguments = [f"--touch={parsed.touch}", f"--seed={parsed.seed}", str(parsed.trace)]
    if parsed.incomplete:
        arguments.insert(0, "--incomplete")
    try:
        found = recording.info(parsed.trace)
        # Says what is wrong with the trace, if anything, before any allocator is measured.
        recording.ask("--operations=1", *arguments)
    except recording.TraceError as error:
        raise InputError(str(error)) from error
    if found["allocations"] == 0:
        raise InputError(f"{parsed.trace}: the program made no block: there is nothing to replay")
    if parsed.rounds >= ROUNDS_MIN:
        import numpy  # noqa: F401  # slow to load; where it is missing that is said now, not after all rounds
    for contender in chosen.values():
        _one(contender, ["--verify", *arguments])

    def run(turn: rounds.Turn[str, str]) -> dict[str, Any]:
        return _one(chosen[turn.key], arguments)

    with conditions.pinned(found["threads"]):
        runs = rounds.run("hakmem replay", {"trace": list(chosen)}, parsed.rounds, parsed.seed, run)["trace"]
    first = runs[next(iter(chosen))]
    return {
        "trace": str(parsed.trace),
        "program": (found["arguments"] or [found["program"]])[0],
        "threads": first[0]["threads"],
        "operations": first[0]["operations"],
        "touch": parsed.touch,
        "rounds": parsed.rounds,
        "peak_live_bytes": first[0]["peak_live_bytes"],
        "contenders": [asdict(_row(one, runs[name], first, parsed.seed)) for name, one in chosen.items()],
    }


_CAPTION = (
    "ns/call is wall time by the calls of all threads and holds the replayer's own loop. A ratio is the contender's "
    "time by that of the first one in the same round: below 1 is faster. peak RSS: most resident memory of the "
    "process, without the replayer's own. faults: minor page faults while it ran."
)


def _print_table(result: dict[str, Any]) -> None:
    rows = [
        [
            row["name"],
            f"{row['ns_per_op']:.1f}",
            f"{row['ratio']:.3f}",
            "" if row["ci95_low"] is None else table.interval(Ratio(row["ratio"], row["ci95_low"], row["ci95_high"])),
            show.size(row["peak_rss_bytes"]),
            show.number(row["minor_faults"]),
        ]
        for row in result["contenders"]
    ]
    title = (
        f"{show.counted(result['operations'], 'call')}, {show.counted(result['threads'], 'thread')}, "
        f"at most {show.size(result['peak_live_bytes'])} live"
    )
    columns = ["allocator", "ns/call", f"by {rows[0][0]}", "95 % interval", "peak RSS", "faults"]
    heading = f"{printable(Path(result['program']).name)}, {show.counted(result['rounds'], 'round')}"
    table.print_grids(heading, [Grid(title, columns, rows, words=1)], _CAPTION, sys.stdout)


def _run(parsed: argparse.Namespace) -> int:
    result = measure(parsed)
    if parsed.format == "json":
        print(json.dumps(result, indent=2, allow_nan=False))
    else:
        _print_table(result)
    return 0


COMMAND = Command(
    name="replay",
    summary="make a recorded program's calls again, and compare allocators",
    description="Replays TRACE with each allocator in a process of its own, in interleaved rounds, after a run with\n"
    "all blocks checked.\n\n"
    + statuses(
        f"0; 1 where an allocator or something else failed; {REFUSED} where the trace is damaged, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
