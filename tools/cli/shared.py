# SPDX-License-Identifier: MIT
"""Memory that a process shares with who looks: a file without a name, which one of the process's descriptors leads to.

hakmem/os/linux/shared.c makes it. The process may be anybody's, and what its descriptors lead to as well: nothing is opened
for reading, and so neither waited for nor started, before it is known to be such a file; and it is read, never mapped, since
it may shrink.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from tools.measure.kernel_text import lines_of

# Those of the allocator's own begin here, where the program's limit allows it.
_FIRST = 200


def name_of(label: str) -> str:
    """How /proc/PID/fd and /proc/PID/maps call it."""
    return f"/memfd:{label} (deleted)"


def _links(pid: int, name: str) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    numbers = [int(number) for number in os.listdir(folder) if number.isdigit()]
    for number in sorted(numbers, key=lambda one: (one < _FIRST, one)):
        try:
            if os.readlink(f"{folder}/{number}") == name:
                yield f"{folder}/{number}"
        except OSError:
            continue  # closed meanwhile


def _is_shared_memory(found: os.stat_result, pid: int) -> bool:
    """A regular file that has no name, of the process's user, or of root, whose rights the process gave up since."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_uid in (0, os.stat(f"/proc/{pid}").st_uid)


def _open_checked(link: str, pid: int, how: int) -> int | None:
    # The link is the kernel's and has to be followed. With O_PATH that opens nothing: no device, and no FIFO.
    place = os.open(link, os.O_PATH | os.O_CLOEXEC)
    try:
        if not _is_shared_memory(os.fstat(place), pid):
            return None
        return os.open(f"/proc/self/fd/{place}", how | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(place)


def open_shared(pid: int, label: str, how: int = os.O_RDONLY) -> Iterator[int]:
    """Descriptors of the files of that label that a process has open, to be closed by the caller.

    Raises:
      PermissionError: the process is another user's, or may not be looked at.
      FileNotFoundError: there is no such process.
    """
    for link in _links(pid, name_of(label)):
        try:
            found = _open_checked(link, pid, how)
        except FileNotFoundError:
            continue  # closed meanwhile
        if found is not None:
            yield found


def own_number(pid: int) -> int:
    """The process's number in its own namespace, by which it names itself."""
    lines = lines_of(f"/proc/{pid}/status")
    numbers: list[str] = next((line.split() for line in lines if line.startswith("NSpid:")), [])
    return int(numbers[-1]) if len(numbers) > 1 else pid


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """At most `size` bytes; fewer where the file ends before."""
    found = b""
    while len(found) < size and (more := os.pread(descriptor, size - len(found), offset + len(found))):
        found += more
    return found
