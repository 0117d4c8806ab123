# SPDX-License-Identifier: MIT
"""An outcome as tables: a line for each experiment, then what it loses, what it gains, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from bench.lab import contenders, table as lab_table
from bench.next import measurement
from tools.measure import paired, table
from tools.measure.inference import Verdict
from tools.measure.table import Grid

Row = dict[str, Any]

KINDS = {
    "time": "time",
    "peak": "peak memory",
    "cpu": "program, processor time",
    "program_peak": "program, peak memory",
}
"""What is compared; one correction each."""

CAPTION = (
    "A ratio is the experiment's figure by that of what ships in the same round: below 1 is faster, or less memory. time: of "
    "the laboratory's workloads, processor time where one thread works, else wall time. Each kind is corrected over all of its "
    "comparisons (Wilcoxon's signed-rank test, Holm's correction, 5 %), and a verdict lies beyond the noise, which is how far "
    "two names of what ships were apart. malloc, free: instructions of a hot call, compiled in; exact."
)


def rows(whole: Row, kind: str) -> list[Row]:
    """The comparisons of a kind."""
    found: list[Row] = {
        "time": whole["time"],
        "peak": whole["peak"],
        "cpu": whole["programs"]["cpu"],
        "program_peak": whole["programs"]["peak"],
    }[kind]
    return found


def of(whole: Row, kind: str, experiment: str) -> list[Row]:
    return [row for row in rows(whole, kind) if row["experiment"] == experiment]


def mean(found: Sequence[Row]) -> float | None:
    """Geometric mean of the ratios; None where nothing was compared."""
    return paired.geometric_mean([row["ratio"] for row in found]) if found else None


def decided(whole: Row, verdict: Verdict) -> list[Row]:
    """The rows of all kinds with the verdict, the furthest from 1 first, each with its `kind`."""
    found = [
        row | {"kind": KINDS[kind]} for kind in KINDS for row in rows(whole, kind) if row["verdict"] == verdict.value
    ]
    return sorted(found, key=lambda row: -abs(float(row["ratio"]) - 1))


def tally(found: Sequence[Row]) -> str:
    """ "2 + 1 - of 35": how often it gained and lost."""
    counts = {verdict: sum(row["verdict"] == verdict.value for row in found) for verdict in Verdict}
    return f"{counts[Verdict.FASTER]} +, {counts[Verdict.SLOWER]} - of {len(found)}" if found else ""


def summary(whole: Row) -> list[Row]:
    """A row for each experiment."""
    return [
        {
            "name": name,
            "malloc": whole["hot_paths"][name]["malloc"]["instructions"],
            "free": whole["hot_paths"][name]["free"]["instructions"],
            "means": {kind: mean(of(whole, kind, name)) for kind in KINDS},
            "tallies": {kind: tally(of(whole, kind, name)) for kind in KINDS},
            "decided": tally([row for kind in KINDS for row in of(whole, kind, name)]),
            "verdict": measurement.verdict([row for kind in KINDS for row in of(whole, kind, name)]),
        }
        for name in whole["experiments"]
    ]


def ratio(row: Row) -> str:
    return f"{row['ratio']:.3f}"


def _summary_grid(whole: Row) -> Grid:
    shipped = whole["hot_paths"][contenders.SHIPPED]
    first = [contenders.SHIPPED, *(str(shipped[call]["instructions"]) for call in ("malloc", "free"))]
    lines = [first + [""] * (2 * len(KINDS) + 1)]
    for row in summary(whole):
        cells = [
            text
            for kind in KINDS
            for text in ("" if row["means"][kind] is None else f"{row['means'][kind]:.3f}", row["tallies"][kind])
        ]
        lines.append([row["name"], str(row["malloc"]), str(row["free"]), *cells, row["verdict"]])
    columns = [
        "experiment",
        "malloc",
        "free",
        *(text for name in KINDS.values() for text in (name, "decided")),
        "verdict",
    ]
    return Grid("each experiment by what ships: geometric means", columns, lines, words=1)


def _decided_grid(title: str, found: list[Row]) -> list[Grid]:
    lines = [
        [row["experiment"], row["kind"], row["where"], ratio(row), lab_table.interval(row), f"{row['p_adjusted']:.2g}"]
        for row in found
    ]
    columns = ["experiment", "what", "on", "ratio", "95 % interval", "p"]
    return [Grid(f"{title}: {len(lines)}", columns, lines, words=3)] if lines else []


def _matrix(whole: Row, kind: str) -> list[Grid]:
    found = {(row["where"], row["experiment"]): row for row in rows(whole, kind)}
    places = list(dict.fromkeys(where for where, _ in found))
    lines = [[where, *(lab_table.cell(found.get((where, name))) for name in whole["experiments"])] for where in places]
    title = f"{KINDS[kind]}, by what ships"
    return [Grid(title, ["on", *whole["experiments"]], lines, words=1)] if lines else []


def _instruction_grid(whole: Row) -> list[Grid]:
    found = {(row["where"], row["experiment"]): row for row in whole["instructions"]}
    shipped = {row["where"]: row["shipped"] for row in whole["instructions"]}
    lines = [
        [
            where,
            f"{count:.2f}",
            *(
                f"{found[where, name]['instructions'] - count:+.2f}" if (where, name) in found else ""
                for name in whole["experiments"]
            ),
        ]
        for where, count in shipped.items()
    ]
    title = "instructions of an operation, slow paths included (callgrind), preloaded; and how many more"
    return [Grid(title, ["on", contenders.SHIPPED, *whole["experiments"]], lines, words=1)] if lines else []


def write(whole: Row, out: TextIO) -> None:
    """Prints the outcome."""
    machine = whole["machine"]
    heading = (
        f"hakmem's experiments: {whole['rounds']} rounds, seed {whole['seed']}; {machine['cpu_model']}, "
        f"{machine['processors_allowed']} processors, Linux {machine['kernel']}"
    )
    grids = [*_decided_grid("LOSSES", decided(whole, Verdict.SLOWER)), _summary_grid(whole)]
    grids += _decided_grid("GAINS", decided(whole, Verdict.FASTER))
    for kind in KINDS:
        grids += _matrix(whole, kind)
    table.print_grids(heading, grids + _instruction_grid(whole), CAPTION, out)
    for note in whole["notes"]:
        out.write(f"\nNOTE: {note}\n")
    for row in whole["programs"]["failures"]:
        out.write(f"\nNOTE: {row['program']} failed under {row['contender']}: {row['why'].splitlines()[0]}\n")
