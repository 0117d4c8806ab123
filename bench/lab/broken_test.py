# SPDX-License-Identifier: MIT
"""Peers that break their promises, all in one run: each becomes a row that says what and where, and the others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

from bench.lab import contenders
from bench.lab.report_test import validate
from bench.lab.testing import broken
from tools.measure.contender import GLIBC

_WORKLOAD = "replacement_64k"

# What is said of each.
_WHY = {
    "null": "replacement_64k: the allocator gave no block",
    "abort": "was ended by SIGABRT",
    "exit": "printed what is not a result: ''",
    "hang": "was ended: it took more than 15 s",
    "hoard": "was ended: it took more than 200 MiB",
    "fork": "was ended: it had more than 16 processes",
    "overlap": "byte changed while it was live",
}


class BrokenTest(unittest.TestCase):
    done: ClassVar[subprocess.CompletedProcess[str]]
    report: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "report.json")
            command = [sys.executable, "-m", "bench.lab.testing.broken", "--quick", f"--workload={_WORKLOAD}"]
            limits = ["--operations=3000", "--time-limit=15", "--memory-limit=200"]
            cls.done = subprocess.run(
                [*command, *limits, f"--json={file}"],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            cls.report = json.loads(file.read_text())

    def test_each_is_a_row_and_the_status_says_so(self) -> None:
        self.assertEqual(set(_WHY), set(broken.PROMISES))
        self.assertEqual(self.done.returncode, 1, self.done.stderr)
        validate(self.report)
        self.assertTrue(self.report["complete"])
        found = {row["contender"]: row for row in self.report["failures"]}
        self.assertEqual(set(found), set(_WHY), self.report["failures"])
        for name, why in _WHY.items():
            self.assertIn(why, found[name]["why"])
            self.assertEqual((found[name]["workload"], found[name]["phase"]), (_WORKLOAD, "verify"))
            self.assertRegex(self.done.stderr, f"{name} .* failed on {_WORKLOAD}")

    def test_the_others_are_compared(self) -> None:
        self.assertEqual([row["other"] for row in self.report["comparisons"]], [broken.LEAK, GLIBC])
        for kind in ("startup", "memory", "latency", "system_calls", "counts"):
            ran = {row["contender"] for row in self.report[kind]}
            self.assertTrue({contenders.HAKMEM, broken.LEAK, GLIBC}.issubset(ran), kind)

    def test_a_library_that_gives_nothing_back_is_seen(self) -> None:
        peaks = {row["contender"]: min(row["peak_rss_bytes"]) for row in self.report["samples"]}
        self.assertGreater(peaks[broken.LEAK], 1.2 * peaks[GLIBC])


if __name__ == "__main__":
    unittest.main()
