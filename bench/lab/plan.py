# SPDX-License-Identifier: MIT
"""What a run of the laboratory measures: fixed before the first measurement, and in the report as it was."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.engine.variants import COMBINATIONS
from bench.lab import factorial, contenders
from bench.lab.contenders import Family
from bench.lab.workloads import Workload
from tools.measure import inference, process, rounds
from tools.measure.program import BenchError


class Slot(NamedTuple):
    """A workload of a family: what runs next to each other in a round."""

    family: str
    workload: str


SWITCH_WORKLOADS = ("pair", "batch_lifo", "replacement_64k", "sizes_server", "local")
"""Where the other families run: tiny blocks, which the switches are about, alone and mixed, on one thread and on two."""

GUARD_WORKLOADS = (
    *SWITCH_WORKLOADS,
    "replacement_1m",
    "sizes_compiler",
    "realloc_growth",
    "large_churn",
    "mixed",
    "producer_consumer",
    "shared_heap",
)
"""Where the full guard runs: besides, large blocks, those that grow, and those that other threads free."""

PROFILE_WORKLOADS = (
    *SWITCH_WORKLOADS,
    "replacement_1k",
    "sizes_compiler",
    "calloc",
    "realloc_growth",
    "json",
    "mir",
    "mixed",
    "larson",
)
"""Where the profile runs: a block is sampled the likelier the larger it is."""

QUICK_WORKLOADS = ("pair", "batch_lifo", "replacement_64k", "sizes_server", "realloc_growth", "producer_consumer")
QUICK_SWITCH_WORKLOADS = ("replacement_64k",)
QUICK_FAMILIES = (contenders.LIBRARIES,)

_SOME_WORKLOADS = {contenders.WITH_GUARD: GUARD_WORKLOADS, contenders.WITH_PROFILE: PROFILE_WORKLOADS}

# Seconds for everything, and the share of it that rounds get: the rest is for counts, memory and latency.
_BUDGET_S = {False: 2700.0, True: 150.0}
_ROUNDS_SHARE = {False: 0.5, True: 0.6}

# Seconds of a run: below the first the start of threads and the clock's grain show, above the second there is more to
# gain from other rounds.
_RUN_LEAST_S = 0.005
_RUN_MOST_S = 0.100

# A run's time by that of the middle contender, on average over a workload's contenders: one that is hundreds of times
# as slow as the others must not take the time of all other workloads.
_SLOW_MOST = 4

# The worker warms up with a tenth of the operations.
WARM_UP = 1.1


@dataclass(frozen=True)
class Plan:
    """Everything but the numbers of operations, which the calibration adds."""

    families: dict[str, Family]
    workloads: dict[str, Workload]
    slots: dict[Slot, list[str]]
    """The contenders of each, by name."""
    rounds: int
    seed: int
    quick: bool
    operations: int | None
    """Of every run and thread, where the command line fixes them."""
    limits: process.Limits = process.Limits()
    """Of every run."""
    baseline: str | None = None
    """The library that all others are compared with; None: hakmem is compared with each."""
    quiet_seconds: float | None = None
    """How long a round waits for a quiet machine; None: it does not look whether it is one."""
    minutes: int | None = None
    """For everything; None: what such a run usually has."""

    @property
    def records(self) -> bool:
        """Whether programs are recorded."""
        return any(workload.is_trace for workload in self.workloads.values())

    @property
    def comparisons(self) -> int:
        """How many p-values the report corrects for."""
        return sum(_comparisons_of(self.families[slot.family]) for slot in self.slots)

    @property
    def budget_s(self) -> float:
        """Seconds for everything."""
        return _BUDGET_S[self.quick] if self.minutes is None else 60.0 * self.minutes


def _workloads_of(family: str, available: Mapping[str, Workload], globs: Sequence[str], quick: bool) -> list[str]:
    """The workloads that a family runs where they are not named: all for the libraries, some for the others."""
    if globs:
        return list(available)
    if family == contenders.LIBRARIES:
        wanted = QUICK_WORKLOADS if quick else tuple(available)
    elif quick:
        wanted = QUICK_SWITCH_WORKLOADS
    else:
        wanted = _SOME_WORKLOADS.get(family, SWITCH_WORKLOADS)
    missing = [name for name in wanted if name not in available]
    if missing:
        raise BenchError(f"the worker has no workload {', '.join(missing)}")
    return [name for name in available if name in wanted]


def _comparisons_of(family: Family) -> int:
    """The p-values of a slot: its pairs, its A/A control, and the switches' effects where all combinations run."""
    whole = set(COMBINATIONS.values()).issubset(family.names())
    return len(family.pairs) + 1 + (len(factorial.EFFECTS) if whole else 0)


def make(
    families: Sequence[Family],
    available: Sequence[Workload],
    globs: Sequence[str],
    *,
    rounds_asked: int | None,
    seed: int,
    quick: bool,
    operations: int | None,
    limits: process.Limits = process.Limits(),
    quiet_seconds: float | None = None,
    baseline: str | None = None,
    minutes: int | None = None,
) -> Plan:
    """A plan for `families` and the workloads `available`, those that `globs` leave."""
    workloads = {workload.name: workload for workload in available}
    slots = {
        Slot(family.name, name): family.names()
        for family in families
        for name in _workloads_of(family.name, workloads, globs, quick)
        if not (workloads[name].is_trace and family.name == contenders.COMPILED_IN)
    }
    by_name = {family.name: family for family in families}
    comparisons = sum(_comparisons_of(by_name[slot.family]) for slot in slots)
    return Plan(
        families=by_name,
        workloads={slot.workload: workloads[slot.workload] for slot in slots},
        slots=slots,
        rounds=rounds_asked or inference.rounds_wanted(comparisons),
        seed=seed,
        quick=quick,
        operations=operations,
        limits=limits,
        quiet_seconds=quiet_seconds,
        baseline=baseline,
        minutes=minutes,
    )


@dataclass(frozen=True)
class Calibration:
    """One short run, before anything is measured."""

    ns_per_op: float
    """Of the operations of all threads."""
    overhead_s: float
    """What a run costs beside its operations: its start, and what the workload prepares."""


def run_seconds(plan: Plan, calibrated: Mapping[Slot, Mapping[str, Calibration]]) -> float:
    """How long the measured part of a run shall take, so that all rounds fit the budget."""
    runs = [one for slot in calibrated.values() for one in slot.values()]
    turns = plan.rounds + rounds.WARM_UP_ROUNDS
    left = plan.budget_s * _ROUNDS_SHARE[plan.quick] - turns * sum(one.overhead_s for one in runs)
    return min(_RUN_MOST_S, max(_RUN_LEAST_S, left / (WARM_UP * turns * max(1, len(runs)))))


def operations(plan: Plan, workload: Workload, seconds: float, calibrated: Mapping[str, Calibration]) -> int:
    """Operations of each thread, the same for all contenders, so that the middle one of them takes `seconds`: fewer
    where they all together would take _SLOW_MOST times as long, but as many as give the middle one _RUN_LEAST_S."""
    costs = sorted(one.ns_per_op for one in calibrated.values())
    middle = costs[len(costs) // 2]
    taken = max(_RUN_LEAST_S, min(seconds, _SLOW_MOST * seconds * middle / statistics.fmean(costs)))
    wanted = int(taken * 1e9 / (middle * workload.threads))
    if workload.is_trace:
        return workload.default_operations
    count = max(workload.least_operations(plan.quick), wanted)
    return -(-count // workload.unit) * workload.unit
