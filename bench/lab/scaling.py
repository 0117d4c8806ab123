# SPDX-License-Identifier: MIT
"""What a thread loses when a second one works beside it, on work that the two do not share.

Each library runs the workload `local` on one thread and on two, as many operations on each thread, in rounds in which
the two runs stand next to each other. Threads that do not disturb each other take the time of one: the figure is the
time of one thread by that of two, 1 where twice as much was done in the same time. What the machine itself takes (a
core that is two processors, a clock that depends on the load) is in the figure of every library.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from bench.engine import worker
from bench.lab import contenders, items, workloads
from bench.lab.contenders import Family
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.workloads import Workload
from tools.measure import conditions, inference, paired, progress, rounds
from tools.measure.table import figure

WORKLOAD = "local"
"""Every thread works for itself."""

SLOT = Slot(contenders.LIBRARIES, WORKLOAD)

ONE, TWO = 1, 2

# Of the workload's own operations: some 20 ms a run, in which threads meet often enough.
_PART = 2


def _measure_one(
    results: Results, family: Family, alone: Workload, operations: int, turn: rounds.Turn[str, int]
) -> int:
    """Nanoseconds of one run."""
    contender, seed = family.find(turn.slot), results.plan.seed + turn.number
    with conditions.pinned(turn.key):
        said = workloads.run(family, contender, alone, operations, seed, padding=turn.padding)
    return worker.sample(contender, said)["ns"]


def measure(results: Results) -> None:
    """Runs every library alone and on two threads; nothing where the plan does not have the workload."""
    plan = results.plan
    if SLOT not in plan.slots:
        return
    if len(conditions.processors()) < TWO:
        results.notes.append("one processor: what a second thread costs was not measured")
        return
    family, workload = plan.families[SLOT.family], plan.workloads[SLOT.workload]
    operations = items.whole_units(plan.operations or workload.default_operations // _PART, workload)
    names = [name for name in plan.slots[SLOT] if not name.endswith(contenders.AGAIN)]
    for turn in progress.shown(
        "scaling", list(rounds.schedule(dict.fromkeys(names, (ONE, TWO)), paired.ROUNDS_MIN, plan.seed))
    ):
        alone = dataclasses.replace(workload, threads=turn.key)
        ns = results.failures.attempt(SLOT, turn.slot, partial(_measure_one, results, family, alone, operations, turn))
        if ns is None:
            results.scaling.pop(turn.slot, None)
        elif turn.counts:
            by_threads = results.scaling.setdefault(turn.slot, {ONE: {}, TWO: {}})
            by_threads[turn.key][turn.number] = ns


def rows(results: Results) -> list[dict[str, Any]]:
    """Of the report: raw times, and what a thread of two does by what it does alone."""
    found = []
    for name in results.plan.families[SLOT.family].names() if results.scaling else []:
        by_threads = results.scaling.get(name, {ONE: {}, TWO: {}})
        whole = sorted(by_threads[ONE].keys() & by_threads[TWO].keys())
        if not whole:
            continue
        one, two = ([by_threads[threads][number] for number in whole] for threads in (ONE, TWO))
        estimate = inference.estimate(paired.log_ratios(one, two), results.plan.seed)
        found.append(
            {"family": SLOT.family, "workload": SLOT.workload, "contender": name, "rounds": whole}
            | {"ns_one_thread": one, "ns_two_threads": two, "per_thread": figure(estimate.median)}
            | {
                "low": None if estimate.ratio is None else figure(estimate.ratio.low),
                "high": None if estimate.ratio is None else figure(estimate.ratio.high),
            }
        )
    return found
