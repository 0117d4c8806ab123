# SPDX-License-Identifier: MIT
"""//bench/services: what services hold over time, and when they have nothing to do, under hakmem and its peers."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from bench.programs import command_line
from bench.services import measurement, tables
from bench.services.measurement import Plan, START_SECONDS
from bench.services.registry import SERVICES
from tools.measure import arguments, files, program, progress

NAME = "services"

_WORK_SECONDS_LEAST = 2
_SECONDS_MOST = 3600
_ROUNDS_MOST = 100


def parser(name: str, description: str, has_format: bool = True) -> argparse.ArgumentParser:
    """The arguments of a run; the one that is for a document prints nothing in a format."""
    result = argparse.ArgumentParser(
        prog=name, description=description, epilog=command_line.EPILOG.replace("programs", "services"),
        allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command_line.add_peers_and_file(result)
    result.add_argument(
        "--services",
        type=command_line.choice("service", tuple(SERVICES)),
        default=list(SERVICES),
        metavar="A,B",
        help=f"what to run (default: all: {','.join(SERVICES)})",
    )
    result.add_argument(
        "--seconds",
        type=arguments.whole_number(1, _SECONDS_MOST),
        default=60,
        metavar="N",
        help="that each service may take under each allocator, start and idle time included (default: %(default)s)",
    )
    result.add_argument(
        "--idle",
        type=arguments.whole_number(1, _SECONDS_MOST),
        default=12,
        metavar="N",
        help="of these, seconds in which it has nothing to do at the end (default: %(default)s)",
    )
    result.add_argument(
        "--rounds",
        type=arguments.whole_number(1, _ROUNDS_MOST),
        default=1,
        metavar="N",
        help="how often everything runs; figures are medians (default: %(default)s)",
    )
    if has_format:
        result.add_argument("--format", choices=arguments.FORMATS, default="table", help="of the result")
    arguments.add_seed(result, "of the allocators' order and the inputs")
    return result


def plan(own: argparse.ArgumentParser, parsed: argparse.Namespace) -> Plan:
    """What the arguments ask for; a usage error where no time is left to work in."""
    least = parsed.idle + START_SECONDS + _WORK_SECONDS_LEAST
    if parsed.seconds < least:
        own.error(
            f"--seconds: {parsed.seconds} leaves no time to work: {START_SECONDS} for the start, {parsed.idle} idle and "
            f"{_WORK_SECONDS_LEAST} of work are {least}"
        )
    return Plan(parsed.services, parsed.peers, parsed.rounds, parsed.seed, parsed.seconds, parsed.idle)


def measured(own: argparse.ArgumentParser, parsed: argparse.Namespace) -> dict[str, Any]:
    """Runs what the arguments ask for; what is known so far stands beside the JSON file, if one is asked for."""
    wanted = plan(own, parsed)
    path = arguments.caller_path(parsed.json) if parsed.json else None
    if path is not None:
        files.require_writable(path)  # found out before an hour has gone
    progress.every(progress.SECONDS)

    def keep_partial(outcome: measurement.Outcome) -> None:
        if path is not None:
            with contextlib.suppress(OSError):  # a full disk ends no run
                files.write_whole(_partial(path), _text(tables.outcome_object(outcome)))

    return tables.outcome_object(measurement.execute(wanted, keep_partial))


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _text(whole: dict[str, Any]) -> str:
    return json.dumps(whole, allow_nan=False) + "\n"


def keep(parsed: argparse.Namespace, whole: dict[str, Any]) -> None:
    """Writes the JSON file, if one is asked for."""
    if parsed.json:
        path = arguments.caller_path(parsed.json)
        files.write_whole(path, _text(whole))
        _partial(path).unlink(missing_ok=True)


def main() -> None:
    """Parses the command line, measures and prints."""
    own = parser(NAME, "Services over time under hakmem and its peers, each allocator in turn.")
    parsed = own.parse_args()
    whole = measured(own, parsed)
    with files.written_first(lambda: keep(parsed, whole)):
        tables.print_object(whole, parsed.format)
    for row in whole["failures"]:
        print(f"{NAME}: {row['why']}", file=sys.stderr)
    if whole["failures"]:
        sys.exit(program.FAILED)


if __name__ == "__main__":
    program.run(NAME, main)
