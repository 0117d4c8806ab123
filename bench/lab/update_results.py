# SPDX-License-Identifier: MIT
"""//bench:update_results: writes all documents of measured figures of the workspace, of one commit.

Without --from everything is measured, in some 75 minutes on two processors: the laboratory, which takes its arguments, real
programs, the switches and the builds with a guard. With --from FILE, a report that was kept, docs/results.md,
docs/targets.md and docs/allocators.svg are written from it, and with --programs FILE, an outcome of //bench/programs,
docs/programs.md too.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.engine import identity
from bench.lab import command_line, documents, lab, overview, result_pages, table
from bench.programs import outcome_file
from tools.measure import arguments, files, program
from tools.measure.program import BenchError

NAME = "update_results"

Row = dict[str, Any]


def _programs(text: str) -> Row:
    try:
        return outcome_file.load(arguments.caller_path(text))
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def of_report(report: Row, programs: Row | None, newer: Row | None = None, standing: str = "") -> dict[str, str]:
    """Name below docs/ -> text: what is made of a report, of an outcome of real programs, and of a report of Debian 13 or,
    where there is none, the section that stands there."""
    return {
        "results.md": result_pages.render(report, newer, standing),
        "targets.md": result_pages.render_targets(report, programs),
        "allocators.svg": overview.draw(report),
        **(documents.of_programs(programs) if programs is not None else {}),
    }


def _standing(workspace: Path) -> str:
    document = workspace / "docs" / "results.md"
    return result_pages.newer_section(document.read_text(encoding="utf-8")) if document.exists() else ""


def _report(own: argparse.ArgumentParser, parsed: argparse.Namespace) -> Row:
    """Measures, prints and keeps the laboratory's report; ends the process where it is not whole."""
    try:
        plan = command_line.make_plan(parsed)
    except command_line.UsageError as error:
        own.error(str(error))
    report = lab.measure(plan)
    parsed.status = lab.status(report)
    with files.written_first(lambda: lab.write_files(parsed, report)):
        table.write(report, sys.stdout)
    if not report["complete"]:
        print(f"{NAME}: {report['ended_by']} in '{report['ended_in']}': nothing is written", file=sys.stderr)
        sys.exit(lab.status(report))
    return report


def _measured(own: argparse.ArgumentParser, parsed: argparse.Namespace, workspace: Path) -> dict[str, str]:
    """Measures everything, or with --lab-only the laboratory alone."""
    tree = identity.sources(str(workspace))
    parsed.json = arguments.kept(parsed.json, "report.json")
    kept = arguments.kept(parsed.programs_json, "programs.json") if not parsed.lab_only else None
    report, outcome = _report(own, parsed), parsed.programs
    standing = _standing(workspace)
    of_report(report, outcome, parsed.newer, standing)  # what cannot be made of it is found out now
    if kept is not None and outcome is None:
        outcome = documents.programs(parsed.seed)
        files.write_whole(kept, json.dumps(outcome, allow_nan=False) + "\n")
        parsed.status = parsed.status or (program.FAILED if outcome["failures"] else 0)
    written = of_report(report, outcome, parsed.newer, standing)
    if not parsed.lab_only:
        written |= documents.beside_the_laboratory(parsed.seed)
    documents.require_same_tree(tree, identity.sources(str(workspace)))
    return written


def _parser() -> argparse.ArgumentParser:
    own = command_line.parser(NAME, __doc__ or "")
    own.add_argument(
        "--from",
        dest="kept",
        type=command_line.kept_report,
        metavar="FILE",
        help="a report that was kept; measure nothing",
    )
    own.add_argument(
        "--programs",
        type=_programs,
        metavar="FILE",
        help="what `bazel run //bench/programs -- --json=FILE` wrote, in place of running real programs",
    )
    own.add_argument(
        "--debian13",
        dest="newer",
        type=command_line.kept_report,
        metavar="FILE",
        help="what `bazel run //bench/debian13 -- lab --json=FILE` wrote: its tables stand at the end of docs/results.md; "
        "without, those that stand there stay",
    )
    own.add_argument("--lab-only", action="store_true", help="write the documents of the laboratory alone")
    own.add_argument("--programs-json", metavar="FILE", help="keep the outcome of real programs")
    own.set_defaults(minutes=documents.LAB_MINUTES, status=0)
    return own


def main() -> None:
    """Takes a report or makes one, and writes the documents."""
    own = _parser()
    parsed = own.parse_args()
    workspace = arguments.workspace(f"//bench:{NAME}")
    kept = parsed.kept
    if kept is None:
        written = _measured(own, parsed, workspace)
    else:
        written = of_report(kept, parsed.programs, parsed.newer, _standing(workspace))
    readme = workspace / "README.md"
    files = {workspace / "docs" / name: text for name, text in written.items()}
    files[readme] = documents.in_readme(readme.read_text(encoding="utf-8"), written)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")
    sys.exit(parsed.status)


if __name__ == "__main__":
    program.run(NAME, main)
