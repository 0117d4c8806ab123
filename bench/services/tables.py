# SPDX-License-Identifier: MIT
"""The outcome as JSON, as services.schema.json describes it, and as tables, which are made from the JSON's object."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any, TextIO

from bench.programs import tables as programs
from bench.programs.entrants import HAKMEM
from bench.services import measurement
from bench.services.measurement import Cell, Outcome
from bench.services.registry import SERVICES
from bench.services.service import QUANTILES
from tools.measure import table
from tools.measure.table import Grid, figure

Row = dict[str, Any]

SCHEMA = Path(__file__).with_name("services.schema.json")


CAPTION = (
    "Resident memory in MiB, the proportional shares of all processes of the service, looked at five times a second: the "
    "most, the mean over time, and what was left after the idle time at the end. Processor time is of all processes, by "
    "request. p50, p99, p99.9: what the clients waited. Memory has no interval: one run a round, and the medians of those."
)

_POINTS_MOST = 300
"""Of a line in the JSON: as many as a plot can show."""


def thinned(line: list[tuple[float, int]]) -> list[list[float]]:
    """At most _POINTS_MOST of the line's points, of each stretch the highest; the last one stays."""
    step = -(-len(line) // _POINTS_MOST)
    kept = [max(line[i : i + step], key=lambda point: point[1]) for i in range(0, len(line), step)]
    kept[-1] = line[-1]
    return [[round(when, 2), size] for when, size in kept]


_BEYOND_LEAST = 10
"""Requests of a round that took longer than a quantile: of fewer it says what one or two of them took."""


def _quantile(cell: Cell, name: str) -> float | None:
    enough = cell.quantiles is not None and (1 - QUANTILES[name]) * cell.requests >= _BEYOND_LEAST
    return figure(cell.quantiles[name]) if enough and cell.quantiles else None


def _cell_object(name: str, cell: Cell) -> Row:
    return {
        "name": name,
        "peak_bytes": cell.peak_bytes,
        "mean_bytes": round(cell.mean_bytes),
        "idle_bytes": cell.idle_bytes,
        "cpu_seconds": figure(cell.cpu_seconds),
        "requests": cell.requests,
        **{f"{name}_seconds": _quantile(cell, name) for name in QUANTILES},
        "idle_from": None if cell.idle_from is None else round(cell.idle_from, 2),
        "line": thinned(cell.line),
    }


def outcome_object(outcome: Outcome) -> Row:
    """The whole outcome as one JSON object."""
    return {
        "benchmark": "services",
        "rounds": outcome.plan.rounds,
        "seed": outcome.plan.seed,
        "seconds": outcome.plan.seconds,
        "idle_seconds": outcome.plan.idle,
        "machine": programs.machine(),
        "commit": programs.commit(),
        "contenders": [{"name": one.name, "version": one.version} for one in outcome.contenders],
        "services": [
            {
                "service": name,
                "task": SERVICES[name].task,
                "contenders": [
                    _cell_object(one.name, measurement.median(cells[one.name]))
                    for one in outcome.contenders
                    if one.name in cells
                ],
            }
            for name, cells in outcome.cells.items()
        ],
        "missing": [dataclasses.asdict(one) for one in outcome.missing],
        "failures": [dataclasses.asdict(one) for one in outcome.failures],
    }


def names(whole: Row) -> list[str]:
    """The allocators, hakmem first."""
    return [one["name"] for one in whole["contenders"]]


def row_of(service: Row, contender: str) -> Row | None:
    """The figures of a service under an allocator; None where it failed."""
    found: list[Row] = [row for row in service["contenders"] if row["name"] == contender]
    return found[0] if found else None


def by_best(service: Row, key: str) -> float | None:
    """hakmem's figure by the least of its peers'; None where one of the two is not known."""
    own = row_of(service, HAKMEM)
    others = [row[key] for row in service["contenders"] if row["name"] != HAKMEM and row[key] is not None]
    return own[key] / min(others) if own is not None and own[key] is not None and others else None


def worst_first(whole: Row, key: str) -> list[tuple[Row, float | None]]:
    """The services with their by_best(): those in which hakmem failed, then the largest first; those without one at the end."""

    def place(one: tuple[Row, float | None]) -> float:
        if row_of(one[0], HAKMEM) is None:
            return math.inf
        return -1.0 if one[1] is None else one[1]

    return sorted(((service, by_best(service, key)) for service in whole["services"]), key=place, reverse=True)


LOSS = 1.05
"""hakmem's figure by that of the best of its peers above which it is said to lose: less is within what one run makes of it."""


def losses(whole: Row, key: str) -> list[str]:
    """Each service in which hakmem failed, or has more than LOSS times a peer's figure; the worst first."""
    found = []
    for service, ratio in worst_first(whole, key):
        if row_of(service, HAKMEM) is None:
            found.append(f"{service['service']} failed")
        elif ratio is not None and ratio > LOSS:
            others = (row for row in service["contenders"] if row[key] is not None and row["name"] != HAKMEM)
            best = min(others, key=lambda row: float(row[key]))
            found.append(f"{service['service']} {ratio:.2f} of {best['name']}'s")
    return found


def shown(row: Row | None, key: str) -> str:
    """A figure in its unit; "failed" without a row, a dash where nobody says it."""
    if row is None:
        return "failed"
    value = row[key]
    if value is None:
        return "–"
    return programs.mebibytes(value) if key.endswith("_bytes") else programs.seconds(value)


def given_back(row: Row | None) -> str:
    """How much of the most that it held a service has given back to the system at the end of its idle time."""
    if row is None or row["idle_bytes"] is None:
        return shown(row, "idle_bytes")
    return f"{100 * (1 - row['idle_bytes'] / row['peak_bytes']):.0f} %"


FIGURES = {
    "peak_bytes": "peak",
    "mean_bytes": "mean",
    "idle_bytes": "idle",
    "cpu_seconds": "cpu/request",
    **{f"{name}_seconds": label for name, label in zip(QUANTILES, ("p50", "p99", "p99.9"))},
}
"""Keys of a row -> what a table calls them."""


def _grid(whole: Row) -> Grid:
    return Grid(
        title="services, MiB and times",
        columns=["service", "allocator", *FIGURES.values(), "requests"],
        lines=[
            [service["service"], name, *(shown(row_of(service, name), key) for key in FIGURES)]
            + [f"{row['requests']:,}" if (row := row_of(service, name)) else ""]
            for service in whole["services"]
            for name in names(whole)
        ],
        words=2,
    )


def _said(title: str, lines: list[list[str]]) -> list[Grid]:
    return [Grid(f"{title}: {len(lines)}", ["service", "allocator", "why"], lines, words=3)] if lines else []


def print_object(whole: Row, form: str, out: TextIO = sys.stdout) -> None:
    """Prints the outcome in one of arguments.FORMATS."""
    if form == "json":
        table.print_json(whole, out)
    elif form == "csv":
        lines = [
            {"service": service["service"], "allocator": row["name"]}
            | {key: value for key, value in row.items() if key not in ("name", "line")}
            for service in whole["services"]
            for row in service["contenders"]
        ]
        table.print_csv(lines, out)
    else:
        versions = ", ".join(f"{one['name']} {one['version']}" for one in whole["contenders"])
        failed = [[row["program"], row["contender"], row["why"].splitlines()[0]] for row in whole["failures"]]
        missing = [[row["service"], "", row["why"]] for row in whole["missing"]]
        grids = [*_said("FAILED", failed), *_said("missing", missing), _grid(whole)]
        table.print_grids(
            f"services: {versions}; {whole['rounds']} round{'s' * (whole['rounds'] > 1)}", grids, CAPTION, out
        )
