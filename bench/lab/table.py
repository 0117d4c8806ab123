# SPDX-License-Identifier: MIT
"""The report as tables on a terminal or in a file: losses first, then wins, then all figures."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any, TextIO

from bench.lab import contenders, views
from tools.measure import peers, table as grids
from tools.measure.table import Grid, MIB

Row = dict[str, Any]

MARKS = {"faster": "+", "slower": "-", "equivalent": "=", "undecided": "?", "incomplete": ".."}

_LINES_MOST = 25

CAPTION = (
    "A ratio is the time of the first by that of the other in the same round: below 1 is faster. It is processor time where "
    "one thread works, else wall time. Verdicts: + faster, - slower, = equivalent (the whole interval within 1 %), ? "
    "undecided, .. too few rounds. A + or - holds at 5 % over all "
    "comparisons of the report together (Wilcoxon's signed-rank test, Holm's correction) and lies outside the noise "
    "threshold, which is how far two names of the same library were apart. All libraries are preloaded into one program."
)


def interval(row: Row) -> str:
    return "" if row["low"] is None else f"{row['low']:.3f}..{row['high']:.3f}"


def cell(row: Row | None) -> str:
    """A ratio with its verdict's mark."""
    return "" if row is None else f"{row['ratio']:.3f} {MARKS[row['verdict']]}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _state(report: Row) -> str:
    if report["complete"]:
        return ""
    return f"\nPARTIAL: {report['ended_by']} during '{report['ended_in']}'"


def heading(report: Row) -> str:
    """What and where."""
    machine = report["machine"]
    versions = [
        f"{row['name']} {row['version']}"
        for row in report["contenders"]
        if row["family"] == contenders.LIBRARIES and row["version"] and not row["name"].endswith(contenders.AGAIN)
    ]
    commit = report["commit"]
    built = "" if commit is None else f"\ncommit {commit['id'][:12]}" + (" and changes" if commit["modified"] else "")
    return (
        f"hakmem laboratory, {report['mode']} run: {report['rounds']} rounds, seed {report['seed']}{built}\n"
        f"{machine['cpu_model']}, {machine['processors_allowed']} processors, Linux {machine['kernel']}, "
        f"huge pages {machine['transparent_huge_pages']}\n{', '.join(versions)}{_state(report)}"
    )


def _ratio_grid(report: Row, title: str, rows: list[Row]) -> Grid:
    lines = [
        [row["workload"], views.peer(report, row), cell(row), interval(row), f"{row['p_adjusted']:.2g}"] for row in rows
    ]
    return Grid(title, ["workload", "library", "ratio", "95 % interval", "p"], lines, words=2)


def _worst(grid: Grid) -> Grid:
    """Not more lines than a reader reads: the page has all."""
    if len(grid.lines) <= _LINES_MOST:
        return grid
    return replace(grid, title=f"{grid.title}; the first {_LINES_MOST}, --html has all", lines=grid.lines[:_LINES_MOST])


def _excess_lines(rows: list[Row], unit: float, form: str) -> list[list[str]]:
    return [
        [
            row["workload"],
            row["other"],
            row["what"],
            form.format(row["ours"] / unit),
            form.format(row["theirs"] / unit),
            f"{row['ratio']:.2f}",
        ]
        for row in rows
    ]


def _losses(report: Row) -> list[Grid]:
    columns = ["workload", "other", "what", "hakmem", "the other", "ratio"]
    memory, latency = views.memory_losses(report), views.latency_losses(report)
    found = [
        _ratio_grid(report, f"LOSSES: slower, {len(views.losses(report))}", views.losses(report)),
        Grid(f"LOSSES: memory, MiB, {len(memory)}", columns, _excess_lines(memory, MIB, "{:.1f}"), words=3),
        Grid(f"LOSSES: tails, ns, {len(latency)}", columns, _excess_lines(latency, 1, "{:.0f}"), words=3),
    ]
    return [_worst(grid) for grid in found if grid.lines]


def failure(row: Row) -> str:
    """A sentence of it."""
    return f"{row['contender']} ({row['family']}) failed on {row['workload']}, in '{row['phase']}': {views.reason(row)}"


def _failures(report: Row) -> list[Grid]:
    """Who did not do what it should."""
    lines = [
        [row["contender"], row["workload"], row["family"], row["phase"], views.reason(row)]
        for row in report["failures"]
    ]
    columns = ["contender", "workload", "family", "in", "why"]
    return [Grid(f"FAILED: {len(lines)}", columns, lines, words=5)] if lines else []


def _matrix(report: Row) -> Grid:
    names = views.peers(report)
    rows = views.against_peers(report)
    cells = views.by_workload(rows, lambda row: views.peer(report, row))
    thresholds = views.thresholds(report, contenders.LIBRARIES)
    times = views.times(report)
    lines = [
        [
            workload,
            f"{times[workload]:.2f}",
            *(cell(of[name]) if name in of else views.failed(report, workload, name) for name in names),
            percent(thresholds.get(workload)),
        ]
        for workload, of in cells.items()
    ]
    means = [views.geometric_mean([row for row in rows if views.peer(report, row) == name]) for name in names]
    lines.append(["geometric mean", "", *("" if mean is None else f"{mean:.3f}" for mean in means), ""])
    for verdict in views.DECIDED:
        tallies = [
            views.tally([row for row in rows if views.peer(report, row) == name])[verdict.value] for name in names
        ]
        lines.append([verdict.value, "", *map(str, tallies), ""])
    return Grid(
        f"all workloads: {views.what_is_compared(report)}",
        ["workload", f"{views.subject(report)} ns", *names, "noise"],
        lines,
        words=1,
    )


def _switch_grids(report: Row) -> list[Grid]:
    result = []
    for family in ("switches", contenders.COMPILED_IN):
        for workload in views.workloads(report, family):
            rows = views.switch_rows(report, family, workload)
            if not any(row[key] for row in rows for key in ("added", "left_out", "effect")):
                continue
            columns = ["switch", "alone", "last", "main effect", "95 % interval"]
            lines = [
                [
                    row["switch"],
                    cell(row["added"]),
                    cell(row["left_out"]),
                    cell(row["effect"]),
                    interval(row["effect"]) if row["effect"] else "",
                ]
                for row in rows
            ]
            lines += [
                [views.effect_name(row), "", "", cell(row), interval(row)]
                for row in report["effects"]
                if row["family"] == family and row["workload"] == workload and len(row["switches"]) == 2
            ]
            result.append(Grid(f"{family}: {workload}", columns, lines, words=1))
    return result


def _other_grids(report: Row) -> list[Grid]:
    lines = [
        [
            row["family"],
            row["workload"],
            row["one"],
            row["other"],
            cell(row),
            interval(row),
            *(f"{views.code_bytes(report, row['family'], row[key]):,}" for key in ("one", "other")),
        ]
        for row in views.others(report)
    ]
    columns = ["family", "workload", "contender", "by", "ratio", "95 % interval", "code, bytes", "the other's"]
    return [Grid("profile, spacings and fallbacks", columns, lines, words=4)] if lines else []


def _guard_grid(report: Row) -> list[Grid]:
    """The builds with a guard: time, and peak memory, by those of the other."""
    columns = (("exact", contenders.HAKMEM), ("exact", peers.REFERENCE), ("full", contenders.HAKMEM))
    found = views.guards(report)
    lines = []
    for workload, of in found.items():
        rows = [of.get(guard, {}).get(other) for guard, other in columns]
        lines.append([workload, *(text for row in rows for text in (cell(row), f"{row['peak']:.2f}" if row else ""))])
    names = [name for guard, other in columns for name in (f"{guard} by {other}", "peak")]
    return [Grid("builds with a guard: time and peak memory", ["workload", *names], lines, words=1)] if lines else []


def _alone_grids(report: Row) -> list[Grid]:
    """Two threads by one, and the start of a program."""
    threads = [[row["contender"], f"{row['per_thread']:.3f}", interval(row)] for row in report["scaling"]]
    starts = [[row["contender"], f"{row['more_ms']:.3f}", f"{row['more_faults']:.0f}"] for row in report["startup"]]
    found = [
        Grid("each of two threads by one alone", ["library", "work", "95 % interval"], threads, words=1),
        Grid("start of a program, by none", ["library", "ms more", "pages more"], starts, words=1),
    ]
    return [grid for grid in found if grid.lines]


def _absolute(report: Row) -> list[Grid]:
    """What each library takes, in figures of its own."""
    times, most = views.per_operation(report), views.peaks(report)
    names = list(dict.fromkeys(name for of in times.values() for name in of))
    columns = ["workload", "clock", *names]
    time_lines = [
        [workload, _CLOCKS[views.clock(report, workload)]]
        + [f"{statistics.median(of[name]):.2f}" if name in of else "" for name in names]
        for workload, of in times.items()
    ]
    peak_lines = [
        [workload, *(f"{most[workload, name] / MIB:.1f}" if (workload, name) in most else "" for name in names)]
        for workload in times
    ]
    found = [
        Grid("ns an operation, medians", columns, time_lines, words=2),
        Grid("peak memory, MiB, medians", ["workload", *names], peak_lines, words=1),
    ]
    return [grid for grid in found if grid.lines]


_CLOCKS = {"cpu_ns": "processor", "ns": "wall"}


def _all_by_all(report: Row) -> list[Grid]:
    found = views.all_by_all(report)
    lines = [
        [one, *("" if one == other else f"{found[one][other]:.3f}" if other in found[one] else "" for other in found)]
        for one in found
    ]
    title = "all by all: the line's time by the column's, geometric mean over the workloads of both; no verdict"
    return [Grid(title, ["library", *found], lines, words=1)] if len(found) > 2 else []


def made(report: Row) -> list[Grid]:
    """All tables of the report."""
    found = _failures(report) + _losses(report)
    if views.wins(report):
        found.append(_worst(_ratio_grid(report, f"WINS: faster, {len(views.wins(report))}", views.wins(report))))
    if views.against_peers(report):
        found.append(_matrix(report))
    found += _absolute(report) + _all_by_all(report)
    return found + _guard_grid(report) + _alone_grids(report) + _switch_grids(report) + _other_grids(report)


def write(report: Row, out: TextIO) -> None:
    """Prints the report's tables."""
    grids.print_grids(heading(report), made(report), CAPTION, out)
    for note in notes(report):
        out.write(f"\nNOTE: {note}\n")


def notes(report: Row) -> list[str]:
    """What a reader has to know to believe the figures, or not to."""
    found = list(report["notes"])
    found += [
        f"two names of the same library differ on {row['workload']} ({row['family']}): {row['ratio']:.3f}"
        for row in views.failed_controls(report)
    ]
    found += [failure(row) for row in report["failures"]]
    found += views.disturbances(report)
    unpinned = [row["name"] for row in report["workloads"] if row["pinned"] is False]
    if unpinned:
        found.append(f"not pinned to processors: {', '.join(unpinned)}")
    return found
