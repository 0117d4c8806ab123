# SPDX-License-Identifier: MIT
"""//bench/programs: what real programs gain or lose when hakmem is preloaded, in time and in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bench.driver import program
from bench.programs import cli, measure, report

NAME = "programs"


def caller_path(name: str) -> Path:
    """A file as the caller meant it: `bazel run` starts programs elsewhere than where it was called."""
    return Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / name


def measured(parsed: Any) -> dict[str, Any]:
    """Runs what the arguments ask for; writes the JSON file, if one is asked for."""
    # A file that cannot be written is found out before an hour has gone.
    path = caller_path(parsed.json) if parsed.json else None
    if path is not None:
        path.touch()
    whole = report.outcome_object(measure.execute(cli.plan(parsed)))
    if path is not None:
        path.write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n")
    return whole


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = cli.parser(NAME, "Real programs under hakmem and its peers, library against library, interleaved.")
    cli.add_choice_of_programs(parser)
    parsed = parser.parse_args()
    report.print_object(measured(parsed), parsed.format)


if __name__ == "__main__":
    program.run(NAME, main)
