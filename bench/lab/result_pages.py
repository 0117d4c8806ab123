# SPDX-License-Identifier: MIT
"""The documents of a report: docs/results.md and docs/targets.md, by results.md.j2 and targets.md.j2.

Every figure in them comes from the report, and those of real programs from an outcome of //bench/programs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bench.lab import contenders, table, targets, views
from tools.measure.table import MIB

_COMMAND = "bazel run //bench:update_results"
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


def _versions(report: Row) -> dict[str, str]:
    """Library -> what it says of its version, the hash of its commit left out."""
    return {
        row["name"]: re.sub(r"-[0-9]+-g[0-9a-f]+$", "", row["version"] or "unknown")
        for row in report["contenders"]
        if row["family"] == contenders.LIBRARIES
    }


def _short(report: Row) -> Row:
    """What the tables on time and the means of a report are made of: two reports have them in one document."""
    rows, names = views.against_peers(report), views.peers(report)
    of_peer = {name: [row for row in rows if row["other"] == name] for name in names}
    return {
        "peers": names,
        "matrix": _worst_first(report),
        "times": views.times(report),
        "thresholds": views.thresholds(report, contenders.LIBRARIES),
        "means": {name: views.geometric_mean(of_peer[name]) for name in names},
        "peak_means": _peak_means(report),
        "tallies": {name: views.tally(of_peer[name]) for name in names},
        "memory_losses": views.memory_losses(report),
        "latency_losses": views.latency_losses(report),
        "report": report,
        "versions": _versions(report),
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


_NEWER_HEADING = "## Beside the peers of "


def newer_section(text: str) -> str:
    """The end of docs/results.md that a report beside the peers of a newer distribution made; empty where it has none. It
    names its own commit and processor, so that it may stand below a report that was made later."""
    found = text.find(f"\n{_NEWER_HEADING}")
    return text[found + 1 :].rstrip() if found >= 0 else ""


def render(report: Row, newer: Row | None = None, standing: str = "") -> str:
    """docs/results.md; `newer` is a report beside the peers of a newer distribution, `standing` in its place the section that
    one made earlier."""
    environment = _environment()
    environment.globals.update(percent=table.percent, effect_name=views.effect_name, mib=MIB)
    own = [row for row in report["contenders"] if row["family"] == contenders.LIBRARIES]
    short, others = _short(report), views.others(report)
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        **short,
        short=short,
        newer=None if newer is None else _short(newer),
        newer_heading=_NEWER_HEADING,
        standing=standing,
        command=_COMMAND,
        libraries=[row for row in own if not row["name"].endswith(contenders.AGAIN)],
        notes=table.notes(report),
        marks=table.MARKS,
        memory=views.by_peer(report, views.memory_figures(report), short["memory_losses"]),
        tails=views.by_peer(report, views.tail_figures(report), short["latency_losses"]),
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
