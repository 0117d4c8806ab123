# SPDX-License-Identifier: MIT
"""The outcome as JSON, as described by programs.schema.json, and as tables, which are made from the JSON's object."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Any, TextIO

from bench.engine import identity
from bench.programs.measurement import Outcome, Result
from tools.measure import paired, table
from tools.measure.paired import Ratio
from tools.measure.table import Grid, MIB, figure

CAPTION = (
    "Ratios are hakmem's figure by the peer's in the same round, median and 95 % interval: below 1 is faster, or less "
    "memory; where the interval holds 1, no difference was found. time: wall time of the programs' processes; of a "
    "server, per request as its client reports. cpu: user and system time of the whole process tree, a server's start "
    "and end included. peak: most resident memory, of the largest process (as the kernel counts it) or of all "
    "processes together (their proportional shares, looked at every 50 ms)."
)

FIGURES = ("time", "cpu", "memory")
"""What is compared."""


def _ratio_object(ratio: Ratio) -> dict[str, float]:
    return {"ratio": figure(ratio.estimate), "ci95_low": figure(ratio.low), "ci95_high": figure(ratio.high)}


def _result_object(result: Result) -> dict[str, Any]:
    workload = result.workload
    return {
        "program": workload.name,
        "task": workload.task,
        "peak_is_of": workload.memory.value,
        "contenders": [
            {
                "name": row.contender,
                "seconds": figure(row.median.seconds),
                "cpu_seconds": figure(row.median.cpu_seconds),
                "peak_bytes": row.median.peak_bytes,
                "requests_per_second": None if row.median.throughput is None else figure(row.median.throughput),
            }
            for row in result.rows
        ],
        "hakmem_by": [
            {"peer": comparison.peer, **{name: _ratio_object(getattr(comparison, name)) for name in FIGURES}}
            for comparison in result.comparisons
        ],
    }


def machine() -> dict[str, Any]:
    """What the figures depend on and a reader cannot guess."""
    found = identity.machine()
    names = {
        "processor": "cpu_model",
        "processors": "processors_allowed",
        "memory_bytes": "memory_bytes",
        "system": "distribution",
        "kernel": "kernel",
        "transparent_huge_pages": "transparent_huge_pages",
    }
    return {key: found[of] for key, of in names.items()}


def commit() -> dict[str, Any] | None:
    """Of what was measured; None where that was not started by `bazel run`."""
    return identity.commit(os.environ.get("BUILD_WORKSPACE_DIRECTORY"))


def outcome_object(outcome: Outcome) -> dict[str, Any]:
    """The whole outcome as one JSON object."""
    return {
        "benchmark": "programs",
        "rounds": outcome.plan.rounds,
        "seed": outcome.plan.seed,
        "machine": machine(),
        "commit": commit(),
        "contenders": [{"name": one.name, "version": one.version} for one in outcome.contenders],
        "programs": [_result_object(result) for result in outcome.results],
        "failures": [dataclasses.asdict(failure) for failure in outcome.failures],
    }


def peers(whole: dict[str, Any]) -> list[str]:
    """The contenders but hakmem."""
    return [contender["name"] for contender in whole["contenders"][1:]]


def failures(whole: dict[str, Any]) -> list[dict[str, str]]:
    """Programs that failed under a contender; an outcome of before there was such a row has none."""
    found: list[dict[str, str]] = whole.get("failures", [])
    return found


def ratios(whole: dict[str, Any], program: dict[str, Any], name: str) -> list[str]:
    """hakmem's figure by each peer's, in their order; "failed" where the program did so under one of the two."""
    of_peer = {by["peer"]: interval(by[name]) for by in program["hakmem_by"]}
    return [of_peer.get(peer, "failed") for peer in peers(whole)]


def means(whole: dict[str, Any], name: str) -> list[float | None]:
    """For each peer, the geometric mean of the ratios over all programs that did not fail; None where all did."""
    found: dict[str, list[float]] = {peer: [] for peer in peers(whole)}
    for program in whole["programs"]:
        for by in program["hakmem_by"]:
            found[by["peer"]].append(by[name]["ratio"])
    return [paired.geometric_mean(of) if of else None for of in found.values()]


def interval(ratio: dict[str, float]) -> str:
    return f"{ratio['ratio']:.2f} ({ratio['ci95_low']:.2f}..{ratio['ci95_high']:.2f})"


def seconds(value: float) -> str:
    """Three digits and a unit, from a request's microseconds to a program's seconds."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1 or unit == "us":
            return f"{value * factor:.3g} {unit}"
    raise AssertionError("the last unit takes everything")


def mebibytes(value: int) -> str:
    return f"{value / MIB:.1f}"


def _ratio_grid(whole: dict[str, Any], name: str) -> Grid:
    lines = [[program["program"], *ratios(whole, program, name)] for program in whole["programs"]]
    lines.append(["geometric mean", *("" if mean is None else f"{mean:.2f}" for mean in means(whole, name))])
    return Grid(
        title=f"{name}: hakmem by each peer",
        columns=["program", *(f"by {peer}" for peer in peers(whole))],
        lines=lines,
        words=1,
    )


def _failure_grid(whole: dict[str, Any]) -> list[Grid]:
    """The first line of what went wrong."""
    lines = [[row["program"], row["contender"], row["why"].splitlines()[0]] for row in failures(whole)]
    return [Grid(f"FAILED: {len(lines)}", ["program", "allocator", "why"], lines, words=3)] if lines else []


def _median_grid(whole: dict[str, Any]) -> Grid:
    return Grid(
        title="medians",
        columns=["program", "allocator", "time", "cpu", "requests/s", "peak MiB"],
        lines=[
            [
                program["program"],
                row["name"],
                seconds(row["seconds"]),
                seconds(row["cpu_seconds"]),
                "" if row["requests_per_second"] is None else f"{row['requests_per_second']:,.0f}",
                mebibytes(row["peak_bytes"]),
            ]
            for program in whole["programs"]
            for row in program["contenders"]
        ],
        words=2,
    )


def _csv_lines(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each program and allocator, with hakmem's ratios in those of the peers."""
    lines = []
    for program in whole["programs"]:
        by_peer = {by["peer"]: by for by in program["hakmem_by"]}
        for row in program["contenders"]:
            line = {"program": program["program"], "allocator": row["name"]} | row
            del line["name"]
            for name in FIGURES:
                for key in ("ratio", "ci95_low", "ci95_high"):
                    by = by_peer.get(row["name"])
                    line[f"hakmem_by_it_{name}_{key}"] = by[name][key] if by else None
            lines.append(line)
    return lines


def print_object(whole: dict[str, Any], form: str, out: TextIO = sys.stdout) -> None:
    """Prints the outcome in one of arguments.FORMATS."""
    if form == "json":
        table.print_json(whole, out)
    elif form == "csv":
        table.print_csv(_csv_lines(whole), out)
    else:
        versions = ", ".join(f"{contender['name']} {contender['version']}" for contender in whole["contenders"])
        count = f"{whole['rounds']} rounds" if whole["rounds"] else "one round, to see that it works: no ratios"
        grids = [_ratio_grid(whole, name) for name in FIGURES] if whole["rounds"] else []
        tables = [*_failure_grid(whole), *grids, _median_grid(whole)]
        table.print_grids(f"programs: {versions}; {count}", tables, CAPTION, out)
