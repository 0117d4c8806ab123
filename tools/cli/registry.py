"""All subcommands. A new one is a module that makes a Command, and a line here."""

from __future__ import annotations

from tools.cli import explain, leaks, profile, record, replay, trace
from tools.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    profile.COMMAND,
    leaks.COMMAND,
    explain.COMMAND,
    record.COMMAND,
    replay.COMMAND,
    trace.COMMAND,
)
"""In the order in which --help lists them."""
