# SPDX-License-Identifier: MIT
"""Writes what is said about the command hakmem elsewhere than in its --help, from its own parser: the manual page in mdoc,
and the completions of bash and zsh.

    tool_docs.py --form man --version 0.1.0 --date 2026-11-22 --output hakmem.1

Exit status 0: it is written. Exit status 2: standard error says what was wrong.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Sequence

import jinja2

from tools.cli import main as tool
from tools.dist import man_page

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

_TEMPLATES = {"man": "man/hakmem.1.j2", "bash": "completion/hakmem.bash.j2", "zsh": "completion/hakmem.zsh.j2"}

_FILES = {"FILE", "PATH", "TRACE"}


@dataclass(frozen=True)
class Argument:
    """An option or an operand."""

    flags: tuple[str, ...]
    """Empty: an operand."""
    value: str
    """What its value is called; "": it takes none."""
    choices: tuple[str, ...]
    help: str
    is_rest: bool
    """A program and its own arguments."""

    @property
    def is_file(self) -> bool:
        return not _FILES.isdisjoint(self.value.split("|"))

    @property
    def is_process(self) -> bool:
        return "PID" in self.value.split("|")


@dataclass(frozen=True)
class Described:
    """A command, or a command of one."""

    name: str
    summary: str
    description: str
    options: tuple[Argument, ...]
    operands: tuple[Argument, ...]
    commands: tuple[Described, ...] = field(default=())


def _argument(action: argparse.Action, parser: argparse.ArgumentParser) -> Argument:
    # argparse has no public way to ask a parser for what it knows; these names are as old as the module.
    help_text = parser._get_formatter()._expand_help(action) if action.help else ""
    takes_value = action.nargs != 0
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    choices = tuple(map(str, action.choices or ()))
    value = ("|".join(choices) or metavar) if takes_value else ""
    return Argument(tuple(action.option_strings), value, choices, help_text, action.nargs == argparse.REMAINDER)


def described(name: str, summary: str, parser: argparse.ArgumentParser) -> Described:
    options, operands, commands = [], [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            commands += [described(one, summaries.get(one, ""), own) for one, own in action.choices.items()]
        elif action.option_strings:
            options.append(_argument(action, parser))
        else:
            operands.append(_argument(action, parser))
    return Described(name, summary, parser.description or "", tuple(options), tuple(operands), tuple(commands))


def _shell_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_escaped(text: str) -> str:
    """For a description within a specification of _arguments."""
    for special in "\\:[]":
        text = text.replace(special, "\\" + special)
    return text


def render(form: str, version: str, date: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(prose=man_page.prose, sentence=man_page.sentence, quoted=_shell_quoted, zsh=_zsh_escaped)
    day = datetime.strptime(date, "%Y-%m-%d")
    whole = described(tool.NAME, "", tool.parser())
    return environment.get_template(_TEMPLATES[form]).render(
        tool=whole, version=version, date=f"{day:%B} {day.day}, {day.year}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tool_docs.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--form", required=True, choices=sorted(_TEMPLATES))
    parser.add_argument("--version", required=True)
    parser.add_argument("--date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--output", required=True, type=Path, help="file to write")
    parsed = parser.parse_args(arguments)
    try:
        parsed.output.write_text(render(parsed.form, parsed.version, parsed.date), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"tool_docs.py: {error}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
