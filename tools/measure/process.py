# SPDX-License-Identifier: MIT
"""Starts measured programs, each alone and in an environment that does not change its allocator."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tools.measure.program import BenchError

# Variables that change an allocator, or which one is loaded: no contender gets the caller's.
_CLEARED = re.compile(r"^(HAKMEM_|MIMALLOC_|MALLOC_|LD_|GLIBC_TUNABLES$)")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what would change a contender."""
    return {key: value for key, value in environment.items() if not _CLEARED.match(key)}


def say_what_is_cleared(environment: Mapping[str, str]) -> None:
    """Prints, on standard error, the variables that measured programs do not get; nothing where there are none."""
    cleared = sorted(key for key in environment if _CLEARED.match(key))
    if cleared:
        print(f"not passed to the workers: {', '.join(cleared)}", file=sys.stderr)


def ending(status: int) -> str:
    """How a process ended, from a code as subprocess has it: negative for a signal."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def start(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Runs `command` to its end and returns its standard output. Anything but success is a BenchError.

    It gets `environment`, by default the clean one.
    """
    try:
        done = subprocess.run(
            command,
            env=clean_environment(os.environ) if environment is None else environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BenchError(f"{command[0]} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        message = done.stderr.strip() or "it printed no message"
        raise BenchError(f"{' '.join(command)} {ending(done.returncode)}: {message}")
    return done.stdout


def result(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that `command` prints."""
    output = start(command, environment)
    try:
        value = json.loads(output)
    except ValueError as error:
        raise BenchError(f"{command[0]} printed what is not a result: {output!r}") from error
    if not isinstance(value, dict):
        raise BenchError(f"{command[0]} printed what is not a result: {output!r}")
    return value
