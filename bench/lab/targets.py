# SPDX-License-Identifier: MIT
"""The project's goals, each with the figure of a report: met, not met, or not measured.

Everything is taken from one report of the laboratory, and for real programs from one outcome of //bench/programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.lab import contenders, goals, scaling, views
from bench.lab.goals import Goal
from tools.measure import contender, paired, peers
from tools.measure.table import MIB

Row = dict[str, Any]

Ratios = dict[str, dict[str, float]]
"""Workload or program -> peer -> hakmem's figure by the peer's."""


@dataclass(frozen=True)
class Figure:
    """What was measured for a goal."""

    value: float
    remark: str = ""
    """Where, and what the others have."""


@dataclass(frozen=True)
class Target:
    """A goal and what came of it."""

    goal: Goal
    figure: Figure | None
    """None: not in this report."""

    @property
    def is_met(self) -> bool:
        return self.figure is not None and self.goal.met_by(self.figure.value)

    @property
    def verdict(self) -> str:
        if self.figure is None:
            return "not measured"
        return "met" if self.is_met else "**not met**"


def time_ratios(report: Row) -> Ratios:
    """Of hakmem by Debian's libraries, as the comparisons have it."""
    found: Ratios = {}
    for row in views.against_peers(report):
        if row["other"] in contenders.DEBIAN:
            found.setdefault(row["workload"], {})[row["other"]] = row["ratio"]
    return found


def peak_ratios(report: Row) -> Ratios:
    """Of the medians of the peak resident memory in the same runs."""
    peaks = views.peaks(report)
    found: Ratios = {}
    for (workload, name), peak in peaks.items():
        if name in contenders.DEBIAN and (workload, contenders.HAKMEM) in peaks:
            found.setdefault(workload, {})[name] = peaks[workload, contenders.HAKMEM] / peak
    return found


def program_ratios(programs: Row, kind: str) -> Ratios:
    """Of real programs; `kind` is time or memory."""
    return {row["program"]: {by["peer"]: by[kind]["ratio"] for by in row["hakmem_by"]} for row in programs["programs"]}


def to_best(ratios: Ratios) -> dict[str, tuple[str, float]]:
    """Workload -> the peer that is best on it, and the ratio to it; the worst workload first."""
    best = {workload: max(of.items(), key=lambda one: one[1]) for workload, of in ratios.items() if of}
    return dict(sorted(best.items(), key=lambda item: item[1][1], reverse=True))


def _means(ratios: Ratios) -> dict[str, float]:
    """Peer -> geometric mean, over the workloads that it ran."""
    peers = dict.fromkeys(peer for of in ratios.values() for peer in of)
    return {peer: paired.geometric_mean([of[peer] for of in ratios.values() if peer in of]) for peer in peers}


def _listed(figures: Mapping[str, float], form: str = "{:.2f}") -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in figures.items())


def _one_of(figures: Mapping[str, float], name: str, form: str = "{:.2f}", what: str = "") -> Figure | None:
    """The figure of `name`, with those of the others as the remark."""
    if name not in figures:
        return None
    others = {other: value for other, value in figures.items() if other != name}
    return Figure(figures[name], what + _listed(others, form))


def _worst(goal: Goal, ratios: Ratios, what: str) -> Figure | None:
    """The largest ratio to the best peer, and how many are above the goal."""
    best = to_best(ratios)
    if not best:
        return None
    worst, (peer, value) = next(iter(best.items()))
    above = sum(not goal.met_by(ratio) for _, ratio in best.values())
    return Figure(value, f"{worst}, {peer}; {above} of {len(best)} {what} are above the goal")


def _instructions(report: Row, workload: str) -> Figure | None:
    """callgrind's, of calls through the PLT of a program that the libraries are preloaded into."""
    rows = [row for row in report["counts"] if (row["family"], row["workload"]) == (contenders.LIBRARIES, workload)]
    return _one_of({row["contender"]: row["instructions"] for row in rows}, contenders.HAKMEM, "{:.1f}")


def _per_thread(report: Row) -> Figure | None:
    figures = {row["contender"]: row["per_thread"] for row in report["scaling"]}
    return _one_of(figures, contenders.HAKMEM, what=f"{scaling.WORKLOAD}; ")


def _kept_after_second(report: Row) -> Figure | None:
    """The most that any workload leaves."""
    kept: dict[str, dict[str, float]] = {}
    for row in report["memory"]:
        if row["rss_after_second_bytes"] is not None:
            more = (row["rss_after_second_bytes"] - row["baseline_rss_bytes"]) / MIB
            kept.setdefault(row["contender"], {})[row["workload"]] = more
    if contenders.HAKMEM not in kept:
        return None
    worst = {name: max(of.items(), key=lambda one: one[1]) for name, of in kept.items()}
    where, value = worst.pop(contenders.HAKMEM)
    others = ", ".join(f"{name} {more:.1f} ({workload})" for name, (workload, more) in worst.items())
    return Figure(value, f"{where}; {others}")


def _startup(report: Row, key: str, form: str) -> Figure | None:
    figures = {row["contender"]: float(row[key]) for row in report["startup"] if row["contender"] != contender.GLIBC}
    return _one_of(figures, contenders.HAKMEM, form)


def _compared_mean(report: Row, family: str, one: str, other: str) -> Figure | None:
    rows = [row for row in views.compared(report, family) if (row["one"], row["other"]) == (one, other)]
    mean = views.geometric_mean(rows)
    if mean is None:
        return None
    worst = max(rows, key=lambda row: float(row["ratio"]))
    return Figure(mean, f"{len(rows)} workloads, the worst {worst['workload']} {worst['ratio']:.2f}")


def _peak_mean(report: Row, family: str, one: str, other: str) -> Figure | None:
    peaks = views.peaks(report, family)
    ratios = {
        workload: peak / peaks[workload, other]
        for (workload, name), peak in peaks.items()
        if name == one and (workload, other) in peaks
    }
    if not ratios:
        return None
    worst = max(ratios, key=lambda workload: ratios[workload])
    remark = f"{len(ratios)} workloads, the worst {worst} {ratios[worst]:.2f}"
    return Figure(paired.geometric_mean(list(ratios.values())), remark)


def _of_report(report: Row) -> dict[str, Figure | None]:
    """Name of a goal -> figure."""
    times, peaks = time_ratios(report), peak_ratios(report)
    best = [ratio for _, ratio in to_best(times).values()]
    libraries, mimalloc = contenders.LIBRARIES, peers.REFERENCE
    return {
        "instructions_pair": _instructions(report, "pair"),
        "instructions_replacement": _instructions(report, "replacement"),
        "time_mean": _one_of(_means(times), mimalloc, what=f"{len(times)} workloads; to the others: "),
        goals.WORST_TIME.name: _worst(goals.WORST_TIME, times, "workloads"),
        "time_best_mean": Figure(paired.geometric_mean(best)) if best else None,
        "peak_mean": _one_of(_means(peaks), mimalloc, what=f"{len(peaks)} workloads; to the others: "),
        goals.WORST_PEAK.name: _worst(goals.WORST_PEAK, peaks, "workloads"),
        "per_thread": _per_thread(report),
        "kept_after_second": _kept_after_second(report),
        "startup_ms": _startup(report, "more_ms", "{:.3f}"),
        "startup_pages": _startup(report, "more_faults", "{:.0f}"),
        "guard_time": _compared_mean(report, libraries, contenders.GUARD, contenders.HAKMEM),
        "guard_peak": _peak_mean(report, libraries, contenders.GUARD, contenders.HAKMEM),
        "guard_time_mimalloc": _compared_mean(report, libraries, contenders.GUARD, mimalloc),
        "guard_peak_mimalloc": _peak_mean(report, libraries, contenders.GUARD, mimalloc),
        "full_time": _compared_mean(report, contenders.WITH_GUARD, contenders.GUARD_FULL, contenders.HAKMEM),
    }


def _of_programs(programs: Row) -> dict[str, Figure | None]:
    found: dict[str, Figure | None] = {}
    for kind, worst in (("time", goals.WORST_PROGRAM_TIME), ("memory", goals.WORST_PROGRAM_MEMORY)):
        ratios = program_ratios(programs, kind)
        found |= {f"program_{kind}_{peer}": Figure(mean) for peer, mean in _means(ratios).items()}
        found[worst.name] = _worst(worst, ratios, "programs")
    return found


def _targets(wanted: Iterable[Goal], figures: Mapping[str, Figure | None]) -> list[Target]:
    return [Target(goal, figures.get(goal.name)) for goal in wanted]


def made(report: Row, programs: Row | None) -> dict[str, list[Target]]:
    """Heading -> targets."""
    figures = _of_report(report)
    peers = [row["name"] for row in programs["contenders"][1:]] if programs else list(contenders.DEBIAN)
    return {
        "The allocator": _targets(goals.ALLOCATOR, figures),
        "Real programs": _targets(goals.program_goals(peers), _of_programs(programs) if programs else {}),
        "The builds with a guard": _targets(goals.GUARD, figures),
    }


def above(goal: Goal, ratios: Ratios) -> dict[str, tuple[str, float]]:
    """As to_best, where the goal is not met."""
    return {name: best for name, best in to_best(ratios).items() if not goal.met_by(best[1])}


def shortfalls(report: Row, programs: Row | None) -> list[Row]:
    """Which workloads and programs are above the goal of the worst, a table each kind."""
    kinds = [
        ("workload, time", goals.WORST_TIME, time_ratios(report)),
        ("workload, peak resident memory", goals.WORST_PEAK, peak_ratios(report)),
    ]
    if programs:
        kinds += [
            ("program, time", goals.WORST_PROGRAM_TIME, program_ratios(programs, "time")),
            ("program, memory", goals.WORST_PROGRAM_MEMORY, program_ratios(programs, "memory")),
        ]
    return [{"what": what, "goal": goal, "above": above(goal, ratios)} for what, goal, ratios in kinds]


def count(found: Mapping[str, Sequence[Target]]) -> Row:
    """How many are met, not met and not measured."""
    every = [target for targets in found.values() for target in targets]
    measured = [target for target in every if target.figure is not None]
    return {
        "all": len(every),
        "met": sum(target.is_met for target in every),
        "not_met": len(measured) - sum(target.is_met for target in measured),
        "not_measured": len(every) - len(measured),
    }
