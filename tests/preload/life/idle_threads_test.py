# SPDX-License-Identifier: MIT
"""What a thread costs that did a handful of allocations and waits."""

import unittest

from tests.preload.life import run
from tests.preload.life.case import LifeTest

THREADS = 256

# Two blocks of each kept, one freed.
SIZES = (24, 40, 100, 200)

PAGE = 4096


def limit(sizes: int) -> int:
    """The record's three pages; a size has a page of magazines, which two neighbours share, and of its first blocks."""
    return (3 + 2 * sizes) * PAGE


def cost(ended: run.Ended) -> float:
    """Resident bytes a thread, on top of those of a thread that never allocated."""
    (report,) = ended.lines()
    return float(report["with_allocating"] - report["with_waiting"]) / int(report["threads"])


class IdleThreadTest(LifeTest):
    def test_costs_little(self) -> None:
        with_glibc = cost(self.under_glibc("idle_threads", THREADS, *SIZES))
        with_hakmem = cost(self.under_hakmem("idle_threads", THREADS, *SIZES))
        print(f"resident a thread: {with_hakmem / 1024:.1f} KiB, with glibc {with_glibc / 1024:.1f} KiB")
        self.assertGreater(with_glibc, 0)
        self.assertLessEqual(with_hakmem, limit(len(SIZES)))

    def test_thread_that_never_allocates_costs_nothing(self) -> None:
        """The same with no sizes: all that is measured is noise."""
        self.assertLess(cost(self.under_hakmem("idle_threads", THREADS)), 1024)

    def test_each_size_adds_little(self) -> None:
        for sizes in ((40,), (24, 40, 100, 200)):
            bytes_a_thread = cost(self.under_hakmem("idle_threads", THREADS, *sizes))
            print(f"resident a thread that uses {len(sizes)} sizes: {bytes_a_thread / 1024:.1f} KiB")
            self.assertLessEqual(bytes_a_thread, limit(len(sizes)))


if __name__ == "__main__":
    unittest.main()
