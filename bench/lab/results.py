# SPDX-License-Identifier: MIT
"""Everything that was measured so far, and how far that is. Filled by phases.py, read by report.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.engine.worker import Sample, cpu_ns, ns_per_op
from bench.lab.failures import Failures
from bench.lab.plan import Calibration, Plan, Slot
from tools.measure.quiet import Load


@dataclass
class Results:
    """Grows while the laboratory works; whatever ends it early leaves what was measured before."""

    plan: Plan
    folder: Path
    """For what is made and used up on the way."""
    said: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Family and contender -> what its first run said about itself."""
    calibration: dict[Slot, dict[str, Calibration]] = field(default_factory=dict)
    run_seconds: float | None = None
    operations: dict[Slot, int] = field(default_factory=dict)
    samples: dict[Slot, dict[str, dict[int, Sample]]] = field(default_factory=dict)
    """Contender -> number of the round -> its run. A round that was interrupted has some contenders only."""
    paddings: dict[int, int] = field(default_factory=dict)
    """Number of the round -> bytes."""
    working_sets: dict[str, int | None] = field(default_factory=dict)
    """Workload -> bytes that the calibrating run kept live; None: the workload has no such figure."""
    pinned: dict[int, bool] = field(default_factory=dict)
    """Threads of a workload -> whether its runs were pinned."""
    scaling: dict[str, dict[int, dict[int, int]]] = field(default_factory=dict)
    """Contender -> threads -> number of the round -> ns."""
    startup: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Contender -> number of the round -> ns and minor faults."""
    counts: list[dict[str, Any]] = field(default_factory=list)
    system_calls: list[dict[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    latency: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Phase -> how long it took, finished or not."""
    loads: dict[int, Load] = field(default_factory=dict)
    """Number of the round -> what others took of the machine meanwhile."""
    failures: Failures = field(default_factory=Failures)
    notes: list[str] = field(default_factory=list)
    ended_in: str | None = None
    """The phase that did not come to its end; None: all did."""
    ended_by: str | None = None
    """Why."""

    def runs(self, slot: Slot) -> dict[str, list[Sample]]:
        """The runs of each contender that did not fail, in the rounds in which all of them ran."""
        runs = {name: of for name, of in self.samples.get(slot, {}).items() if not self.failures.is_failed(slot, name)}
        whole = sorted(set.intersection(*(set(of) for of in runs.values()))) if runs else []
        return {name: [of[number] for number in whole] for name, of in runs.items()}

    def is_by_processor(self, slot: Slot) -> bool:
        """Whether the slot's ratios are of processor time: where one thread works, nothing but waiting is lost by it,
        and what it waits for is the rest of the machine."""
        return self.plan.workloads[slot.workload].threads == 1

    def times(self, slot: Slot) -> dict[str, list[float]]:
        """What the slot's ratios are of: ns per operation, of processor or wall."""
        per_op = cpu_ns if self.is_by_processor(slot) else ns_per_op
        return {name: [per_op(run) for run in of] for name, of in self.runs(slot).items()}
