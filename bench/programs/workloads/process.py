# SPDX-License-Identifier: MIT
"""One process: started through launch.c, waited for with a limit of time, ended with everything it started.

Programs write to files, not pipes: a server may go on writing long after anybody has read.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import psutil

from bench.programs.workloads.errors import CheckError
from tools.measure.process import ending

_KIB = 1024


@dataclass(frozen=True)
class Usage:
    """What programs took, one after another: times add up, of the peaks the highest counts."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """User and system time of the program and of every descendant that was waited for."""
    peak_bytes: int = 0
    """Most resident memory of a single process, as the kernel counts it."""
    page_faults: int = 0
    """Of the same processes as `cpu_seconds`; those that read no file."""

    def then(self, later: Usage) -> Usage:
        return Usage(
            self.wall_seconds + later.wall_seconds,
            self.cpu_seconds + later.cpu_seconds,
            max(self.peak_bytes, later.peak_bytes),
            self.page_faults + later.page_faults,
        )


def descendants(pid: int) -> list[psutil.Process]:
    """The processes below `pid`, as they stand now; none where it has ended."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()  # psutil compares the start time first: a number given to somebody else is left alone
        except psutil.NoSuchProcess:
            pass


class Process:
    """A program under launch.c. The standard streams are open files or descriptors, its own to the end. `prefix`
    is a command that runs the program: a counter of what it does."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        launcher: Path,
        preload: str,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str],
        folder: Path,
        stdin: int,
        stdout: int,
        stderr: int,
        user: int | None = None,
        group: int | None = None,
    ) -> None:
        self._name = command[0]
        self._report, report_write = os.pipe()
        try:
            self._launch = subprocess.Popen(
                [str(launcher), str(report_write), preload, *prefix, *command],
                env=dict(environment),
                cwd=folder,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[report_write],
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        except OSError as error:
            os.close(self._report)
            raise CheckError(f"{self._name} cannot be started: {error}") from error
        finally:
            os.close(report_write)
        self.usage = Usage()

    @property
    def pid(self) -> int:
        """Of launch.c, the program's parent."""
        return self._launch.pid

    def running(self) -> bool:
        return self._launch.poll() is None

    def signal(self, number: Signals) -> None:
        """Sends SIGTERM, SIGINT or SIGQUIT to the program; launch.c passes it on."""
        self._launch.send_signal(number)

    def wait(self, limit_seconds: float) -> int:
        """Waits for the end; the result is the program's exit code, negative for a signal. Fills `usage`."""
        watched = os.pidfd_open(self._launch.pid) if self._launch.returncode is None else None
        try:
            if watched is not None and not select.select([watched], [], [], limit_seconds)[0]:
                self.kill()
                raise CheckError(f"{self._name} had not ended after {limit_seconds} s")
        finally:
            if watched is not None:
                os.close(watched)
        broken = self._launch.wait()
        with os.fdopen(self._report) as report:
            line = report.read().split()
        if broken or len(line) != 6:
            raise CheckError(f"{self._name}: launch {ending(broken)} and reported {line}")
        status, wall, user, system, peak, faults = (int(field) for field in line)
        self.usage = Usage(wall / 1e9, (user + system) / 1e6, peak * _KIB, faults)
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """Ends the program and all that it started, by their ids. Nothing happens where it has ended."""
        if not self.running():
            return
        below = descendants(self.pid)
        self._launch.kill()
        _kill(below)
        self._launch.wait()
