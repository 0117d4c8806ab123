# SPDX-License-Identifier: MIT
"""What is measured of each experiment: its hot path, the laboratory's workloads, and real programs.

Every experiment stands beside what ships, and beside nothing else. Instructions of a hot call are those of the compiled-in
worker's probes; the rest is preloaded, so that all run one and the same program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import hot_path
from bench.engine import variants, worker
from bench.lab import contenders, lab, plan as plans
from bench.lab.workloads import Workload
from bench.programs import entrants, measurement
from bench.programs.measurement import Measurement
from tools.measure import inference, paired, progress
from tools.measure.inference import Estimate, Verdict

Row = dict[str, Any]

AGAIN = contenders.SHIPPED + contenders.AGAIN
"""The second name of what ships, whose difference from it is the noise."""

NO_PROGRAMS: Row = {"cpu": [], "peak": [], "failures": []}
"""What programs() gives where none ran."""

PROGRAMS = ("git", "lua", "perl", "redis", "sqlite")
"""Real programs where none are named: short ones, of many allocations."""


@dataclass(frozen=True)
class Plan:
    experiments: Sequence[str]
    """Names, "table-129"."""
    workloads: Sequence[Workload]
    programs: Sequence[str]
    rounds: int | None
    """None: the fewest in which each comparison can come out."""
    seed: int
    quick: bool
    operations: int | None


def library(variant: str) -> Path:
    return worker.built(f"bench/lab/libhakmem_{variant}")


def built() -> list[str]:
    """The experiments that this program was built with."""
    found = []
    for name, variant in variants.FLIPPED.items():
        try:
            library(variant)
            worker.executable(f"worker_hakmem_{variant}")
        except worker.NotBuilt:
            continue
        found.append(name)
    return found


def hot_paths(experiments: Sequence[str]) -> dict[str, Row]:
    """What ships and each experiment -> malloc and free -> the figures of a hot call."""
    found = {}
    builds = {contenders.SHIPPED: variants.SHIPPED} | {name: variants.FLIPPED[name] for name in experiments}
    for name, variant in progress.shown("next: hot paths", list(builds.items())):
        profile = hot_path.profile_of(f"worker_hakmem_{variant}", contenders.CONFIGS[name])
        found[name] = {call: dataclasses.asdict(figures) for call, figures in profile.figures.items()}
    return found


def laboratory(plan: Plan) -> Row:
    """The laboratory's report of what ships beside the experiments."""
    family = contenders.flipped(plan.experiments)
    made = plans.make(
        [family],
        plan.workloads,
        ["*"],
        rounds_asked=plan.rounds,
        seed=plan.seed,
        quick=plan.quick,
        operations=plan.operations,
    )
    return lab.measure(made)


def compared(logs: Mapping[tuple[str, str], Sequence[float]], seed: int) -> list[Row]:
    """Experiment and where it ran -> log ratios by what ships in the same round; AGAIN is the control of each place. A row
    each but the controls, with verdicts corrected over all of them together."""
    estimates = {key: inference.estimate(values, seed) for key, values in logs.items()}
    reach = {where: _reach(one) for (name, where), one in estimates.items() if name == AGAIN}
    thresholds = [0.0 if name == AGAIN else reach.get(where) for name, where in estimates]
    judged = inference.judged(list(estimates.values()), thresholds)
    return [
        {"experiment": name, "where": where, "ratio": one.median}
        | {"low": one.ratio.low if one.ratio else None, "high": one.ratio.high if one.ratio else None}
        | {"p_adjusted": found.p_adjusted, "verdict": found.verdict.value, "noise": reach.get(where)}
        for ((name, where), one), found in zip(estimates.items(), judged)
        if name != AGAIN
    ]


def _reach(one: Estimate) -> float | None:
    return None if one.ratio is None else inference.reach(one.ratio)


def times(report: Row) -> list[Row]:
    """The laboratory's own comparisons, in the form of compared()."""
    noise = {row["workload"]: row["noise_threshold"] for row in report["noise"]}
    return [
        {"experiment": row["one"], "where": row["workload"], "noise": noise.get(row["workload"])}
        | {key: row[key] for key in ("ratio", "low", "high", "p_adjusted", "verdict")}
        for row in report["comparisons"]
    ]


def peaks(report: Row) -> list[Row]:
    """Peak resident memory of the same runs."""
    found = {(row["contender"], row["workload"]): row["peak_rss_bytes"] for row in report["samples"] if row["rounds"]}
    logs = {}
    for (name, workload), bytes_of_rounds in found.items():
        base = found.get((contenders.SHIPPED, workload))
        if name in (AGAIN, *variants.FLIPPED) and base is not None and len(base) == len(bytes_of_rounds):
            logs[name, workload] = paired.log_ratios(bytes_of_rounds, base)
    return compared(logs, report["seed"])


def instructions(report: Row) -> list[Row]:
    """Of an operation, where a workload executes the same ones each time: exact, slow paths included."""
    found = {(row["contender"], row["workload"]): row["instructions"] for row in report["counts"]}
    return [
        {"experiment": name, "where": workload, "instructions": count, "shipped": found[contenders.SHIPPED, workload]}
        for (name, workload), count in found.items()
        if name in variants.FLIPPED and (contenders.SHIPPED, workload) in found
    ]


def _program_logs(
    found: Mapping[str, Mapping[str, Sequence[Measurement | None]]], figure: str
) -> dict[tuple[str, str], list[float]]:
    logs = {}
    for program, of in found.items():
        whole = {name: [getattr(run, figure) for run in runs if run is not None] for name, runs in of.items()}
        base = whole[entrants.HAKMEM]
        for name, values in whole.items():
            if name != entrants.HAKMEM and base and len(values) == len(base) == len(of[name]):
                logs[name, program] = paired.log_ratios(values, base)
    return logs


def programs(plan: Plan) -> Row:
    """Processor time and peak memory of real programs; nothing where none are asked for."""
    if not plan.programs:
        return NO_PROGRAMS
    builds = {entrants.HAKMEM: library(variants.SHIPPED), AGAIN: library(variants.SHIPPED)}
    builds |= {name: library(variants.FLIPPED[name]) for name in plan.experiments}
    runs = measurement.measured(
        measurement.Plan(
            programs=plan.programs,
            peers=[name for name in builds if name != entrants.HAKMEM],
            rounds=plan.rounds or paired.ROUNDS_MIN,
            seed=plan.seed,
            builds=builds,
        )
    )
    return {
        "cpu": compared(_program_logs(runs.found, "cpu_seconds"), plan.seed),
        "peak": compared(_program_logs(runs.found, "peak_bytes"), plan.seed),
        "failures": [dataclasses.asdict(failure) for failure in runs.failures],
    }


def verdict(rows: Sequence[Row]) -> str:
    """What an experiment's rows say together; where nothing was compared, nothing."""
    verdicts = {row["verdict"] for row in rows} - {Verdict.INCOMPLETE.value}
    if not verdicts:
        return "not measured"
    gains, losses = Verdict.FASTER.value in verdicts, Verdict.SLOWER.value in verdicts
    if gains and losses:
        return "both"
    if gains or losses:
        return "gains" if gains else "loses"
    return "no difference found"
