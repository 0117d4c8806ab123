# SPDX-License-Identifier: MIT
"""hakmem snapshot: the map has each live block of a program once, with its site, and is refused where there is none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unittest
from collections import Counter
from typing import Any

from tests.profile.case import EXACT, LIBRARY
from tests.profile.running import RunningCase
from tools.cli import memory_map, snapshot
from tools.cli.memory_case import SOUND, forged
from tools.cli.memory_layout import ADDRESSES
from tools.cli.memory_map import Huge, Map, SizeClass, Slab

_GUARD = LIBRARY.with_name("libhakmem-guard.so")
_SIZES = {"make_small": 64, "make_zeroed": 5000, "make_large": 100000, "make_larger": 9000, "make_aligned": 2048}

# A kind of process that has what it maps of a file, and nothing of hakmem.
_MAPS_FILE = """
import mmap, sys
file = open(sys.argv[1], "r+b")
memory = mmap.mmap(file.fileno(), 0)
print("ready", flush=True)
sys.stdin.read()
"""


def _data(page: str) -> dict[str, Any]:
    """What the page's script is given."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    result = json.loads(found[1])
    assert isinstance(result, dict)
    return result


class RunningTest(RunningCase):
    def counts(self, pid: int) -> Counter[int]:
        """Live blocks by the size of their class."""
        found: Counter[int] = Counter()
        for slab in memory_map.read(pid).slabs:
            found[slab.size_class.block_size] += slab.live_blocks
        return found

    def test_each_live_block_is_there_once(self) -> None:
        for library in (LIBRARY, _GUARD):
            for leaks in ("0", "1"):
                with self.subTest(library=library.name, leaks=leaks):
                    _, pid = self.start_program("wait", LD_PRELOAD=str(library), HAKMEM_LEAKS=leaks)
                    found = self.counts(pid)
                    for function, size in _SIZES.items():
                        served = min(block for block in found if block >= size)
                        self.assertEqual(found[served], EXACT[function].live, function)
                    huge = memory_map.read(pid).huge
                    self.assertEqual([one.size for one in huge], [3 << 20] * EXACT["make_huge"].live)

    def test_blocks_that_another_thread_freed_are_not_live(self) -> None:
        for library in (LIBRARY, _GUARD):
            with self.subTest(library=library.name):
                _, pid = self.start_program("handed", LD_PRELOAD=str(library))
                found = self.counts(pid)
                self.assertEqual(found[min(block for block in found if block >= 3000)], 100)

    def test_the_page_has_the_sites(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        self.assertRegex(self.answer("snapshot", str(pid), "-o", "map.html"), r"^\S+map\.html: 6,3\d\d live blocks, ")
        page = (self.folder / "map.html").read_text(encoding="utf-8")
        self.assertNotRegex(page, r"""(src|href)=|url\(|https?://""")
        blocks = {name.split(" ")[0]: count for name, count, *_ in _data(page)["sites"]}
        # The C++ runtime, which the linker may add, makes a block of its own.
        blocks = {name: count for name, count in blocks.items() if name in EXACT}
        self.assertEqual(blocks, {function: EXACT[function].live for function in _SIZES})

    def test_without_a_profile_there_are_no_sites(self) -> None:
        _, pid = self.start_program("wait")
        self.answer("snapshot", str(pid), "--output=map.html")
        page = (self.folder / "map.html").read_text(encoding="utf-8")
        self.assertEqual(_data(page)["sites"], [])
        self.assertIn("HAKMEM_LEAKS=1 or HAKMEM_PROFILE=FILE at the program&#x27;s start notes them", page)


class RefusalTest(RunningCase):
    def refuse(self, words: str, pid: int) -> None:
        done = self.hakmem("snapshot", str(pid))
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def start_mapping(self, content: bytes) -> int:
        """A process without hakmem that has this content mapped."""
        file = self.folder / "forged"
        file.write_bytes(content)
        process = subprocess.Popen(
            [sys.executable, "-c", _MAPS_FILE, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process.pid

    def test_process_is_gone(self) -> None:
        process, pid = self.start_program("wait")
        process.communicate()
        self.refuse(f"there is no process {pid}", pid)

    def test_without_hakmem(self) -> None:
        self.refuse("runs without hakmem, or with another version of it", self.start_mapping(b"nothing"))

    def test_forged_layouts(self) -> None:
        cases: list[tuple[dict[str, int], int, str]] = [
            ({"region_bytes": 0}, 0, "of another version than this command"),
            ({}, 0, "there is no memory at 0x0"),
            ({}, 1 << 63, f"there is no memory at {1 << 63:#x}"),
            ({"class_bytes": 1 << 60}, 4096, "layout in memory is damaged: class_bytes is 0x1000000000000000"),
            ({"next": 2**64 - 8}, 4096, "next is at byte 0xfffffffffffffff8 of a region"),
        ]
        for numbers, address, words in cases:
            with self.subTest(numbers=numbers, address=address):
                layout = forged({**SOUND, **numbers}, (address,) * len(ADDRESSES))
                self.refuse(words, self.start_mapping(layout))


class ShotTest(unittest.TestCase):
    """Slabs whose bits are known."""

    small = SizeClass(1000, 65, 2, 64, 1)

    def slab(self, start: int, *places: int, record: int | None = None) -> Slab:
        records = {} if record is None else {place: record for place in places}
        return Slab(start, self.small, 1, sum(1 << place for place in places), records)

    def test_pages_that_blocks_hold(self) -> None:
        # Block 4 lies in the first two pages.
        self.assertEqual(self.slab(0, 0).pages(), (1, [0]))
        self.assertEqual(self.slab(0, 4).pages(), (2, [4, 4]))
        self.assertEqual(self.slab(0, 0, 4).pages(), (2, [4]))
        self.assertEqual(self.slab(0).pages(), (0, []))
        self.assertEqual(self.slab(0, *range(65)).pages(), (16, []))
        self.assertEqual(Slab(0, SizeClass(40000, 1, 1, 2, 1), 1, 1).pages(), (10, [0] * 10))

    def test_old_blocks_are_those_of_both_looks(self) -> None:
        before = Map(1, [self.slab(0, 1, 2, 3), self.slab(1 << 16, 5)], [], 0)
        now = Map(1, [self.slab(0, 2, 3, 4), self.slab(2 << 16, 5)], [Huge(0, 5)], 0)
        (cells,) = snapshot.Snapshot(now, before).classes.values()
        self.assertEqual([(cell.live, cell.old) for cell in cells], [(3, 2), (1, 0)])

    def test_one_of_each_is_said_as_one(self) -> None:
        one = snapshot.Snapshot(Map(1, [self.slab(0, 1)], [Huge(0, 24)], 0), None)
        self.assertEqual(snapshot.summary(one), "2 live blocks, 1.0 KiB in 1 slab and 1 huge block")

    def test_what_many_slabs_hold_is_summed_up(self) -> None:
        many = Map(1, [self.slab(number << 16, 0, 9, record=number % 2) for number in range(10)], [], 0)
        shot = snapshot.Snapshot(many, None, cells_most=4)
        (cells,) = shot.classes.values()
        self.assertEqual((shot.group, [cell.slabs for cell in cells]), (3, [3, 3, 3, 1]))
        self.assertEqual(sum(cell.live for cell in cells), 20)
        self.assertEqual((shot.sites[0].blocks, shot.sites[0].slabs, shot.sites[0].alone), (10, 5, 10))
        page = snapshot.page(shot, None, "<b>a program</b>", 0)
        self.assertIn("A cell is 3 slabs of a class, side by side", page)
        self.assertNotIn("<b>", page)

    def test_a_file_has_a_bounded_size(self) -> None:
        slabs = [self.slab(number << 16, 0, 9) for number in range(5000)]
        few = len(snapshot.page(snapshot.Snapshot(Map(1, slabs[:1000], [], 0), None, 1000), None, "a", 0))
        many = len(snapshot.page(snapshot.Snapshot(Map(1, slabs, [], 0), None, 1000), None, "a", 0))
        self.assertLess(many, 1.2 * few)


if __name__ == "__main__":
    unittest.main()
