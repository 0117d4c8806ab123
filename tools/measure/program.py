# SPDX-License-Identifier: MIT
"""How a benchmark's program starts and ends: exit statuses, interrupts, a pipe that nobody reads.

Statuses: 0, 1 where something failed, 2 where the arguments are wrong (argparse), 130 after Ctrl-C, 143 after SIGTERM, 129
after SIGHUP, 141 where the reader of the output has gone.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
UNREAD = 128 + signal.SIGPIPE


# Lines and bars of tables, for an encoding that has none.
_IN_ASCII = str.maketrans("─…▁▂▃▄▅▆▇█", "-~_.-=+*%#")


def _in_its_place(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the output's encoding lacks, or that are no Unicode, as in names of files."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_IN_ASCII)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


class BenchError(Exception):
    """Something failed that the user can understand: printed as one message, status 1."""


def _terminate(number: int, _frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP unwind as an exception, so that a running worker is ended as well."""
    raise SystemExit(128 + number)


def _discard_output() -> None:
    """Sends what is still buffered nowhere, so that the interpreter's own flush at exit stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _open_what_is_closed() -> None:
    """A stream that the caller closed is None to Python, for which print() takes the standard output; the next file would
    get its number. What is started from here finds it closed still."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _run_and_flush(main: Callable[[], None]) -> None:
    """Runs `main`; what it printed is out, or known not to be, when this returns or raises."""
    _open_what_is_closed()
    try:
        main()
    finally:
        sys.stdout.flush()


def run(name: str, main: Callable[[], None]) -> None:
    """Runs `main` and ends the process. `name` stands before every message."""
    codecs.register_error("hakmem", _in_its_place)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="hakmem")
    signal.signal(signal.SIGTERM, _terminate)
    # Of a terminal that is closed, or a connection that is lost: what was begun has to be ended then, too.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _terminate)
    try:
        _run_and_flush(main)
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        _discard_output()
        sys.exit(UNREAD)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing is reported", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except OSError as error:
        print(f"{name}: {error}", file=sys.stderr)
        _discard_output()
        sys.exit(FAILED)
