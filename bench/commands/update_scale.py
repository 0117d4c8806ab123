# SPDX-License-Identifier: MIT
"""//bench:update_scale: writes docs/scale.md of the workspace, what //bench:contention counts and what follows for many cores.

The text is commands/scale.md.j2; every figure in it is counted or measured here, or follows from these and from the costs
that contention_model.py cites.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import contention, contention_model
from bench.commands.contention import Counts, Seen
from bench.commands.contention_model import COSTS, Bend, Load, Station
from bench.engine import document, grid, identity, worker
from tools.measure import arguments, conditions, program, progress

NAME = "update_scale"
_OUTPUT = Path("docs/scale.md")
TEMPLATE = Path(__file__).with_name("scale.md.j2")
FILTERS = {"figure": contention.figure}

_REPEATS = 5
"""Runs alone; what disturbs a run only ever adds to its times, so the least counts."""

_ALONE = 16
"""Times the operations of a thread, so that locks which are taken seldom are taken often enough."""

_FEWEST = {"producer_consumer": 2}
"""Threads of a run alone, where one is too few."""

# Acquisitions from which on the average time of a hold means something.
_HOLDS_LEAST = 20


def held_ns(rank: str, alone: Iterable[Counts], others: Iterable[Counts]) -> float:
    """The shortest average hold of the rank's locks in any run alone; where it is taken too seldom there, in any other. A
    holder that loses its processor only adds."""

    def averages(runs: Iterable[Counts]) -> list[float]:
        locks = [(counts.tick_ns, counts.locks[rank]) for counts in runs if rank in counts.locks]
        return [tick_ns * lock.held / lock.acquired for tick_ns, lock in locks if lock.acquired >= _HOLDS_LEAST]

    return min(averages(alone) or averages(others), default=0)


def load(busy_ns: float, alone: Iterable[Counts], by_threads: Mapping[int, Counts]) -> Load:
    """One operation: counts of the run with the most threads, times of the runs alone."""
    many = by_threads[max(by_threads)]
    held = {rank: held_ns(rank, alone, by_threads.values()) for rank in many.locks}
    stations = [
        Station(f"{rank} lock", acquired / many.operations, held[rank], is_lock=True)
        for rank, lock in many.locks.items()
        for acquired in lock.each
    ]
    stations += [Station(line, steps / many.operations) for line, steps in many.lines.items()]
    return Load(busy_ns, many.moved / many.operations, many.steps / many.operations, stations)


@dataclass(frozen=True)
class Forecast:
    """Of one workload."""

    workload: str
    busy_ns: float
    shares: list[tuple[float, float]]
    """With each of COSTS: contention_model.shares()."""
    bend: Bend | None
    """With the higher cost for 64 cores, as are the next two."""
    lock: Bend | None
    lock_held_ns: float


def forecast(workload: str, of: Load) -> Forecast:
    lock = contention_model.first_bend(of, COSTS[0].high_ns, only_locks=True)
    held = {station.name: station.held_ns for station in of.stations}
    return Forecast(
        workload,
        of.busy_ns,
        [contention_model.shares(of, cost) for cost in COSTS],
        contention_model.first_bend(of, COSTS[0].high_ns),
        lock,
        held[lock.station] if lock else 0,
    )


def earliest(forecasts: Iterable[Forecast], bend: Callable[[Forecast], Bend | None]) -> Forecast | None:
    """The workload whose `bend` needs the fewest cores; None where nothing bends."""
    found = [(there.cores, one) for one in forecasts if (there := bend(one))]
    return min(found, key=lambda row: row[0])[1] if found else None


def _alone(workloads: Mapping[str, int], counted: Mapping[str, Mapping[int, Counts]], seed: int) -> dict[str, Load]:
    loads = {}
    for workload, operations in progress.shown(f"{NAME}: alone", list(workloads.items())):
        threads = _FEWEST.get(workload, 1)
        arguments_of = (workload, _ALONE * operations, threads, seed)
        with conditions.pinned(threads):
            alone = [contention.parse(contention.run(contention.counting(), *arguments_of)) for _ in range(_REPEATS)]
            timed = [contention.run(contention.shipped(), *arguments_of) for _ in range(_REPEATS)]
        busy_ns = min(worker.cpu_ns(worker.sample(contention.shipped(), said)) for said in timed)
        loads[workload] = load(busy_ns, alone, counted[workload])
    return loads


def page(
    threads: Sequence[int],
    counted: Mapping[str, Mapping[int, Counts]],
    loads: Mapping[str, Load],
    seen: Mapping[str, Mapping[int, Mapping[str, Seen]]],
) -> dict[str, Any]:
    """What the template shows."""
    forecasts = [forecast(name, of) for name, of in loads.items()]
    return {
        "command": f"bazel run //bench:{NAME}",
        "machine": conditions.machine(),
        "commit": identity.commit(os.environ.get("BUILD_WORKSPACE_DIRECTORY")),
        "threads": threads,
        "pools": contention.POOLS,
        "tables": {workload: contention.rows(by_threads) for workload, by_threads in counted.items()},
        "forecasts": forecasts,
        "first": earliest(forecasts, lambda one: one.bend),
        "first_lock": earliest(forecasts, lambda one: one.lock),
        "costs": COSTS,
        "published": contention_model.PUBLISHED,
        "lines_per_hold": contention_model.LINES_PER_HOLD,
        "seen": seen,
    }


def main() -> None:
    """Counts, measures and writes the page."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Writes docs/scale.md.",
        epilog=arguments.ENVIRONMENT,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    contention.add_arguments(parser)
    parser.add_argument(
        "--output", type=arguments.output, metavar="FILE", help=f"(default: {_OUTPUT} of the workspace)"
    )
    parsed = parser.parse_args()
    output = parsed.output or arguments.workspace(f"//bench:{NAME}") / _OUTPUT
    workloads, threads = contention.chosen(parsed)
    grid.prepare()
    counted = contention.count(workloads, threads, parsed.seed)
    loads = _alone(workloads, counted, parsed.seed)
    seen = contention.see(workloads, [2] if parsed.quick else contention.PEER_THREADS, parsed.seed)
    document.write(output, TEMPLATE, filters=FILTERS, **page(threads, counted, loads, seen))


if __name__ == "__main__":
    program.run(NAME, main)
