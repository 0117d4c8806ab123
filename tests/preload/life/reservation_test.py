# SPDX-License-Identifier: MIT
"""The page map is 2 GiB of addresses of which hardly a page is used: nobody is to count the rest as memory.

Under vm.overcommit_memory=2 the kernel counts what is private and writable, whether or not it is touched. What is
checked here without switching that on is what it would look at.
"""

import re
import unittest
from pathlib import Path

from tests.preload.life import run, smaps
from tests.preload.life.case import LifeTest

RESERVED_BYTES = 2 << 30  # one byte for 64 KiB of 47-bit addresses

# Blocks beyond one region, then its own mappings.
SCRIPT = "blocks = [bytes(1000) for _ in range(60000)]; print(open('/proc/self/%s').read())"

# 512 entries of the map a region, rounded to pages.
WRITABLE_BYTES_MAX = 16 * 4096


class ReservationTest(LifeTest):
    def python_shows(self, name: str, library: Path | None = run.LIBRARY) -> str:
        return self.expect_end(run.run(["/usr/bin/python3", "-c", SCRIPT % name], library=library)).stdout

    def parts(self) -> list[smaps.Mapping]:
        """Of the reservation, in ascending order: anonymous mappings side by side, most of them kept from core dumps.

        glibc from 2.41 on has such a mapping too, for getrandom's state, which the kernel may drop ("dp").
        """
        mappings = smaps.parse(self.python_shows("smaps"))
        self.assertIn(str(run.LIBRARY.resolve()), {mapping.name for mapping in mappings})
        kept = [
            mapping for mapping in mappings if not mapping.name and "dd" in mapping.flags and "dp" not in mapping.flags
        ]
        found = [mapping for mapping in mappings if kept[0].start <= mapping.start < kept[-1].end]
        self.assertEqual(sum(part.size for part in found), RESERVED_BYTES)
        self.assertEqual(found[-1].end - found[0].start, RESERVED_BYTES)
        return found

    def test_what_is_not_in_use_is_read_only_and_not_accountable(self) -> None:
        unused = [part for part in self.parts() if "w" not in part.protection]
        self.assertGreaterEqual(sum(part.size for part in unused), RESERVED_BYTES - WRITABLE_BYTES_MAX)
        for part in unused:
            self.assertEqual(part.protection, "r--p")
            self.assertNotIn("ac", part.flags)
            self.assertEqual(part.resident_bytes, 0)

    def test_what_is_in_use_is_writable(self) -> None:
        """Or this would not be the map of the process that was looked at."""
        used = [part for part in self.parts() if "w" in part.protection]
        self.assertTrue(used)
        self.assertGreater(sum(part.resident_bytes for part in used), 0)
        self.assertLessEqual(sum(part.size for part in used), WRITABLE_BYTES_MAX)

    def test_is_kept_from_huge_pages(self) -> None:
        """What is in use is too small for any."""
        for part in self.parts():
            if "w" not in part.protection:
                self.assertIn("nh", part.flags)

    def test_is_no_data_of_the_process(self) -> None:
        def data_bytes(library: Path | None) -> int:
            (found,) = re.findall(r"^VmData:\s+(\d+) kB$", self.python_shows("status", library), re.MULTILINE)
            return int(found) * 1024

        grown = data_bytes(run.LIBRARY) - data_bytes(None)
        print(f"VmData: {grown >> 20} MiB more than with glibc")
        self.assertLess(grown, RESERVED_BYTES // 8)


if __name__ == "__main__":
    unittest.main()
