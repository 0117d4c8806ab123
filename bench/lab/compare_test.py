# SPDX-License-Identifier: MIT
"""Two reports against each other: what got slower, what did not, and what cannot be told."""

from __future__ import annotations

import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

from bench.lab import compare, compare_table, contenders
from bench.lab.report import SCHEMA
from bench.lab.testing import simulated
from tools.measure.program import BenchError

_BEFORE = {"mimalloc": 1.2, "glibc": 1.5}


def verdicts(rows: list[dict[str, Any]], name: str) -> set[str]:
    """Of the contender `name`, over all workloads."""
    return {row["verdict"] for row in rows if row["contender"] == name}


class CompareTest(unittest.TestCase):
    old: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.old = simulated.make(simulated.results(_BEFORE, seed=1))

    def against(self, factors: dict[str, float], seed: int = 2, **options: Any) -> list[dict[str, Any]]:
        new = simulated.make(simulated.results(_BEFORE | factors, seed=seed, **options))
        return compare.compare(self.old, new)

    def test_nothing_changed(self) -> None:
        rows = self.against({})
        self.assertTrue({row["verdict"] for row in rows} <= {"equivalent", "undecided"}, rows)

    def test_a_regression_and_an_improvement(self) -> None:
        rows = self.against({contenders.HAKMEM: 1.1, "p0": 0.9})
        self.assertEqual(verdicts(rows, contenders.HAKMEM), {compare.REGRESSION})
        self.assertEqual(verdicts(rows, "p0"), {compare.IMPROVEMENT})
        self.assertTrue(verdicts(rows, "p1") <= {"equivalent", "undecided"})
        for row in rows:
            if row["contender"] == contenders.HAKMEM:
                self.assertAlmostEqual(row["ratio"], 1.1, delta=0.01)
                self.assertLess(row["low"], row["ratio"])
                self.assertLess(row["ratio"], row["high"])

    def test_nothing_within_the_thresholds_is_decided(self) -> None:
        """In the old report two names of one library were 30 % apart."""
        old = simulated.make(simulated.results(_BEFORE | {contenders.HAKMEM + contenders.AGAIN: 1.3}, seed=1))
        new = simulated.make(simulated.results(_BEFORE | {contenders.HAKMEM: 1.1}, seed=2))
        rows = compare.compare(old, new)
        self.assertEqual(verdicts(rows, contenders.HAKMEM), {"undecided"})

    def test_a_faster_machine_is_no_improvement(self) -> None:
        """Everything takes half the time, the baseline as well."""
        new = simulated.make(simulated.results(_BEFORE, seed=3))
        for row in new["samples"]:
            for clock in ("ns", "cpu_ns"):
                row[clock] = [ns // 2 for ns in row[clock]]
        rows = compare.compare(self.old, new)
        self.assertTrue({row["verdict"] for row in rows} <= {"equivalent", "undecided"})

    def test_a_report_is_the_same_as_itself(self) -> None:
        rows = compare.compare(self.old, self.old)
        self.assertEqual({(row["ratio"], row["p_adjusted"]) for row in rows}, {(1.0, 1.0)})

    def test_the_baseline_must_be_the_same_file(self) -> None:
        new = simulated.make(simulated.results(_BEFORE, seed=2), hashes={"mimalloc": "f" * 64})
        self.assertEqual(compare.baselines(self.old, new), {contenders.LIBRARIES: "glibc"})
        other = simulated.make(simulated.results(_BEFORE), hashes={"mimalloc": "f" * 64, "glibc": "e" * 64})
        with self.assertRaisesRegex(BenchError, "no other library that is the same"):
            compare.compare(self.old, other)

    def test_hakmem_is_never_the_baseline(self) -> None:
        families = (contenders.LIBRARIES, contenders.WITH_GUARD, "switches")
        self.assertEqual(compare.baselines(self.old, self.old), dict.fromkeys(families, "mimalloc"))

    def test_a_partial_report_decides_nothing(self) -> None:
        rows = self.against({contenders.HAKMEM: 2.0}, rounds=8)
        self.assertEqual({row["verdict"] for row in rows}, {"incomplete"})

    def test_regressions_stand_first(self) -> None:
        new = simulated.make(simulated.results(_BEFORE | {contenders.HAKMEM: 1.1}, seed=2))
        out = io.StringIO()
        compare_table.write(self.old, new, compare.compare(self.old, new), out)
        # Two families have hakmem as it ships, under two names, on two workloads.
        self.assertIn("REGRESSIONS: 8\n", out.getvalue())
        self.assertIn("IMPROVEMENTS: 0\n", out.getvalue())

    def test_another_machine_is_told(self) -> None:
        new = simulated.make(simulated.results(_BEFORE, seed=2))
        new["machine"] = new["machine"] | {"kernel": "2"}
        self.assertEqual(compare.differences_of_machines(self.old, new), ["kernel: 1 then, 2 now"])


class LoadTest(unittest.TestCase):
    def test_files_that_are_no_reports(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.json"
            for text, wanted in (
                ("{", "not JSON"),
                ("[]", "not a report"),
                ('{"schema": 99}', "not a report"),
                (json.dumps({"schema": SCHEMA}), "no whole report of the laboratory: it has no baseline"),
            ):
                path.write_text(text)
                with self.assertRaisesRegex(BenchError, wanted):
                    compare.load(path)
            with self.assertRaisesRegex(BenchError, "No such file"):
                compare.load(Path(folder) / "none.json")

    def test_a_kept_report_comes_back(self) -> None:
        report = simulated.make(simulated.results(_BEFORE))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.json"
            path.write_text(json.dumps(report))
            self.assertEqual(compare.load(path), report)

    def test_a_report_from_before_some_figures_has_none(self) -> None:
        report = simulated.make(simulated.results(_BEFORE))
        for key in ("scaling", "startup"):
            del report[key]
        for row in report["memory"]:
            del row["rss_after_second_bytes"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.json"
            path.write_text(json.dumps(report))
            found = compare.load(path)
        self.assertEqual((found["scaling"], found["startup"]), ([], []))
        self.assertEqual({row["rss_after_second_bytes"] for row in found["memory"]}, {None})


if __name__ == "__main__":
    unittest.main()
