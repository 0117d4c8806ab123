# SPDX-License-Identifier: MIT
"""What a program family defines: its workloads. check.py runs them as tests, //bench/programs as benchmarks."""

from __future__ import annotations

import enum
import glob
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.programs.workloads.errors import CheckError

if TYPE_CHECKING:
    from bench.programs.workloads.session import Session


@dataclass(frozen=True)
class Need:
    """A file that the workload cannot do without."""

    pattern: str
    """Its path; may be a pattern, of which the last match in order counts: a version number within."""
    package: str
    """Debian's package that has it."""

    def find(self) -> str:
        """The file's path. A missing one is an error, never a reason to do less."""
        found = sorted(glob.glob(self.pattern))
        if not found:
            raise CheckError(f"{self.pattern} is missing: install Debian's package {self.package}")
        return found[-1]


class Memory(enum.Enum):
    """Which figure is a program's peak memory."""

    LARGEST = "largest process"
    """The kernel's peak of the largest process: exact where one process at a time does the work."""
    SUM = "sum of processes"
    """The highest sum of all processes' proportional sizes, sampled: for servers of several processes."""


@dataclass
class Outcome:
    """What one run gave out. That it is right in itself has been checked; whether it is the same, is not yet."""

    outputs: dict[str, bytes] = field(default_factory=dict)
    """What must be equal under every allocator, what differs by nature taken out."""
    operations: int | None = None
    """Requests that a server answered, as its client counts them; None for programs with a fixed task."""
    seconds: float | None = None
    """The time they took, as the client says."""


class Workload(ABC):
    """One task for one program. Instances hold nothing of a run."""

    name: str
    """A word: letters, digits and underscores."""
    task: str
    """What the program does, as the report's reader shall know it."""
    needs: Sequence[Need]
    programs: Collection[str]
    """Executables (patterns of their names) of which at least one process each must run under the allocator."""
    memory: Memory = Memory.LARGEST
    misuse: str | None = None
    """What the program does wrong by itself, now and then, so that guard full ends it; None: nothing that is known."""
    benchmark: bool = True
    """False for a task whose time means nothing, such as a test suite that waits."""

    def find_needs(self) -> None:
        """Raises for the first file that is missing."""
        for need in self.needs:
            need.find()

    def prepare(self, inputs: Path, seed: int) -> None:
        """Writes what every run reads into the empty folder `inputs`; no allocator is under test yet."""

    def reduced(self) -> Workload:
        """The task for tests: each kind of work that it does, less of it. All of it where little is done."""
        return self

    @abstractmethod
    def run(self, session: Session) -> Outcome:
        """Runs the program under the session's allocator in a fresh folder, checks, and returns what came out."""
