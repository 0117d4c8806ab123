# SPDX-License-Identifier: MIT
"""Runs a workload: its inputs once, then any number of times under one allocator or another."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.programs.workloads.allocator import Tools, public_folder
from bench.programs.workloads.errors import CheckError, expect
from bench.programs.workloads.process import Usage
from bench.programs.workloads.session import LIMIT_SECONDS, Session
from bench.programs.workloads.workload import Memory, Outcome, Workload
from tools.measure.contender import Contender


@dataclass(frozen=True)
class Run:
    outcome: Outcome
    usage: Usage
    """Of the measured commands and servers; `peak_bytes` is the figure that the workload asks for."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for everything, below the system's for temporary files: short enough a path for sockets, and open to
    the users that servers change to, which Bazel's own is not. Gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="hakmem-programs-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Runner:
    """`folder` is fresh and takes the inputs and, for as long as each run takes, its files."""

    def __init__(
        self, workload: Workload, tools: Tools, folder: Path, seed: int, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        workload.find_needs()
        self._workload = workload
        self._tools = tools
        self._folder = public_folder(folder)
        self._inputs = public_folder(folder / "inputs")
        self._limit_seconds = limit_seconds
        self._runs = 0
        workload.prepare(self._inputs, seed)

    def run(
        self,
        allocator: Contender,
        *,
        watched: bool,
        padding: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Run:
        """One run in a fresh folder. `watched`: it is proven that the allocator answered; that costs time. `padding`
        is added to the environment. `prefix` runs each command that is measured."""
        self._runs += 1
        scratch = public_folder(self._folder / f"run{self._runs}")
        try:
            session = Session(
                allocator,
                self._tools,
                self._inputs,
                scratch,
                watched=watched,
                limit_seconds=self._limit_seconds,
                padding=padding,
                prefix=prefix,
            )
            outcome = self._workload.run(session)
            expect(bool(outcome.outputs), f"{self._workload.name} gave out nothing to compare")
            if watched:
                session.check_witness(frozenset(self._workload.programs))
        except CheckError as error:
            raise CheckError(f"{self._workload.name} under {allocator.name}: {error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        peak = session.usage.peak_bytes if self._workload.memory is Memory.LARGEST else session.peak_sum_bytes
        return Run(outcome, dataclasses.replace(session.usage, peak_bytes=peak))


def differences(found: Outcome, reference: Outcome) -> list[str]:
    """Each output in which two runs differ, with the first line that does; empty where they are equal."""
    messages = []
    for name in sorted(found.outputs.keys() | reference.outputs.keys()):
        a, b = found.outputs.get(name), reference.outputs.get(name)
        if a is None or b is None:
            messages.append(f"{name} is there in one run only")
        elif a != b:
            messages.append(f"{name} differs: {_first_difference(a, b)}")
    return messages


def _first_difference(found: bytes, reference: bytes) -> str:
    a, b = found.splitlines(), reference.splitlines()
    for number, (line, other) in enumerate(zip(a, b), start=1):
        if line != other:
            return f"line {number} is {line[:200]!r}, was {other[:200]!r}"
    return f"{len(a)} lines or {len(found)} bytes, were {len(b)} lines or {len(reference)} bytes"


def check(found: Run, reference: Run, allocator: Contender) -> None:
    """What a run gave out is what the reference's did."""
    messages = differences(found.outcome, reference.outcome)
    if messages:
        raise CheckError(f"under {allocator.name}: {'; '.join(messages)}")
