# SPDX-License-Identifier: MIT
"""hakmem: one command for what one does with an allocator beside linking it.

Statuses: 0; 1 where something failed; 2 where the arguments or the input are wrong; those of command.statuses. `run` and
`record` end as the program did; `stat` and `top` say by 3 to 7 why a process cannot be asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from tools.measure import program
from tools.cli.command import InputError, REFUSED, statuses
from tools.cli.registry import COMMANDS
from tools.cli.version import VERSION

NAME = "hakmem"


def parser(names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with those subcommands; the chosen one's Command is in `command`, its parser in `parser`."""
    result = argparse.ArgumentParser(
        prog=NAME,
        description="Tools around the allocator hakmem.",
        epilog="`hakmem COMMAND --help` explains a command.\n\n"
        + statuses(
            f"0; 1 where something failed; {REFUSED} where the arguments or the input are wrong; `run` and `record` end as the "
            "program does, `stat` and `top` say by 3 to 7 why a process cannot be asked"
        ),
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--version", action="version", version=f"{NAME} {VERSION}", help="show the version and end")
    commands = result.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names:
        command = COMMANDS[name]()
        own = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(own)
        own.set_defaults(command=command, parser=own)
    return result


def execute(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; the status."""
    line = sys.argv[1:] if arguments is None else arguments
    named = [name for name in COMMANDS if name in line[:1]]
    parsed, unknown = parser(named or COMMANDS).parse_known_args(line)
    if unknown:
        parsed.parser.error(
            f"unknown arguments: {' '.join(unknown)}"
        )  # with the usage of its command, not of the whole
    try:
        status: int = parsed.command.run(parsed)
        return status
    except InputError as error:
        print(f"{NAME} {parsed.command.name}: {error}", file=sys.stderr)
        return REFUSED


def main() -> None:
    """The program: measure.program says how the rest of what can happen ends it."""
    status = 0

    def run() -> None:
        nonlocal status
        status = execute()

    program.run(NAME, run)
    sys.exit(status)


if __name__ == "__main__":
    main()
