# SPDX-License-Identifier: MIT
"""What a measured process finds besides its program: where memory lies, how long its environment is, which processors.

All three change times by several percent without anybody touching the program: code and stack fall onto other lines
and pages (Mytkowicz, Diwan, Hauswirth, Sweeney: "Producing wrong data without doing anything obviously wrong!",
ASPLOS 2009). So the first two are varied from round to round, where they become part of the noise that the interval
shows, and are the same for all contenders of a round; the third is held still.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.measure.program import BenchError

PADDING = "BENCH_PADDING"
"""The variable that makes the environment longer."""

PADDING_BYTES = 4096
"""Less than this is added: the stack of a program begins anywhere within a page."""

# Of <sys/personality.h>.
_ADDR_NO_RANDOMIZE = 0x0040000
_ASK = 0xFFFFFFFF

_RANDOMIZE = Path("/proc/sys/kernel/randomize_va_space")
_FULL = 2


def _personality(value: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.personality.argtypes = [ctypes.c_ulong]
    result: int = libc.personality(value)
    if result < 0:
        raise BenchError(f"the kernel does not tell how it lays out processes: {os.strerror(ctypes.get_errno())}")
    return result


def randomise_layout() -> None:
    """Turns the random layout of address spaces on for what this process starts, and makes sure that it is."""
    flags = _personality(_ASK)
    if flags & _ADDR_NO_RANDOMIZE:
        _personality(flags & ~_ADDR_NO_RANDOMIZE)
        if _personality(_ASK) & _ADDR_NO_RANDOMIZE:
            raise BenchError("address spaces are laid out alike for every process, and that cannot be changed here")
    setting = _RANDOMIZE.read_text(encoding="ascii").strip()
    if setting != str(_FULL):
        raise BenchError(
            f"address spaces are not laid out at random: {_RANDOMIZE} is {setting}, and every round would measure "
            f"one and the same layout; {_FULL} is wanted"
        )


def paddings(rounds: int, seed: int) -> list[int]:
    """Bytes that the environment is longer by in each round. Equal seeds give equal lengths."""
    generator = random.Random(f"padding {seed}")
    return [generator.randrange(PADDING_BYTES) for _ in range(rounds)]


def size_bytes(environment: Mapping[str, str]) -> int:
    """Bytes of the strings that a program is started with: NAME=VALUE and a zero each."""
    return sum(len(os.fsencode(name)) + len(os.fsencode(value)) + 2 for name, value in environment.items())


def padded(environment: Mapping[str, str], total: int) -> dict[str, str]:
    """`environment` and the padding, of `total` bytes together."""
    missing = total - size_bytes(environment) - size_bytes({PADDING: ""})
    if missing < 0:
        raise ValueError(f"an environment of {size_bytes(environment)} bytes does not fit {total}")
    return {**environment, PADDING: "x" * missing}


def total_bytes(environments: list[dict[str, str]], padding: int) -> int:
    """The size that all `environments` can be padded to; the longest of them is padded by `padding` bytes."""
    return max(map(size_bytes, environments)) + size_bytes({PADDING: ""}) + padding


def processors() -> list[int]:
    """Those that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def machine() -> str:
    """What figures are good for, in a line of a document: processor, processors, kernel, distribution."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    processor = model[1] if model else platform.machine()
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{processor}, {len(processors())} processors, Linux {platform.release()}, {system}"


def pinned_to(threads: int) -> list[int]:
    """The processors for a workload of `threads`: the last one for a single thread, which keeps away from the first,
    where most systems serve interrupts; all for more."""
    allowed = processors()
    return allowed[-1:] if threads == 1 else allowed


@contextmanager
def pinned(threads: int) -> Iterator[bool]:
    """What is started within runs on pinned_to(threads). False where the machine does not allow it."""
    before = processors()
    try:
        os.sched_setaffinity(0, pinned_to(threads))
    except OSError as error:
        print(f"not pinned to a processor: {error.strerror}", file=sys.stderr)
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
