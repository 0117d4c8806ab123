# SPDX-License-Identifier: MIT
"""Runs each service under each allocator in turn, and sums up.

The witness of //bench/programs runs with every service and proves that the allocator answered: it works when a process
starts and ends, never in between. A service that is not installed is said to be missing; one that fails under an
allocator has no figure there and is run there no more.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.programs import entrants
from bench.programs.measurement import Failure
from bench.programs.workloads import allocator, runner
from bench.programs.workloads.errors import FAILURES, CheckError, reason
from bench.programs.workloads.runner import Runner
from bench.services import service as services
from bench.services.registry import SERVICES
from bench.services.service import Lived, Times
from tools.measure import conditions, progress, rounds
from tools.measure.contender import Contender
from tools.measure.program import BenchError

START_SECONDS = 8
"""Of a cell: what a server may need to start, and to end."""


@dataclass(frozen=True)
class Plan:
    services: Sequence[str]
    """Names in SERVICES."""
    peers: Sequence[str]
    rounds: int
    seed: int
    seconds: float
    """Of a cell, with its start and its idle time."""
    idle: float

    @property
    def times(self) -> Times:
        return Times(self.seconds - START_SECONDS - self.idle, self.idle)


@dataclass(frozen=True)
class Cell:
    """One run of a service under an allocator."""

    peak_bytes: int
    mean_bytes: float
    """Over time, the idle time included."""
    idle_bytes: int | None
    """At the end of the idle time."""
    cpu_seconds: float
    """By request, of the whole life of all processes."""
    requests: int
    quantiles: dict[str, float] | None
    idle_from: float | None
    line: list[tuple[float, int]]


@dataclass(frozen=True)
class Missing:
    """A service that is not installed."""

    service: str
    why: str


@dataclass
class Outcome:
    plan: Plan
    contenders: list[Contender]
    cells: dict[str, dict[str, list[Cell]]] = field(default_factory=dict)
    """Service -> contender -> its rounds; of those that did not fail."""
    missing: list[Missing] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def cell(lived: Lived, cpu_seconds: float) -> Cell:
    """The figures of a run."""
    return Cell(
        peak_bytes=max(size for _, size in lived.line),
        mean_bytes=services.mean_bytes(lived.line),
        idle_bytes=None if lived.idle_from is None else lived.line[-1][1],
        cpu_seconds=cpu_seconds / lived.requests,
        requests=lived.requests,
        quantiles=lived.quantiles,
        idle_from=lived.idle_from,
        line=lived.line,
    )


def median(cells: Sequence[Cell]) -> Cell:
    """Each figure's own median; the line is that of the first round."""
    idle = [one.idle_bytes for one in cells if one.idle_bytes is not None]
    taken = [one.quantiles for one in cells if one.quantiles is not None]
    return Cell(
        peak_bytes=round(statistics.median(one.peak_bytes for one in cells)),
        mean_bytes=statistics.median(one.mean_bytes for one in cells),
        idle_bytes=round(statistics.median(idle)) if idle else None,
        cpu_seconds=statistics.median(one.cpu_seconds for one in cells),
        requests=round(statistics.median(one.requests for one in cells)),
        quantiles=(
            {name: statistics.median(one[name] for one in taken) for name in services.QUANTILES} if taken else None
        ),
        idle_from=cells[0].idle_from,
        line=cells[0].line,
    )


def _installed(outcome: Outcome, tools: allocator.Tools, scratch: Path) -> dict[str, Runner]:
    """The services that can run; the others are noted as missing."""
    found = {}
    for name in outcome.plan.services:
        service = SERVICES[name](outcome.plan.times)
        try:
            service.find_needs()
        except CheckError as error:
            outcome.missing.append(Missing(name, f"not installed: {error}"))
            continue
        found[name] = Runner(service, tools, scratch / name, outcome.plan.seed, service.times.limit)
    return found


def _run(outcome: Outcome, name: str, by: Runner, contender: Contender) -> None:
    """Adds a cell, or a failure."""
    if any((one.program, one.contender) == (name, contender.name) for one in outcome.failures):
        return
    try:
        run = by.run(contender, watched=True)
    except FAILURES as error:
        outcome.failures.append(Failure(name, contender.name, reason(name, contender.name, error)))
        outcome.cells[name].pop(contender.name, None)
        return
    assert isinstance(run.outcome, Lived)
    found = cell(run.outcome, run.usage.cpu_seconds)
    outcome.cells[name].setdefault(contender.name, []).append(found)


def turns(names: Sequence[str], contenders: Sequence[str], plan: Plan) -> list[tuple[str, str]]:
    """Service and contender in the order in which they run: within a round each service has all contenders one after
    another, in a seeded random order."""
    found = []
    orders: Mapping[str, list[list[str]]] = {
        name: rounds.orders(contenders, plan.rounds, f"{plan.seed} {name}") for name in names
    }
    for number in range(plan.rounds):
        found += [(name, contender) for name in names for contender in orders[name][number]]
    return found


def execute(plan: Plan, keep: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
    """Measures the plan. Nothing else should run meanwhile. `keep` gets what there is after each cell."""
    conditions.randomise_layout()
    try:
        with runner.scratch_folder() as scratch:
            public = allocator.public_folder(scratch / "public")
            outcome = Outcome(plan, entrants.contenders(plan.peers, {}, public))
            found = _installed(outcome, allocator.tools(public), scratch)
            outcome.cells = {name: {} for name in found}
            by_name = {contender.name: contender for contender in outcome.contenders}
            for name, contender in progress.shown("services", turns(list(found), list(by_name), plan)):
                _run(outcome, name, found[name], by_name[contender])
                keep(outcome)
    except CheckError as error:
        raise BenchError(str(error)) from error
    return outcome
