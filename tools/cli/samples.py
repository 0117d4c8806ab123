# SPDX-License-Identifier: MIT
"""The profile of a running process, read from the memory that it shares: nothing is asked of the process.

hakmem/observe/profile_page.h and record.h have the layout: a header, records, frames. It is read twice, frees the first time
and the rest the second, so that no record has more frees than allocations; frames last, since those of a record are there
before it is, and stay. The process may be anybody's: what cannot be a profile is refused.
"""

from __future__ import annotations

import bisect
import math
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from tools.measure.kernel_text import lines_of
from tools.cli import shared
from tools.cli.command import InputError
from tools.cli.symbols import Symbol

_LABEL = "hakmem-profile"
_MAGIC = b"hakprof4"
_HEADER = struct.Struct("=8s9Q")
_RECORD = struct.Struct("=8Q")
_RECORDS = 16384
_FRAME_BYTES = 8
_FRAMES = 262144
_FRAMES_AT = _HEADER.size + _RECORDS * _RECORD.size
_ANSWER_AT = _FRAMES_AT + _FRAMES * _FRAME_BYTES
_ANSWER = struct.Struct("=QQ")
_LOST = struct.Struct("=II")
_TABLE_BYTES = _FRAMES_AT + _FRAMES * _FRAME_BYTES
_CALLERS_MOST = 32
_CUT = 0x80
_OPEN = 0x40
_COUNT_MASK = 0x3F
_THREAD_MAX = 2**32 - 1

RATE_MAX = 2**40
RATE_DEFAULT = 512 << 10
"""Bytes between two samples on average: hakmem/sample/profile.h."""


class End(Enum):
    """How a path ends."""

    WHOLE = 0
    CUT = 1
    """There are more callers than were kept."""
    OPEN = 2
    """The outermost function has no unwind table, so its callers are not known."""


@dataclass(frozen=True)
class Record:
    """Samples of one path of calls and block size. Addresses lie within the calls."""

    site: int
    """The call of malloc, or the like."""
    callers: tuple[int, ...]
    """Of the function that the call is in, and so on outwards."""
    size: int
    allocations: float
    """Whole, but for those of a file, which are estimates of blocks."""
    live: float
    scale: float
    """Blocks that a sample stands for."""
    end: End = End.WHOLE
    lost: tuple[int, int] = (0, 0)
    """Of the live ones, those to which no pointer leads, directly and through others; where that was looked for."""
    thread: int = 0
    """Number of the thread that allocated; 0: it is not known."""
    asked: float | None = None
    """Bytes that were asked for, of each block on average; None: it is not known, since files do not have it."""

    @property
    def path(self) -> tuple[int, ...]:
        """The whole of it, innermost first."""
        return (self.site, *self.callers)


VALUES: dict[str, Callable[[Record], float]] = {
    "alloc_objects": lambda record: record.allocations * record.scale,
    "alloc_space": lambda record: record.allocations * record.size * record.scale,
    "inuse_objects": lambda record: record.live * record.scale,
    "inuse_space": lambda record: record.live * record.size * record.scale,
}
"""What a profile counts, by the names that pprof has for it, in its order: estimates."""


@dataclass(frozen=True)
class Mapping:
    """A line of /proc/PID/maps."""

    start: int
    end: int
    offset: int
    executable: bool
    path: str
    base: int
    """Start of the first of the mappings of this file that follow each other."""


@dataclass(frozen=True)
class Switched:
    """How the profile was switched on, off or to another rate while the program ran."""

    is_on: bool = True
    times: int = 0
    """Since the program started."""
    clock_ms: int = 0
    """CLOCK_MONOTONIC of the last time."""
    is_whole: bool = True
    """Never: all that the program allocated was sampled at one rate."""

    @property
    def note(self) -> str:
        """A sentence for readers; none where it is whole."""
        if self.is_whole:
            return ""
        state = "" if self.is_on else "off "
        ago = (time.monotonic_ns() // 10**6 - self.clock_ms) // 1000
        when = f" {ago} seconds ago" if self.clock_ms and 1 < ago < 10**8 else ""
        what = f"The profile was switched {state}while the program ran{', last' if when else ''}{when}"
        return f" {what}: what was allocated without it is not shown."


@dataclass(frozen=True)
class Samples:
    pid: int
    rate: int
    dropped: int
    shortened: int
    """Samples of which the call alone is known, since there was no room for the callers."""
    records: list[Record]
    mappings: list[Mapping]
    """By address."""
    known: dict[int, tuple[Symbol, ...]] = field(default_factory=dict)
    """What stands at addresses, where the profile says so itself."""
    seconds: int = 0
    """Between the two looks of a difference; its records may have fewer live blocks than none."""
    switched: Switched = Switched()

    @property
    def is_exact(self) -> bool:
        return self.rate == 1 and not self.dropped and self.switched.is_whole

    @cached_property
    def _starts(self) -> list[int]:
        return [one.start for one in self.mappings]

    def mapping(self, address: int) -> Mapping | None:
        position = bisect.bisect_right(self._starts, address) - 1
        return self.mappings[position] if position >= 0 and address < self.mappings[position].end else None


def scale(size: int, rate: int) -> float:
    """hakmem/sample/chance.h: one block in so many is sampled."""
    return 1.0 if rate == 1 else -1 / math.expm1(-size / rate)


def forbidden(pid: int) -> InputError:
    """What is said of a process that may not be looked into."""
    if os.geteuid() == 0:
        return InputError(f"process {pid} may not be looked into: root has no right to trace here (CAP_SYS_PTRACE)")
    return InputError(f"process {pid} is another user's: only its user and root may look into it")


def mappings(pid: int) -> list[Mapping]:
    """Of a process; InputError where there is none, or it is another user's."""
    try:
        lines = lines_of(f"/proc/{pid}/maps")
    except (FileNotFoundError, ProcessLookupError):
        raise InputError(f"there is no process {pid}") from None
    except PermissionError:
        raise forbidden(pid) from None
    if not lines:
        raise InputError(f"process {pid} has ended, or is the kernel's")
    result: list[Mapping] = []
    for line in lines:
        columns = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in columns[0].split("-"))
        path = columns[5] if len(columns) > 5 else ""
        continued = bool(path and result and result[-1].path == path)
        base = result[-1].base if continued else start
        result.append(Mapping(start, end, int(columns[2], 16), "x" in columns[1], path, base))
    return result


class _Malformed(Exception):
    """No profile of this version of hakmem."""


@dataclass(frozen=True)
class _Header:
    is_made: bool
    rate: int
    is_on: int
    is_whole: int
    switches: int
    switched_ms: int
    dropped: int
    used: int
    frames_used: int
    shortened: int


@dataclass(frozen=True)
class _Table:
    """All of a table but the mappings."""

    header: _Header
    records: list[Record]


def _header(descriptor: int) -> _Header:
    text = shared.read_at(descriptor, _HEADER.size, 0)
    if len(text) < _HEADER.size:
        raise _Malformed
    magic, *numbers = _HEADER.unpack(text)
    found = _Header(magic == _MAGIC, *numbers)
    if magic not in (_MAGIC, bytes(len(_MAGIC))) or found.used > _RECORDS or found.frames_used > _FRAMES:
        raise _Malformed
    return found


def _rows(descriptor: int, used: int) -> list[tuple[int, ...]]:
    """Of each record size, site, allocations, frees, callers, rate, thread, bytes asked for."""
    text = shared.read_at(descriptor, used * _RECORD.size, _HEADER.size)
    if len(text) < used * _RECORD.size:
        raise _Malformed
    return list(_RECORD.iter_unpack(text))


def _frames(descriptor: int, used: int) -> tuple[int, ...]:
    text = shared.read_at(descriptor, used * _FRAME_BYTES, _FRAMES_AT)
    if len(text) < used * _FRAME_BYTES:
        raise _Malformed
    return struct.unpack(f"={used}Q", text)


def _record(earlier: tuple[int, ...], later: tuple[int, ...], frames: tuple[int, ...]) -> Record:
    size, site, allocations, _, callers, rate, thread, asked = later
    first, count = callers >> 8, callers & _COUNT_MASK
    end = End.CUT if callers & _CUT else End.OPEN if callers & _OPEN else End.WHOLE
    frees = earlier[3]
    if size == 0 or frees > allocations or (earlier[:2], earlier[4:7]) != (later[:2], later[4:7]):
        raise _Malformed
    if not 1 <= rate <= RATE_MAX or thread > _THREAD_MAX:
        raise _Malformed
    if count > _CALLERS_MOST or count and first + count > len(frames):
        raise _Malformed
    live = allocations - frees
    path = frames[first : first + count]
    # Two that were counted at once may have one's bytes and not the other's.
    mean = min(size, asked / allocations) if allocations else None
    return Record(site, path, size, allocations, live, scale(size, rate), end, thread=thread, asked=mean)


def _table_of(descriptor: int) -> _Table | None:
    if os.fstat(descriptor).st_size < _TABLE_BYTES:
        raise _Malformed
    header = _header(descriptor)
    if not header.is_made:
        return None
    earlier = _rows(descriptor, header.used)
    later = _rows(descriptor, header.used)
    header = _header(descriptor)
    if not 1 <= header.rate <= RATE_MAX:
        raise _Malformed
    frames = _frames(descriptor, header.frames_used)
    return _Table(header, [_record(before, after, frames) for before, after in zip(earlier, later)])


def _table(pid: int) -> _Table | None:
    """None where there is no table, or it is being made. The child of a fork has none before its own first sample."""
    for descriptor in shared.open_shared(pid, _LABEL):
        try:
            return _table_of(descriptor)
        finally:
            os.close(descriptor)
    return None


@dataclass(frozen=True)
class Answer:
    """What a look at lost blocks found."""

    number: int
    """Of the question; 0: there was no look, or one is under way."""
    problem: int
    """An errno value; 0: none."""
    lost: tuple[tuple[int, int], ...]
    """By record."""


def _answer_of(descriptor: int) -> Answer | None:
    text = shared.read_at(descriptor, _ANSWER.size + _RECORDS * _LOST.size, _ANSWER_AT)
    again = shared.read_at(descriptor, _ANSWER.size, _ANSWER_AT)
    if len(text) < _ANSWER.size + _RECORDS * _LOST.size:
        return None
    number, problem = _ANSWER.unpack_from(text)
    number = number if again == text[: _ANSWER.size] else 0
    return Answer(number, problem, tuple((one, other) for one, other in _LOST.iter_unpack(text[_ANSWER.size :])))


def answer(pid: int) -> Answer | None:
    """The last look of a process at which of its blocks are lost. None: it has no profile, or is of an older library."""
    for descriptor in shared.open_shared(pid, _LABEL):
        try:
            return _answer_of(descriptor)
        finally:
            os.close(descriptor)
    return None


def with_lost(found: Samples, lost: tuple[tuple[int, int], ...]) -> Samples:
    """Records that came after the look are none that it knew."""
    return replace(found, records=[replace(record, lost=one) for record, one in zip(found.records, lost)])


def _is_hakmem(found: list[Mapping], pid: int) -> bool:
    """Whether a library of that name is loaded. A program that has it linked tells by its file only."""
    return any(Path(one.path).name.startswith("libhakmem") for one in found)


def read(pid: int) -> Samples:
    """The profile of a process as it stands; InputError says why there is none."""
    found = mappings(pid)
    try:
        table = _table(pid)
    except _Malformed:
        raise InputError(f"process {pid}: what it shares is no profile of this version of hakmem") from None
    except PermissionError:
        raise forbidden(pid) from None
    except (FileNotFoundError, ProcessLookupError):
        raise InputError(f"there is no process {pid}") from None
    if table is None:
        raise InputError(_why_not(found, pid))
    header = table.header
    switched = Switched(header.is_on == 1, header.switches, header.switched_ms, header.is_whole == 1)
    return Samples(pid, header.rate, header.dropped, header.shortened, table.records, found, switched=switched)


def _growth(before: Record | None, now: Record) -> Record:
    if before is None:
        return now
    return replace(now, allocations=now.allocations - before.allocations, live=now.live - before.live)


def growth(pid: int, seconds: int) -> Samples:
    """What came and went between two looks at a process; InputError where one of them is none."""
    before = read(pid)
    time.sleep(seconds)
    now = read(pid)
    # Records are never given up: those of the first look are the first ones of the second.
    pairs = list(zip_longest(before.records, now.records))
    if (before.rate, before.switched.times) != (now.rate, now.switched.times) or any(
        later is None or earlier is not None and (earlier.path, earlier.size) != (later.path, later.size)
        for earlier, later in pairs
    ):
        raise InputError(f"process {pid} has become another program, or its profile was switched meanwhile")
    records = [_growth(earlier, later) for earlier, later in pairs]
    lost = {name: getattr(now, name) - getattr(before, name) for name in ("dropped", "shortened")}
    return replace(now, records=records, seconds=seconds, **lost)


def _publishes(pid: int) -> bool:
    for descriptor in shared.open_shared(pid, "hakmem"):
        os.close(descriptor)
        return True
    return False


def _why_not(found: list[Mapping], pid: int) -> str:
    environment = b""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        pass  # what is loaded says enough
    wanted = any(name in environment for name in (b"HAKMEM_PROFILE=", b"HAKMEM_LEAKS=1"))
    if not _is_hakmem(found, pid) and not wanted:
        return f"process {pid} runs without hakmem"
    if not wanted and _publishes(pid):
        return f"process {pid} has no profile yet: `hakmem profile {pid} --on` switches one on"
    if not wanted:
        return (
            f"process {pid} runs hakmem without a profile: start it with HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1, or with "
            "HAKMEM_PUBLISH=1, and then have `hakmem profile --on` switch one on"
        )
    return f"process {pid} has a profile, but took no sample yet: sampling starts with its first 512 KiB"
