# SPDX-License-Identifier: MIT
"""The format of a trace, told once more in Python: reads short traces whole, and writes them, sound or damaged.

A second implementation beside reader.c, for the tests: what one writes the other must understand. README.md tells the
format. Large traces are the replayer's business.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

MAGIC = b"hakTrace"
VERSION = 1

_HEADER = struct.Struct("<8sII")
_CHUNK = struct.Struct("<IIII")
_CHECKED = 12  # bytes of a chunk's head that its CRC covers

_NEXT_NUMBER = 0x20
_SAME_SITE = 0x40


class Type(enum.IntEnum):
    """Of a chunk."""

    META = 1
    MODULES = 2
    SITES = 3
    EVENTS = 4
    END = 5
    CALLERS = 6


class End(enum.IntEnum):
    """Why a trace ends."""

    EXIT = 0
    EXEC = 1
    LIMIT = 2


class Kind(enum.IntEnum):
    """Of an event. Each has the fields that _FIELDS says, in that order."""

    MALLOC = 1
    CALLOC = 2
    MEMALIGN = 3
    ALIGNED_ALLOC = 4
    POSIX_MEMALIGN = 5
    VALLOC = 6
    PVALLOC = 7
    FREE = 8
    FREE_NULL = 9
    FREE_UNKNOWN = 10
    FREE_UNSEEN = 11
    REALLOC = 12
    REALLOCARRAY = 13
    REALLOC_UNKNOWN = 14
    RESULT_BLOCK = 15
    RESULT_FAILED = 16
    RESULT_FREED = 17
    FAILED = 18
    THREAD_END = 19


_SIZE = ("size", "site")
_ALIGNED = ("log2", "size", "site")
_FIELDS: dict[int, tuple[str, ...]] = {
    Kind.MALLOC: _SIZE,
    Kind.CALLOC: ("count", "size", "site"),
    Kind.MEMALIGN: _ALIGNED,
    Kind.ALIGNED_ALLOC: _ALIGNED,
    Kind.POSIX_MEMALIGN: _ALIGNED,
    Kind.VALLOC: _SIZE,
    Kind.PVALLOC: _SIZE,
    Kind.FREE: ("age",),
    Kind.FREE_UNSEEN: ("age",),
    Kind.REALLOC: ("age",),
    Kind.REALLOCARRAY: ("age",),
    Kind.RESULT_BLOCK: _SIZE,
    Kind.RESULT_FAILED: ("size",),
    Kind.FAILED: ("size",),
}


@dataclass(frozen=True)
class Event:
    """One event. What its kind does not have is 0."""

    number: int
    kind: int
    thread: int = 0
    size: int = 0
    count: int = 0
    log2: int = 0
    """Logarithm of the alignment."""
    block: int = 0
    """The number of the event that made the block which this one takes."""
    site: int = 0


@dataclass(frozen=True)
class Chunk:
    """A chunk as it stands in the file."""

    type: int
    payload: bytes
    thread: int = 0
    offset: int = 0
    """Of its head, in the file."""
    crc: int | None = None
    """None: the right one."""

    def encode(self) -> bytes:
        head = _CHUNK.pack(self.type, self.thread, len(self.payload), 0)[:_CHECKED]
        crc = zlib.crc32(self.payload, zlib.crc32(head)) if self.crc is None else self.crc
        return head + struct.pack("<I", crc) + self.payload


@dataclass
class Trace:
    """A whole trace."""

    program: str = ""
    allocator: str = ""
    arguments: list[str] = field(default_factory=list)
    pid: int = 0
    parent: int = 0
    modules: dict[int, str] = field(default_factory=dict)
    sites: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Index to module and address within it."""
    callers: dict[int, int] = field(default_factory=dict)
    """Index to that of the caller's site, 0 for none; where callers were recorded."""
    events: list[Event] = field(default_factory=list)
    """In the order of their numbers."""
    end: End | None = None
    """None: incomplete."""
    end_events: int = 0
    end_threads: int = 0


def varint(value: int) -> bytes:
    """`value` as LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(*values: int) -> bytes:
    return b"".join(map(varint, values))


def string(text: bytes) -> bytes:
    return varint(len(text)) + text


class _Cursor:
    """Reads varints and strings off bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self) -> bytes:
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at]

    def more(self) -> bool:
        return self.at < len(self.data)


PROCESS_BYTES = _HEADER.size + _CHUNK.size + 10
"""Of the beginning of a file, which say what process it is of."""


def process_of(head: bytes) -> int | None:
    """The number of the process, by the beginning of a file; None where that is none of a trace."""
    start = _HEADER.size + _CHUNK.size
    if not head.startswith(MAGIC) or len(head) < PROCESS_BYTES:
        return None
    if _CHUNK.unpack_from(head, _HEADER.size)[0] != Type.META or all(byte >= 0x80 for byte in head[start:]):
        return None
    return _Cursor(head[start:]).varint()


def encode_events(events: Sequence[Event], nanoseconds: int = 0) -> Chunk:
    """A chunk of the events of one thread, in ascending order of their numbers."""
    out = bytearray(varints(events[0].number, events[-1].number, len(events), nanoseconds))
    last, site = events[0].number - 1, 0
    for event in events:
        fields = _FIELDS.get(event.kind, ())
        same = "site" in fields and event.site == site
        step = event.number - last
        out.append(event.kind | (_NEXT_NUMBER if step == 1 else 0) | (_SAME_SITE if same else 0))
        if step != 1:
            out += varint(step)
        for name in fields:
            if name == "age":
                out += varint(event.number - event.block if event.block else 0)
            elif name != "site":
                out += varint(getattr(event, name))
            elif not same:
                out += varint(event.site)
        if "site" in fields:
            site = event.site
        last = event.number
    return Chunk(Type.EVENTS, bytes(out), thread=events[0].thread)


def decode_events(chunk: Chunk) -> Iterator[Event]:
    """The events of a sound chunk."""
    cursor = _Cursor(chunk.payload)
    number, _last, _count, _time = (cursor.varint() for _ in range(4))
    number -= 1
    site = 0
    while cursor.more():
        head = chunk.payload[cursor.at]
        cursor.at += 1
        kind = head & 0x1F
        number += 1 if head & _NEXT_NUMBER else cursor.varint()
        event = Event(number, kind, chunk.thread)
        for name in _FIELDS.get(kind, ()):
            if name == "age":
                age = cursor.varint()
                event = replace(event, block=number - age if age else 0)
            elif name == "site":
                site = site if head & _SAME_SITE else cursor.varint()
                event = replace(event, site=site)
            else:
                event = replace(event, **{name: cursor.varint()})
        yield event


def header(magic: bytes = MAGIC, version: int = VERSION) -> bytes:
    head = magic + struct.pack("<I", version)
    return head + struct.pack("<I", zlib.crc32(head))


def meta(program: bytes = b"/bin/program", arguments: bytes = b"program\0") -> Chunk:
    return Chunk(Type.META, varints(1, 0, 0) + string(program) + string(b"/lib/libc.so") + string(arguments))


def end(events: int, threads: int = 1, reason: int = End.EXIT) -> Chunk:
    return Chunk(Type.END, varints(events, threads, 0, reason))


def encode(chunks: Sequence[Chunk]) -> bytes:
    """A file of these chunks."""
    return header() + b"".join(chunk.encode() for chunk in chunks)


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """The chunks of a sound file; a ValueError where it is not."""
    magic, version, crc = _HEADER.unpack_from(data)
    if (magic, version, crc) != (MAGIC, VERSION, zlib.crc32(data[: _HEADER.size - 4])):
        raise ValueError("not a trace of this version")
    at = _HEADER.size
    while at < len(data):
        kind, thread, length, crc = _CHUNK.unpack_from(data, at)
        chunk = Chunk(kind, data[at + _CHUNK.size : at + _CHUNK.size + length], thread, at, crc)
        if chunk.encode() != replace(chunk, crc=None).encode() or len(chunk.payload) != length:
            raise ValueError(f"chunk at byte {at} is damaged")
        yield chunk
        at += _CHUNK.size + length


def read(path: Path) -> Trace:
    """The trace in a sound file."""
    trace = Trace()
    for chunk in chunks_of(path.read_bytes()):
        cursor = _Cursor(chunk.payload)
        trace.end = None
        if chunk.type == Type.META:
            trace.pid, trace.parent, _ = (cursor.varint() for _ in range(3))
            trace.program, trace.allocator, arguments = (cursor.string().decode() for _ in range(3))
            trace.arguments = arguments.split("\0")[:-1]
        elif chunk.type == Type.MODULES:
            index, count = cursor.varint(), cursor.varint()
            trace.modules |= {index + i: cursor.string().decode() for i in range(count)}
        elif chunk.type == Type.SITES:
            index, count = cursor.varint(), cursor.varint()
            trace.sites |= {index + i: (cursor.varint(), cursor.varint()) for i in range(count)}
        elif chunk.type == Type.CALLERS:
            index, count = cursor.varint(), cursor.varint()
            trace.callers |= {index + i: cursor.varint() for i in range(count)}
        elif chunk.type == Type.EVENTS:
            trace.events += decode_events(chunk)
        elif chunk.type == Type.END:
            trace.end_events, trace.end_threads, _, reason = (cursor.varint() for _ in range(4))
            trace.end = End(reason)
    trace.events.sort(key=lambda event: event.number)
    return trace
