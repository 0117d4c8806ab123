# SPDX-License-Identifier: MIT
"""What became of a wrong call: one case of //tests/misuse/cases, run under an allocator, and judged by evidence.

The program says on standard output when it is about to make the wrong call, and when that call has returned.
"""

from __future__ import annotations

import enum
import os
import resource
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Optional

ANNOUNCED = "wrong call on "
RETURNED = "returned"
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)
SECONDS_MAX = 600

POOL_SIZES = {"tiny": 100, "L2": 5000, "L2.5": 200000, "huge": 3000000}
"""Bytes that each pool of hakmem serves."""


class Outcome(enum.Enum):
    AT_ONCE = "at once"
    """Ended by SIGABRT before the wrong call returned."""
    LATER = "later"
    """Ended by SIGABRT after it had."""
    CRASHED = "crashed"
    """Ended by the processor's fault, at any time."""
    HUNG = "hung"
    """Did not end."""
    SILENT = "silent"
    """Went on to its end."""
    ABSENT = "absent"
    """The C library does not offer the function that the case calls."""


class Unjudgeable(Exception):
    """The program did what no allocator can have made it do; the text says what."""


@dataclass(frozen=True)
class Case:
    arguments: tuple[str, ...]
    """Of the program: without size and thread."""
    kind: str
    """"call", "exact" or "full", as the program lists it."""
    sized: bool
    """Once for each pool."""

    @property
    def name(self) -> str:
        return " ".join(self.arguments)

    @property
    def pools(self) -> tuple[str, ...]:
        return tuple(POOL_SIZES) if self.sized else ("tiny",)


@dataclass(frozen=True)
class Run:
    """One process."""

    case: Case
    pool: str
    in_thread: bool = False

    def command(self, program: Path) -> list[str]:
        size = str(POOL_SIZES[self.pool])
        return [str(program), *self.case.arguments, size, *(["thread"] if self.in_thread else [])]

    def __str__(self) -> str:
        return f"{self.case.name} ({self.pool}{', other thread' if self.in_thread else ''})"


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    announced: str
    """The pointer, as the program printed it; empty where it never came so far."""
    errors: str
    """Standard error."""


def cases_of(program: Path) -> list[Case]:
    """What the program can do, in its order."""
    listed = subprocess.run([str(program), "--list"], check=True, capture_output=True, text=True).stdout
    return [Case(tuple(names), kind, sized == "sized") for kind, sized, *names in map(str.split, listed.splitlines())]


def runs_of(cases: Iterable[Case]) -> list[Run]:
    """Every pool of every case; calls on pointers in the same and in another thread."""
    return [
        Run(case, pool, in_thread)
        for case in cases
        for pool in case.pools
        for in_thread in ((False, True) if case.kind == "call" else (False,))
    ]


def judge(status: Optional[int], output: str) -> Outcome:
    """The outcome of a process: its status as subprocess gives it (None: it hung) and its standard output."""
    announced, returned = ANNOUNCED in output, RETURNED in output.splitlines()
    if status is None:
        return Outcome.HUNG
    if announced and -status in CRASHES:
        return Outcome.CRASHED
    if announced and status == -signal.SIGABRT:
        return Outcome.LATER if returned else Outcome.AT_ONCE
    if status == 0 and returned:
        return Outcome.SILENT if announced else Outcome.ABSENT
    raise Unjudgeable(f"status {status}, output {output!r}")


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(
    one: Run,
    program: Path,
    library: Optional[Path],
    environment: Optional[dict[str, str]] = None,
    seconds_max: float = SECONDS_MAX,
) -> Result:
    """Runs it with the library preloaded, with none under the C library's own allocator."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM_", "LD_"))}
    variables.update(environment or {})
    if library is not None:
        variables["LD_PRELOAD"] = str(library.resolve())
    with subprocess.Popen(
        one.command(program),
        env=variables,
        text=True,
        errors="replace",
        preexec_fn=_no_core,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds_max)
            status: Optional[int] = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            status = None
    if "cannot be preloaded" in errors:
        raise Unjudgeable(f"{one}: {errors}")
    try:
        outcome = judge(status, output)
    except Unjudgeable as wrong:
        raise Unjudgeable(f"{one}: {wrong}, errors {errors!r}") from None
    announced = output.partition(ANNOUNCED)[2].partition("\n")[0]
    return Result(outcome, announced, errors)
