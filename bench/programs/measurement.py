# SPDX-License-Identifier: MIT
"""Runs the programs under each allocator in interleaved rounds, and sums up.

Before anything is timed, every program runs once under each allocator with the witness, which proves that the
allocator answers; the timed runs do without, and give out the same. A program that fails under an allocator is a
failure of the two, and has no figure there; whatever else runs goes on.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.programs import entrants
from bench.programs.entrants import HAKMEM
from bench.programs.workloads import allocator, registry, runner
from bench.programs.workloads.errors import FAILURES, CheckError, reason
from bench.programs.workloads.runner import Run, Runner
from bench.programs.workloads.workload import Workload
from tools.measure import conditions, paired, progress, rounds
from tools.measure.contender import Contender
from tools.measure.paired import Ratio
from tools.measure.program import BenchError
from tools.measure.rounds import Turn

Found = TypeVar("Found")

WORKLOADS: dict[str, Workload] = {
    workload.name: workload for family in registry.FAMILIES.values() for workload in family if workload.benchmark
}
"""What can be measured, by name."""


@dataclass(frozen=True)
class Plan:
    programs: Sequence[str]
    """Names in WORKLOADS."""
    peers: Sequence[str]
    rounds: int
    """0: each program runs twice under each allocator to see that it works, and no ratio is reported."""
    seed: int
    builds: Mapping[str, Path] = field(default_factory=dict)
    """Peers, or hakmem, that are these builds of hakmem."""


@dataclass(frozen=True)
class Measurement:
    """One run. Of a server, times are by request."""

    seconds: float
    """Wall time of the programs' own processes; of a server, what its client says."""
    cpu_seconds: float
    """User and system time of the whole tree of processes."""
    peak_bytes: int
    """Most resident memory; workload.Memory says of what."""
    throughput: float | None
    """Requests a second; None for a program with a fixed task."""


@dataclass(frozen=True)
class Row:
    """One allocator on one program: medians over the rounds."""

    contender: str
    median: Measurement


@dataclass(frozen=True)
class Comparison:
    """hakmem by one peer: below 1 is faster, or smaller."""

    peer: str
    time: Ratio
    cpu: Ratio
    memory: Ratio


@dataclass(frozen=True)
class Result:
    workload: Workload
    rows: list[Row]
    comparisons: list[Comparison]


@dataclass(frozen=True)
class Failure:
    """A program that did not do what it should under a contender: it is measured under the others."""

    program: str
    contender: str
    why: str


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    contenders: list[Contender]
    results: list[Result]
    failures: list[Failure] = field(default_factory=list)


def measurement(run: Run) -> Measurement:
    """What a run took; of a server, by the requests that it answered."""
    outcome, usage = run.outcome, run.usage
    if outcome.operations is None or outcome.seconds is None:
        return Measurement(usage.wall_seconds, usage.cpu_seconds, usage.peak_bytes, None)
    return Measurement(
        seconds=outcome.seconds / outcome.operations,
        cpu_seconds=usage.cpu_seconds / outcome.operations,
        peak_bytes=usage.peak_bytes,
        throughput=outcome.operations / outcome.seconds,
    )


def median(runs: Sequence[Measurement]) -> Measurement:
    """Each figure's own median."""
    throughputs = [run.throughput for run in runs if run.throughput is not None]
    return Measurement(
        seconds=statistics.median(run.seconds for run in runs),
        cpu_seconds=statistics.median(run.cpu_seconds for run in runs),
        peak_bytes=paired.median_count([run.peak_bytes for run in runs]),
        throughput=statistics.median(throughputs) if throughputs else None,
    )


def compare(peer: str, runs: Sequence[Measurement], others: Sequence[Measurement], seed: int) -> Comparison:
    """hakmem's `runs` by those of the peer in the same rounds."""
    return Comparison(
        peer=peer,
        time=paired.ratio([run.seconds for run in runs], [run.seconds for run in others], seed),
        cpu=paired.ratio([run.cpu_seconds for run in runs], [run.cpu_seconds for run in others], seed),
        memory=paired.ratio([run.peak_bytes for run in runs], [run.peak_bytes for run in others], seed),
    )


def padding(contender: Contender, beside: Sequence[Contender], length: int) -> dict[str, str]:
    """What makes the environment longer by `length` bytes, and as long for each contender, whose path is in it."""
    longest = max(len(str(other.library)) for other in beside)
    return {conditions.PADDING: "x" * (length + longest - len(str(contender.library)))}


class _Programs:
    """All programs of a plan, ready to run."""

    def __init__(self, plan: Plan, contenders: Sequence[Contender], tools: allocator.Tools, scratch: Path) -> None:
        self._contenders = {contender.name: contender for contender in contenders}
        self._runners = {name: Runner(WORKLOADS[name], tools, scratch / name, plan.seed) for name in plan.programs}
        self._references: dict[str, Run] = {}
        self.failures: list[Failure] = []

    def has_failed(self, program: str, contender: str) -> bool:
        return any((failure.program, failure.contender) == (program, contender) for failure in self.failures)

    def _attempt(self, program: str, contender: Contender, work: Callable[[], Found]) -> Found | None:
        """What `work` gives; None where the program fails under the contender, now or before."""
        if self.has_failed(program, contender.name):
            return None
        try:
            return work()
        except FAILURES as error:
            self.failures.append(Failure(program, contender.name, reason(program, contender.name, error)))
            return None

    def _verify(self, program: str, contender: Contender) -> None:
        if program not in self._references:
            self._references[program] = self._runners[program].run(allocator.glibc(), watched=True)
        runner.check(self._runners[program].run(contender, watched=True), self._references[program], contender)

    def verify(self) -> None:
        """Runs every program under every allocator with the witness."""
        turns = [(program, contender) for program in self._runners for contender in self._contenders.values()]
        for program, contender in progress.shown("programs: checks", turns):
            self._attempt(program, contender, partial(self._verify, program, contender))

    def measure(self, turn: Turn[str, str]) -> Measurement | None:
        """One timed run, whose outcome has to be the same as ever; None where it is not, now or in an earlier round."""
        contender = self._contenders[turn.key]
        return self._attempt(turn.slot, contender, partial(self._measure, turn, contender))

    def _measure(self, turn: Turn[str, str], contender: Contender) -> Measurement:
        pad = padding(contender, list(self._contenders.values()), turn.padding)
        run = self._runners[turn.slot].run(contender, watched=False, padding=pad)
        runner.check(run, self._references[turn.slot], contender)
        return measurement(run)


def result(name: str, found: Mapping[str, Sequence[Measurement | None]], plan: Plan) -> Result:
    """Of the contenders under which every run of the program went well."""
    whole = {contender: [run for run in runs if run is not None] for contender, runs in found.items()}
    well = {contender: runs for contender, runs in whole.items() if runs and len(runs) == len(found[contender])}
    comparisons = [
        compare(peer, well[HAKMEM], well[peer], plan.seed)
        for peer in plan.peers
        if plan.rounds and HAKMEM in well and peer in well
    ]
    return Result(WORKLOADS[name], [Row(contender, median(runs)) for contender, runs in well.items()], comparisons)


@dataclass(frozen=True)
class Runs:
    """Everything that a plan's programs took."""

    contenders: list[Contender]
    found: dict[str, dict[str, list[Measurement | None]]]
    """Program -> contender -> its runs in rounds' order; None: it failed."""
    failures: list[Failure]


def measured(plan: Plan) -> Runs:
    """Runs the plan. Nothing but the programs runs meanwhile."""
    conditions.randomise_layout()
    try:
        with runner.scratch_folder() as scratch:
            public = allocator.public_folder(scratch / "public")
            chosen = entrants.contenders(plan.peers, plan.builds, public)
            programs = _Programs(plan, chosen, allocator.tools(public), scratch)
            programs.verify()
            slots = {name: [contender.name for contender in chosen] for name in plan.programs}
            # With no rounds asked for, one shows that everything works.
            found = rounds.run("programs", slots, plan.rounds or 1, plan.seed, programs.measure)
    except CheckError as error:
        raise BenchError(str(error)) from error
    return Runs(chosen, found, programs.failures)


def execute(plan: Plan) -> Outcome:
    """Measures the plan and sums up."""
    runs = measured(plan)
    results = [result(name, runs.found[name], plan) for name in plan.programs]
    return Outcome(plan, runs.contenders, results, runs.failures)
