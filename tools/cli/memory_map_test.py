# SPDX-License-Identifier: MIT
"""The reader of a heap: a sound one as it is, and of one that is damaged or forged a line, in bounded time."""

from __future__ import annotations

import mmap
import os
import random
import tempfile
import unittest
from unittest import mock

from tools.cli import memory_layout, memory_map, snapshot
from tools.cli.memory_case import ENTRIES, FIRST_CHUNK, LIVE, SOUND, THREAD, Heap, forged
from tools.cli.memory_layout import NUMBERS, REGION_BYTES, Unreadable
from tools.cli.memory_map import Map

_READS_MOST = 50_000
"""Of a heap of one region, however it is damaged."""


class _Counted(memory_map.Memory):
    """This process's own."""

    def __init__(self) -> None:
        super().__init__(os.getpid())
        self._left = _READS_MOST

    def read(self, address: int, size: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise AssertionError("it reads without end")
        return super().read(address, size)


def _read(heap: Heap, **numbers: int) -> Map:
    """And what is shown of it."""
    memory = _Counted()
    try:
        found = memory_map.blocks(os.getpid(), memory, heap.layout(**numbers))
    finally:
        memory.close()
    snapshot.page(snapshot.Snapshot(found, found), None, "a", 0)
    return found


def _live(found: Map) -> tuple[int, ...]:
    return tuple(slab.live_blocks for slab in found.slabs)


class MemoryCase(unittest.TestCase):
    def setUp(self) -> None:
        self.heap = Heap()

    def refuse(self, words: str, **numbers: int) -> None:
        with self.assertRaises(Unreadable) as refused:
            _read(self.heap, **numbers)
        self.assertIn(words, str(refused.exception))

    def survive(self, **numbers: int) -> bool:
        """Whether it is refused; with a line, where it is."""
        try:
            _read(self.heap, **numbers)
        except Unreadable as error:
            self.assertTrue(str(error).isprintable() and len(str(error)) < 120, error)
            return True
        return False


class SoundTest(MemoryCase):
    def test_what_is_in_magazines_or_parked_is_not_live(self) -> None:
        found = _read(self.heap)
        self.assertEqual(_live(found), LIVE)
        self.assertEqual([(one.start, one.size) for one in found.huge], [(1 << 40, 3 << 20)])

    def test_it_is_found_in_a_file_that_a_process_maps(self) -> None:
        with tempfile.TemporaryFile() as file:
            # The first is at no multiple of 8, and no layout.
            file.write(b"x" + memory_layout.MAGIC + b"x" * 7 + forged(SOUND, self.heap.addresses))
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
                self.assertEqual(_live(memory_map.read(os.getpid())), LIVE)


class LayoutTest(MemoryCase):
    def test_numbers_that_cannot_be_are_refused(self) -> None:
        for name, value, words in (
            ("region_bytes", 1 << 26, "of another version than this command"),
            ("class_count", 0, "is damaged: class_count is 0x0"),
            ("slots", 0, "is damaged: slots is 0x0"),
            ("live_group", 0, "is damaged: live_group is 0x0"),
            ("entry_bytes", 0, "is damaged: entry_bytes is 0x0"),
            ("class_bytes", 1 << 60, "is damaged: class_bytes is 0x1000000000000000"),
            ("thread_class_bytes", 2**64 - 5, "is damaged: thread_class_bytes is 0xfffffffffffffffb"),
            ("remote_bits", SOUND["free_bits"], "_bits is at byte 0x10000 of a region"),
            ("next", SOUND["header_bytes"] - 7, "next is at byte 0x1fff9 of a region"),
            ("control", SOUND["owner"] + 3, "control is at byte 0x3 of a slab"),
            ("entry_size", 2**64 - 4, "entry_size is at byte 0xfffffffffffffffc of a huge block"),
            ("older", 8, "older is at byte 0x8 of a thread"),
        ):
            with self.subTest(name):
                self.refuse(words, **{name: value})

    def test_no_number_does_harm(self) -> None:
        numbers = (0, 1, 7, 2**16, 2**25, 2**31, 2**32, 2**47, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1)
        for name in NUMBERS:
            for number in (*numbers, SOUND[name] + 1, SOUND[name] * 2, max(0, SOUND[name] - 1)):
                with self.subTest(name, number=number):
                    is_refused = self.survive(**{name: number})
                    self.assertTrue(is_refused or number <= SOUND["region_bytes"])

    def test_no_address_does_harm(self) -> None:
        sound = self.heap.addresses
        for place in range(len(sound)):
            for address in (0, 1, 4096, 2**47, 2**63 - 8, 2**63, 2**64 - 8, 2**64 - 1, self.heap.region):
                self.heap.addresses = (*sound[:place], address, *sound[place + 1 :])
                with self.subTest(place, address=address):
                    is_refused = self.survive()
                    self.assertTrue(is_refused or address == self.heap.region)


class HeapTest(MemoryCase):
    def test_lists_without_an_end(self) -> None:
        for what, begin, link in (("regions", self.heap.region, "next"), ("threads", self.heap.data + THREAD, "older")):
            self.heap.put(begin + SOUND[link], begin)
            self.refuse(f"list of {what} is damaged: it has no end")
            self.heap.put(begin + SOUND[link], 0)

    def test_regions_that_cannot_be(self) -> None:
        self.heap.put(self.heap.region + SOUND["next"], self.heap.region + 4096)
        self.refuse(f"none can be at {self.heap.region + 4096:#x}")
        self.heap.put(self.heap.region + SOUND["next"], 2**64 - REGION_BYTES)
        self.refuse("there is no memory at 0xfff")

    def test_slabs_that_overlap_or_end_behind_their_region(self) -> None:
        for chunk, index in ((FIRST_CHUNK + 2, 1), (511, 2)):
            self.heap = Heap()
            self.heap.put_slab(chunk, index)
            self.refuse(f"region at {self.heap.region:#x} is damaged: its slabs overlap, or end behind it")

    def test_one_that_overlaps_at_the_first_look_alone(self) -> None:
        """As of a process that made another slab meanwhile."""
        self.heap.put_slab(FIRST_CHUNK + 2, 1)
        read = _Counted.read
        looks = 0

        def settling(memory: _Counted, address: int, size: int) -> bytes:
            nonlocal looks
            if address == self.heap.region + SOUND["span_first"]:
                looks += 1
                if looks == 2:
                    self.heap.put(address + 2 * (FIRST_CHUNK + 2), FIRST_CHUNK + 1, 2)
            return read(memory, address, size)

        with mock.patch.object(_Counted, "read", settling):
            self.assertEqual(_live(_read(self.heap)), LIVE)
        self.assertEqual(looks, 2)

    def test_classes_that_cannot_be(self) -> None:
        for values in (
            {"blocks": 0},
            {"blocks": 65},
            {"blocks": 2**32 - 1},
            {"block_size": 0},
            {"block_size": 1025},
            {"block_size": 2**32 - 1},
            {"class_words": 0},
            {"class_words": 3},
            {"class_words": 65535, "blocks": 65535, "block_size": 1},
            {"chunks": 0},
            {"chunks": 513},
            {"magazine": 9},
        ):
            self.heap = Heap()
            self.heap.put_class(1, **values)
            with self.subTest(values):
                self.refuse("table of size classes is damaged: class 1 cannot be")

    def test_huge_blocks_that_cannot_be(self) -> None:
        first = 1 << 40
        for start, size in ((first, 1), (first - 1, 2), (1 << 39, first), (2 * first, 2**64 - 1), (2**63, 1)):
            self.heap.put_huge(2, start, size)
            with self.subTest(start, size=size):
                self.refuse("table of huge blocks is damaged: they overlap, or are larger than memory")
        self.heap.put_huge(2, (1 << 40) - 4096, 4096)
        self.assertEqual(len(_read(self.heap).huge), 2)
        for capacity, words in ((2**64 - 1, "has 18446744073709551615 entries"), (1 << 24, "there is no memory at")):
            self.heap.put(self.heap.addresses[2] + SOUND["table_capacity"], capacity)
            self.refuse(words)

    def test_a_large_table_of_huge_blocks_takes_no_time_for_each_to_the_end(self) -> None:
        """Copies of the rest of a table of 8 MiB for each of its entries would be terabytes."""
        entries, capacity = self.heap.data + ENTRIES + (1 << 20), 1 << 18
        self.heap.put(self.heap.addresses[2], entries)
        self.heap.put(self.heap.addresses[2] + SOUND["table_capacity"], capacity)
        self.assertEqual(_read(self.heap).huge, [])

    def test_damage_anywhere_does_no_harm(self) -> None:
        seed = int(os.environ.get("HAKMEM_SEED", "1"))
        chosen = random.Random(seed)
        refused = 0
        for round_ in range(1000):
            self.heap = Heap()
            for _ in range(chosen.randrange(1, 4)):
                address, size = chosen.choice(self.heap.written)
                self.heap.put(
                    address, chosen.choice((0, 1, 2**63, 2**64 - 1, address, chosen.getrandbits(64))), size
                )
            with self.subTest(round_, seed=seed):
                refused += self.survive()
        self.assertTrue(100 < refused < 1000, refused)


if __name__ == "__main__":
    unittest.main()
