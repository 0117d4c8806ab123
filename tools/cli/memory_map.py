# SPDX-License-Identifier: MIT
"""The live blocks of a running process, by slab: read from its memory while it runs, which neither stops nor asks it.

hakmem/observe/layout.h says where its data lie. Each slab's bits are read once, and then what threads have in magazines, whose
blocks are free. The process goes on meanwhile: a block that was allocated or freed during the look may be told either way. The
memory may be anybody's, so every number is checked before it is used, and lists are followed no further than they can be long.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.cli import samples
from tools.cli.command import InputError
from tools.cli.samples import Mapping

_MAGIC = b"hakmem layout 2\0"
ADDRESSES = ("regions", "records", "huge", "live_groups", "classes")
NUMBERS = (
    "guard region_bytes chunk_bytes region_chunks header_bytes next span_first chunk_class hidden descriptors "
    "descriptor_bytes free_bits remote_bits bitmap_words owner control inline_free inline_remote inline_words class_count "
    "class_bytes block_size blocks class_words magazine chunks older tops tid number loaded returned thread_class_bytes "
    "unused loaded_unused stashed stashes stash_bytes parked sample_bytes slots entry_bytes entry_start entry_size "
    "table_capacity live_places live_group"
).split()
_LAYOUT = struct.Struct(f"={len(_MAGIC)}s{len(ADDRESSES) + len(NUMBERS)}Q")

_PAGE = 4096
_REGIONS_MOST = 1 << 20
_THREADS_MOST = 1 << 16
_HUGE_MOST = 1 << 24
_STASH_MOST = 64
_READ_MOST = 1 << 30
"""More bytes than anything here has."""
_OWNED_BY_PROFILE = 2**32 - 1
_EMPTY = 0


class Unreadable(InputError):
    """The process's memory cannot be looked at, or is not what hakmem writes."""


@dataclass(frozen=True)
class SizeClass:
    block_size: int
    blocks: int
    """A slab."""
    words: int
    magazine: int
    chunks: int
    """A slab."""


@dataclass
class Slab:
    start: int
    size_class: SizeClass
    owner: int
    live: int
    """A bit for each live block, by its place in the slab."""
    records: dict[int, int] = field(default_factory=dict)
    """Of the sampled blocks that are live, by place: the number of the profile's record."""

    @property
    def live_blocks(self) -> int:
        return self.live.bit_count()

    @property
    def bytes(self) -> int:
        return self.size_class.chunks * 65536

    def pages(self) -> tuple[int, list[int]]:
        """How many pages live blocks lie in, and the places of the blocks that hold a page alone, once for each such page."""
        size = self.size_class.block_size
        held, alone = 0, []
        for page in range(0, self.size_class.blocks * size, _PAGE):
            first, last = page // size, min((page + _PAGE - 1) // size, self.size_class.blocks - 1)
            here = self.live >> first & ((1 << (last - first + 1)) - 1)
            held += here != 0
            if here and here & (here - 1) == 0:
                alone.append(first + here.bit_length() - 1)
        return held, alone


@dataclass(frozen=True)
class Huge:
    start: int
    size: int


@dataclass(frozen=True)
class Map:
    pid: int
    slabs: list[Slab]
    """By address."""
    huge: list[Huge]
    guard: int


class _Memory:
    """/proc/PID/mem."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._file)

    def read(self, address: int, size: int) -> bytes:
        """Unreadable where not all of it is there."""
        try:
            found = os.pread(self._file, size, address) if address < 2**63 and size <= _READ_MOST else b""
        except OSError:
            found = b""
        if len(found) != size:
            raise Unreadable(f"there is no memory at {address:#x}, where hakmem's data should be")
        return found

    def words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"={count}Q", self.read(address, 8 * count))

    def word(self, address: int) -> int:
        return self.words(address, 1)[0]

    def number(self, address: int) -> int:
        """Of 32 bits."""
        return int.from_bytes(self.read(address, 4), "little")


class _Layout:
    """Where what is."""

    def __init__(self, values: tuple[int, ...]) -> None:
        self.at = dict(zip(ADDRESSES, values))
        self.of = dict(zip(NUMBERS, values[len(ADDRESSES) :]))
        known = {"region_bytes": 1 << 25, "chunk_bytes": 1 << 16, "region_chunks": 512}
        if any(self.of[name] != value for name, value in known.items()) or not 1 < self.of["class_count"] <= 256:
            raise Unreadable("hakmem's data in memory are of another version than this command")


def _layout(memory: _Memory, mappings: list[Mapping]) -> _Layout | None:
    """In the pages of a file that are not code: hakmem is a library there, or linked into the program."""
    for one in mappings:
        if one.executable or not one.path.startswith("/") or one.end - one.start > 1 << 28:
            continue
        try:
            text = memory.read(one.start, one.end - one.start)
        except Unreadable:
            continue
        place = text.find(_MAGIC)
        while place >= 0:
            if place % 8 == 0 and place + _LAYOUT.size <= len(text):
                return _Layout(_LAYOUT.unpack_from(text, place)[1:])
            place = text.find(_MAGIC, place + 1)
    return None


class _Reader:
    def __init__(self, memory: _Memory, layout: _Layout) -> None:
        self._memory, self._at, self._of = memory, layout.at, layout.of
        self._classes = self._read_classes()
        self.slabs: dict[int, Slab] = {}
        """By address."""
        self._first: dict[int, int] = {}
        """Of each chunk of a slab, by its number in the address space: where the slab starts."""

    def _read_classes(self) -> list[SizeClass]:
        of, stride = self._of, self._of["class_bytes"]
        text = self._memory.read(self._at["classes"], of["class_count"] * stride)

        def value(index: int, name: str, size: int) -> int:
            return int.from_bytes(text[index * stride + of[name] :][:size], "little")

        found = [
            SizeClass(
                value(index, "block_size", 4),
                value(index, "blocks", 4),
                value(index, "class_words", 2),
                value(index, "magazine", 2),
                value(index, "chunks", 2),
            )
            for index in range(of["class_count"])
        ]
        for one in found[1:]:
            if not 0 < one.blocks <= 64 * one.words or not 0 < one.blocks * one.block_size <= one.chunks << 16:
                raise Unreadable("hakmem's table of size classes cannot be read")
        return found

    def _turn(self, start: int, size_class: SizeClass) -> int:
        """hakmem/slab/slab.h, slab_turn: the place of block 0."""
        page = ((start >> 16) * 0x9E3779B1 & 0xFFFFFFFF) >> 28
        place = ((page << 12) + size_class.block_size - 1) // size_class.block_size
        return place if place < size_class.blocks else 0

    def _regions(self) -> Iterator[int]:
        region = self._memory.word(self._at["regions"])
        for _ in range(_REGIONS_MOST):
            if region == 0:
                return
            yield region
            region = self._memory.word(region + self._of["next"])

    def read_slabs(self) -> None:
        of = self._of
        for region in self._regions():
            chunks = of["region_chunks"]
            firsts = struct.unpack(f"={chunks}H", self._memory.read(region + of["span_first"], 2 * chunks))
            classes = self._memory.read(region + of["chunk_class"], chunks)
            live_table = self._live_table(region)
            for chunk in range(chunks):
                index = classes[chunk] & ~of["hidden"]
                if 0 < index < of["class_count"] and firsts[chunk] == chunk:
                    self._read_slab(region, chunk, live_table)

    def _read_slab(self, region: int, chunk: int, live_table: int) -> None:
        of, memory = self._of, self._memory
        slab = region + of["descriptors"] + chunk * of["descriptor_bytes"]
        control = memory.word(slab + of["control"])
        index = control >> 8 & 0xFF
        if control & 0x3F == _EMPTY or not 0 < index < of["class_count"]:
            return  # being made, or on its way back
        size_class = self._classes[index]
        if size_class.words <= of["inline_words"]:
            free_at, remote_at = slab + of["inline_free"], slab + of["inline_remote"]
        else:
            row = chunk * of["bitmap_words"] * 8
            free_at, remote_at = region + of["free_bits"] + row, region + of["remote_bits"] + row
        free = int.from_bytes(memory.read(free_at, 8 * size_class.words), "little")
        free |= int.from_bytes(memory.read(remote_at, 8 * size_class.words), "little")
        blocks = size_class.blocks
        live = ~free & ((1 << blocks) - 1)
        start = region + (chunk << 16)
        turn = self._turn(start, size_class)
        found = Slab(
            start,
            size_class,
            memory.number(slab + of["owner"]),
            (live << turn | live >> blocks - turn) & ((1 << blocks) - 1),
        )
        if live_table:
            entries = memory.read(live_table + chunk * of["live_places"] * 2, 2 * blocks)
            for block, (entry,) in enumerate(struct.iter_unpack("=H", entries)):
                if entry and live >> block & 1:
                    found.records[(block + turn) % blocks] = entry - 1
        self.slabs[start] = found
        for following in range(size_class.chunks):
            self._first[(start >> 16) + following] = start

    def _live_table(self, region: int) -> int:
        unit = region >> 25
        group = self._memory.word(self._at["live_groups"] + 8 * (unit // self._of["live_group"]))
        return self._memory.word(group + 8 * (unit % self._of["live_group"])) if group else 0

    def _forget(self, address: int) -> None:
        """A block in a magazine is free."""
        slab = self.slabs.get(self._first.get(address >> 16, 0))
        if slab is not None:
            place = (address - slab.start) // slab.size_class.block_size
            if place < slab.size_class.blocks:
                slab.live &= ~(1 << place)
                slab.records.pop(place, None)

    def _forget_magazine(self, top: int, size_class: SizeClass, unused: int) -> None:
        bytes_of = self._of["slots"] * 8
        end = (top + bytes_of - 1) // bytes_of * bytes_of
        level = size_class.magazine - (end - top) // 8
        if top % 8 or not 0 <= level - unused <= self._of["slots"]:
            return  # it was changed while it was read
        for address in self._memory.words(top - 8 * (level - unused), level - unused):
            self._forget(address)

    def _forget_stash(self, first: int, size_class: SizeClass) -> None:
        for _ in range(_STASH_MOST):
            if first == 0:
                return
            self._forget_magazine(first + self._of["slots"] * 8, size_class, 0)
            first = self._memory.word(first)

    def _forget_thread(self, thread: int) -> None:
        of, memory = self._of, self._memory
        count = of["class_count"]
        loaded = memory.words(memory.word(thread + of["loaded"]), count)
        returned = memory.words(memory.word(thread + of["returned"]), count)
        for index in range(1, count):
            own = thread + index * of["thread_class_bytes"]
            loaded_unused = int.from_bytes(memory.read(own + of["loaded_unused"], 1), "little", signed=True)
            self._forget_magazine(loaded[index], self._classes[index], loaded_unused)
            self._forget_magazine(returned[index], self._classes[index], memory.read(own + of["unused"], 1)[0])
            if memory.read(own + of["stashed"], 1)[0]:
                self._forget_stash(
                    memory.word(thread + of["stashes"] + index * of["stash_bytes"]), self._classes[index]
                )
            parked = memory.word(thread + of["parked"] + index * of["sample_bytes"])
            if parked:
                self._forget(parked)

    def forget_cached(self) -> None:
        thread = self._memory.word(self._at["records"])
        for _ in range(_THREADS_MOST):
            if thread == 0:
                return
            if self._memory.number(thread + self._of["tops"]) & 1:
                try:
                    self._forget_thread(thread)
                except Unreadable:
                    pass  # it ended meanwhile, and its magazines with it
            thread = self._memory.word(thread + self._of["older"])

    def huge(self) -> list[Huge]:
        of = self._of
        entries, capacity = self._memory.word(self._at["huge"]), self._memory.word(
            self._at["huge"] + of["table_capacity"]
        )
        if capacity > _HUGE_MOST:
            raise Unreadable("hakmem's table of huge blocks cannot be read")
        text = self._memory.read(entries, capacity * of["entry_bytes"]) if capacity else b""
        found = []
        for at in range(0, len(text), of["entry_bytes"]):
            start = int.from_bytes(text[at + of["entry_start"] :][:8], "little")
            size = int.from_bytes(text[at + of["entry_size"] :][:8], "little")
            if start:
                found.append(Huge(start, size))
        return sorted(found, key=lambda one: one.start)


def read(pid: int) -> Map:
    """The blocks that are live now. InputError says why it cannot be known."""
    mappings = samples.mappings(pid)
    try:
        memory = _Memory(pid)
    except PermissionError:
        raise Unreadable(
            f"process {pid} may not be looked into: it is another user's, or the system lets only a debugger read its children "
            "(kernel.yama.ptrace_scope); root may"
        ) from None
    except (FileNotFoundError, ProcessLookupError):
        raise Unreadable(f"there is no process {pid}") from None
    try:
        layout = _layout(memory, mappings)
        if layout is None:
            raise Unreadable(f"process {pid} runs without hakmem, or with another version of it")
        reader = _Reader(memory, layout)
        reader.read_slabs()
        reader.forget_cached()
        slabs = [reader.slabs[start] for start in sorted(reader.slabs)]
        return Map(pid, slabs, reader.huge(), layout.of["guard"])
    finally:
        memory.close()
