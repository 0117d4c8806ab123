# SPDX-License-Identifier: MIT
"""A program in a memory cgroup: what it frees in one phase serves the next, or goes back in time."""

import contextlib
import signal
import sys
import unittest

from tests.preload.life import cgroup, run
from tests.preload.life.case import LifeTest

LIMIT_BYTES = 256 * run.MIB

# MiB. The live set; phases of all sizes keep the memory of earlier ones for as long as it decays.
LIVE = 40
VOLUME_A_PHASE = 400

# More than the limit: the kernel ends such a program.
TOO_MUCH = 300


class CgroupTest(LifeTest):
    def setUp(self) -> None:
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        try:
            self.cgroup = contexts.enter_context(cgroup.MemoryCgroup(LIMIT_BYTES))
        except cgroup.Unavailable as reason:
            print(f"skipped: {reason}")
            self.skipTest(str(reason))

    def test_volume_of_many_times_the_limit(self) -> None:
        ended = self.under_hakmem("phases", LIVE, VOLUME_A_PHASE, 1, before_exec=self.cgroup.enter)
        (report,) = ended.lines()
        print(
            f"allocated {report['allocated'] >> 20} MiB, live {report['live_most'] >> 20} MiB at most, "
            f"resident {ended.peak_bytes >> 20} MiB at most, limit {LIMIT_BYTES >> 20} MiB"
        )
        self.assertGreater(report["allocated"], 6 * LIMIT_BYTES)
        self.assertLess(report["live_most"], LIMIT_BYTES / 4)
        self.assertEqual(self.cgroup.kills(), 0)
        most = self.cgroup.most_bytes()
        self.assertLess(ended.peak_bytes if most is None else most, LIMIT_BYTES)

    def test_the_limit_is_one(self) -> None:
        ended = run.program("phases", TOO_MUCH, 2 * TOO_MUCH, 1, before_exec=self.cgroup.enter)
        self.assertEqual((ended.status, ended.allocator()), (-signal.SIGKILL, "hakmem"))
        self.assertEqual(self.cgroup.kills(), 1)


if __name__ == "__main__":
    # Bazel's limit of time comes as SIGTERM: the cgroup goes all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    unittest.main()
