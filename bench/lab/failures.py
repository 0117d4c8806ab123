# SPDX-License-Identifier: MIT
"""Contenders that do not do what they should: each becomes a row of the report, and the others go on.

A contender that fails on a workload before or in the rounds is asked for nothing more there: its times would say
nothing. What fails in a later phase, under callgrind say, is missing in that phase only. One that a limit ended, or that
failed _MOST times, is given up for the rest of the phase: a library that hangs takes the time limit once and not on every
workload.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bench.lab.plan import Slot
from tools.measure import process
from tools.measure.contender import ContenderError

Result = TypeVar("Result")

DECISIVE = ("verify", "calibrate", "rounds")
"""Phases without which there is no ratio."""

_MOST = 3


@dataclass(frozen=True)
class Failure:
    """A row of the report."""

    family: str
    workload: str
    contender: str
    phase: str
    why: str


@dataclass
class Failures:
    """All so far."""

    rows: list[Failure] = field(default_factory=list)
    phase: str = DECISIVE[0]
    """The one that runs."""
    _given_up: set[tuple[str, str, str]] = field(default_factory=set)
    """Phase, family and contender."""

    def attempt(self, slot: Slot, name: str, work: Callable[[], Result]) -> Result | None:
        """What `work` gives; None, and a row, where the contender fails, and None where it is not asked any more."""
        if self.is_out(slot, name):
            return None
        try:
            return work()
        except (process.Failed, ContenderError) as error:
            why = error.why if isinstance(error, process.Failed) else str(error)
            self.rows.append(Failure(slot.family, slot.workload, name, self.phase, why))
            times = sum(row.phase == self.phase and self._is_of(row, slot.family, name) for row in self.rows)
            if isinstance(error, process.Stopped) or times >= _MOST:
                self._given_up.add((self.phase, slot.family, name))
            return None

    @staticmethod
    def _is_of(row: Failure, family: str, name: str) -> bool:
        return (row.family, row.contender) == (family, name)

    def is_failed(self, slot: Slot, name: str) -> bool:
        """Whether there is no ratio of the contender on this workload."""
        return any((phase, slot.family, name) in self._given_up for phase in DECISIVE) or any(
            row.phase in DECISIVE and row.workload == slot.workload and self._is_of(row, slot.family, name)
            for row in self.rows
        )

    def is_out(self, slot: Slot, name: str) -> bool:
        """Whether the running phase asks nothing of the contender on this workload."""
        return (
            self.is_failed(slot, name)
            or (self.phase, slot.family, name) in self._given_up
            or any(
                (row.phase, row.workload) == (self.phase, slot.workload) and self._is_of(row, slot.family, name)
                for row in self.rows
            )
        )
