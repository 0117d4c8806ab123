# SPDX-License-Identifier: MIT
"""Starts measured programs, each alone and in an environment that does not change its allocator."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure.program import BenchError

# Characters of a wrong answer that a message shows.
_SHOWN = 200

# Variables that change an allocator, or which one is loaded: no contender gets the caller's.
_CLEARED = re.compile(r"^(HAKMEM_|MIMALLOC_|MALLOC_|LD_|GLIBC_TUNABLES$)")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what would change a contender."""
    return {key: value for key, value in environment.items() if not _CLEARED.match(key)}


def say_what_is_cleared(environment: Mapping[str, str]) -> None:
    """Prints, on standard error, the variables that measured programs do not get; nothing where there are none."""
    cleared = sorted(key for key in environment if _CLEARED.match(key))
    if cleared:
        print(f"not passed to the workers: {', '.join(cleared)}", file=sys.stderr)


def ending(status: int) -> str:
    """How a process ended, from a code as subprocess has it: negative for a signal."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class Failed(BenchError):
    """A measured program that did not end well."""

    def __init__(self, command: Sequence[str], why: str) -> None:
        super().__init__(f"{' '.join(command)} {why}")
        self.why = why
        """Without the command: for a row that names contender and workload."""


class Stopped(Failed):
    """One that a limit ended: it may do so again and again."""


@dataclass(frozen=True)
class Limits:
    """What a measured program may take before it is ended; None: as much as it likes."""

    seconds: float | None = None
    resident_bytes: int | None = None
    """Of its processes together."""
    processes: int | None = None


_NO_LIMITS = Limits()
_limits = _NO_LIMITS

# Before the first look at a program that runs, when a timed run of the laboratory is over, and between later ones.
_LOOK_SECONDS, _LOOK_SECONDS_MOST = 0.25, 1.0


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """What is started within, by any thread, has these limits."""
    global _limits
    before, _limits = _limits, limits
    try:
        yield
    finally:
        _limits = before


# Of what stands behind a process's name in its "stat" (proc(5)): its group, and pages that are resident.
_GROUP, _RESIDENT = 2, 21


def _group(number: int) -> tuple[int, int]:
    """Processes of the group `number` that have not ended, and their resident bytes."""
    count = pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[_GROUP]) == number and fields[0] != "Z":
            count += 1
            pages += int(fields[_RESIDENT])
    return count, pages * resource.getpagesize()


def _excess(number: int, limits: Limits) -> str | None:
    """Which limit the group passes, for a message; None where it passes none."""
    count, resident_bytes = _group(number)
    if limits.processes is not None and count > limits.processes:
        return f"was ended: it had more than {limits.processes} processes"
    if limits.resident_bytes is not None and resident_bytes > limits.resident_bytes:
        return f"was ended: it took more than {limits.resident_bytes >> 20:,} MiB"
    return None


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the process and all of its group. What is left of their output is not read: one that left the group may
    hold it open."""
    # Nobody has waited for the process yet, so its number, which is its group's, cannot stand for others.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def _finished(process: subprocess.Popen[str], command: Sequence[str], limits: Limits) -> tuple[str, str]:
    """What the process wrote until its end; a Failed where a limit ended it."""
    if limits == _NO_LIMITS:
        return process.communicate()
    end = math.inf if limits.seconds is None else time.monotonic() + limits.seconds
    look = _LOOK_SECONDS
    while True:
        try:
            return process.communicate(timeout=max(0.0, min(look, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            why = _excess(process.pid, limits)
            if why is None and time.monotonic() >= end:
                why = f"was ended: it took more than {limits.seconds:g} s"
            if why is not None:
                raise Stopped(command, why) from None
            look = min(2 * look, _LOOK_SECONDS_MOST)


def start(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What `command` wrote to its standard output; the rest is said()'s."""
    return said(command, environment)[0]


def said(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Runs `command` to its end and returns its standard output and error. Anything but success is a BenchError.

    It gets `environment`, by default the clean one, and a group of processes of its own, so that all that it started is
    ended with it.
    """
    try:
        process = subprocess.Popen(
            command,
            env=clean_environment(os.environ) if environment is None else environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise BenchError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        stdout, stderr = _finished(process, command, _limits)
    except BaseException:
        _end(process)
        raise
    if process.returncode != 0:
        message = stderr.strip() or "it printed no message"
        raise Failed(command, f"{ending(process.returncode)}: {message}")
    return stdout, stderr


def result(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that `command` prints."""
    output = start(command, environment)
    try:
        value = json.loads(output)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failed(command, f"printed what is not a result: {output[:_SHOWN]!r}")
    return value
