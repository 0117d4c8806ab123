# SPDX-License-Identifier: MIT
"""The profile of a running process, read from the memory that it shares: nothing is asked of the process.

hakmem/observe/profile_page.h and record.h have the layout. It is read twice, frees the first time and the rest the
second, so that no record has more frees than allocations. The process may be anybody's: what cannot be a profile is refused.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tools.cli import shared
from tools.cli.command import InputError

_LABEL = "hakmem-profile"
_MAGIC = b"hakprof1"
_HEADER = struct.Struct("=8sQQQ")
_RECORD = struct.Struct("=QQQQ")
_RECORDS = 16384
_RATE_MAX = 2**40


@dataclass(frozen=True)
class Record:
    """Samples of one call site and block size."""

    site: int
    size: int
    allocations: int
    live: int
    scale: float
    """Blocks that a sample stands for."""


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
class Samples:
    pid: int
    rate: int
    dropped: int
    records: list[Record]
    mappings: list[Mapping]

    def mapping(self, address: int) -> Mapping | None:
        return next((one for one in self.mappings if one.start <= address < one.end), None)


def scale(size: int, rate: int) -> float:
    """hakmem/sample/chance.h: one block in so many is sampled."""
    return 1.0 if rate == 1 else -1 / math.expm1(-size / rate)


def mappings(pid: int) -> list[Mapping]:
    """Of a process; InputError where there is none, or it is another user's."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise InputError(f"there is no process {pid}") from None
    except PermissionError:
        raise InputError(f"process {pid} is another user's: only its user and root may look into it") from None
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


def _snapshot(descriptor: int) -> tuple[bytes, int, int, list[tuple[int, ...]]]:
    """Magic, rate, samples lost, and of each record size, site, allocations, frees."""
    text = shared.read_at(descriptor, _HEADER.size + _RECORDS * _RECORD.size, 0)
    if len(text) < _HEADER.size + _RECORDS * _RECORD.size:
        raise _Malformed
    magic, rate, dropped, used = _HEADER.unpack_from(text)
    if magic not in (_MAGIC, bytes(len(_MAGIC))) or used > _RECORDS:
        raise _Malformed
    records = list(_RECORD.iter_unpack(text[_HEADER.size : _HEADER.size + used * _RECORD.size]))
    return magic, rate, dropped, records


def _record(earlier: tuple[int, ...], later: tuple[int, ...], rate: int) -> Record:
    size, site, allocations, _ = later
    frees = earlier[3]
    if size == 0 or frees > allocations or earlier[:2] != later[:2]:
        raise _Malformed
    return Record(site, size, allocations, allocations - frees, scale(size, rate))


def _table(pid: int) -> tuple[int, int, list[Record]] | None:
    """Rate, samples lost, records; None where there is no table. The child of a fork has none before its own first sample."""
    for descriptor in shared.open_shared(pid, _LABEL):
        try:
            magic, rate, _, earlier = _snapshot(descriptor)
            _, _, dropped, later = _snapshot(descriptor)
        finally:
            os.close(descriptor)
        if magic != _MAGIC:
            return None  # being made
        if not 1 <= rate <= _RATE_MAX or len(later) < len(earlier):
            raise _Malformed
        return rate, dropped, [_record(before, after, rate) for before, after in zip(earlier, later)]
    return None


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
        raise InputError(f"process {pid} is another user's: only its user and root may look into it") from None
    except (FileNotFoundError, ProcessLookupError):
        raise InputError(f"there is no process {pid}") from None
    if table is None:
        raise InputError(_why_not(found, pid))
    rate, dropped, records = table
    return Samples(pid, rate, dropped, records, found)


def _why_not(found: list[Mapping], pid: int) -> str:
    environment = b""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        pass  # what is loaded says enough
    wanted = any(name in environment for name in (b"HAKMEM_PROFILE=", b"HAKMEM_LEAKS=1"))
    if not _is_hakmem(found, pid) and not wanted:
        return f"process {pid} runs without hakmem"
    if not wanted:
        return f"process {pid} runs hakmem without a profile: start it with HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1"
    return f"process {pid} has a profile, but took no sample yet: sampling starts with its first 512 KiB"
