# SPDX-License-Identifier: MIT
"""hakmem stat: the statistics of a running process, once."""

from __future__ import annotations

import argparse
import json
import sys

from tools.cli import export, figures, fitted, published
from tools.cli.command import Command, REFUSED, add_format, process_id, statuses
from tools.cli.exposition import Exposition


def _configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser, "prometheus")
    parser.add_argument("pid", type=process_id, metavar="PID", help="a process that runs with HAKMEM_PUBLISH=1")


def _run(parsed: argparse.Namespace) -> int:
    try:
        if parsed.format == "prometheus":
            metrics = Exposition()
            export.add(metrics, parsed.pid, with_threads=True)
            print(metrics.text(), end="")
            return 0
        found = published.read(parsed.pid)
    except published.Unreachable as error:
        print(f"hakmem stat: {error}", file=sys.stderr)
        return error.status
    if parsed.format == "json":
        print(json.dumps(found, indent=2))
    else:
        history = figures.history_of(found, resident=published.resident_bytes(parsed.pid))
        print("\n".join(figures.whole(fitted.width(), history, published.program_of(parsed.pid))))
    return 0


COMMAND = Command(
    name="stat",
    summary="show the statistics of a running process",
    description="The statistics that a process published last, at most half a second ago. It is not stopped, and the\n"
    "threads that allocate do nothing for it.\n\n"
    + statuses(f"0; 1 where something failed; {REFUSED} where the arguments are wrong; {published.statuses()}"),
    configure=_configure,
    run=_run,
)
