# SPDX-License-Identifier: MIT
"""What an attack came to: a program of //tests/attack, run under an allocator, judged by its output and its end."""

from __future__ import annotations

import collections
import enum
import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.attack.kinds import SIZES, Kind
from tools.measure.process import clean_environment

SECONDS_MAX = 60
"""The longest attack takes some seconds; corrupted lists may be circles."""

STARTS = "ATTACK_STARTS"
"""The variable that says how often a kind of placement starts its program; 1,000 times where it is not set."""

_STOPS = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)
_GAINED, _NOTHING, _ABSENT = 0, 1, 3


class Verdict(enum.Enum):
    AT_ONCE = "at once"
    LATER = "later"
    NOTHING = "nothing"
    GAINED = "gained"
    HUNG = "hung"
    ABSENT = "absent"


class Unjudgeable(Exception):
    """The program did what no allocator can have made it do; the text says what."""


@dataclass(frozen=True)
class Attack:
    """One process."""

    kind: Kind
    size: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.size}"


def attacks_of(kinds: Sequence[Kind]) -> list[Attack]:
    return [Attack(kind, size) for kind in kinds for size in kind.sizes]


def judge(status: int, output: str) -> Verdict:
    """The verdict of a process: its status as subprocess gives it, and its standard output."""
    lines = output.splitlines()
    if status == _GAINED and lines and lines[-1].startswith("gained: "):
        return Verdict.GAINED
    if status == _NOTHING and "over" in lines:
        return Verdict.NOTHING
    if status == _ABSENT:
        return Verdict.ABSENT
    if -status in _STOPS and "attack" in lines:
        return Verdict.LATER if "over" in lines else Verdict.AT_ONCE
    raise Unjudgeable(f"status {status}, output {output!r}")


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(attack: Attack, programs: Path, library: Path | None, starts: int) -> Verdict:
    """Runs it with the library preloaded, with none under the C library's own allocator."""
    environment = clean_environment(os.environ) | {STARTS: str(starts)}
    if library is not None:
        environment["LD_PRELOAD"] = str(library.resolve())
    command = [str(programs / attack.kind.name), str(SIZES[attack.size])]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_MAX,
            preexec_fn=_no_core,
        )
    except subprocess.TimeoutExpired:
        return Verdict.HUNG
    if re.search("cannot be preloaded", done.stderr):
        raise Unjudgeable(f"{attack}: {done.stderr}")
    try:
        return judge(done.returncode, done.stdout)
    except Unjudgeable as wrong:
        raise Unjudgeable(f"{attack} under {library}: {wrong}, errors {done.stderr!r}") from None


def run_all(
    attacks: Sequence[Attack], programs: Path, library: Path | None, starts: int, times: Callable[[Kind], int]
) -> dict[Attack, collections.Counter[Verdict]]:
    """Each as often as `times` says, two at once for each processor: most wait for children."""
    jobs = [attack for attack in attacks for _ in range(times(attack.kind))]
    found: dict[Attack, collections.Counter[Verdict]] = {attack: collections.Counter() for attack in attacks}
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        for attack, verdict in zip(jobs, pool.map(lambda one: run(one, programs, library, starts), jobs)):
            found[attack][verdict] += 1
    return found
