# SPDX-License-Identifier: MIT
"""What many cores would see, from counts of one operation and the published cost of a line of the cache that comes from
another core.

A closed network of queues: each core works `think_ns` for itself, then visits stations that serve one core at a time. A
station is a lock, which is held for `held_ns` while LINES_PER_HOLD lines come from the core that held it before, or a
line that all threads write, which comes from the core that wrote it before. Mean value analysis (Reiser and Lavenberg,
Mean-Value Analysis of Closed Multichain Queuing Networks, Journal of the ACM 27, 1980) gives the throughput for each
number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

LINES_PER_HOLD = 2
"""The lock's own word, and one line of what it guards."""


@dataclass(frozen=True)
class Cost:
    """What it takes a line to come from another core's cache, in a machine of that many cores."""

    cores: int
    low_ns: float
    high_ns: float
    source: str


COSTS = (
    Cost(64, 46, 115, "one socket: AWS Graviton3, 64 cores, 46 ns; AMD EPYC 7773X, 64 cores, 115 ns"),
    Cost(
        256,
        (51 + 108) / 2,
        (107 + 197) / 2,
        "two sockets, half of the lines from the other one: Intel Xeon 8375C, 51 and 108 ns; "
        "AMD EPYC 7R13, 107 and 197 ns",
    ),
)
PUBLISHED = (
    "Nicolas Viennot, core-to-core-latency, github.com/nviennot/core-to-core-latency, 2022 and 2023: medians of "
    "compare-exchanges between pairs of cores"
)


@dataclass(frozen=True)
class Station:
    """What serves one core at a time."""

    name: str
    visits: float
    """Of an operation, on the average."""
    held_ns: float = 0
    """Of a visit, where no line has to come; 0 for a line that is only written."""
    is_lock: bool = False

    def demand(self, transfer_ns: float) -> float:
        """What an operation takes of the station's time."""
        return self.visits * (self.held_ns + (LINES_PER_HOLD if self.is_lock else 1) * transfer_ns)


@dataclass(frozen=True)
class Load:
    """One operation of a workload."""

    busy_ns: float
    """Of the processor, on one core, program and allocator, time in the stations included."""
    moves: float
    """Lines that come from other cores and for which nobody waits in a queue, those of slabs: at least so many."""
    moves_most: float
    """At most."""
    stations: Sequence[Station]

    def think_ns(self, transfer_ns: float) -> float:
        """Outside of the stations."""
        inside = sum(station.visits * station.held_ns for station in self.stations)
        return max(self.busy_ns - inside, 0) + self.moves * transfer_ns


@dataclass(frozen=True)
class Bend:
    """Where a station's limit and a straight line would meet."""

    station: str
    cores: float


def throughput(load: Load, cores: int, transfer_ns: float) -> float:
    """Operations a nanosecond, of all cores."""
    demands = [station.demand(transfer_ns) for station in load.stations]
    waiting = [0.0] * len(demands)
    result = 1 / load.busy_ns
    for present in range(1, cores + 1):
        times = [demand * (1 + queue) for demand, queue in zip(demands, waiting)]
        result = present / (load.think_ns(transfer_ns) + sum(times))
        waiting = [result * time for time in times]
    return result


def shares(load: Load, cost: Cost) -> tuple[float, float]:
    """Of what as many cores would do that do not meet: with cheap lines that move as seldom as may be, and with dear ones
    that move as often."""
    best, worst = (load, cost.low_ns), (replace(load, moves=load.moves_most), cost.high_ns)
    high, low = (throughput(of, cost.cores, ns) * load.busy_ns / cost.cores for of, ns in (best, worst))
    return high, low


def first_bend(load: Load, transfer_ns: float, *, only_locks: bool = False) -> Bend | None:
    """The station that is the first to be busy all the time, or the first lock; None where there is none."""
    found = [station for station in load.stations if station.is_lock or not only_locks]
    if not found:
        return None
    most = max(found, key=lambda station: station.demand(transfer_ns))
    round_trip = load.think_ns(transfer_ns) + sum(station.demand(transfer_ns) for station in load.stations)
    return Bend(most.name, round_trip / most.demand(transfer_ns))
