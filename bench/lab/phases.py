# SPDX-License-Identifier: MIT
"""The work, one phase after the other. Each adds to the results as it goes, so that an end at any time loses nothing.

  record        the traces of real programs
  verify        every workload with every contender, each block checked
  calibrate     one short run each; fixes the operations before anything is measured
  rounds        the times
  scaling       one thread and two, each for itself
  startup       a program that does nothing
  counts        instructions, branches, data references by callgrind, where a workload is exact
  system calls  by strace
  memory        resident and live bytes over time, and what is left afterwards
  latency       single calls, timed
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bench.engine import worker
from bench.engine.worker import ns_per_op
from bench.lab import contenders, figures, items, plan as plans, scaling, startup, traces, workloads
from bench.lab.plan import Calibration, Plan, Slot
from bench.lab.results import Results
from bench.lab.workloads import Workload
from tools.measure import conditions, process, progress, quiet, rounds
from tools.measure.contender import Contender, ContenderError
from tools.measure.program import BenchError

# Operations of the run that checks every block: enough to fill and empty caches many times, a fraction of a second.
_VERIFIED_OPERATIONS = 20_000


def record(results: Results) -> None:
    """Makes the traces that the plan asks for."""
    if results.plan.records:
        results.notes += traces.missing()
    wanted = [workload for workload in results.plan.workloads.values() if workload.is_trace]
    for workload in progress.shown("record", wanted):
        results.plan.workloads[workload.name] = traces.recorded(workload, results.folder)


def _verified_operations(plan: Plan, workload: Workload) -> int:
    """Few, but for a trace, which is checked as a whole."""
    asked = plan.operations or workload.quick_operations
    return items.whole_units(asked if workload.is_trace else min(asked, _VERIFIED_OPERATIONS), workload)


def _checks(contender: Contender, workload: Workload) -> list[str]:
    """A replayer checks what alignment the program asked for, and no other."""
    if contender.alignment is None or workload.is_trace:
        return ["--verify"]
    return ["--verify", f"--alignment={contender.alignment}"]


def _require_same_work(first: tuple[str, Any], contender: Contender, said: dict[str, Any]) -> None:
    """A ContenderError where two contenders of a slot did not do the same: their times would say nothing."""
    if said.get("checksum") != first[1]:
        raise ContenderError(
            f"{contender.name} and {first[0]} did different work on {said.get('workload')}: "
            f"checksums {said.get('checksum')} and {first[1]}"
        )


def _verify_one(results: Results, item: items.Item, sums: dict[Slot, tuple[str, Any]]) -> dict[str, Any]:
    """What a contender said of a run in which every block was checked."""
    slot, family, contender, workload = item
    plan = results.plan
    operations = _verified_operations(plan, workload)
    said = workloads.run(family, contender, workload, operations, plan.seed, extra=_checks(contender, workload))
    if workload.exact or workload.is_trace:
        _require_same_work(sums.setdefault(slot, (contender.name, said.get("checksum"))), contender, said)
    return said


def verify(results: Results) -> None:
    """Runs everything once with every block checked; a wrong block, or a contender that is not itself, is a failure."""
    comparable = True
    sums: dict[Slot, tuple[str, Any]] = {}
    for item in progress.shown("verify", items.each(results)):
        slot, _, contender, _ = item
        said = results.failures.attempt(slot, contender.name, partial(_verify_one, results, item, sums))
        if said is not None:
            results.said.setdefault((slot.family, contender.name), said)
            comparable &= bool(said["comparable"])
    if not comparable:
        results.notes.append("built without optimisation, or with assertions or a sanitizer: times mean little")


def _calibrate_one(results: Results, item: items.Item) -> None:
    slot, family, contender, workload = item
    plan = results.plan
    operations = items.whole_units(plan.operations or workload.least_operations(plan.quick), workload)
    with conditions.pinned(workload.threads):
        began = time.monotonic()
        said = workloads.run(family, contender, workload, operations, plan.seed)
        took = time.monotonic() - began
    sample = worker.sample(contender, said)
    overhead = max(0.0, took - plans.WARM_UP * sample["ns"] / 1e9)
    results.calibration.setdefault(slot, {})[contender.name] = Calibration(ns_per_op(sample), overhead)
    results.working_sets[slot.workload] = said.get("working_set_bytes")


def calibrate(results: Results) -> None:
    """One run each with few operations; then every slot's operations are fixed."""
    plan = results.plan
    for item in progress.shown("calibrate", items.each(results)):
        results.failures.attempt(item[0], item[2].name, partial(_calibrate_one, results, item))
    results.run_seconds = plans.run_seconds(plan, results.calibration)
    for slot, calibrated in results.calibration.items():
        workload = plan.workloads[slot.workload]
        results.operations[slot] = (
            items.whole_units(plan.operations, workload)
            if plan.operations
            else plans.operations(plan, workload, results.run_seconds, calibrated)
        )
        if slot.family == contenders.LIBRARIES:
            first = ", ".join(f"{name} {one.ns_per_op:.3g}" for name, one in calibrated.items())
            progress.say(f"first look, ns an operation in one short run: {slot.workload}: {first}")


def _measure_one(results: Results, turn: rounds.Turn[Slot, str]) -> worker.Sample:
    plan = results.plan
    family, workload = plan.families[turn.slot.family], plan.workloads[turn.slot.workload]
    contender = family.find(turn.key)
    seed = plan.seed + turn.number
    with conditions.pinned(workload.threads) as pinned:
        said = workloads.run(family, contender, workload, results.operations[turn.slot], seed, padding=turn.padding)
    results.pinned[workload.threads] = pinned
    return worker.sample(contender, said)


def measure(results: Results) -> None:
    """The rounds, with a look at the machine between them."""
    plan = results.plan
    turns = list(rounds.schedule(plan.slots, plan.rounds, plan.seed))
    number, before = -1, quiet.look()
    for turn in progress.shown("rounds", turns):
        if turn.number != number:
            now = quiet.look()
            if number >= rounds.WARM_UP_ROUNDS:
                results.loads[number] = quiet.between(before, now)
            if plan.quiet_seconds is not None:
                quiet.require(plan.quiet_seconds)
                now = quiet.look()
            number, before = turn.number, now
        sample = results.failures.attempt(turn.slot, turn.key, partial(_measure_one, results, turn))
        if turn.counts and sample is not None:
            results.paddings[turn.number] = turn.padding
            kept = results.samples.setdefault(turn.slot, {name: {} for name in plan.slots[turn.slot]})
            kept[turn.key][turn.number] = sample
    results.loads[number] = quiet.between(before, quiet.look())


PHASES: dict[str, Callable[[Results], None]] = {
    "record": record,
    "verify": verify,
    "calibrate": calibrate,
    "rounds": measure,
    "scaling": scaling.measure,
    "startup": startup.measure,
    "counts": figures.count,
    "system calls": figures.count_system_calls,
    "memory": figures.watch_memory,
    "latency": figures.time_calls,
}
"""In the order in which they run. The times come first: on the machine as it was found."""

# Under callgrind and strace a run takes so many times as long.
_TOOLS = ("counts", "system calls")
_SLOWER = 20


def _limits(plan: Plan, phase: str) -> process.Limits:
    """Of each run; a recording takes what the program takes."""
    if phase == "record":
        return process.Limits()
    seconds = plan.limits.seconds
    if seconds is None or phase not in _TOOLS:
        return plan.limits
    return replace(plan.limits, seconds=seconds * _SLOWER)


INTERRUPTED = "interrupted"
TERMINATED = "terminated"


def work(results: Results) -> None:
    """All phases. An interrupt or a failure that is not a contender's is noted in the results, and ends the work
    without being raised."""
    for name, phase in PHASES.items():
        began = time.monotonic()
        results.failures.phase = name
        try:
            with process.limited(_limits(results.plan, name)):
                phase(results)
        except KeyboardInterrupt:
            results.ended_in, results.ended_by = name, INTERRUPTED
        except SystemExit:
            # program.run raises it for SIGTERM.
            results.ended_in, results.ended_by = name, TERMINATED
        except BenchError as error:
            results.ended_in, results.ended_by = name, str(error)
        except Exception as error:  # a fault of ours, which must not lose what has been measured
            traceback.print_exc()
            results.ended_in, results.ended_by = name, repr(error)
        finally:
            results.seconds[name] = time.monotonic() - began
        if results.ended_in is not None:
            return
