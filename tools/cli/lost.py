# SPDX-License-Identifier: MIT
"""Asks a running process which of its blocks are lost.

Its publishing thread looks, in a copy of the process, when the last word of the page that it publishes has become another
(hakmem/observe/page.h). The answer is in the profile's memory.
"""

from __future__ import annotations

import os
import struct
import time

from tools.cli import samples, shared
from tools.cli.command import InputError
from tools.cli.samples import Samples

_LABEL = "hakmem"
_PAGE_BYTES = 128 * 1024
_ASKED = struct.Struct("=Q")

# A process publishes twice a second; a look at a heap of a million blocks takes seconds, of a slow machine more.
_SECONDS_MOST = 600
_PAUSE_SECONDS = 0.05

_ERROR_MASK = 0x7FFFFFFF


def _ask(pid: int, number: int) -> bool:
    """false: nothing is published."""
    for descriptor in shared.open_shared(pid, _LABEL, os.O_RDWR):
        try:
            if os.fstat(descriptor).st_size == _PAGE_BYTES:
                os.pwrite(descriptor, _ASKED.pack(number), _PAGE_BYTES - _ASKED.size)
                return True
        finally:
            os.close(descriptor)
    return False


def _answer(pid: int) -> samples.Answer:
    found = samples.answer(pid)
    if found is None:
        raise InputError(f"process {pid} has no profile, or its hakmem is too old to tell lost blocks")
    return found


def _wait(pid: int, number: int) -> samples.Answer:
    end = time.monotonic() + _SECONDS_MOST
    while (found := _answer(pid)).number != number:
        if time.monotonic() > end:
            raise InputError(f"process {pid} does not answer which blocks are lost")
        time.sleep(_PAUSE_SECONDS)
    return found


def look(pid: int) -> Samples:
    """The profile as it stands, with what is lost; InputError where that cannot be had."""
    samples.read(pid)  # says why there is none
    # Another number than the last, whoever asked.
    number = time.monotonic_ns()
    try:
        if not _ask(pid, number):
            raise InputError(
                f"process {pid} publishes nothing, and so cannot be asked which blocks are lost: start it with "
                "HAKMEM_PUBLISH=1 as well; half a second later it can"
            )
        answer = _wait(pid, number)
    except (FileNotFoundError, ProcessLookupError):
        raise InputError(f"process {pid} has ended") from None
    if answer.problem:
        problem = os.strerror(answer.problem & _ERROR_MASK)
        raise InputError(f"process {pid} cannot tell which blocks are lost: {problem}")
    return samples.with_lost(samples.read(pid), answer.lost)
