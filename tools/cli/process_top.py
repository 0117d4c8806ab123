# SPDX-License-Identifier: MIT
"""hakmem top: the statistics of a running process, as they change."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tools.measure import table
from tools.measure.arguments import whole_number
from tools.cli import figures, published, show
from tools.cli.command import Command, InputError, REFUSED, add_format, process_id, statuses
from tools.cli.figures import Statistics
from tools.cli.published import Unreachable

_SECONDS_MAX = 3600
_COUNT_MAX = 10**9

# Of a pipe, which has no last line.
_ENDLESS = 1000


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 <= value <= _SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds from 0.5 to {_SECONDS_MAX}")
    return value


def _configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="between two readings (default: %(default)s)"
    )
    parser.add_argument(
        "--count",
        type=whole_number(1, _COUNT_MAX),
        metavar="N",
        help="end after N readings (default: with the process)",
    )
    parser.add_argument("--list", action="store_true", help="list all processes that publish, and end")
    parser.add_argument("pid", nargs="?", type=process_id, metavar="PID", help="the process (default: the busiest)")


def _say_malformed(error: Unreachable) -> None:
    """One that cannot be read hides none of the others."""
    if error.status == published.MALFORMED:
        print(f"hakmem top: {error}", file=sys.stderr)


def _by_activity(pids: list[int], interval: float) -> list[tuple[float, Statistics]]:
    """Those that can be read, with their allocations a second, the busiest first."""
    before: dict[int, Statistics] = {}
    for pid in pids:
        try:
            before[pid] = published.read(pid)
        except Unreachable as error:
            _say_malformed(error)  # or ended meanwhile
    time.sleep(interval if before else 0)
    found = []
    for pid, earlier in before.items():
        try:
            now = published.read(pid)
        except Unreachable as error:
            _say_malformed(error)
            continue
        found.append((figures.rates(earlier, now).get("allocations", 0.0), now))
    return sorted(found, key=lambda one: (-one[0], one[1]["pid"]))


def _list(parsed: argparse.Namespace) -> int:
    found = _by_activity(published.processes(), parsed.interval)
    if parsed.format == "json":
        for rate, statistics in found:
            print(json.dumps({"allocations_per_second": rate, **statistics}))
        return 0
    lines = []
    for rate, statistics in found:
        live = sum(pool["live_bytes"] for pool in statistics["pools"].values())
        process = statistics["process"]
        lines.append(
            [
                str(statistics["pid"]),
                published.program_of(statistics["pid"]),
                show.number(rate),
                show.size(live),
                show.size(process["held_bytes"]),
                show.number(process["threads"]),
            ]
        )
    grid = table.Grid("", ["pid", "program", "allocations/s", "live", "held", "threads"], lines, words=2)
    table.console_of(sys.stdout).print(table.drawn("Processes that publish", [grid]))
    return 0


def _busiest(interval: float) -> int:
    found = _by_activity(published.processes(), interval)
    if not found:
        raise Unreachable(
            "no process of yours publishes: `hakmem run --publish -- PROGRAM` starts one, or " "HAKMEM_PUBLISH=1",
            published.NOT_PUBLISHED,
        )
    pid: int = found[0][1]["pid"]
    return pid


def _new_reading(page: published.Page, before: Statistics | None, interval: float) -> Statistics:
    """The next one that is at least an interval younger than `before`."""
    while True:
        now = page.read()
        missing = 0.0 if before is None else interval - figures.seconds_between(before, now)
        if missing <= 0.05:  # the publisher's clock is coarse
            return now
        page.renew()
        time.sleep(min(missing, 0.25))


def _follow(
    page: published.Page, parsed: argparse.Namespace, show_one: Callable[[Statistics, Statistics | None], None]
) -> None:
    """Shows reading after reading; the first two before anything, so that every one has rates."""
    before = page.read()
    shown = 0
    while parsed.count is None or shown < parsed.count:
        now = _new_reading(page, before, parsed.interval)
        show_one(now, before)
        before = now
        shown += 1


def _screen(lines: int, found: Statistics, before: Statistics | None) -> Any:
    pid = found["pid"]
    tables = figures.grids_within(lines, found, before, published.resident_bytes(pid))
    return table.drawn(figures.heading(found, published.program_of(pid)), tables)


def _show(page: published.Page, parsed: argparse.Namespace) -> None:
    if parsed.format == "json":

        def one_line(now: Statistics, before: Statistics | None) -> None:
            line = {**now, "rates": figures.rates(before, now) if before else {}}
            print(json.dumps(line), flush=True)

        _follow(page, parsed, one_line)
        return
    console = table.console_of(sys.stdout)
    if not console.is_terminal:

        def plain(now: Statistics, before: Statistics | None) -> None:
            console.print(_screen(_ENDLESS, now, before))
            console.print()
            sys.stdout.flush()

        _follow(page, parsed, plain)
        return
    from rich.live import Live

    with Live(console=console, screen=parsed.count is None, auto_refresh=False) as live:
        _follow(page, parsed, lambda now, before: live.update(_screen(console.height, now, before), refresh=True))


def _run(parsed: argparse.Namespace) -> int:
    if parsed.list and parsed.pid is not None:
        raise InputError("--list is about all processes: no PID goes with it")
    if parsed.list:
        return _list(parsed)
    pid = parsed.pid
    page = None
    try:
        pid = pid or _busiest(min(parsed.interval, 1.0))
        page = published.open_page(pid)
        _show(page, parsed)
    except Unreachable as error:
        print(f"hakmem top: {error}", file=sys.stderr)
        # It was shown until it ended: that is how most of these calls end.
        return 0 if page is not None and error.status == published.GONE and parsed.count is None else error.status
    except KeyboardInterrupt:
        return 0
    finally:
        if page is not None:
            page.close()
    return 0


COMMAND = Command(
    name="top",
    summary="watch the classes, threads, memory and rates of a running process",
    description="Shows what a process publishes, reading after reading, until it ends or Ctrl-C. On a terminal in place,\n"
    "else one below the other; --format=json writes one line a reading, with its rates. Without PID: the process of\n"
    "yours that allocates most.\n\n"
    + statuses(
        f"0; 1 where something failed; {REFUSED} where the arguments are wrong; {published.statuses(', or no process does')}",
        interrupted=0,
    ),
    configure=_configure,
    run=_run,
)
