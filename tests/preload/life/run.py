# SPDX-License-Identifier: MIT
"""Runs one program, under the library or not, to its end or to the end of its time, and reads what it printed.

The programs of this folder print a JSON object a line; the first says whose malloc answered.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARY = Path("hakmem/preload/libhakmem.so")
PROGRAMS = Path("tests/preload/life")

# A program that ends at all does so in seconds; on a machine that is busy, in minutes.
HANGS_AFTER_SECONDS = 600

MIB = 1 << 20
_KIB = 1024


class Hung(Exception):
    """The program had not ended in its time; says where its threads were."""


@dataclass(frozen=True)
class Ended:
    """A program that ended by itself. `status` is negative where a signal ended it."""

    status: int
    stdout: str
    stderr: str
    peak_bytes: int
    """Most resident memory of the program, or of a child of it that it waited for."""

    def lines(self) -> list[dict[str, Any]]:
        """What a program of this folder printed, the line that says who allocated aside."""
        return [json.loads(line) for line in self.stdout.splitlines()][1:]

    def allocator(self) -> str:
        return str(json.loads(self.stdout.splitlines()[0])["allocator"])


def whereabouts(pid: int) -> str:
    """What each thread of a process waits for: name, state and system call with its arguments."""
    threads = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            name, state = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            threads.append(f"{task.name} {name} {state.split()[0]}: {(task / 'syscall').read_text().strip()}")
        except OSError:
            continue  # ended meanwhile
    return "; ".join(threads) or "no threads left"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and what it started: the session is its own, and its number stays taken until it is waited for."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(library: Path | None, variables: Mapping[str, str]) -> dict[str, str]:
    preload = {} if library is None else {"LD_PRELOAD": str(library.resolve())}
    return {"PATH": "/usr/bin:/bin", **preload, **variables}


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    library: Path | None = LIBRARY,
    variables: Mapping[str, str] = {},
    limits: Mapping[int, int] = {},
    seconds: float = HANGS_AFTER_SECONDS,
    before_exec: Callable[[], None] = lambda: None,
    hangs: Callable[[int], bool] = lambda pid: False,
) -> Ended:
    """The end of `command`.

    Args:
      command: program and arguments.
      library: to preload; None for glibc's malloc.
      variables: environment, on top of PATH and LD_PRELOAD.
      limits: of resource.setrlimit, in bytes.
      seconds: after which it counts as hung.
      before_exec: called in the new process, before it is the program.
      hangs: asked now and then with the process's number; True: it will never end, so there is no need to wait.

    Raises:
      Hung: it did not end in time, or `hangs` says that it never will. All that it started is killed.
    """

    def prepare() -> None:
        before_exec()
        for limit, value in limits.items():
            resource.setrlimit(limit, (value, value))

    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            env=environment(library, variables),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=prepare,
        )
        try:
            status, peak = _wait(process, seconds, hangs)
        except BaseException:
            _kill(process)
            raise
        stdout.seek(0)
        stderr.seek(0)
        return Ended(status, stdout.read().decode(), stderr.read().decode(errors="replace"), peak * _KIB)


def _wait(process: subprocess.Popen[bytes], seconds: float, hangs: Callable[[int], bool]) -> tuple[int, int]:
    """Status and peak in KiB."""
    watched = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        step = 0.05
        waited = 0.0
        while not poll.poll(step * 1000):
            waited += step
            if waited >= seconds or hangs(process.pid):
                raise Hung(f"{process.args!r}: not ended after {waited:.1f} s; {whereabouts(process.pid)}")
    finally:
        os.close(watched)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


def program(name: str, *arguments: object, **options: Any) -> Ended:
    """A program of this folder; see `run`."""
    return run([(PROGRAMS / name).resolve(), *map(str, arguments)], **options)
