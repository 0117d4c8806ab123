# SPDX-License-Identifier: MIT
"""What processes publish with HAKMEM_PUBLISH=1: found, checked and read. hakmem/observe/page.h describes the page."""

from __future__ import annotations

import os
import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure.kernel_text import lines_of
from tools.cli import shared, untrusted
from tools.cli.untrusted import printable

GONE = 3
FORBIDDEN = 4
WITHOUT_HAKMEM = 5
NOT_PUBLISHED = 6
MALFORMED = 7

_LABEL = "hakmem"
_HEADER = struct.Struct("=8sII4Q")
_MAGIC = b"hakmem\0\0"
_LAYOUT = 1
_PAGE_BYTES = 128 * 1024

# Characters of a program's name that are shown.
_NAME_MOST = 64

# A writer is busy for less than a millisecond; one that is stopped in the middle stays.
ATTEMPTS = 200
_PAUSE_SECONDS = 0.005


def statuses(or_none: str = "") -> str:
    """For the description of a command. `or_none`: what else is not published."""
    return (
        f"{GONE} where there is no such process (any more); {FORBIDDEN} where it is another user's; {WITHOUT_HAKMEM} where "
        f"hakmem does not serve it; {NOT_PUBLISHED} where hakmem does, but does not publish{or_none}; {MALFORMED} where what "
        "is published is not what hakmem writes"
    )


class Unreachable(Exception):
    """A process that cannot be asked: why, and the status to end with."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, which is its state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger holds it: it publishes nothing before it goes on."""
    try:
        return _status(pid)[0] in "Tt"
    except OSError:
        return False


def _process_owner(pid: int) -> int:
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        state = _status(pid)[0]
    except (FileNotFoundError, ProcessLookupError):
        raise Unreachable(f"there is no process {pid}", GONE) from None
    if state in "ZX":
        raise Unreachable(f"process {pid} has ended", GONE)
    return owner


def _mapped(pid: int) -> list[str]:
    """The files that it maps."""
    try:
        lines = lines_of(f"/proc/{pid}/maps")
    except PermissionError:
        raise Unreachable(f"process {pid} belongs to another user, or may not be looked at", FORBIDDEN) from None
    except (FileNotFoundError, ProcessLookupError):
        raise Unreachable(f"there is no process {pid}", GONE) from None
    return sorted({fields[5] for fields in (line.split(maxsplit=5) for line in lines) if len(fields) == 6})


def _wants_to_publish(pid: int) -> bool:
    try:
        return b"HAKMEM_PUBLISH=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


# In the ninth field of /proc/PID/stat: the kernel has begun to end it (PF_EXITING of include/linux/sched.h).
_ENDING = 0x4


def _is_ending(pid: int) -> bool:
    """Whether it is on its way to its end: it maps nothing any more, and is not gone."""
    try:
        return int(_status(pid)[6]) & _ENDING != 0
    except OSError:
        return True


def _why_not(pid: int) -> Unreachable:
    """Why a process has no page."""
    mapped = _mapped(pid)
    if not mapped and _is_ending(pid):
        return Unreachable(f"process {pid} has ended", GONE)
    if shared.name_of(_LABEL) in mapped:
        return Unreachable(
            f"process {pid} publishes, but has closed its page: another comes within half a second", NOT_PUBLISHED
        )
    libraries = [path for path in mapped if re.match(r"libhakmem.*\.so", Path(path).name)]
    if not libraries:
        return Unreachable(
            f"process {pid} runs without hakmem: `hakmem run --publish -- PROGRAM` starts a program with it",
            WITHOUT_HAKMEM,
        )
    if _wants_to_publish(pid):
        return Unreachable(
            f"process {pid} publishes nothing yet: its first figures come after half a second", NOT_PUBLISHED
        )
    return Unreachable(
        f"process {pid} runs with {printable(Path(libraries[0]).name)}, but does not publish: start it with "
        "HAKMEM_PUBLISH=1",
        NOT_PUBLISHED,
    )


def _find(pid: int, how: int = os.O_RDONLY) -> int | None:
    """A descriptor of its page; None where it has none. The child of a fork may have its parent's for a moment, and that
    of a raw clone for good."""
    owner = _process_owner(pid)
    if os.geteuid() not in (0, owner):
        raise Unreachable(f"process {pid} belongs to another user", FORBIDDEN)
    try:
        number = shared.own_number(pid)
        for descriptor in shared.open_shared(pid, _LABEL, how):
            header = shared.read_at(descriptor, _HEADER.size, 0)
            if len(header) == _HEADER.size and _HEADER.unpack(header)[2] == number:
                return descriptor
            os.close(descriptor)
    except PermissionError:
        raise Unreachable(f"process {pid} belongs to another user, or may not be looked at", FORBIDDEN) from None
    except (FileNotFoundError, ProcessLookupError):
        raise Unreachable(f"there is no process {pid}", GONE) from None
    return None


def _require(pid: int, how: int = os.O_RDONLY) -> int:
    found = _find(pid, how)
    if found is None:
        why = _why_not(pid)
        found = _find(pid, how)  # it may have come meanwhile
        if found is None:
            raise why
    return found


@dataclass
class Page:
    """A page that is open."""

    pid: int
    descriptor: int

    def close(self) -> None:
        os.close(self.descriptor)

    def renew(self) -> None:
        """Goes over to the process's page of now: it may have closed the other. Unreachable where it has none: it has
        ended, or has become another program."""
        descriptor = _require(self.pid)
        os.close(self.descriptor)
        self.descriptor = descriptor

    def _header(self) -> tuple[bytes, int, int, int, int]:
        """Magic, layout, number of the process, sequence, bytes of text."""
        header = shared.read_at(self.descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            raise self._malformed("it is cut")
        magic, layout, pid, sequence, _, _, length = _HEADER.unpack(header)
        return magic, layout, pid, sequence, length

    def _malformed(self, text: str) -> Unreachable:
        return Unreachable(f"process {self.pid}: what it publishes is not hakmem's: {printable(text)}", MALFORMED)

    def check(self) -> None:
        magic, layout, *_ = self._header()
        if magic != _MAGIC:
            raise self._malformed("the page does not begin as one")
        if layout != _LAYOUT:
            raise Unreachable(
                f"process {self.pid} publishes in layout {layout}; this command knows {_LAYOUT}", NOT_PUBLISHED
            )

    def _text(self) -> bytes | None:
        """None while it is written."""
        *_, before, length = self._header()
        if before == 0 or before % 2:
            return None
        if length > _PAGE_BYTES - _HEADER.size:
            raise self._malformed("its length is more than a page")
        text = shared.read_at(self.descriptor, length, _HEADER.size)
        if self._header()[3] != before:
            return None
        if len(text) < length:
            raise self._malformed("it is cut")
        return text

    def read(self, attempts: int = ATTEMPTS) -> dict[str, Any]:
        """The statistics, whole: as the JSON of hakmem/observe/stats.schema.json, with the process's number as it is here."""
        for _ in range(attempts):
            text = self._text()
            if text is not None:
                try:
                    return {**untrusted.statistics(text), "pid": self.pid}
                except untrusted.Malformed as error:
                    raise self._malformed(str(error)) from None
            time.sleep(_PAUSE_SECONDS)
        _process_owner(self.pid)
        raise Unreachable(f"process {self.pid} is stopped in the middle of publishing", NOT_PUBLISHED)


def open_file(pid: int, how: int) -> int:
    """A descriptor of a process's page, to be closed by the caller. Unreachable where there is none, or it is not hakmem's."""
    page = Page(pid, _require(pid, how))
    try:
        page.check()
        return os.dup(page.descriptor)
    finally:
        page.close()


def open_page(pid: int) -> Page:
    page = Page(pid, _require(pid))
    try:
        page.check()
    except Unreachable:
        page.close()
        raise
    return page


def read(pid: int, attempts: int = ATTEMPTS) -> dict[str, Any]:
    page = open_page(pid)
    try:
        return page.read(attempts)
    finally:
        page.close()


def processes() -> list[int]:
    """Those that publish and that may be asked."""
    found = []
    for pid in sorted(int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()):
        try:
            descriptor = _find(pid)
        except Unreachable:
            continue
        if descriptor is not None:
            os.close(descriptor)
            found.append(pid)
    return found


def program_of(pid: int) -> str:
    """Its name, for headings: the program itself chooses it."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode("utf-8", "replace")
        return printable(Path(words.split(" ")[0]).name, _NAME_MOST) or "?"
    except OSError:
        return "?"


def resident_bytes(pid: int) -> int | None:
    """All its resident memory, the allocator's and other."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None
