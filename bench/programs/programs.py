# SPDX-License-Identifier: MIT
"""//bench/programs: what real programs gain or lose when hakmem is preloaded, in time and in memory."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bench.programs import command_line, measurement, tables
from tools.measure import arguments, files, program

NAME = "programs"


def measured(parser: argparse.ArgumentParser, parsed: Any) -> dict[str, Any]:
    """Runs what the arguments ask for."""
    plan = command_line.plan(parser, parsed)
    if parsed.json:
        files.require_writable(arguments.caller_path(parsed.json))  # found out before an hour has gone
    return tables.outcome_object(measurement.execute(plan))


def keep(parsed: Any, whole: dict[str, Any]) -> None:
    """Writes the JSON file, if one is asked for."""
    if parsed.json:
        files.write_whole(arguments.caller_path(parsed.json), json.dumps(whole, indent=2, allow_nan=False) + "\n")


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = command_line.parser(
        NAME, "Real programs under hakmem and its peers, library against library, interleaved."
    )
    command_line.add_choice_of_programs(parser)
    parsed = parser.parse_args()
    whole = measured(parser, parsed)
    with files.written_first(lambda: keep(parsed, whole)):
        tables.print_object(whole, parsed.format)
    for row in tables.failures(whole):
        print(f"{NAME}: {row['why']}", file=sys.stderr)
    if tables.failures(whole):
        sys.exit(program.FAILED)


if __name__ == "__main__":
    program.run(NAME, main)
