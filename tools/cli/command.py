# SPDX-License-Identifier: MIT
"""What a subcommand is, and what all of them share."""

from __future__ import annotations

import argparse
import os
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.measure import files, program
from tools.measure.arguments import CALLER_FOLDER, whole_number

FORMATS = ("table", "json")

_SECONDS_MOST = 10**6

_HELP_WIDTH = 100
"""Characters a line."""

REFUSED = 2
"""The status for wrong arguments and for input that cannot be used."""

TEXT_SUFFIX = ".heap"
"""A profile whose file ends so is text for google-pprof, as the library has it too."""


class InputError(Exception):
    """What the user gave cannot be used: one message on standard error, status 2."""


@dataclass(frozen=True)
class Command:
    """One subcommand: a module makes one and registry.py lists it."""

    name: str
    summary: str
    """One line, for the list of all subcommands."""
    description: str
    """For its own --help: what it does and the statuses that it ends with."""
    configure: Callable[[argparse.ArgumentParser], None]
    """Adds its arguments."""
    run: Callable[[argparse.Namespace], int]
    """Does it; returns the status."""


def statuses(own: str, interrupted: int = program.INTERRUPTED, terminated: int = program.TERMINATED) -> str:
    """The end of a command's description: its own statuses, and those of every command."""
    return textwrap.fill(
        f"Exit status: {own}; {interrupted} after Ctrl-C, {terminated} after SIGTERM, {program.UNREAD} where nobody reads "
        "what it prints.",
        _HELP_WIDTH,
        break_on_hyphens=False,
    )


def caller_path(text: str) -> Path:
    """A path as the caller meant it."""
    return Path(os.environ.get(CALLER_FOLDER, ".")) / text


def require_writable(path: Path, *inputs: Path) -> None:
    """InputError where a file cannot be written, or is one of those that are read: said before the work that it is to hold."""
    try:
        files.require_writable(path)
        is_input = path.is_file() and any(path.samefile(one) for one in inputs)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    if is_input:
        raise InputError(f"{path} is what is read: --output takes another file")


def _is_file(path: Path, text: str) -> bool:
    """For argparse; `text`: how the caller named it."""
    try:
        return path.is_file()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"'{text}' cannot be looked at: {error.strerror}") from None


def existing_file(text: str) -> Path:
    """For argparse: the path of a file that is there."""
    path = caller_path(text)
    if not _is_file(path, text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a file")
    return path


def process_id(text: str) -> int:
    """For argparse: the number of a process."""
    if not re.fullmatch("[0-9]{1,10}", text) or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"'{text}' is not the number of a process")
    return int(text)


def process_or_file(text: str) -> int | Path:
    """For argparse: the number of a process, or the path of a file that is there."""
    if text.isascii() and text.isdigit():
        return process_id(text)
    path = caller_path(text)
    if not _is_file(path, text):
        raise argparse.ArgumentTypeError(f"'{text}' is not the number of a process, and no file")
    return path


def add_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds",
        type=whole_number(1, _SECONDS_MOST),
        default=0,
        metavar="N",
        help="look twice, so many seconds apart, and show what was allocated between and not freed",
    )


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    parser.add_argument(
        "--format", choices=(*FORMATS, *more), default="table", help="of the result (default: %(default)s)"
    )
