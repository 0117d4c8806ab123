# SPDX-License-Identifier: MIT
"""What can go wrong with a program, as one exception that says it to the reader of a test."""

from __future__ import annotations


class CheckError(Exception):
    """The program, or what it gave out, is not as it has to be: printed as one message."""


FAILURES = (CheckError, OSError, ValueError)
"""What a run raises whose program fails: beside a CheckError, what a client gets whose server has crashed. A BrokenPipeError
that nobody catches would be taken for the end of who reads our standard output."""


def reason(program: str, contender: str, error: Exception) -> str:
    """What one of FAILURES says to a reader, who is not told otherwise which program it was."""
    if isinstance(error, CheckError):
        return str(error)
    return f"{program} under {contender}: {type(error).__name__}: {error}"


def expect(condition: bool, message: str) -> None:
    """A check of an outcome in itself: `message` says what was found instead."""
    if not condition:
        raise CheckError(message)
