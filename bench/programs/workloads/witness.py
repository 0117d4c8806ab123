# SPDX-License-Identifier: MIT
"""Reads what witness.c wrote down, and holds it against the allocator that had to answer.

Four facts together leave no room for a library that is mapped but not used: the process had it in LD_PRELOAD behind
the witness, all of malloc's names are bound to it, none to another object, and glibc's own allocator had not taken a
byte from the system by the end.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from bench.programs.workloads.errors import CheckError, expect


@dataclass(frozen=True)
class Start:
    pid: int
    executable: str
    """Path without folders."""
    answers: dict[str, str]
    """Name of malloc's family -> path of the object that defines it."""


@dataclass(frozen=True)
class End:
    pid: int
    executable: str
    glibc_bytes: int
    """What glibc's allocator held from the system when the process ended."""


def read(text: str) -> tuple[list[Start], list[End]]:
    """The record's lines. A line that is neither kind is an error: somebody else wrote to the record."""
    starts, ends = [], []
    for line in text.splitlines():
        match line.split("\t"):
            case ["start", pid, executable, *answers] if answers:
                bound = dict(answer.split("=", 1) for answer in answers)
                starts.append(Start(int(pid), Path(executable).name, bound))
            case ["end", pid, executable, glibc_bytes]:
                ends.append(End(int(pid), Path(executable).name, int(glibc_bytes)))
            case _:
                raise CheckError(f"the witness wrote what is not a record: {line!r}")
    return starts, ends


def check(text: str, library: Path, is_glibc: bool, programs: Collection[str]) -> None:
    """Every process had `library` answer; each pattern of `programs` names one that started, and ended, under it."""
    starts, ends = read(text)
    for start in starts:
        for name, answer in start.answers.items():
            expect(
                Path(answer).resolve() == library.resolve(),
                f"{name} of {start.executable} was answered by {answer}, not by {library}",
            )
    for end in ends:
        expect(
            (end.glibc_bytes > 0) == is_glibc,
            f"glibc's own allocator had taken {end.glibc_bytes} bytes in {end.executable} under {library.name}",
        )
    for pattern in programs:
        expect(
            any(fnmatch(start.executable, pattern) for start in starts),
            f"no process of {pattern} ran under the allocator; those that did: "
            f"{', '.join(sorted({start.executable for start in starts})) or 'none'}",
        )
        expect(
            any(fnmatch(end.executable, pattern) for end in ends),
            f"no process of {pattern} came to its orderly end under the allocator",
        )
