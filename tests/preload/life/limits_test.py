# SPDX-License-Identifier: MIT
"""Limits of a process: what it does at the end of memory, and that programs work below a small one."""

import os
import resource
import unittest

from tests.preload import preloaded
from tests.preload.life import run
from tests.preload.life.case import LifeTest

ADDRESS_SPACE = 256 * run.MIB
DATA = 128 * run.MIB

# Huge ones first: address space that slabs once used stays theirs.
SIZES = (3_000_000, 500_000, 5_000, 100)

# Regions are of 32 MiB, and the last part of the limit has no room for one.
PART_AT_LEAST = 0.6


class EndOfMemoryTest(LifeTest):
    def expect_end_and_recovery(self, limit: int, size: int, sizes: tuple[int, ...]) -> None:
        *filled, last = self.under_hakmem("exhaust", *sizes, limits={limit: size}).lines()
        self.assertEqual(last, {"sizes": len(sizes)})
        self.assertEqual([report["size"] for report in filled], list(sizes))
        for report in filled:
            with self.subTest(report):
                self.assertGreater(report["first"], PART_AT_LEAST * size)
                self.assertLess(report["first"], size)
                self.assertGreater(report["last"], 7 / 8 * report["first"])

    def test_address_space(self) -> None:
        self.expect_end_and_recovery(resource.RLIMIT_AS, ADDRESS_SPACE, SIZES)

    def test_address_space_filled_with_small_blocks_first(self) -> None:
        self.expect_end_and_recovery(resource.RLIMIT_AS, ADDRESS_SPACE, (100, 30_000))

    def test_data(self) -> None:
        self.expect_end_and_recovery(resource.RLIMIT_DATA, DATA, SIZES)


class ProgramsTest(LifeTest):
    """Programs under a small limit, and what they print without the library."""

    SCRIPTS = os.path.abspath(run.PROGRAMS / "scripts")

    def expect_same_output(self, *command: str) -> None:
        limited = [f"--as={ADDRESS_SPACE}", *command]
        # Else glibc reserves 64 MiB for each thread that meets another, or not, as luck has it.
        expected = preloaded.run("/usr/bin/prlimit", arguments=limited, env={"MALLOC_ARENA_MAX": "1"})
        done = preloaded.run("/usr/bin/prlimit", library=run.LIBRARY, arguments=limited)
        self.assertEqual((expected.status, expected.stderr), (0, ""))
        self.assertEqual((done.status, done.stderr), (0, ""))
        self.assertNotEqual(expected.stdout, "")
        self.assertEqual(done.stdout, expected.stdout)
        self.expect_hakmem(done, command[0])

    def expect_hakmem(self, done: preloaded.Run, program: str) -> None:
        """malloc's names led to the library; by way of the program's own entry where it takes their addresses."""
        answered = {(user, name) for user, owner, name in done.bindings if preloaded.is_hakmem(owner)}
        self.assertIn((program, "malloc"), answered)
        for user, owner, name in done.bindings:
            if not preloaded.is_hakmem(user) and not preloaded.is_hakmem(owner):
                self.assertEqual(owner, program, (user, name))
                self.assertIn((owner, name), answered)

    def test_python(self) -> None:
        self.expect_same_output("/usr/bin/python3", f"{self.SCRIPTS}/workload.py")

    def test_perl(self) -> None:
        self.expect_same_output("/usr/bin/perl", f"{self.SCRIPTS}/workload.pl")

    def test_sqlite(self) -> None:
        self.expect_same_output("/usr/bin/sqlite3", ":memory:", f".read {self.SCRIPTS}/workload.sql")


if __name__ == "__main__":
    unittest.main()
