# SPDX-License-Identifier: MIT
"""hakmem record: writes down what a program asks of its allocator."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools.measure import recording
from tools.measure.arguments import whole_number
from tools.measure.program import BenchError
from tools.cli import show
from tools.cli.command import Command, InputError, caller_path, existing_file, require_writable
from tools.cli.starting import Line, NOT_STARTED, StartError, line_of, own_statuses
from tools.cli.untrusted import printable

OUTPUT = "hakmem.trace"

_LIMIT_MAX = 10**15


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "hakmem record [options] [--] PROGRAM [ARGUMENT ...]"
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=OUTPUT,
        help="the trace (default: %(default)s); processes that the program starts go to FILE.PID",
    )
    parser.add_argument(
        "--max-events",
        type=whole_number(1, _LIMIT_MAX),
        metavar="N",
        help="record the first N events of each process only; the program goes on (default: all)",
    )
    parser.add_argument(
        "--frames",
        type=whole_number(0, recording.FRAMES_MAX),
        default=0,
        metavar="N",
        help="record N callers of each call, 32 at most, for hakmem trace; costs a microsecond and more a call "
        "(default: the call alone)",
    )
    parser.add_argument("--no-children", action="store_true", help="record the first process only")
    parser.add_argument(
        "--lib", type=existing_file, metavar="PATH", help="preload this allocator as well, and record what it is asked"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing about the trace afterwards")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="what to run, and its arguments")


def _report(output: Path) -> None:
    """A line for each trace, on standard error: standard output is the program's."""
    for path in [output, *recording.processes(output)]:
        found = recording.info(path)
        name = printable(Path((found["arguments"] or [found["program"]])[0]).name)  # which a program it starts chooses
        each = f", {found['bytes'] / found['events']:.1f} B each" if found["events"] else ""
        cut = "" if found["complete"] else "; incomplete"
        print(
            f"{path}: {name}, {show.counted(found['events'], 'event')}, {show.size(found['bytes'])}{each}, "
            f"{show.counted(found['threads'], 'thread')}{cut}",
            file=sys.stderr,
        )


def _run(parsed: argparse.Namespace) -> int:
    try:
        return _record(parsed, line_of("record", parsed.program))
    except StartError as error:
        print(f"hakmem record: {error}", file=sys.stderr)
        return error.status


def _record(parsed: argparse.Namespace, line: Line) -> int:
    output = caller_path(parsed.output).absolute()
    if not output.parent.is_dir():
        raise InputError(f"--output {parsed.output}: there is no folder {output.parent}")
    if set(str(parsed.lib or "")) & set(" :"):
        raise InputError(f"--lib {parsed.lib}: the loader takes no path with a colon or blank")
    settings = recording.Settings(output, parsed.max_events, not parsed.no_children, parsed.lib, parsed.frames)
    try:
        environment = settings.environment(os.environ)
        with recording.alone(output):
            require_writable(output)
            with recording.replaced(output):
                _, status = line.run(environment)
                recording.require(output, line.words[0])
            if not parsed.quiet:
                _report(output)
    except (BenchError, OSError) as error:
        print(f"hakmem record: {error}", file=sys.stderr)
        return NOT_STARTED
    return status


COMMAND = Command(
    name="record",
    summary="record what a program asks of its allocator",
    description="Runs PROGRAM and writes every allocation and free to a trace.\n\n"
    + own_statuses("where it was not recorded"),
    configure=_configure,
    run=_run,
)
