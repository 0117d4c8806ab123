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
            "function_name": "run",
            "count": count,
            "branches": [{"count": one} for one in (branches or {}).get(number, [])],
        }
        for number, count in counts.items()
    ]
    functions = [{"name": "run", "start_line": min(counts)}]
    return json.dumps({"files": [{"file": path, "lines": lines, "functions": functions}]})


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
            missed = {path: one.missed for path, one in self.found.items()}
            said = coverage.missed_lines(missed, Path(folder))
        self.assertEqual(["hakmem/a.c:2-3: two", "hakmem/a.c:6: six"], said)

    def test_builds_have_a_row_each_and_their_sum_is_the_last(self) -> None:
        by_guard: dict[str, dict[str, coverage.Reached]] = {}
        for guard, counts in {"off": {1: 1, 2: 1, 3: 0}, "full": {1: 1, 2: 0, 3: 0, 4: 1}}.items():
            found: dict[str, coverage.Reached] = collections.defaultdict(coverage.Reached)
            coverage.read_gcov(_report("hakmem/slab/a.c", counts), found)
            by_guard[guard] = found
            self.found["hakmem/slab/a.c"].add_all(found["hakmem/slab/a.c"])
        rows = [row.rsplit(maxsplit=4) for row in coverage.table(self.found, by_guard)]
        self.assertEqual(
            [
                ["hakmem/slab", "4", "75.0%"],
                ["guard off", "3", "66.7%"],
                ["guard full", "4", "50.0%"],
                ["all", "4", "75.0%"],
            ],
            [row[:3] for row in rows[1:]],
        )


_SOURCE = """\
int run(int a) {
    if (a > 0) {
        return 0;
    }
    if (a < -1) {
        return 0;
    }
    return a;
}
"""


class ListTest(unittest.TestCase):
    def judge(self, counts: dict[int, int], text: str, is_whole: bool = True) -> coverage.Judged:
        found: dict[str, coverage.Reached] = collections.defaultdict(coverage.Reached)
        coverage.read_gcov(_report("hakmem/a.c", counts), found)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "hakmem").mkdir()
            (Path(folder) / "hakmem/a.c").write_text(_SOURCE, encoding="ascii")
            return coverage.judge(found, coverage.listed(text), Path(folder), is_whole)

    COUNTS = {1: 1, 2: 1, 3: 0, 5: 1, 6: 0, 8: 1}

    def test_lines_share_the_reason_below_them(self) -> None:
        text = "# a remark\na f: x;\na f: y;\n    because\n    it is so\nb g: z;\n    other\n"
        self.assertEqual(
            {"a f: x;": "because it is so", "a f: y;": "because it is so", "b g: z;": "other"}, coverage.listed(text)
        )

    def test_lines_of_the_same_text_are_numbered_in_their_function(self) -> None:
        judged = self.judge(self.COUNTS, "hakmem/a.c run #2: return 0;\n    nobody calls it so\n")
        self.assertEqual({"hakmem/a.c": [3]}, judged.missed)
        self.assertEqual((["hakmem/a.c:6: return 0;"], []), (judged.known, judged.wrong))

    def test_what_is_reached_may_not_stand_in_the_list(self) -> None:
        judged = self.judge(self.COUNTS, "hakmem/a.c run: return a;\n    never\n")
        self.assertEqual(["is reached: hakmem/a.c:8: return a;"], judged.wrong)

    def test_what_chance_reaches_may(self) -> None:
        text = "hakmem/a.c run: return a;\nhakmem/a.c run: return 0;\n    By chance: two threads come at once.\n"
        judged = self.judge(self.COUNTS, text)
        self.assertEqual((["hakmem/a.c:3: return 0;"], []), (judged.known, judged.wrong))

    def test_what_is_no_line_any_more_is_said_where_all_builds_ran(self) -> None:
        text = "hakmem/a.c run: return 1;\n    never\n"
        self.assertEqual(["is no line of code: hakmem/a.c run: return 1;"], self.judge(self.COUNTS, text).wrong)
        self.assertEqual([], self.judge(self.COUNTS, text, is_whole=False).wrong)

    def test_a_line_without_a_reason_is_said(self) -> None:
        judged = self.judge(self.COUNTS, "hakmem/a.c run: return 0;\n")
        self.assertEqual(["has no reason: hakmem/a.c run: return 0;"], judged.wrong)

    def test_each_line_that_is_listed_stands_in_its_file_and_has_a_reason(self) -> None:
        known = coverage.listed(coverage.UNREACHED.read_text(encoding="utf-8"))
        self.assertTrue(known)
        for key, reason in known.items():
            with self.subTest(key):
                place, text = key.split(": ", 1)
                path, function = place.split()[:2]
                source = Path(path).read_text(encoding="utf-8")
                self.assertIn(text, [line.strip() for line in source.splitlines()])
                if function != "-":  # of an inlined one gcov has no name
                    self.assertRegex(source, rf"\b{function}\(")
                self.assertGreater(len(reason), 20)


if __name__ == "__main__":
    unittest.main()
