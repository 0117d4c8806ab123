# SPDX-License-Identifier: MIT
"""Starting a program in the place of this one: found as the shell would, its signals and its status passed on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tools.measure import program
from tools.measure.arguments import CALLER_FOLDER
from tools.cli.command import REFUSED, caller_path, statuses

NOT_STARTED = 125
"""The status where the program did not do what this command is for."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def own_statuses(not_started: str) -> str:
    """For the description of a command. `not_started`: when that is the status."""
    return statuses(
        "the program's own, 128 and the signal's number where a signal ended it; "
        f"{NOT_FOUND} where it was not found, {NOT_EXECUTABLE} where it cannot be executed, {NOT_STARTED} {not_started}; "
        f"{REFUSED} where the arguments are wrong; before it starts, {program.FAILED} where something failed"
    )


# Sent to the program when they are sent to this one.
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

# Likewise, but where Ctrl-C and Ctrl-\ of a terminal reach both anyway. Supervisors of services send them to this one alone.
_OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT)


def _has_terminal() -> bool:
    """Whether this process is in the foreground of a terminal, and with it the program."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


_Handler = Callable[[int, FrameType | None], Any] | int | None
"""What signal.signal() takes and gives."""


class StartError(Exception):
    """There is no such program: the text for standard error, and the status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Line:
    """A command line that can be started."""

    words: list[str]
    executable: str
    """Its absolute path."""
    folder: Path
    """Where the caller is."""

    def run(self, environment: dict[str, str]) -> tuple[int, int]:
        """Runs it to its end: its number as a process, and its own status. StartError where the kernel does not take it."""
        # The program starts in that folder and may go on to another, where the variable would mislead it.
        environment = {name: value for name, value in environment.items() if name != CALLER_FOLDER}
        with _Signals() as signals:
            # Where the caller is already nobody goes in again: another user, as of sudo -u, may have no right to.
            folder = None if self.folder == Path.cwd() else self.folder
            try:
                process = subprocess.Popen(self.words, executable=self.executable, cwd=folder, env=environment)
            except OSError as error:
                raise StartError(f"{self.words[0]} cannot be executed: {error.strerror}", NOT_EXECUTABLE) from None
            signals.send_to(process)
            status = process.wait()
        # As a shell has it: 128 and the signal's number where one ended it.
        return process.pid, 128 - status if status < 0 else status


def line_of(command: str, words: list[str]) -> Line:
    """What is behind the options of `hakmem COMMAND`."""
    words = words[1:] if words[:1] == ["--"] else words
    if not words:
        raise StartError(f"which program? hakmem {command} [options] [--] PROGRAM [ARGUMENT ...]", REFUSED)
    folder = caller_path(".").absolute()
    found, status = _find(words[0], str(folder))
    if found is None:
        what = "is not executable" if status == NOT_EXECUTABLE else "was not found"
        raise StartError(f"{words[0]} {what}", status)
    return Line(words, found, folder)


def _find(name: str, folder: str) -> tuple[str | None, int]:
    """The program as the shell would find it, and the status to end with where it does not.

    Texts, not Paths: a Path drops the "./" by which the caller says that no other folder is meant.
    """
    folders = [""] if os.path.sep in name else os.get_exec_path()
    # A folder of PATH may be relative as well, and an empty one is the caller's.
    paths = [os.path.join(folder, one, name) for one in folders] if name else []
    found = next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)
    return found, NOT_EXECUTABLE if any(map(os.path.exists, paths)) else NOT_FOUND


class _Signals:
    """Passes on to a program what is sent to this process: within the block, which begins before the program does, since who
    has seen the program may send one before this process goes on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        """Those that came before it was known which process the program is."""
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> _Signals:
        # What this process ignores the program ignores too; a handler would be the default there.
        for number in (*_FORWARDED, *_OF_TERMINALS):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._handle(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: signal.Signals) -> None:
        self._before[number] = signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number in _OF_TERMINALS and _has_terminal():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)

    def send_to(self, process: subprocess.Popen[bytes]) -> None:
        """From now on; first what came already."""
        self._process = process
        for number in self._early:
            process.send_signal(number)
        for number in _FORWARDED:
            if number not in self._before:
                self._handle(number)
