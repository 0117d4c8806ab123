# SPDX-License-Identifier: MIT
"""The live blocks of a running process, by slab: read from its memory while it runs, which neither stops nor asks it.

hakmem/observe/layout.h says where its data lie. Each slab's bits are read once, and then what threads have in magazines, whose
blocks are free. The process goes on meanwhile: a block that was allocated or freed during the look may be told either way. The
memory may be anybody's, so every number is checked before it is used (memory_layout.py), and a list that comes back to where it
was is refused, as are slabs or huge blocks that overlap whenever they are looked at.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.cli import memory_layout, samples
from tools.cli.memory_layout import REGION_BYTES, Layout, Unreadable
from tools.cli.samples import Mapping

_PAGE = 4096
_REGIONS_MOST = 1 << 20
_THREADS_MOST = 1 << 16
_HUGE_MOST = 1 << 24
_STASH_MOST = 64
_ADDRESS_MOST = 1 << 63
_LOOKS = 5
"""At what may be torn since the process changes it meanwhile."""
_READ_MOST = 1 << 30
"""More bytes than anything here has."""
_OWNED_BY_PROFILE = 2**32 - 1
_EMPTY = 0


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


class Memory:
    """/proc/PID/mem."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._file)

    def read(self, address: int, size: int) -> bytes:
        """Unreadable where not all of it is there."""
        try:
            is_sound = 0 <= address < _ADDRESS_MOST and size <= _READ_MOST
            found = os.pread(self._file, size, address) if is_sound else b""
        except OSError:
            found = b""
        if len(found) != size or not is_sound:
            raise Unreadable(f"there is no memory at {address:#x}, where hakmem's data should be")
        return found

    def words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"={count}Q", self.read(address, 8 * count))

    def word(self, address: int) -> int:
        return self.words(address, 1)[0]

    def number(self, address: int) -> int:
        """Of 32 bits."""
        return int.from_bytes(self.read(address, 4), "little")


def _layout(memory: Memory, mappings: list[Mapping]) -> Layout | None:
    """In the pages of a file that are not code: hakmem is a library there, or linked into the program."""
    for one in mappings:
        if one.executable or not one.path.startswith("/") or one.end - one.start > 1 << 28:
            continue
        try:
            text = memory.read(one.start, one.end - one.start)
        except Unreadable:
            continue
        found = memory_layout.find(text)
        if found is not None:
            return found
    return None


def _overlap(spans: list[tuple[int, int]]) -> bool:
    """Whether two of them, each a beginning and an end, have something in common. They are in order."""
    return any(before[1] > after[0] for before, after in zip(spans, spans[1:]))


class _Reader:
    def __init__(self, memory: Memory, layout: Layout) -> None:
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
        for index, one in enumerate(found[1:], 1):
            if not (
                0 < one.blocks <= min(64 * one.words, of["live_places"])
                and one.words <= of["bitmap_words"]
                and 0 < one.blocks * one.block_size <= one.chunks << 16
                and one.chunks <= of["region_chunks"]
                and one.magazine <= of["slots"]
            ):
                raise Unreadable(f"hakmem's table of size classes is damaged: class {index} cannot be as it is there")
        return found

    def _turn(self, start: int, size_class: SizeClass) -> int:
        """hakmem/slab/slab.h, slab_turn: the place of block 0."""
        page = ((start >> 16) * 0x9E3779B1 & 0xFFFFFFFF) >> 28
        place = ((page << 12) + size_class.block_size - 1) // size_class.block_size
        return place if place < size_class.blocks else 0

    def _list(self, what: str, first: int, link: int, most: int) -> Iterator[int]:
        """The structs of a list, each with the address of the next at `link`."""
        seen: set[int] = set()
        address = first
        while address != 0:
            if address in seen or len(seen) == most:
                raise Unreadable(f"hakmem's list of {what} is damaged: it has no end")
            seen.add(address)
            yield address
            address = self._memory.word(address + link)

    def read_slabs(self) -> None:
        for region in self._list("regions", self._memory.word(self._at["regions"]), self._of["next"], _REGIONS_MOST):
            if region % REGION_BYTES:
                raise Unreadable(f"hakmem's list of regions is damaged: none can be at {region:#x}")
            for slab in self._slabs_of(region):
                self.slabs[slab.start] = slab
                for following in range(slab.size_class.chunks):
                    self._first[(slab.start >> 16) + following] = slab.start

    def _slabs_of(self, region: int) -> list[Slab]:
        """By address."""
        of, chunks = self._of, self._of["region_chunks"]
        live_table = self._live_table(region)
        for _ in range(_LOOKS):
            firsts = struct.unpack(f"={chunks}H", self._memory.read(region + of["span_first"], 2 * chunks))
            classes = self._memory.read(region + of["chunk_class"], chunks)
            found = []
            for chunk in range(chunks):
                index = classes[chunk] & ~of["hidden"]
                if 0 < index < of["class_count"] and firsts[chunk] == chunk:
                    found += self._slab(region, chunk, live_table)
            spans = [(slab.start, slab.start + slab.bytes) for slab in found]
            if not _overlap([*spans, (region + REGION_BYTES,) * 2]):
                return found
        raise Unreadable(f"hakmem's region at {region:#x} is damaged: its slabs overlap, or end behind it")

    def _slab(self, region: int, chunk: int, live_table: int) -> list[Slab]:
        """None where it is being made, or on its way back."""
        of, memory = self._of, self._memory
        slab = region + of["descriptors"] + chunk * of["descriptor_bytes"]
        control = memory.word(slab + of["control"])
        index = control >> 8 & 0xFF
        if control & 0x3F == _EMPTY or not 0 < index < of["class_count"]:
            return []
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
        return [found]

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
        first = self._memory.word(self._at["records"])
        for thread in self._list("threads", first, self._of["older"], _THREADS_MOST):
            if self._memory.number(thread + self._of["tops"]) & 1:
                try:
                    self._forget_thread(thread)
                except Unreadable:
                    pass  # it ended meanwhile, and its magazines with it

    def _huge_entries(self) -> list[Huge]:
        """By address."""
        of, table = self._of, self._at["huge"]
        entries, capacity = self._memory.word(table), self._memory.word(table + of["table_capacity"])
        if capacity > _HUGE_MOST:
            raise Unreadable(f"hakmem's table of huge blocks is damaged: it has {capacity} entries")
        text = self._memory.read(entries, capacity * of["entry_bytes"]) if capacity else b""

        def value(at: int) -> int:
            return int.from_bytes(text[at : at + 8], "little")

        places = range(0, len(text), of["entry_bytes"])
        found = [Huge(value(at + of["entry_start"]), value(at + of["entry_size"])) for at in places]
        return sorted((one for one in found if one.start), key=lambda one: one.start)

    def huge(self) -> list[Huge]:
        for _ in range(_LOOKS):
            found = self._huge_entries()
            if not _overlap([*((one.start, one.start + one.size) for one in found), (_ADDRESS_MOST,) * 2]):
                return found
        raise Unreadable("hakmem's table of huge blocks is damaged: they overlap, or are larger than memory")


def blocks(pid: int, memory: Memory, layout: Layout) -> Map:
    """Those that are live; Unreadable where something is not as it can be."""
    reader = _Reader(memory, layout)
    reader.read_slabs()
    reader.forget_cached()
    slabs = [reader.slabs[start] for start in sorted(reader.slabs)]
    return Map(pid, slabs, reader.huge(), layout.of["guard"])


def read(pid: int) -> Map:
    """The blocks that are live now. InputError says why it cannot be known."""
    mappings = samples.mappings(pid)
    try:
        memory = Memory(pid)
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
        return blocks(pid, memory, layout)
    finally:
        memory.close()
