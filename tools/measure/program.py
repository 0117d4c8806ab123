# SPDX-License-Identifier: MIT
"""How a benchmark's program starts and ends: exit statuses, interrupts, a pipe that nobody reads.

Statuses: 0, 1 where something failed, 2 where the arguments are wrong (argparse), 130 after Ctrl-C, 143 after SIGTERM, 141
where the reader of the output has gone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
UNREAD = 128 + signal.SIGPIPE


class BenchError(Exception):
    """Something failed that the user can understand: printed as one message, status 1."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM unwinds as an exception, so that a running worker is ended as well."""
    raise SystemExit(TERMINATED)


def _discard_output() -> None:
    """Sends what is still buffered nowhere, so that the interpreter's own flush at exit stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run_and_flush(main: Callable[[], None]) -> None:
    """Runs `main`; what it printed is out, or known not to be, when this returns or raises."""
    try:
        main()
    finally:
        sys.stdout.flush()


def run(name: str, main: Callable[[], None]) -> None:
    """Runs `main` and ends the process. `name` stands before every message."""
    signal.signal(signal.SIGTERM, _terminate)
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
