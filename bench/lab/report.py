# SPDX-License-Identifier: MIT
"""The report as one JSON object, described by schema/lab.schema.json: what was measured, raw, and what follows from it.

Everything else that is printed or drawn is made from this object alone, so that a report that was kept can be printed
and compared as well as a fresh one.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.engine.variants import COMBINATIONS
from bench.engine.worker import cpu_ns, ns_per_op
from bench.lab import factorial, scaling, startup
from bench.lab.contenders import Family
from bench.lab.plan import Plan, Slot
from bench.lab.results import Results
from tools.measure import conditions, inference, paired
from tools.measure.inference import Estimate
from tools.measure.table import figure

SCHEMA = 3
"""Changes when the meaning of a key does."""

Row = dict[str, Any]


def _ratio(estimate: Estimate) -> Row:
    ratio = estimate.ratio
    return {
        "ratio": figure(estimate.median),
        "low": None if ratio is None else figure(ratio.low),
        "high": None if ratio is None else figure(ratio.high),
        "rounds": estimate.rounds,
        "p": figure(estimate.p),
    }


@dataclasses.dataclass(frozen=True)
class _Compared:
    """A row, and what it is judged by."""

    row: Row
    estimate: Estimate

    @property
    def slot(self) -> Slot:
        return Slot(self.row["family"], self.row["workload"])

    @property
    def reach(self) -> float | None:
        """How far the interval reaches from 1, as a logarithm; None with too few rounds."""
        return None if self.estimate.ratio is None else inference.reach(self.estimate.ratio)


def _compared(results: Results, slot: Slot, one: str, other: str) -> _Compared | None:
    """The ratio of two contenders; None where neither ran."""
    times = results.times(slot)
    if one not in times or other not in times or not times[one]:
        return None
    logs = paired.log_ratios(times[one], times[other])
    clock = "processor" if results.is_by_processor(slot) else "wall"
    estimate = inference.estimate(logs, results.plan.seed)
    named: Row = {"family": slot.family, "workload": slot.workload, "one": one, "other": other, "clock": clock}
    return _Compared(named | _ratio(estimate), estimate)


def _controls(results: Results) -> list[_Compared]:
    """The A/A control of each slot, and the noise threshold that it shows."""
    found = []
    for slot in results.plan.slots:
        again, first = reversed(results.plan.families[slot.family].control)
        compared = _compared(results, slot, again, first)
        if compared is not None:
            reach = compared.reach
            compared.row["noise_threshold"] = None if reach is None else figure(math.exp(reach) - 1)
            found.append(compared)
    return found


def _comparisons(results: Results) -> list[_Compared]:
    found = [
        _compared(results, slot, one, other)
        for slot in results.plan.slots
        for one, other in results.plan.families[slot.family].pairs
    ]
    return [compared for compared in found if compared is not None]


def _effects(results: Results) -> list[_Compared]:
    """The effects of the switches where all combinations ran."""
    found = []
    for slot in results.plan.slots:
        times = results.times(slot)
        if not times.keys() >= set(COMBINATIONS.values()) or not next(iter(times.values())):
            continue
        for switches, estimate in factorial.effects(times, results.plan.seed).items():
            named: Row = {"family": slot.family, "workload": slot.workload, "switches": list(switches)}
            found.append(_Compared(named | _ratio(estimate), estimate))
    return found


def judged(results: Results) -> dict[str, list[Row]]:
    """Comparisons, effects and controls with verdicts, corrected over all of them together."""
    control, compared, effects = _controls(results), _comparisons(results), _effects(results)
    thresholds = {one.slot: one.reach for one in control}
    # The control has no threshold of its own: its verdict says whether a difference is seen where there is none.
    limits = [0.0] * len(control) + [thresholds.get(one.slot) for one in (*compared, *effects)]
    together = [*control, *compared, *effects]
    for one, found in zip(together, inference.judged([one.estimate for one in together], limits)):
        one.row.update({"p_adjusted": figure(found.p_adjusted), "verdict": found.verdict.value})
    return {
        kind: [one.row for one in rows]
        for kind, rows in (("noise", control), ("comparisons", compared), ("effects", effects))
    }


def _contender_rows(results: Results, binaries: Mapping[tuple[str, str], Row]) -> list[Row]:
    rows = []
    for family in results.plan.families.values():
        for contender in family.contenders:
            said = results.said.get((family.name, contender.name), {})
            rows.append(
                {
                    "family": family.name,
                    "name": contender.name,
                    "link": contender.link,
                    "version": said.get("version"),
                    "config": said.get("config"),
                }
                | binaries[family.name, contender.name]
            )
    return rows


def _workload_rows(results: Results) -> list[Row]:
    rows = []
    for workload in results.plan.workloads.values():
        slots = [slot for slot in results.plan.slots if slot.workload == workload.name]
        rows.append(
            {
                "name": workload.name,
                "family": workload.family,
                "description": workload.description,
                "source": workload.source,
                "threads": workload.threads,
                "exact": workload.exact,
                "working_set_bytes": results.working_sets.get(workload.name),
                "pinned": results.pinned.get(workload.threads),
                "operations": {slot.family: results.operations[slot] for slot in slots if slot in results.operations},
            }
        )
    return rows


def _calibration_rows(results: Results) -> list[Row]:
    return [
        {"family": slot.family, "workload": slot.workload, "contender": name}
        | {key: figure(value) for key, value in dataclasses.asdict(one).items()}
        for slot, calibrated in results.calibration.items()
        for name, one in calibrated.items()
    ]


def _sample_rows(results: Results) -> list[Row]:
    """Raw: a row a contender that did not fail, an entry a round under each key."""
    rows = []
    for slot, kept in results.samples.items():
        for name, by_round in kept.items():
            if results.failures.is_failed(slot, name):
                continue
            numbers = sorted(by_round)
            keys = list(by_round[numbers[0]]) if numbers else []
            rows.append(
                {"family": slot.family, "workload": slot.workload, "contender": name, "rounds": numbers}
                | {key: [by_round[number][key] for number in numbers] for key in keys}
            )
    return rows


def _time_rows(results: Results) -> list[Row]:
    """The middle times of each contender; for orientation, comparisons are of rounds."""
    return [
        {
            "family": slot.family,
            "workload": slot.workload,
            "contender": name,
            "ns_per_op": figure(statistics.median(map(ns_per_op, runs))),
            "cpu_ns_per_op": figure(statistics.median(map(cpu_ns, runs))),
            "rounds": len(runs),
        }
        for slot in results.plan.slots
        for name, runs in results.runs(slot).items()
        if runs
    ]


def _latency_rows(rows: Sequence[Row]) -> list[Row]:
    """The runs of each contender, quantile by quantile."""
    families: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        families.setdefault((row["family"], row["workload"], row["contender"]), []).append(row)
    return [
        {"family": key[0], "workload": key[1], "contender": key[2], "runs": len(runs)}
        | {
            call: {name: [figure(run[call][name]) for run in runs] for name in runs[0][call]}
            for call in ("alloc", "free")
        }
        | {
            "timer": runs[0]["timer"],
            "timer_cost_ns": figure(statistics.median(run["timer_cost_ns"] for run in runs)),
        }
        for key, runs in families.items()
    ]


def _load(results: Results) -> Row:
    """What else the machine did, by round; and of all timed runs, how often they were sent off a processor."""
    rounds = sorted(results.loads)
    runs = [run for slot in results.samples for of in results.runs(slot).values() for run in of]
    alone = [
        run
        for slot in results.samples
        if results.is_by_processor(slot)
        for of in results.runs(slot).values()
        for run in of
    ]
    seconds = sum(run["ns"] for run in runs) / 1e9
    return {
        "quiet_seconds": results.plan.quiet_seconds,
        "rounds": rounds,
        "others": [figure(results.loads[number].others) for number in rounds],
        "steal": [figure(results.loads[number].steal) for number in rounds],
        "involuntary_per_second": figure(sum(run["involuntary_switches"] for run in runs) / seconds) if runs else None,
        "waited": figure(statistics.median(max(0.0, 1 - run["cpu_ns"] / run["ns"]) for run in alone))
        if alone
        else None,
    }


def _conditions(plan: Plan, results: Results) -> Row:
    return {
        "address_space_layout": "random",
        "padding_bytes": [results.paddings[number] for number in sorted(results.paddings)],
        "processors_one_thread": conditions.pinned_to(1),
        "processors_more_threads": conditions.pinned_to(2),
        "comparisons": plan.comparisons,
        "alpha": inference.ALPHA,
        "correction": "Holm",
        "test": "Wilcoxon signed-rank",
        "equivalent_within": inference.EQUIVALENT,
        "run_seconds": None if results.run_seconds is None else figure(results.run_seconds),
    }


def _about(family: Family) -> Row:
    return {"name": family.name, "control": list(family.control), "reference": family.reference}


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What is in a report beside the measurements."""

    machine: Row
    commit: Row | None
    compilation: Row
    binaries: dict[tuple[str, str], Row]
    hot_path: Row


def make(results: Results, around: Surroundings, now: datetime.datetime) -> Row:
    """The whole report."""
    plan = results.plan
    return {
        "schema": SCHEMA,
        "created": now.astimezone(datetime.timezone.utc).isoformat(timespec="seconds"),
        "complete": results.ended_in is None,
        "ended_in": results.ended_in,
        "ended_by": results.ended_by,
        "mode": "quick" if plan.quick else "full",
        "baseline": plan.baseline,
        "rounds": plan.rounds,
        "seed": plan.seed,
        "failures": [dataclasses.asdict(failure) for failure in results.failures.rows],
        "notes": results.notes,
        "seconds": {name: figure(value) for name, value in results.seconds.items()},
        "machine": around.machine,
        "commit": around.commit,
        "compilation": around.compilation,
        "conditions": _conditions(plan, results),
        "load": _load(results),
        "families": [_about(family) for family in plan.families.values()],
        "contenders": _contender_rows(results, around.binaries),
        "workloads": _workload_rows(results),
        "calibration": _calibration_rows(results),
        "times": _time_rows(results),
        **judged(results),
        "scaling": scaling.rows(results),
        "startup": startup.rows(results),
        "counts": [_rounded(row) for row in results.counts],
        "hot_path": around.hot_path,
        "system_calls": results.system_calls,
        "memory": results.memory,
        "latency": _latency_rows(results.latency),
        "samples": _sample_rows(results),
    }


def _rounded(row: Row) -> Row:
    return {key: figure(value) if isinstance(value, float) else value for key, value in row.items()}
