# SPDX-License-Identifier: MIT
"""//bench:lab: contenders and workloads, measured in interleaved rounds, judged, and reported.

README.md beside this file says how it measures and how to read what it prints.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.commands import hot_path
from bench.engine import identity
from bench.lab import command_line, compare, compare_table, forms, history, page, phases, report as reports, table
from bench.lab.plan import Plan
from bench.lab.results import Results
from tools.measure import conditions, files, peers, process, program

NAME = "lab"

_ROOT = Path(__file__).parents[2]
_HOT_PATH = _ROOT / hot_path.GOLDEN
_COMPILATION = _ROOT / "bench/lab/compilation.json"


def _surroundings(plan: Plan) -> reports.Surroundings:
    binaries: dict[tuple[str, str], dict[str, Any]] = {}
    known: dict[Path, dict[str, Any]] = {}
    libc = peers.installed("libc.so.6")
    for family in plan.families.values():
        for contender in family.contenders:
            path = libc if contender.is_glibc else contender.file()
            if path not in known:
                known[path] = identity.binary(path)
            binaries[family.name, contender.name] = known[path]
    return reports.Surroundings(
        machine=identity.machine(),
        commit=identity.commit(os.environ.get("BUILD_WORKSPACE_DIRECTORY")),
        compilation=identity.compilation(_COMPILATION),
        binaries=binaries,
        hot_path=json.loads(_HOT_PATH.read_text(encoding="utf-8")),
    )


def measure(plan: Plan) -> dict[str, Any]:
    """Measures the plan and returns the report, whole or partial."""
    process.say_what_is_cleared(os.environ)
    conditions.randomise_layout()
    around = _surroundings(plan)
    with tempfile.TemporaryDirectory(prefix="hakmem-lab-") as folder:
        results = Results(plan, Path(folder))
        phases.work(results)
    return reports.make(results, around, datetime.datetime.now(datetime.timezone.utc))


def write_files(parsed: argparse.Namespace, report: dict[str, Any]) -> None:
    """The files that the command line asks for."""
    if parsed.json:
        files.write_whole(parsed.json, json.dumps(report, allow_nan=False, separators=(",", ":")) + "\n")
    if parsed.html:
        files.write_whole(parsed.html, page.render(report))
    if getattr(parsed, "history", None):
        history.add(parsed.history, report)


def status(report: dict[str, Any]) -> int:
    """The exit status of a run that gave `report`."""
    return {
        None: program.FAILED if report["failures"] else 0,
        phases.INTERRUPTED: program.INTERRUPTED,
        phases.TERMINATED: program.TERMINATED,
    }.get(report["ended_by"], program.FAILED)


def main() -> None:
    """Parses the command line, measures and reports."""
    own = command_line.parser(NAME, "Measures contenders on workloads, in interleaved rounds, and says who is faster.")
    command_line.add_own(own)
    parsed = own.parse_args()
    try:
        if parsed.compare is not None and parsed.format != "table":
            raise command_line.UsageError("--compare prints tables: it goes with no other --format")
        results = (parsed.html, parsed.json, parsed.history, parsed.compare)
        if parsed.list and (parsed.format != "table" or any(one is not None for one in results)):
            raise command_line.UsageError(
                "--list prints tables and measures nothing: no --format, --html, --json, --history or --compare goes with it"
            )
        plan = command_line.make_plan(parsed)
    except command_line.UsageError as error:
        own.error(str(error))
    if parsed.list:
        command_line.print_list(plan, sys.stdout)
        return
    report = measure(plan)
    with files.written_first(lambda: write_files(parsed, report)):
        forms.write(report, parsed.format, sys.stdout)
        if parsed.compare is not None:
            compare_table.write(parsed.compare, report, compare.compare(parsed.compare, report), sys.stdout)
    if not report["complete"]:
        print(f"{NAME}: {report['ended_by']} in '{report['ended_in']}': the report is partial", file=sys.stderr)
    for row in report["failures"]:
        print(f"{NAME}: {table.failure(row)}", file=sys.stderr)
    sys.exit(status(report))


if __name__ == "__main__":
    program.run(NAME, main)
