# SPDX-License-Identifier: MIT
"""//bench:update_results: writes docs/results.md, docs/targets.md and docs/allocators.svg of the workspace from a report.

The texts are results.md.j2 and targets.md.j2; every figure in them comes from the report: one that was kept
(--from FILE), or that of a fresh run, which takes the arguments of //bench:lab. The figures of real programs are those
of an outcome of //bench/programs (--programs FILE).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from bench.lab import command_line, contenders, lab, overview, table, targets, views
from bench.programs import outcome_file
from tools.measure import arguments, program
from tools.measure.program import BenchError
from tools.measure.table import MIB

NAME = "update_results"
_COMMAND = f"bazel run //bench:{NAME}"
_TEMPLATE = Path(__file__).with_name("results.md.j2")
_TARGETS = Path(__file__).with_name("targets.md.j2")

Row = dict[str, Any]


def _of_families(report: Row, what: Any) -> Row:
    """Family of switches -> workload -> `what` of them, where the ladder ran."""
    return {
        family: {workload: what(family, workload) for workload in ran}
        for family in ("switches", contenders.COMPILED_IN)
        if (ran := [name for name in views.workloads(report, family) if views.ladder(report, family, name)])
    }


def _interactions(report: Row, family: str, workload: str) -> list[Row]:
    return [
        row
        for row in report["effects"]
        if (row["family"], row["workload"]) == (family, workload) and len(row["switches"]) == 2
    ]


def _code(report: Row) -> list[Row]:
    """Contenders whose size is of interest: those of views.others, and what they are compared with."""
    asked = {(row["family"], name) for row in views.others(report) for name in (row["one"], row["other"])}
    return [row for row in report["contenders"] if (row["family"], row["name"]) in asked]


def _worst_first(report: Row) -> Row:
    """Workload -> peer -> comparison; the workload with the largest ratio first."""
    found = views.by_workload(views.against_peers(report), lambda row: str(row["other"]))
    return dict(
        sorted(found.items(), key=lambda item: max(float(row["ratio"]) for row in item[1].values()), reverse=True)
    )


def _alone(report: Row) -> Row:
    """Contender -> its rows of scaling and startup."""
    found: Row = {}
    for kind in ("scaling", "startup"):
        for row in report[kind]:
            found.setdefault(row["contender"], {})[kind] = row
    return found


def _peak_means(report: Row) -> dict[str, float | None]:
    """Peer -> geometric mean of hakmem's peaks by its."""
    peaks = views.peaks(report)
    return {
        name: views.geometric_mean(
            [
                {"ratio": peaks[workload, contenders.HAKMEM] / peak}
                for (workload, contender), peak in peaks.items()
                if contender == name and (workload, contenders.HAKMEM) in peaks
            ]
        )
        for name in views.peers(report)
    }


def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def _text(rendered: str) -> str:
    """One empty line between paragraphs, and no blanks at ends of lines, which templates leave."""
    lines = (line.rstrip() for line in rendered.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def render(report: Row) -> str:
    """docs/results.md."""
    environment = _environment()
    environment.globals.update(percent=table.percent, effect_name=views.effect_name, mib=MIB)
    rows = views.against_peers(report)
    names = views.peers(report)
    of_peer = {name: [row for row in rows if row["other"] == name] for name in names}
    own = [row for row in report["contenders"] if row["family"] == contenders.LIBRARIES]
    memory_losses, latency_losses = views.memory_losses(report), views.latency_losses(report)
    others = views.others(report)
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        command=_COMMAND,
        report=report,
        libraries=[row for row in own if not row["name"].endswith(contenders.AGAIN)],
        notes=table.notes(report),
        memory_losses=memory_losses,
        latency_losses=latency_losses,
        peers=names,
        matrix=_worst_first(report),
        times=views.times(report),
        thresholds=views.thresholds(report, contenders.LIBRARIES),
        means={name: views.geometric_mean(of_peer[name]) for name in names},
        peak_means=_peak_means(report),
        tallies={name: views.tally(of_peer[name]) for name in names},
        marks=table.MARKS,
        memory=views.by_peer(report, views.memory_figures(report), memory_losses),
        tails=views.by_peer(report, views.tail_figures(report), latency_losses),
        guards=views.guards(report),
        alone=_alone(report),
        steps=contenders.STEPS,
        switches=_of_families(report, lambda family, workload: views.switch_rows(report, family, workload)),
        ladders=_of_families(report, lambda family, workload: views.ladder(report, family, workload)),
        interactions=_of_families(report, lambda family, workload: _interactions(report, family, workload)),
        others=views.by_workload(others, lambda row: str(row["one"])),
        other_names=list(dict.fromkeys(row["one"] for row in others)),
        code=_code(report),
    )
    return _text(text)


def render_targets(report: Row, programs: Row | None) -> str:
    """docs/targets.md."""
    found = targets.made(report, programs)
    text = (
        _environment()
        .from_string(_TARGETS.read_text(encoding="utf-8"))
        .render(
            command=_COMMAND,
            report=report,
            programs=programs,
            targets=found,
            count=targets.count(found),
            shortfalls=targets.shortfalls(report, programs),
            debian=contenders.DEBIAN,
        )
    )
    return _text(text)


def _programs(text: str) -> Row:
    try:
        return outcome_file.load(arguments.caller_path(text))
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main() -> None:
    """Takes a report or makes one, and writes the documents."""
    own = command_line.parser(NAME, "Writes docs/results.md and docs/targets.md from a report of the laboratory.")
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
        help="what `bazel run //bench/programs -- --json=FILE` wrote, for the goals of real programs",
    )
    parsed = own.parse_args()
    workspace = arguments.workspace(f"//bench:{NAME}")
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
    for name, text in (
        ("results.md", render(report)),
        ("targets.md", render_targets(report, parsed.programs)),
        ("allocators.svg", overview.draw(report)),
    ):
        path = workspace / "docs" / name
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
