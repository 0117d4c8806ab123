# SPDX-License-Identifier: MIT
"""valgrind's memcheck finds what a program does wrong with blocks of a debug build of hakmem, and nothing in one that is right.

Run as a test: --program PROGRAM [--library LIBRARY], the program of watched.c in a debug build, and what ships.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

FOUND = 9
"""The exit status that valgrind is asked for where it finds an error."""

# Of watched.c: how many blocks a case goes wrong with, one for each pool, and bytes of the first and of all.
BLOCKS, FIRST, ALL = 4, 100, 3_210_100

_INVALID_FREE = r"Invalid free\(\) / delete / delete\[\] / realloc\(\)"
_UNINITIALISED = r"Conditional jump or move depends on uninitialised value\(s\)"

# Of each case: what memcheck calls it, and what it says of the first block, if anything.
CASES = {
    "read_after_free": ("Invalid read of size 1", f"{FIRST - 1} bytes inside a block of size {FIRST} free'd"),
    "read_after_realloc": ("Invalid read of size 1", f"0 bytes inside a block of size {FIRST} free'd"),
    "write_past_end": ("Invalid write of size 1", f"0 bytes after a block of size {FIRST} alloc'd"),
    "write_before_start": ("Invalid write of size 1", f"1 bytes before a block of size {FIRST} alloc'd"),
    "uninitialised": (_UNINITIALISED, ""),
    "uninitialised_end": (_UNINITIALISED, ""),
    "leak": (rf"{ALL:,} bytes in {BLOCKS} blocks are definitely lost in loss record \d+ of \d+", ""),
    "double_free": (_INVALID_FREE, f"0 bytes inside a block of size {FIRST} free'd"),
    "interior_free": (_INVALID_FREE, f"32 bytes inside a block of size {FIRST} alloc'd"),
    "realloc_after_free": (_INVALID_FREE, f"0 bytes inside a block of size {FIRST} free'd"),
}

# What valgrind knows a request by, on x86-64: four rotations by 128 bits in all, which change nothing.
REQUEST = bytes.fromhex("48c1c703 48c1c70d 48c1c73d 48c1c733")

parsed: argparse.Namespace


def memcheck(case: str) -> tuple[int, str]:
    """The exit status, and what memcheck says."""
    valgrind = shutil.which("valgrind")
    assert valgrind is not None, "tools/setup --tests installs it"
    done = subprocess.run(
        [valgrind, "--leak-check=full", f"--error-exitcode={FOUND}", str(parsed.program.absolute()), case],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        # Memory stays, so that a huge block can still be read when it is free.
        env={**os.environ, "HAKMEM_PURGE_DELAY_MS": "-1"},
    )
    return done.returncode, re.sub(r"^==\d+== ?", "", done.stderr, flags=re.MULTILINE)


def errors(said: str) -> int:
    found = re.search(r"^ERROR SUMMARY: ([\d,]+) errors", said, re.MULTILINE)
    assert found is not None, said
    return int(found[1].replace(",", ""))


class Memcheck(unittest.TestCase):
    def test_each_fault_is_reported(self) -> None:
        for case, (message, block) in CASES.items():
            with self.subTest(case):
                status, said = memcheck(case)
                # Below the message stands where: in functions of hakmem, called by the program's.
                where = rf"(?:   .*\n)*?   (?:at|by) .*: {case} \(watched\.c:"
                self.assertIsNotNone(re.search(rf"^{message}\n{where}", said, re.MULTILINE), said)
                self.assertIn(block, said)
                self.assertEqual((status, errors(said)), (FOUND, 1 if case == "leak" else BLOCKS), said)

    def test_a_right_program_has_none(self) -> None:
        status, said = memcheck("right")
        self.assertEqual((status, errors(said)), (0, 0), said)
        # Not because memcheck saw no blocks.
        used = re.search(r"total heap usage: ([\d,]+) allocs", said)
        assert used is not None, said
        self.assertGreater(int(used[1].replace(",", "")), BLOCKS * 3000, said)

    def test_what_ships_makes_no_request(self) -> None:
        if parsed.library is None or platform.machine() != "x86_64":
            self.skipTest("nothing that ships, or not with requests of this form")
        self.assertIn(REQUEST, parsed.program.read_bytes())
        self.assertNotIn(REQUEST, parsed.library.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--library", type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
