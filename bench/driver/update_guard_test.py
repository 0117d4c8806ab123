# SPDX-License-Identifier: MIT
"""What update_guard makes of results; the figures themselves come from the parts that other tests hold."""

import unittest

from bench.driver import update_guard
from bench.driver.program import BenchError
from bench.driver.update_guard import ALL, NONE, Program, Used


class UpdateGuardTest(unittest.TestCase):
    def test_time_is_that_of_program_and_system(self) -> None:
        line = {"user_us": 30, "system_us": 10, "operations": 100, "peak_rss_bytes": 4096}
        self.assertEqual(update_guard.used(line), Used(400.0, 4096))

    def test_a_result_without_times_is_an_error(self) -> None:
        for line in ({}, {"user_us": 1, "system_us": 1, "operations": 0, "peak_rss_bytes": 1}):
            with self.assertRaises(BenchError):
                update_guard.used(line)

    def test_rows_are_by_the_baseline(self) -> None:
        runs = {
            name: {NONE: [Used(10.0, 100)] * 15, ALL: [Used(40.0 if name == "a" else 10.0, 200)] * 15} for name in "ab"
        }
        (row,) = update_guard.rows_of(runs, [ALL], NONE, 1)
        self.assertAlmostEqual(row["times"]["a"].estimate, 4)
        self.assertAlmostEqual(row["time"], 2)
        self.assertAlmostEqual(row["memory"], 2)

    def test_a_program_is_by_hakmem_without_guard(self) -> None:
        half = {name: {"ratio": 0.5, "ci95_low": 0.4, "ci95_high": 0.6} for name in ("time", "memory")}
        whole = {"programs": [{"program": "lua", "hakmem_by": [{"peer": "guard", **half}]}]}
        self.assertEqual(update_guard.programs_of(whole, "guard"), [Program("lua", 2.0, 2.0)])
        with self.assertRaisesRegex(BenchError, "lua has no ratios by guard-full"):
            update_guard.programs_of(whole, "guard-full")

    def test_each_feature_runs_alone(self) -> None:
        self.assertEqual([contender.features for contender in update_guard.ALONE], list(update_guard.FEATURES))


if __name__ == "__main__":
    unittest.main()
