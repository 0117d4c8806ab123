# SPDX-License-Identifier: MIT
"""What others take of a machine, from counters that are known, and the wait for them."""

from __future__ import annotations

import itertools
import tempfile
import unittest
from pathlib import Path

from tools.measure import quiet
from tools.measure.program import BenchError
from tools.measure.quiet import Load, Look


class LookTest(unittest.TestCase):
    def test_counters(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix="stat") as file:
            file.write("cpu  100 200 300 4000 500 60 70 80 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
            file.flush()
            found = quiet.look(Path(file.name))
        self.assertAlmostEqual(found.total, 53.1)
        self.assertAlmostEqual(found.busy, 7.3)
        self.assertAlmostEqual(found.steal, 0.8)

    def test_the_machine_s_own(self) -> None:
        before = quiet.look()
        self.assertGreater(before.total, before.busy)
        now = quiet.between(before, quiet.look())
        self.assertTrue(0 <= now.others <= 1 and 0 <= now.steal <= 1, now)

    def test_what_is_measured_is_not_others(self) -> None:
        """Ten seconds of two processors: seven busy, of which four are our own, and one stolen."""
        found = quiet.between(Look(100.0, 50.0, 3.0, 20.0), Look(120.0, 57.0, 4.0, 24.0))
        self.assertAlmostEqual(found.others, 3 / 20)
        self.assertAlmostEqual(found.steal, 1 / 20)

    def test_nothing_is_below_zero(self) -> None:
        """A child's time is told when it has ended, in one piece."""
        self.assertEqual(quiet.between(Look(1, 1, 0, 0), Look(2, 1.1, 0, 5)), Load(0.0, 0.0))
        self.assertEqual(quiet.between(Look(1, 1, 0, 0), Look(1, 1, 0, 0)), Load(0.0, 0.0))

    def test_nothing_is_above_one(self) -> None:
        """Sums of hundredths are rounded, and the kernel's count of idle time may go back a little."""
        self.assertEqual(quiet.between(Look(0.1, 0.0, 0, 0), Look(0.3, 0.2, 0, 0)), Load(1.0, 0.0))
        self.assertEqual(quiet.between(Look(5.0, 1.0, 1.0, 0), Look(5.1, 1.2, 1.2, 0)), Load(1.0, 1.0))


class RequireTest(unittest.TestCase):
    def looks(self, seconds: float, *others: float) -> int:
        """How often it looks, a second each, while others take so much."""
        loads, ticks, looked = iter(others), itertools.count(), 0

        def load() -> Load:
            nonlocal looked
            looked += 1
            return Load(next(loads), 0.0)

        quiet.require(seconds, load, lambda: float(next(ticks)))
        return looked

    def test_a_quiet_machine_is_looked_at_once(self) -> None:
        self.assertEqual(self.looks(0, 0.01), 1)

    def test_it_waits_until_it_is_quiet(self) -> None:
        self.assertEqual(self.looks(100, 0.9, 0.5, 0.06, 0.05), 4)

    def test_one_that_does_not_become_quiet_in_time_is_refused(self) -> None:
        with self.assertRaisesRegex(BenchError, "not quiet: others take 90% of its processors"):
            self.looks(2, 0.9, 0.9, 0.9, 0.9, 0.9)

    def test_stolen_time_counts(self) -> None:
        with self.assertRaisesRegex(BenchError, "hypervisor 30%"):
            quiet.require(0, lambda: Load(0.0, 0.3))


if __name__ == "__main__":
    unittest.main()
