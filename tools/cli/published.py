"""What processes publish with HAKMEM_PUBLISH=1: found, checked and read. hakmem/publish/page.h describes the page."""

from __future__ import annotations

import json
import mmap
import os
import re
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GONE = 3
FORBIDDEN = 4
WITHOUT_HAKMEM = 5
NOT_PUBLISHED = 6

STATUSES = (
    f"{GONE} where there is no such process (any more); {FORBIDDEN} where it is another user's; "
    f"{WITHOUT_HAKMEM} where hakmem does not\nserve it; {NOT_PUBLISHED} where hakmem does, but does not publish"
)
"""For the description of a command."""

_FOLDER = Path("/dev/shm")
_NAME = re.compile(r"hakmem\.([0-9]+)")

_HEADER = struct.Struct("=8sII4Q")
_MAGIC = b"hakmem\0\0"
_LAYOUT = 1
_SEQUENCE_AT = 16

# A writer is busy for less than a millisecond; one that is stopped in the middle stays.
_ATTEMPTS = 200
_PAUSE_SECONDS = 0.005

# The file is there before it is mapped.
_UNMAPPED_SECONDS = 5


class Unreachable(Exception):
    """A process that cannot be asked: why, and the status to end with."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def require_running(pid: int) -> None:
    """An Unreachable where it has ended, or has become another program."""
    _page_path(pid)


def _process_owner(pid: int) -> int:
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        raise Unreachable(f"there is no process {pid}", GONE) from None
    if state in "ZX":
        raise Unreachable(f"process {pid} has ended", GONE)
    return owner


def _mapped(pid: int) -> list[str]:
    """The files that it maps."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
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


def _own_number(pid: int) -> int:
    """The process's number in its own namespace."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise Unreachable(f"there is no process {pid}", GONE) from None
    found = re.search(r"^NSpid:.*?(\d+)$", status, re.MULTILINE)
    return int(found[1]) if found else pid


def _page_path(pid: int) -> Path:
    """Its page, as the process itself names it: in its own namespaces, its number may be another. For a moment the child
    of a fork still has its parent's."""
    owner = _process_owner(pid)
    if os.geteuid() not in (0, owner):
        raise Unreachable(f"process {pid} belongs to another user", FORBIDDEN)
    mapped = _mapped(pid)
    name = f"hakmem.{_own_number(pid)}"
    for path in mapped:
        if Path(path).parent == _FOLDER and Path(path).name == name:
            return Path(f"/proc/{pid}/root{path}")
        if path.startswith(f"{_FOLDER}/hakmem.") and path.endswith(" (deleted)"):
            raise Unreachable(f"process {pid} publishes, but its page was removed", NOT_PUBLISHED)
    libraries = [path for path in mapped if re.match(r"libhakmem.*\.so", Path(path).name)]
    if not libraries:
        raise Unreachable(
            f"process {pid} runs without hakmem: `hakmem run -- PROGRAM` starts a program with it, and\n"
            "LD_PRELOAD=libhakmem.so HAKMEM_PUBLISH=1 as well",
            WITHOUT_HAKMEM,
        )
    if _wants_to_publish(pid):
        raise Unreachable(f"process {pid} publishes nothing yet: its first figures come after half a second", NOT_PUBLISHED)
    raise Unreachable(
        f"process {pid} runs with {Path(libraries[0]).name}, but does not publish: start it with HAKMEM_PUBLISH=1",
        NOT_PUBLISHED,
    )


@dataclass
class Page:
    """A page that is mapped."""

    pid: int
    _memory: mmap.mmap

    def close(self) -> None:
        self._memory.close()

    def _sequence(self) -> int:
        return int.from_bytes(self._memory[_SEQUENCE_AT : _SEQUENCE_AT + 8], "little")

    def read(self) -> dict[str, Any]:
        """The statistics, whole: as the JSON of hakmem/stats/stats.schema.json."""
        for _ in range(_ATTEMPTS):
            before = self._sequence()
            if before and before % 2 == 0:
                length = _HEADER.unpack_from(self._memory)[-1]
                text = bytes(self._memory[_HEADER.size : _HEADER.size + length])
                if self._sequence() == before:
                    found: dict[str, Any] = json.loads(text)
                    return found
            time.sleep(_PAUSE_SECONDS)
        _process_owner(self.pid)
        raise Unreachable(f"process {self.pid} is stopped in the middle of publishing", NOT_PUBLISHED)


def open_page(pid: int) -> Page:
    path = _page_path(pid)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        raise Unreachable(f"process {pid}: its page may not be read", FORBIDDEN) from None
    except FileNotFoundError:
        _process_owner(pid)
        raise Unreachable(f"process {pid}: its page {path.name} was removed", NOT_PUBLISHED) from None
    try:
        found = os.fstat(descriptor)
        # Whoever may write to the folder may have put it there.
        if not stat.S_ISREG(found.st_mode) or found.st_uid != _process_owner(pid) or found.st_size < _HEADER.size:
            raise Unreachable(f"process {pid}: {path.name} is not its own", NOT_PUBLISHED)
        memory = mmap.mmap(descriptor, found.st_size, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    magic, layout, *_ = _HEADER.unpack_from(memory)
    if magic != _MAGIC or layout != _LAYOUT:
        raise Unreachable(f"process {pid} publishes in layout {layout}; this command knows {_LAYOUT}", NOT_PUBLISHED)
    return Page(pid, memory)


def read(pid: int) -> dict[str, Any]:
    page = open_page(pid)
    try:
        return page.read()
    finally:
        page.close()


def _candidates() -> Iterator[tuple[int, Path]]:
    for path in sorted(_FOLDER.glob("hakmem.*")):
        match = _NAME.fullmatch(path.name)
        if match:
            yield int(match[1]), path


def _is_left_behind(pid: int, path: Path, error: Unreachable) -> bool:
    """Whether the file is of a process that is gone, or that became another program."""
    if error.status == GONE:
        return True
    if error.status == FORBIDDEN:
        return False
    try:
        return time.time() - path.stat().st_mtime > _UNMAPPED_SECONDS
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        if path.stat().st_uid == os.geteuid():
            path.unlink()
    except OSError:
        pass  # another's, or gone already


def processes() -> list[int]:
    """Those that publish and that may be asked. What others left behind is removed, where it is the caller's own."""
    found = []
    for pid, path in _candidates():
        try:
            _page_path(pid)
            found.append(pid)
        except Unreachable as error:
            if _is_left_behind(pid, path, error):
                _remove(path)
    return found


def clear(pid: int) -> None:
    """Removes what a process that is gone left behind."""
    for number, path in _candidates():
        if number == pid:
            try:
                _process_owner(pid)
            except Unreachable:
                _remove(path)


def program_of(pid: int) -> str:
    """Its name, for headings."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode("utf-8", "replace")
        return Path(words.split(" ")[0]).name or "?"
    except OSError:
        return "?"


def resident_bytes(pid: int) -> int | None:
    """All its resident memory, the allocator's and other."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None
