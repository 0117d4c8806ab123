"""//bench:update_results: writes docs/results.md of the workspace from a report of the laboratory.

The text is results.md.j2; every figure in it comes from the report: one that was kept (--from FILE), or that of a fresh
run, which takes the arguments of //bench:lab.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from bench.driver import program
from bench.driver.program import BenchError
from bench.driver.report import MIB
from bench.lab import command_line, contenders, lab, table, views

NAME = "update_results"
_OUTPUT = Path("docs/results.md")
_TEMPLATE = Path(__file__).with_name("results.md.j2")

Row = dict[str, Any]


def _of_groups(report: Row, what: Any) -> Row:
    """Group of switches -> workload -> `what` of them, where the ladder ran."""
    return {
        group: {workload: what(group, workload) for workload in ran}
        for group in ("switches", contenders.COMPILED_IN)
        if (ran := [name for name in views.workloads(report, group) if views.ladder(report, group, name)])
    }


def _interactions(report: Row, group: str, workload: str) -> list[Row]:
    return [
        row
        for row in report["effects"]
        if (row["group"], row["workload"]) == (group, workload) and len(row["switches"]) == 2
    ]


def _code(report: Row) -> list[Row]:
    """Contenders whose size is of interest: those of views.others, and what they are compared with."""
    asked = {(row["group"], name) for row in views.others(report) for name in (row["one"], row["other"])}
    return [row for row in report["contenders"] if (row["group"], row["name"]) in asked]


def _by_contender(report: Row, kind: str) -> Row:
    """KIND: workload -> contender -> row, and KIND_names: the contenders, without the second of twins."""
    rows = [row for row in report[kind] if not row["contender"].endswith(contenders.AGAIN)]
    return {
        kind: views.by_workload(rows, lambda row: str(row["contender"])),
        f"{kind}_names": list(dict.fromkeys(row["contender"] for row in rows)),
    }


def render(report: Row) -> str:
    """The document."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.globals.update(percent=table.percent, effect_name=views.effect_name, mib=MIB, tail=views.tail)
    rows = views.compared(report, contenders.LIBRARIES)
    names = views.peers(report)
    of_peer = {name: [row for row in rows if row["other"] == name] for name in names}
    own = [row for row in report["contenders"] if row["group"] == contenders.LIBRARIES]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        command=f"bazel run //bench:{NAME}",
        report=report,
        libraries=[row for row in own if not row["name"].endswith(contenders.AGAIN)],
        notes=table.notes(report),
        losses=views.losses(report),
        wins=views.wins(report),
        memory_losses=views.memory_losses(report),
        latency_losses=views.latency_losses(report),
        peers=names,
        matrix=views.by_workload(rows, lambda row: str(row["other"])),
        floors=views.floors(report, contenders.LIBRARIES),
        means={name: views.geometric_mean(of_peer[name]) for name in names},
        tallies={name: views.tally(of_peer[name]) for name in names},
        marks=table.MARKS,
        switches=_of_groups(report, lambda group, workload: views.switch_rows(report, group, workload)),
        ladders=_of_groups(report, lambda group, workload: views.ladder(report, group, workload)),
        interactions=_of_groups(report, lambda group, workload: _interactions(report, group, workload)),
        others=views.others(report),
        code=_code(report),
        **_by_contender(report, "memory"),
        **_by_contender(report, "latency"),
    )


def main() -> None:
    """Takes a report or makes one, and writes the document."""
    own = command_line.parser(NAME, "Writes docs/results.md from a report of the laboratory.")
    own.add_argument(
        "--from",
        dest="kept",
        type=command_line.kept_report,
        metavar="FILE",
        help="a report that was kept; measure nothing",
    )
    parsed = own.parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        raise BenchError(f"the workspace is not known: start this with `bazel run //bench:{NAME}`")
    report = parsed.kept
    if report is None:
        try:
            report = lab.measure(command_line.make_plan(parsed))
        except command_line.UsageError as error:
            own.error(str(error))
        lab.write_files(parsed, report)
        table.write(report, sys.stdout)
    if not report["complete"] and parsed.kept is None:
        print(f"{NAME}: {report['ended_by']} in '{report['ended_in']}': nothing is written", file=sys.stderr)
        sys.exit(lab.status(report))
    path = Path(workspace) / _OUTPUT
    path.write_text(render(report), encoding="utf-8")
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
