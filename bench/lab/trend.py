# SPDX-License-Identifier: MIT
"""//bench:trend: a page of how the ratios of the laboratory's reports went, from the file that --history fills."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.lab import history, page, panels
from tools.measure import arguments, files, paired, program
from tools.measure.program import BenchError

NAME = "trend"

_TEMPLATE = Path(__file__).with_name("trend.html.j2")

Row = dict[str, Any]
Ratios = dict[str, dict[str, float]]
"""Workload -> other library -> ratio."""


def _ratios(line: Row) -> Ratios:
    return {
        workload: {name: of[0] for name, of in row["ratios"].items()} for workload, row in line["workloads"].items()
    }


def _means(ratios: Ratios, shared: set[str]) -> dict[str, float]:
    """Other library -> geometric mean over the workloads that every report has."""
    found: dict[str, list[float]] = {}
    for workload in ratios.keys() & shared:
        for name, ratio in ratios[workload].items():
            found.setdefault(name, []).append(ratio)
    return {name: paired.geometric_mean(values) for name, values in found.items()}


def _drawn(points: list[dict[str, float]], style: dict[str, str], title: str) -> str:
    """A line each library over the reports that have it."""
    lines = [
        panels.Line(of, [(place, at[name]) for place, at in enumerate(points) if name in at], name)
        for name, of in style.items()
    ]
    across = panels.Axis(0, max(1, len(points) - 1), [(0, "1"), (len(points) - 1, str(len(points)))])
    return panels.draw(across, panels.ratio_axis([y for line in lines for _, y in line.points]), lines, title)


def render(lines: list[Row]) -> str:
    """The page of at least one line."""
    baselines = {line["baseline"] for line in lines}
    if len(baselines) != 1:
        raise BenchError("the reports are by different baselines: a page wants a history of its own for each")
    ratios = [_ratios(line) for line in lines]
    names = list(dict.fromkeys(name for of in ratios for row in of.values() for name in row))
    style = panels.styles(names)
    workloads = list(dict.fromkeys(workload for of in ratios for workload in of))
    shared = set.intersection(*(set(of) for of in ratios))
    means = [_means(of, shared) for of in ratios]
    machines = sorted({line["machine"] for line in lines})
    notes = [f"the reports are of different machines: {', '.join(machines)}"] if len(machines) > 1 else []
    text: str = (
        page.surroundings()
        .from_string(_TEMPLATE.read_text(encoding="utf-8"))
        .render(
            lines=[line | {"means": mean} for line, mean in zip(lines, means)],
            notes=notes,
            style=style,
            overall=page.drawn({f"geometric mean of {len(shared)} workloads": _drawn(means, style, "geometric mean")}),
            each=page.drawn(
                {workload: _drawn([of.get(workload, {}) for of in ratios], style, workload) for workload in workloads}
            ),
        )
    )
    return text


def main() -> None:
    """Reads the history and writes the page."""
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").partition(": ")[2], allow_abbrev=False)
    parser.add_argument(
        "history", type=arguments.caller_path, help="the file that `bazel run //bench:lab -- --history=FILE` fills"
    )
    parser.add_argument("--html", type=arguments.output, required=True, metavar="FILE", help="the page to write")
    parsed = parser.parse_args()
    lines = history.load(parsed.history)
    if not lines:
        raise BenchError(f"{parsed.history} holds no report")
    files.write_whole(parsed.html, render(lines))
    print(f"{parsed.html} written")


if __name__ == "__main__":
    program.run(NAME, main)
