# SPDX-License-Identifier: MIT
"""What update_guard makes of results; the figures themselves come from the parts that other tests hold."""

import unittest

from bench.commands import update_guard
from bench.commands.update_guard import ALL, NONE, Program
from bench.engine import worker
from bench.engine.worker import Sample
from tools.measure.program import BenchError


class UpdateGuardTest(unittest.TestCase):
    def test_time_is_that_of_program_and_system(self) -> None:
        self.assertEqual(worker.cpu_ns({"cpu_ns": 40_000, "operations": 100}), 400.0)

    def test_rows_are_by_the_baseline(self) -> None:
        def taken(microseconds: int, peak: int) -> list[Sample]:
            return [{"cpu_ns": 1000 * microseconds, "operations": 1, "peak_rss_bytes": peak}] * 15

        runs = {name: {NONE: taken(10, 100), ALL: taken(40 if name == "a" else 10, 200)} for name in "ab"}
        (row,) = update_guard.rows_of(runs, [ALL], NONE, 1)
        self.assertAlmostEqual(row["times"]["a"].estimate, 4)
        self.assertAlmostEqual(row["time"], 2)
        self.assertAlmostEqual(row["memory"], 2)

    def test_a_program_is_by_hakmem_without_guard(self) -> None:
        half = {name: {"ratio": 0.5, "ci95_low": 0.4, "ci95_high": 0.6} for name in ("time", "memory")}
        by_guard: dict[str, str | dict[str, float]] = {"peer": "guard", **half}
        whole = {"programs": [{"program": "lua", "hakmem_by": [by_guard]}]}
        self.assertEqual(update_guard.programs_of(whole, "guard"), [Program("lua", 2.0, 2.0)])
        with self.assertRaisesRegex(BenchError, "lua has no ratios by guard-full"):
            update_guard.programs_of(whole, "guard-full")

    def test_each_feature_runs_alone(self) -> None:
        for feature in update_guard.FEATURES:
            self.assertEqual(update_guard.BUILDS[feature][1], feature)


if __name__ == "__main__":
    unittest.main()
