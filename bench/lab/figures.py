# SPDX-License-Identifier: MIT
"""Phases after the rounds: exact counts, system calls, memory, single calls. phases.py says when."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.engine import system_calls, valgrind
from bench.lab import contenders, items, workloads
from bench.lab.contenders import Family
from bench.lab.items import Item
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.workloads import Workload
from tools.measure import conditions, progress, rounds
from tools.measure.contender import Contender

# Operations under callgrind, fifty to a hundred times slower than without: thousands of refills.
_COUNTED_OPERATIONS = 100_000

# Operations of a run that times single calls: the thousandth longest of so many is a thousand calls.
_LATENCY_OPERATIONS = 1_000_000

# Runs of the figures that are read off one run each: their middle one is reported.
_LATENCY_RUNS = {False: 5, True: 3}

# Of the libraries' workloads in a quick run: those that are counted, and those whose memory is looked at, which waits
# for it to decay.
_QUICK_COUNTED = ("pair", "replacement_64k")
_QUICK_MEMORY = ("replacement_64k", "sizes_server", "producer_consumer")

MEMORY_KEYS = (
    "samples",
    "baseline_rss_bytes",
    "peak_rss_bytes",
    "rss_after_free_bytes",
    "rss_after_second_bytes",
    "rss_after_decay_bytes",
    "decay_ms",
    "mappings",
)
LATENCY_KEYS = ("alloc", "free", "timer", "timer_cost_ns")


def count(results: Results) -> None:
    """Exact figures of the workloads that execute the same instructions each time."""
    plan = results.plan

    def exact(item: Item) -> dict[str, Any]:
        _, _, contender, workload = item
        operations = plan.operations or min(_COUNTED_OPERATIONS, workload.quick_operations)
        operations = items.whole_units(operations, workload)
        counts = valgrind.per_operation(contender, workload.name, operations, plan.seed)
        return items.row(item) | {"operations": operations} | dataclasses.asdict(counts)

    def wanted(family: Family, workload: Workload) -> bool:
        asked = not plan.quick or family.name != contenders.LIBRARIES or workload.name in _QUICK_COUNTED
        return workload.exact and not workload.is_trace and asked

    # A build with a guard has no address space for its shadow under valgrind, and takes another path than it is for.
    chosen = [item for item in items.allocators(items.each(results, wanted)) if not items.is_reference(item)]
    for row in items.beside_each_other("counts", results, chosen, exact):
        results.counts.append(row)


def count_system_calls(results: Results) -> None:
    """What the second half of a run twice as long asks the kernel for."""
    plan = results.plan

    def counted(item: Item) -> dict[str, Any]:
        _, family, contender, workload = item
        operations = plan.operations or workload.quick_operations
        # A replay does not go on beyond the end of its trace.
        operations = max(1, operations // 2) if workload.is_trace else items.whole_units(operations, workload)

        def calls(many: int) -> dict[str, int]:
            return system_calls.counted(
                lambda wrapper: workloads.run(family, contender, workload, many, plan.seed, wrapper=wrapper)
            )

        found = system_calls.difference(calls(operations), calls(2 * operations))
        threads = 1 if workload.is_trace else workload.threads
        return items.row(item) | {"operations": operations * threads, "calls": found}

    chosen = items.allocators(items.each(results, items.is_libraries))
    for row in items.beside_each_other("system calls", results, chosen, counted):
        results.system_calls.append(row)


def _many_operations(results: Results, workload: Workload) -> int:
    """Of a run that looks at what happens over time, or seldom."""
    plan = results.plan
    asked = plan.operations or (workload.quick_operations if plan.quick else workload.default_operations)
    return items.whole_units(asked, workload)


def watch_memory(results: Results) -> None:
    """Resident and live bytes over time."""
    plan = results.plan

    def watched(item: Item) -> dict[str, Any]:
        _, family, contender, workload = item
        operations = _many_operations(results, workload)
        said = workloads.run(family, contender, workload, operations, plan.seed, extra=["--memory"])
        return items.row(item) | items.picked(contender, said, MEMORY_KEYS)

    def wanted(family: Family, workload: Workload) -> bool:
        return items.is_libraries(family, workload) and (not plan.quick or workload.name in _QUICK_MEMORY)

    chosen = items.allocators(items.each(results, wanted))
    # Half of each run is a wait in which it asks for nothing.
    for row in items.beside_each_other("memory", results, chosen, watched, at_once=2):
        results.memory.append(row)


def _timed(
    results: Results, family: Family, contender: Contender, workload: Workload, turn: rounds.Turn[Slot, str]
) -> dict[str, Any]:
    """One run whose single calls are timed."""
    operations = min(_many_operations(results, workload), _LATENCY_OPERATIONS)
    with conditions.pinned(workload.threads):
        said = workloads.run(
            family,
            contender,
            workload,
            items.whole_units(operations, workload),
            results.plan.seed + turn.number,
            padding=turn.padding,
            extra=["--latency"],
        )
    return items.picked(contender, said.get("latency", {}), LATENCY_KEYS)


def time_calls(results: Results) -> None:
    """The tail of single calls, in rounds of their own."""
    plan = results.plan
    slots = {
        slot: [name for name in names if items.is_allocator(name)]
        for slot, names in plan.slots.items()
        if slot.family == contenders.LIBRARIES and not plan.workloads[slot.workload].is_trace
    }
    turns = list(rounds.schedule(slots, _LATENCY_RUNS[plan.quick] - rounds.WARM_UP_ROUNDS, plan.seed))
    for turn in progress.shown("latency", turns):
        family, workload = plan.families[turn.slot.family], plan.workloads[turn.slot.workload]
        contender = family.find(turn.key)
        kept = results.failures.attempt(
            turn.slot, contender.name, lambda: _timed(results, family, contender, workload, turn)
        )
        if kept is not None:
            results.latency.append(items.row((turn.slot, family, contender, workload)) | {"run": turn.number} | kept)
