# SPDX-License-Identifier: MIT
"""//bench:contention: how often threads meet, counted, for 2 to 64 threads: no machine of many cores is needed.

A worker with hakmem compiled in and --//hakmem/flags:contention says how often locks were acquired and found taken, and
how many atomic read-modify-writes went to lines of the cache that other threads write. With --peers, what can be seen of
other allocators from outside stands beside it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.engine import system_calls, worker
from tools.measure import arguments, peers, process, program, progress, table
from tools.measure.contender import GLIBC, Contender

NAME = "contention"

_THREADS = (2, 4, 8, 16, 32, 64)
_QUICK_THREADS = (2, 4)
_QUICK_PART = 20

THREADS_MAX = 64
"""WORKLOAD_THREADS_MAX of workload.h."""

PEER_THREADS = (8, 64)
"""Where threads outnumber the processors of most machines, and where they do so by far."""

# Runs of which the one counts that took the least of the processor: others of the machine only add to it.
_SEEN = 3

WORKLOADS = {
    "local": 200_000,
    "larson": 60_000,
    "producer_consumer": 60_000,
    "shared_heap": 60_000,
    "thread_churn": 2_000,
    "shared_l2": 20_000,
    "shared_l25": 2_000,
    "shared_huge": 1_000,
}
"""Operations of each thread: some thousand acquisitions of a workload's busiest lock, where it has any."""

POOLS = {
    "local": "tiny",
    "larson": "tiny",
    "producer_consumer": "tiny",
    "shared_heap": "tiny, L2",
    "thread_churn": "tiny",
    "shared_l2": "L2",
    "shared_l25": "L2.5",
    "shared_huge": "huge",
}

_LOCKS_OWN = ("hakmem/base/lock.h", "hakmem/base/lock.c")
"""Their steps are those of the locks, which are counted as such."""

CAPTION = (
    "Per million operations, each one allocation and one free. acquired: acquisitions of all locks of a rank, or of the "
    "busiest of them; waited: the lock was taken. line: read-modify-writes of a line that is one for the whole process. "
    "other lines: those of slabs, regions and thread records; moved: the last thread that wrote the line was another one."
)


@dataclass
class Lock:
    """The locks of a rank, in one run."""

    locks: int = 0
    acquired: int = 0
    waited: int = 0
    held: int = 0
    """Ticks."""
    each: list[int] = field(default_factory=list)
    """Acquisitions of each of them."""


@dataclass
class Counts:
    """What one run counted."""

    operations: int
    tick_ns: float
    locks: dict[str, Lock] = field(default_factory=dict)
    """By rank."""
    lines: dict[str, int] = field(default_factory=dict)
    """Steps on lines of which the process has one, by _name_of()."""
    steps: int = 0
    """On other lines."""
    moved: int = 0
    """Of these."""

    def per_million(self, count: float) -> float:
        return count * 1e6 / self.operations


def _file(site: Mapping[str, Any]) -> str:
    """As the sources name it: compilers write the folder that they searched before it."""
    return str(site["file"]).removeprefix("./")


def _name_of(sites: Sequence[Mapping[str, Any]]) -> str:
    """Of a line that these places write: the file that writes it most, and its first function, which are the same in
    each run."""
    by_file: dict[str, int] = {}
    for site in sites:
        by_file[_file(site)] = by_file.get(_file(site), 0) + site["steps"]
    most = max(by_file, key=lambda file: by_file[file])
    function = min(site["function"] for site in sites if _file(site) == most)
    return f"{most.removeprefix('hakmem/').rsplit('.', 1)[0]}: {function}"


def parse(said: Mapping[str, Any]) -> Counts:
    """What the worker counted, from what it reported."""
    counted = said["contention"]
    counts = Counts(said["operations"], said["ns"] / counted["ticks"])
    by_line: dict[int, list[Mapping[str, Any]]] = {}
    for site in counted["sites"]:
        if _file(site) in _LOCKS_OWN:
            continue
        if site["line"]:
            by_line.setdefault(site["line"], []).append(site)
        else:
            counts.steps += site["steps"]
            counts.moved += site["moved"]
    for sites in by_line.values():
        counts.lines[_name_of(sites)] = sum(site["steps"] for site in sites)
    for row in counted["locks"]:
        lock = counts.locks.setdefault(row["rank"], Lock())
        lock.locks += 1
        lock.acquired += row["acquired"]
        lock.waited += row["waited"]
        lock.held += row["held"]
        lock.each.append(row["acquired"])
    return counts


def rows(by_threads: Mapping[int, Counts]) -> dict[str, list[float]]:
    """Name of a count -> its value per million operations, for each number of threads."""
    found: dict[str, list[float]] = {}

    def add(name: str, values: Sequence[float]) -> None:
        if any(value >= 1 for value in values):
            found[name] = list(values)

    for rank in sorted({rank for counts in by_threads.values() for rank in counts.locks}):
        locks = [(counts, counts.locks.get(rank, Lock())) for counts in by_threads.values()]
        most = max(lock.locks for _, lock in locks)
        add(f"{rank} lock{'s' * (most > 1)}, acquired", [counts.per_million(lock.acquired) for counts, lock in locks])
        add(f"{rank} lock{'s' * (most > 1)}, waited", [counts.per_million(lock.waited) for counts, lock in locks])
        if most > 1:
            busiest = [counts.per_million(max(lock.each, default=0)) for counts, lock in locks]
            add(f"busiest of {most} {rank} locks, acquired", busiest)
    for line in sorted({line for counts in by_threads.values() for line in counts.lines}):
        add(f"line, {line}", [counts.per_million(counts.lines.get(line, 0)) for counts in by_threads.values()])
    add("other lines, steps", [counts.per_million(counts.steps) for counts in by_threads.values()])
    add("other lines, moved", [counts.per_million(counts.moved) for counts in by_threads.values()])
    return found


def counting() -> Contender:
    """hakmem compiled into a worker that counts."""
    return Contender("hakmem, counting", "inlined", worker.executable("worker_hakmem_counting"))


def shipped() -> Contender:
    """The same without the counts, for times."""
    return Contender("hakmem", "inlined", worker.executable("worker_hakmem"))


def run(
    contender: Contender, workload: str, operations: int, threads: int, seed: int, wrapper: Sequence[str] = ()
) -> dict[str, Any]:
    return worker.run(contender, worker.arguments(workload, operations, threads, seed), wrapper=wrapper)


def count(workloads: Mapping[str, int], threads: Sequence[int], seed: int) -> dict[str, dict[int, Counts]]:
    """Runs each workload once with each number of threads: workload -> threads -> counts."""
    found: dict[str, dict[int, Counts]] = {workload: {} for workload in workloads}
    grid = [(workload, number) for workload in workloads for number in threads]
    for workload, number in progress.shown(NAME, grid):
        found[workload][number] = parse(run(counting(), workload, workloads[workload], number, seed))
    return found


@dataclass(frozen=True)
class Seen:
    """What can be seen of an allocator from outside."""

    futex: float
    """Calls per million operations."""
    switches: float
    """Voluntary ones, per million operations."""
    cpu_ns: float
    """Of an operation."""


def _peers() -> list[Contender]:
    own = worker.preloaded("hakmem", worker.library("libhakmem.so"))
    return [own] + [worker.preloaded(name, None if name == GLIBC else peers.library(name)) for name in peers.PEERS]


def _see(contender: Contender, workload: str, operations: int, threads: int, seed: int) -> Seen:
    once, twice = (
        system_calls.counted(lambda wrapper: run(contender, workload, whole, threads, seed, wrapper))
        for whole in (operations, 2 * operations)
    )
    runs = [worker.sample(contender, run(contender, workload, operations, threads, seed)) for _ in range(_SEEN)]
    said = min(runs, key=worker.cpu_ns)
    calls = system_calls.difference(once, twice).get("futex", 0)
    millions = said["operations"] / 1e6
    return Seen(calls / millions, said["voluntary_switches"] / millions, worker.cpu_ns(said))


def see(workloads: Mapping[str, int], threads: Sequence[int], seed: int) -> dict[str, dict[int, dict[str, Seen]]]:
    """Workload -> threads -> allocator -> what is seen of it."""
    found: dict[str, dict[int, dict[str, Seen]]] = {
        workload: {number: {} for number in threads} for workload in workloads
    }
    grid = [(workload, number, one) for workload in workloads for number in threads for one in _peers()]
    for workload, number, contender in progress.shown(f"{NAME}: peers", grid):
        found[workload][number][contender.name] = _see(contender, workload, workloads[workload], number, seed)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What //bench:contention and //bench:update_scale share."""
    arguments.add_workloads(parser, "--workload", WORKLOADS)
    parser.add_argument(
        "--threads",
        action="append",
        type=arguments.whole_number(2, THREADS_MAX),
        metavar="N",
        help=f"from 2 to {THREADS_MAX}, may be given more than once (default: {', '.join(map(str, _THREADS))})",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"a {_QUICK_PART}th of the operations, on 2 and 4 threads: whether it works",
    )
    arguments.add_seed(parser, "of the workloads' random numbers")


def chosen(parsed: argparse.Namespace) -> tuple[dict[str, int], tuple[int, ...]]:
    """The workloads with the operations of each thread, and the numbers of threads."""
    workloads = arguments.workloads(parsed)
    if parsed.quick:
        workloads = {name: max(operations // _QUICK_PART, 1) for name, operations in workloads.items()}
    threads = tuple(dict.fromkeys(parsed.threads or (_QUICK_THREADS if parsed.quick else _THREADS)))
    return workloads, threads


def _parser() -> argparse.ArgumentParser:
    parser = arguments.bare_parser(
        NAME,
        "Lock acquisitions and shared lines per million operations, by the number of threads.",
        arguments.ENVIRONMENT,
    )
    add_arguments(parser)
    parser.add_argument(
        "--peers", action="store_true", help="also: futex calls, context switches and processor time of all allocators"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")
    return parser


def figure(value: float) -> str:
    """Of a table: no digits that carry no meaning."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value > 0 else "0"


def _peer_grid(workload: str, by_threads: Mapping[int, Mapping[str, Seen]]) -> table.Grid:
    lines = [
        [name, str(threads), figure(seen.futex), figure(seen.switches), figure(seen.cpu_ns)]
        for threads, of_threads in by_threads.items()
        for name, seen in of_threads.items()
    ]
    columns = ["allocator", "threads", "futex calls", "voluntary switches", "processor ns/op"]
    return table.Grid(title=f"{workload}, seen from outside", columns=columns, lines=lines, words=1)


def main() -> None:
    """Parses the command line, counts and prints."""
    parsed = _parser().parse_args()
    process.say_what_is_cleared(os.environ)
    workloads, threads = chosen(parsed)
    counted = count(workloads, threads, parsed.seed)
    seen = see(workloads, threads, parsed.seed) if parsed.peers else {}
    if parsed.format == "json":
        whole = {
            "benchmark": NAME,
            "seed": parsed.seed,
            "threads": list(threads),
            "workloads": {workload: rows(by_threads) for workload, by_threads in counted.items()},
            "peers": {
                workload: {str(number): {name: vars(one) for name, one in row.items()} for number, row in found.items()}
                for workload, found in seen.items()
            },
        }
        table.print_json(whole, sys.stdout)
        return
    grids = []
    for workload, by_threads in counted.items():
        lines = [[name, *map(figure, values)] for name, values in rows(by_threads).items()]
        columns = ["per million operations", *map(str, by_threads)]
        grids.append(table.Grid(title=f"{workload} ({POOLS[workload]})", columns=columns, lines=lines, words=1))
        if workload in seen:
            grids.append(_peer_grid(workload, seen[workload]))
    table.print_grids(f"{NAME}: by the number of threads", grids, CAPTION, sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
