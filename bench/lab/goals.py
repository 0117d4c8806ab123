# SPDX-License-Identifier: MIT
"""The figures that the project wants to reach: data, and the only place where they stand.

Source: the project's own goals for hakmem with all switches on, preloaded, next to the libraries of Debian in one
interleaved run; and for its builds with a guard.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Relation(Enum):
    AT_MOST = "at most"
    AT_LEAST = "at least"
    BELOW = "below"


@dataclass(frozen=True)
class Goal:
    """One figure to reach."""

    name: str
    """By which targets.py gives the measured figure."""
    what: str
    relation: Relation
    limit: float
    unit: str = ""
    digits: int = 2
    """After the point, of what is printed; what is compared is not rounded."""

    def met_by(self, value: float) -> bool:
        return {
            Relation.AT_MOST: value <= self.limit,
            Relation.AT_LEAST: value >= self.limit,
            Relation.BELOW: value < self.limit,
        }[self.relation]

    def shown(self, value: float) -> str:
        return f"{value:.{self.digits}f}{' ' if self.unit else ''}{self.unit}"

    @property
    def wanted(self) -> str:
        return f"{self.relation.value} {self.limit:g}{' ' if self.unit else ''}{self.unit}"


MOST, LEAST, BELOW = Relation.AT_MOST, Relation.AT_LEAST, Relation.BELOW

WORST_TIME = Goal("time_worst", "time, the worst workload, to the best peer on it", MOST, 1.05)
WORST_PEAK = Goal("peak_worst", "peak resident memory, the worst workload, to the best peer on it", MOST, 1.15)
WORST_PROGRAM_TIME = Goal("program_time_worst", "time, the worst program, to any peer", MOST, 1.03)
WORST_PROGRAM_MEMORY = Goal("program_memory_worst", "memory, the worst program, to any peer", MOST, 1.03)

ALLOCATOR = (
    Goal("instructions_pair", "instructions of malloc and free, 8 to 64 bytes, loop included", MOST, 42, digits=1),
    Goal("instructions_replacement", "the same, random replacement in 1,024 slots", MOST, 55, digits=1),
    Goal("time_mean", "time over all workloads, geometric mean to mimalloc", MOST, 0.75),
    WORST_TIME,
    Goal("time_best_mean", "time, geometric mean of the ratios to the best peer of each workload", MOST, 0.95),
    Goal("peak_mean", "peak resident memory over all workloads, geometric mean to mimalloc", MOST, 0.80),
    WORST_PEAK,
    Goal("per_thread", "work of each of two threads by that of one alone, thread-local", LEAST, 0.95),
    Goal(
        "kept_after_second",
        "resident above the start, a second after everything was freed, the program asleep; worst workload",
        BELOW,
        8,
        "MiB",
        1,
    ),
    Goal("startup_ms", "start of a program that does nothing, longer by", MOST, 0.3, "ms", 3),
    Goal("startup_pages", "start of a program that does nothing, more pages touched", MOST, 40, "pages", 0),
)

PROGRAMS_MEAN = 0.93
"""Of each peer, in time and in memory."""


def program_goals(peers: list[str]) -> list[Goal]:
    """The real programs' goals: the mean to each peer, and no program by itself."""
    means = [
        Goal(f"program_{kind}_{peer}", f"{kind}, geometric mean to {peer}", MOST, PROGRAMS_MEAN)
        for kind in ("time", "memory")
        for peer in peers
    ]
    return [*means, WORST_PROGRAM_TIME, WORST_PROGRAM_MEMORY]


GUARD = (
    Goal("guard_time", "exact guard: time, geometric mean to hakmem without", MOST, 1.05),
    Goal("guard_peak", "exact guard: peak resident memory, geometric mean to hakmem without", MOST, 1.07),
    Goal("guard_time_mimalloc", "exact guard: time, geometric mean to mimalloc", BELOW, 1),
    Goal("guard_peak_mimalloc", "exact guard: peak resident memory, geometric mean to mimalloc", BELOW, 1),
    Goal("full_time", "full guard: time, geometric mean to hakmem without", BELOW, 2),
)
