# SPDX-License-Identifier: MIT
"""What can go wrong with a program, as one exception that says it to the reader of a test."""

from __future__ import annotations


class CheckError(Exception):
    """The program, or what it gave out, is not as it has to be: printed as one message."""


def expect(condition: bool, message: str) -> None:
    """A check of an outcome in itself: `message` says what was found instead."""
    if not condition:
        raise CheckError(message)
