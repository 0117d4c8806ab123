"""The profile of a running process, read from the memory that it shares: nothing is asked of the process.

hakmem/profile/share.h and record.h have the layout. Of a record frees are read before allocations, so that none has more
frees than allocations.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tools.cli.command import InputError

_PREFIX = "/dev/shm/hakmem-profile."
_MAGIC = b"hakprof1"
_HEADER = struct.Struct("=8sQQQ")
_RECORD = struct.Struct("=QQQQ")
_RECORDS = 16384


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
    """hakmem/profile/chance.h: one block in so many is sampled."""
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


def _table(pid: int) -> mmap.mmap:
    path = f"{_PREFIX}{pid}"
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise InputError(f"process {pid} took no sample yet: sampling starts with its first 512 KiB") from None
    except PermissionError:
        raise InputError(f"process {pid} is another user's: only its user and root may read its profile") from None
    try:
        return mmap.mmap(file, _HEADER.size + _RECORDS * _RECORD.size, prot=mmap.PROT_READ)
    except ValueError:
        raise InputError(f"{path} is not of this version of hakmem") from None
    finally:
        os.close(file)


def _record(table: mmap.mmap, index: int, rate: int) -> Record:
    at = _HEADER.size + index * _RECORD.size

    def field(position: int) -> int:
        value: int = struct.unpack_from("=Q", table, at + 8 * position)[0]
        return value

    size, site, frees, allocations = field(0), field(1), field(3), field(2)
    return Record(site, size, allocations, allocations - frees, scale(size, rate))


def _is_hakmem(found: list[Mapping], pid: int) -> bool:
    """Whether a library of that name is loaded. A program that has it linked tells by its file only."""
    return any(Path(one.path).name.startswith("libhakmem") for one in found)


def read(pid: int) -> Samples:
    """The profile of a process as it stands; InputError says why there is none."""
    found = mappings(pid)
    if not any(one.path == f"{_PREFIX}{pid}" for one in found):
        environment = b""
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            pass  # what is loaded says enough
        wanted = any(name in environment for name in (b"HAKMEM_PROFILE=", b"HAKMEM_LEAKS=1"))
        if not _is_hakmem(found, pid) and not wanted:
            raise InputError(f"process {pid} runs without hakmem")
        if not wanted:
            raise InputError(
                f"process {pid} runs hakmem without a profile: start it with HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1"
            )
        raise InputError(f"process {pid} has a profile, but took no sample yet")
    with _table(pid) as table:
        magic, rate, dropped, used = _HEADER.unpack_from(table)
        if magic != _MAGIC:
            raise InputError(f"{_PREFIX}{pid} is not of this version of hakmem")
        records = [_record(table, index, rate) for index in range(min(used, _RECORDS))]
    return Samples(pid, rate, dropped, records, found)
