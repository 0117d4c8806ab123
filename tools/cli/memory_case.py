# SPDX-License-Identifier: MIT
"""A heap of hakmem as small as can be, made by hand in this process: for tests of who reads one.

A region has two slabs, of 62 and of 127 live blocks, a thread has three more of them in its magazines and parked, and one
block is huge.
"""

from __future__ import annotations

import ctypes
import mmap

from tools.cli import memory_layout
from tools.cli.memory_layout import FORM, MAGIC, NUMBERS, REGION_BYTES

SOUND = {
    **{"guard": 0, "region_bytes": REGION_BYTES, "chunk_bytes": 1 << 16, "region_chunks": 512, "hidden": 0x80},
    **{"header_bytes": 1 << 17, "next": 64, "span_first": 128, "chunk_class": 2048, "descriptors": 4096},
    **{"descriptor_bytes": 64, "free_bits": 1 << 16, "remote_bits": 80 << 10, "bitmap_words": 2},
    **{"owner": 0, "control": 8, "inline_free": 16, "inline_remote": 24, "inline_words": 1},
    **{"class_count": 3, "class_bytes": 24, "block_size": 0, "blocks": 4, "class_words": 12},
    **{"magazine": 14, "chunks": 16, "thread_class_bytes": 8, "unused": 0, "loaded_unused": 1, "stashed": 2},
    **{"older": 32, "tops": 40, "tid": 44, "number": 48, "loaded": 56, "returned": 64},
    **{"stashes": 72, "stash_bytes": 16, "parked": 136, "sample_bytes": 32},
    **{"slots": 8, "entry_bytes": 32, "entry_start": 0, "entry_size": 8, "table_capacity": 8},
    **{"live_places": 128, "live_group": 1 << 20},
}
"""A layout's numbers."""

LIVE = (62, 127)
"""Of the slabs."""

# Where what is in the memory beside the region.
_REGIONS, _RECORDS, _TABLE, _GROUPS, _CLASSES = 0, 8, 64, 128, 256
THREAD, ENTRIES, _TOPS, _MAGAZINES = 1024, 2048, 3072, 4096

FIRST_CHUNK = 4
"""Of the small slab; the other one begins behind it, and has two."""


def forged(numbers: dict[str, int], addresses: tuple[int, ...]) -> bytes:
    """A layout, as a file has it."""
    return FORM.pack(MAGIC, *addresses, *(numbers[name] for name in NUMBERS))


class Heap:
    def __init__(self) -> None:
        memory = mmap.mmap(-1, 2 * REGION_BYTES)
        self._bytes = (ctypes.c_char * len(memory)).from_buffer(memory)
        begin = ctypes.addressof(self._bytes)
        self.region = -(-begin // REGION_BYTES) * REGION_BYTES
        # Of the region little more than its header is used: the rest lies behind the two slabs.
        self.data = self.region + (FIRST_CHUNK + 3 << 16)
        self.addresses = tuple(self.data + at for at in (_REGIONS, _RECORDS, _TABLE, _GROUPS, _CLASSES))
        self.written: list[tuple[int, int]] = []
        """Each address, and how many bytes are there."""
        self._make_classes()
        self._make_region()
        self._make_thread()
        self.put(self.data + _TABLE, self.data + ENTRIES)
        self.put(self.data + _TABLE + 8, 4)
        self.put_huge(1, 1 << 40, 3 << 20)

    def put(self, address: int, value: int, size: int = 8) -> None:
        ctypes.memmove(address, (value % 2 ** (8 * size)).to_bytes(size, "little"), size)
        self.written.append((address, size))

    def layout(self, **numbers: int) -> memory_layout.Layout:
        """With these numbers in the place of its own. Unreadable where they cannot be."""
        found = memory_layout.find(forged({**SOUND, **numbers}, self.addresses))
        assert found is not None
        return found

    def put_class(self, index: int, **values: int) -> None:
        sizes = {"block_size": 4, "blocks": 4, "class_words": 2, "magazine": 2, "chunks": 2}
        for name, value in values.items():
            self.put(self.data + _CLASSES + index * SOUND["class_bytes"] + SOUND[name], value, sizes[name])

    def put_slab(self, chunk: int, index: int) -> None:
        """One of that class, with all blocks live, whatever is there."""
        self.put(self.region + SOUND["span_first"] + 2 * chunk, chunk, 2)
        self.put(self.region + SOUND["chunk_class"] + chunk, index, 1)
        descriptor = self.region + SOUND["descriptors"] + chunk * SOUND["descriptor_bytes"]
        self.put(descriptor + SOUND["control"], index << 8 | 1)

    def put_huge(self, place: int, start: int, size: int) -> None:
        at = self.data + ENTRIES + place * SOUND["entry_bytes"]
        self.put(at + SOUND["entry_start"], start)
        self.put(at + SOUND["entry_size"], size)

    def _make_classes(self) -> None:
        self.put_class(1, block_size=1024, blocks=64, class_words=1, magazine=4, chunks=1)
        self.put_class(2, block_size=1024, blocks=128, class_words=2, magazine=4, chunks=2)

    def _make_region(self) -> None:
        self.put(self.data + _REGIONS, self.region)
        self.put(self.region + SOUND["next"], 0)
        self.put_slab(FIRST_CHUNK, 1)
        self.put_slab(FIRST_CHUNK + 1, 2)
        self.put(self.region + SOUND["span_first"] + 2 * (FIRST_CHUNK + 2), FIRST_CHUNK + 1, 2)
        # The group begins so that the region's own place in it is in the data; its records are none.
        unit = self.region // REGION_BYTES
        group = self.data + _GROUPS + 64 - 8 * (unit % SOUND["live_group"])
        self.put(self.data + _GROUPS + 8 * (unit // SOUND["live_group"]), group)
        self.put(self.data + _GROUPS + 64, 0)

    def _make_thread(self) -> None:
        thread = self.data + THREAD
        self.put(self.data + _RECORDS, thread)
        for name, value, size in (("older", 0, 8), ("tops", 1, 4), ("tid", 1, 4), ("number", 2, 4)):
            self.put(thread + SOUND[name], value, size)
        slots = 8 * SOUND["slots"]
        for place, name in enumerate(("loaded", "returned")):
            tops = self.data + _TOPS + 64 * place
            self.put(thread + SOUND[name], tops)
            for index in (1, 2):
                # Empty: its top is the base, four slots before the end.
                self.put(tops + 8 * index, self.data + _MAGAZINES + slots * (2 * place + index) - 32)
        end = self.data + _MAGAZINES + slots
        self.put(self.data + _TOPS + 8, end - 16)
        for slot, block in ((4, 0), (5, 7)):
            self.put(end - slots + 8 * slot, self.region + (FIRST_CHUNK << 16) + block * 1024)
        parked = thread + SOUND["parked"] + 2 * SOUND["sample_bytes"]
        self.put(parked, self.region + (FIRST_CHUNK + 1 << 16) + 5 * 1024)
