# SPDX-License-Identifier: MIT
"""A hundred thousand short threads: what they leave is bounded, and is what they left."""

import unittest
from typing import Any, ClassVar

from tests.preload.life.case import LifeTest
from tests.preload.life.run import MIB

THREADS = 100_000
AT_ONCE = 8

# Code that runs for the first time, static data of the libraries, the stack of the thread that purges.
OWN_BYTES = 256 * 1024

# Of the metadata: a thread's record more or less, and the header of a region.
METADATA_SLACK_BYTES = 2 * MIB

PAGE_BYTES = 4096


class ChurnTest(LifeTest):
    reports: ClassVar[list[dict[str, Any]]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        test = cls()
        cls.reports = test.under_hakmem("churn", THREADS).lines()
        for report in cls.reports:
            print(report)

    def at(self, when: str) -> list[dict[str, Any]]:
        found = [report for report in self.reports if report["when"] == when]
        self.assertTrue(found, when)
        return found

    def test_resident_memory_stays_below_the_bound(self) -> None:
        (before,) = self.at("before")
        for report in self.reports[1:]:
            with self.subTest(report["when"], threads=report["threads"]):
                self.assertLessEqual(report["resident"], before["resident"] + report["bound"] + OWN_BYTES)

    def test_resident_memory_grows_by_what_was_left_only(self) -> None:
        early, *_, late = self.at("trimmed")
        self.assertEqual((early["threads"], late["threads"]), (THREADS // 10, THREADS))
        # A block that stays holds a page at most; what the table of blocks on their way holds varies with them.
        left = late["left_blocks"] - early["left_blocks"]
        self.assertGreater(left, 0)
        self.assertLess(late["resident"] - early["resident"], left * PAGE_BYTES + MIB)

    def test_every_live_block_is_known(self) -> None:
        (before,) = self.at("before")
        for report in self.reports[1:]:
            with self.subTest(report["when"], threads=report["threads"]):
                others = report["live_blocks"] - report["left_blocks"]
                # glibc's table of thread-local storage for the thread that purges may have come.
                self.assertIn(others - before["live_blocks"], (0, 1))

    def test_records_are_reused(self) -> None:
        early, *_, late = self.at("ended")
        self.assertLessEqual(late["metadata"], early["metadata"] + METADATA_SLACK_BYTES)

    def test_blocks_of_ended_threads_were_freed_by_others(self) -> None:
        (freed,) = self.at("freed")
        self.assertGreater(freed["remote_frees"], THREADS)
        # Only what stays for good is left.
        self.assertEqual(freed["left_blocks"], THREADS // 1000)

    def test_threads_that_wait_hold_magazines(self) -> None:
        """Or the bound would have been held against nothing."""
        for report in self.at("waiting"):
            self.assertGreater(report["magazines"], 0)


if __name__ == "__main__":
    unittest.main()
