# SPDX-License-Identifier: MIT
"""All subcommands. A new one is a module that makes a Command, and a line here."""

from __future__ import annotations

from tools.cli import (
    explain,
    export,
    leaks,
    process_stat,
    process_top,
    profile,
    record,
    replay,
    run,
    snapshot,
    trace,
)
from tools.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    run.COMMAND,
    process_stat.COMMAND,
    process_top.COMMAND,
    export.COMMAND,
    profile.COMMAND,
    leaks.COMMAND,
    snapshot.COMMAND,
    explain.COMMAND,
    record.COMMAND,
    replay.COMMAND,
    trace.COMMAND,
)
"""In the order in which --help lists them."""
