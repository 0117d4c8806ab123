# SPDX-License-Identifier: MIT
"""A terminal that a command has for itself: keys, size, and the screen, which is given back however the command ends."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

# Another screen, no cursor, no wrapping; and back.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"

# Before a line is written: behind one that is as wide as the screen it would take the last character.
_CLEAR_LINE = "\x1b[2K"

_KEY = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|\x1b|[\x00-\x7f]")
_NAMES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
}

_FALLBACK = (80, 24)

END = "end"
"""The key that nobody pressed: there will be no more."""


def decoded(data: bytes) -> list[str]:
    """Keys by their names, others by their characters. What is neither is left out."""
    found = (_NAMES.get(key) or key.decode("ascii") for key in _KEY.findall(data))
    return [key for key in found if key in _NAMES.values() or key.isprintable()]


def _size_of(descriptor: int) -> tuple[int, int]:
    """Columns and lines. A terminal that does not know says zero: then those of the environment count."""
    columns, lines = os.get_terminal_size(descriptor)
    named = (os.environ.get(name, "") for name in ("COLUMNS", "LINES"))
    wanted = [int(text) if re.fullmatch("[0-9]{1,4}", text) else 0 for text in named]
    return columns or wanted[0] or _FALLBACK[0], lines or wanted[1] or _FALLBACK[1]


class Terminal:
    """Of the standard output; keys from the standard input, if that is one too."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._attributes = termios.tcgetattr(self._input) if self._input is not None else None
        self._signals, self._signalled = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(self._signalled, False)

    def _say(self, text: str) -> None:
        """Past Python's buffer, which must not be entered twice: a signal's handler may come while it is written to."""
        data = text.encode(sys.stdout.encoding, sys.stdout.errors or "strict")
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]

    def _enter(self) -> None:
        if self._input is not None:
            tty.setcbreak(self._input, termios.TCSANOW)
        self._say(_ENTER)

    def _leave(self) -> None:
        if self._input is not None and self._attributes is not None:
            termios.tcsetattr(self._input, termios.TCSANOW, self._attributes)
        self._say(_LEAVE)

    def _stop(self, number: int, _frame: Any) -> None:
        """Ctrl-Z: the shell gets its terminal as it was."""
        self._leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Goes on here after SIGCONT.
        signal.signal(number, self._stop)
        self._enter()

    @contextmanager
    def taken(self) -> Iterator[Terminal]:
        """Within this the screen is the command's. A signal wakes keys() up."""
        before = {
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda number, frame: None),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._stop),
        }
        woken = signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)
        try:
            self._enter()
            yield self
        finally:
            with suppress(OSError, termios.error):  # the terminal may be gone
                self._leave()
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)

    def size(self) -> tuple[int, int]:
        return _size_of(sys.stdout.fileno())

    def keys(self, seconds: float) -> list[str]:
        """Those pressed by now, else the first ones within so many seconds; none where a signal came, or nobody pressed any."""
        wanted = [self._signals] if self._input is None else [self._signals, self._input]
        ready, _, _ = select.select(wanted, [], [], seconds)
        if self._signals in ready:
            os.read(self._signals, 4096)
        if self._input is None or self._input not in ready:
            return []
        try:
            data = os.read(self._input, 4096)
        except OSError:
            data = b""  # the terminal is gone
        return decoded(data) if data else [END]

    def draw(self, lines: Sequence[str], height: int) -> None:
        """The whole screen: so many lines, each of which fits."""
        rows = [*lines, *[""] * (height - len(lines))]
        self._say("".join(f"\x1b[{number};1H{_CLEAR_LINE}{row}" for number, row in enumerate(rows, 1)) + _HOME)
