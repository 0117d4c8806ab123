# SPDX-License-Identifier: MIT
"""What a phase goes through: contenders on workloads, and how they are gone through when their time does not matter."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.lab import contenders
from bench.lab.contenders import Family
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.workloads import Workload
from tools.measure import conditions, progress
from tools.measure.contender import Contender, ContenderError

Item = tuple[Slot, Family, Contender, Workload]


def each(results: Results, keep: Callable[[Family, Workload], bool] = lambda _family, _workload: True) -> list[Item]:
    """Every contender of every slot that `keep` wants."""
    plan = results.plan
    found = []
    for slot, names in plan.slots.items():
        family, workload = plan.families[slot.family], plan.workloads[slot.workload]
        if keep(family, workload):
            found += [(slot, family, family.find(name), workload) for name in names]
    return found


def is_libraries(family: Family, _workload: Workload) -> bool:
    """For figures that are of interest between allocators, not between builds of one."""
    return family.name == contenders.LIBRARIES


def is_allocator(name: str) -> bool:
    """Neither the second name of the control nor hakmem with a guard or its profile."""
    ours = (contenders.GUARD, contenders.GUARD_FULL, contenders.SAMPLING)
    return not name.endswith(contenders.AGAIN) and name not in ours


def allocators(items: Sequence[Item]) -> list[Item]:
    """For what does not vary, of which the same figures twice say nothing, and is of interest between allocators."""
    return [item for item in items if is_allocator(item[2].name)]


def is_reference(item: Item) -> bool:
    """Whether the contender is only there for comparisons of two reports."""
    _, family, contender, _ = item
    return family.name != contenders.LIBRARIES and contender.name == family.reference


def row(item: Item) -> dict[str, Any]:
    """What every row of a figure begins with."""
    slot, _, contender, _ = item
    return {"family": slot.family, "workload": slot.workload, "contender": contender.name}


def whole_units(operations: int, workload: Workload) -> int:
    """`operations`, up to a multiple of the workload's unit."""
    return -(-operations // workload.unit) * workload.unit


def picked(contender: Contender, said: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """What is kept of what a worker said; a ContenderError where it did not say it."""
    missing = [key for key in keys if key not in said]
    if missing:
        raise ContenderError(f"{contender.name}: the worker did not report {', '.join(missing)}")
    return {key: said[key] for key in keys}


def beside_each_other(
    description: str,
    results: Results,
    items: Sequence[Item],
    work: Callable[[Item], dict[str, Any]],
    *,
    at_once: int = 1,
) -> Iterator[dict[str, Any]]:
    """What `work` makes of the items that do not fail, in their order, `at_once` at a time for each processor: for
    figures that do not depend on time. Whoever stops asking ends it when the runs that have begun are through."""

    def attempted(item: Item) -> dict[str, Any] | None:
        slot, _, contender, _ = item
        return results.failures.attempt(slot, contender.name, lambda: work(item))

    pool = concurrent.futures.ThreadPoolExecutor(at_once * len(conditions.processors()))
    try:
        futures = [pool.submit(attempted, item) for item in items]
        for future in progress.shown(description, futures):
            row = future.result()
            if row is not None:
                yield row
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
