# SPDX-License-Identifier: MIT
"""What the coverage tool makes of gcov's reports: over several builds, by folder, and by line."""

import collections
import json
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.coverage import coverage  # noqa: E402


def _report(path: str, counts: dict[int, int], branches: dict[int, list[int]] | None = None) -> str:
    lines: list[dict[str, Any]] = [
        {
            "line_number": number,
            "count": count,
            "branches": [{"count": one} for one in (branches or {}).get(number, [])],
        }
        for number, count in counts.items()
    ]
    return json.dumps({"files": [{"file": path, "lines": lines}]})


class CoverageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.found: dict[str, coverage.Reached] = collections.defaultdict(coverage.Reached)

    def test_a_line_counts_that_any_build_reaches(self) -> None:
        coverage.read_gcov(_report("hakmem/slab/a.c", {1: 0, 2: 5, 3: 0}), self.found)
        coverage.read_gcov(_report("hakmem/slab/a.c", {1: 2, 2: 0, 3: 0}), self.found)
        self.assertEqual([3], self.found["hakmem/slab/a.c"].missed)

    def test_branches_count_each(self) -> None:
        coverage.read_gcov(_report("hakmem/slab/a.c", {1: 4}, {1: [4, 0]}), self.found)
        coverage.read_gcov(_report("hakmem/slab/a.c", {1: 4}, {1: [0, 0]}), self.found)
        self.assertIn("      2    50.0%", coverage.table(self.found)[-1])

    def test_what_is_not_the_allocators_does_not_count(self) -> None:
        coverage.read_gcov(_report("tests/unit/test_slab.c", {1: 0}) + "\n\n" + _report("/usr/a.h", {1: 0}), self.found)
        self.assertFalse(self.found)

    def test_the_table_has_a_row_a_folder_and_one_of_all(self) -> None:
        coverage.read_gcov(_report("hakmem/slab/a.c", {1: 1, 2: 0}), self.found)
        coverage.read_gcov(_report("hakmem/huge/b.c", {1: 1, 2: 1}), self.found)
        rows = [row.split() for row in coverage.table(self.found)]
        self.assertEqual(["folder", "hakmem/huge", "hakmem/slab", "all"], [row[0] for row in rows])
        self.assertEqual(["100.0%", "50.0%", "75.0%"], [row[2] for row in rows[1:]])

    def test_lines_that_follow_each_other_are_said_as_one(self) -> None:
        coverage.read_gcov(_report("hakmem/a.c", {1: 1, 2: 0, 3: 0, 4: 1, 6: 0}), self.found)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "hakmem").mkdir()
            (Path(folder) / "hakmem/a.c").write_text("one\n  two\nthree\nfour\nfive\nsix\n", encoding="ascii")
            said = coverage.missed_lines(self.found, Path(folder))
        self.assertEqual(["hakmem/a.c:2-3: two", "hakmem/a.c:6: six"], said)


if __name__ == "__main__":
    unittest.main()
