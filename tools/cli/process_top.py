# SPDX-License-Identifier: MIT
"""hakmem top: the statistics of a running process, as they change."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from tools.measure.arguments import whole_number
from tools.cli import figures, fitted, process_list, published
from tools.cli.command import Command, InputError, REFUSED, add_format, process_id, statuses
from tools.cli.history import History, Statistics
from tools.cli.published import Unreachable
from tools.cli.terminal import Terminal
from tools.cli.top_screen import Screen

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


def _list(parsed: argparse.Namespace) -> int:
    found = process_list.by_activity(parsed.interval)
    if parsed.format == "json":
        for rate, statistics in found:
            print(json.dumps({"allocations_per_second": rate, **statistics}))
        return 0
    print("Processes that publish")
    for line in fitted.lines(process_list.grid(found), fitted.width(), process_list.IMPORTANCE)[1:]:
        print(line)
    return 0


def _busiest(interval: float) -> published.Page:
    """The page of the busiest process that has not ended meanwhile."""
    for _, one in process_list.by_activity(interval):
        try:
            return published.open_page(one["pid"])
        except Unreachable:
            continue
    raise Unreachable(
        "no process of yours publishes: `hakmem run --publish -- PROGRAM` starts one, or HAKMEM_PUBLISH=1",
        published.NOT_PUBLISHED,
    )


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


def _print(page: published.Page, parsed: argparse.Namespace) -> None:
    """One below the other, each with the one before."""
    history = History()

    def one_line(now: Statistics, before: Statistics | None) -> None:
        line = {**now, "rates": figures.rates(before, now) if before else {}}
        print(json.dumps(line), flush=True)

    def plain(now: Statistics, before: Statistics | None) -> None:
        if history.now is None and before is not None:
            history.add(before, None)
        history.add(now, published.resident_bytes(now["pid"]))
        lines = figures.screen(fitted.width(), _ENDLESS, history, published.program_of(now["pid"]))
        print("\n".join([*lines, ""]), flush=True)

    _follow(page, parsed, one_line if parsed.format == "json" else plain)


def _run(parsed: argparse.Namespace) -> int:
    if parsed.list and (parsed.pid is not None or parsed.count is not None):
        raise InputError(
            "--list is about all processes, once: neither PID nor --count goes with it; --interval and --format do"
        )
    if parsed.list:
        return _list(parsed)
    page = None
    was_shown = False
    try:
        page = published.open_page(parsed.pid) if parsed.pid else _busiest(min(parsed.interval, 1.0))
        was_shown = parsed.count is None
        if parsed.format == "table" and parsed.count is None and sys.stdout.isatty():
            with Terminal().taken() as terminal:
                screen = Screen(terminal, page, parsed.interval)
                try:
                    screen.run()
                finally:
                    page = screen.page
        else:
            _print(page, parsed)
    except Unreachable as error:
        print(f"hakmem top: {error}", file=sys.stderr)
        # It was shown until it ended: that is how most of these calls end.
        return 0 if was_shown and error.status == published.GONE else error.status
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
    "where keys sort, change the interval and choose another process: h lists them. Else, and with --count, one below\n"
    "the other; --format=json writes one line a reading, with its rates. Without PID: the process of yours that\n"
    "allocates most.\n\n"
    + statuses(
        f"0; 1 where something failed; {REFUSED} where the arguments are wrong; {published.statuses(', or no process does')}",
        interrupted=0,
    ),
    configure=_configure,
    run=_run,
)
