# SPDX-License-Identifier: MIT
"""All subcommands. A new one is a module that makes a Command, and here a function and a line.

Each is imported in its function: a command line that names one waits for no other. All take twice as long as most do alone.
By statements and not by name, since the packager reads them.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.cli.command import Command


def _run() -> Command:
    from tools.cli import run

    return run.COMMAND


def _stat() -> Command:
    from tools.cli import process_stat

    return process_stat.COMMAND


def _top() -> Command:
    from tools.cli import process_top

    return process_top.COMMAND


def _export() -> Command:
    from tools.cli import export

    return export.COMMAND


def _profile() -> Command:
    from tools.cli import profile

    return profile.COMMAND


def _leaks() -> Command:
    from tools.cli import leaks

    return leaks.COMMAND


def _snapshot() -> Command:
    from tools.cli import snapshot

    return snapshot.COMMAND


def _explain() -> Command:
    from tools.cli import explain

    return explain.COMMAND


def _record() -> Command:
    from tools.cli import record

    return record.COMMAND


def _replay() -> Command:
    from tools.cli import replay

    return replay.COMMAND


def _trace() -> Command:
    from tools.cli import trace

    return trace.COMMAND


COMMANDS: dict[str, Callable[[], Command]] = {
    "run": _run,
    "stat": _stat,
    "top": _top,
    "export": _export,
    "profile": _profile,
    "leaks": _leaks,
    "snapshot": _snapshot,
    "explain": _explain,
    "record": _record,
    "replay": _replay,
    "trace": _trace,
}
"""By name, in the order in which --help lists them."""
